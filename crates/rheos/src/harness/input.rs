//! A source that a test feeds by hand. What is fed is kept, so that a job that is restored reads it
//! again from where its checkpoint was.

use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::element::StreamStatus;
use rheos_core::row::{Reader, Writer};
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::source::output::SourceOutput;
use rheos_runtime::source::reader::{
    Assignment, Boundedness, ReaderContext, ReaderStatus, Source, SourceReader, SplitEnumerator,
};

enum Item<T> {
    Row(T, Millis),
    Watermark(Millis),
    Status(StreamStatus),
    End,
}

type Items<T> = Arc<Mutex<Vec<Item<T>>>>;

fn lock<T>(items: &Items<T>) -> MutexGuard<'_, Vec<Item<T>>> {
    items
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Feeds one source of a test. It has one subtask, so what is fed keeps its order.
pub struct TestInput<T> {
    items: Items<T>,
}

impl<T: Row> TestInput<T> {
    pub(super) fn new() -> (Self, TestSource<T>) {
        let items = Items::default();
        (
            Self {
                items: items.clone(),
            },
            TestSource { items },
        )
    }

    /// Feeds a row with its timestamp.
    pub fn push(&mut self, row: T, timestamp: Millis) {
        lock(&self.items).push(Item::Row(row, timestamp));
    }

    /// Feeds a watermark.
    pub fn watermark(&mut self, watermark: Millis) {
        lock(&self.items).push(Item::Watermark(watermark));
    }

    /// The input becomes idle.
    pub fn idle(&mut self) {
        lock(&self.items).push(Item::Status(StreamStatus::Idle));
    }

    /// The input becomes active.
    pub fn active(&mut self) {
        lock(&self.items).push(Item::Status(StreamStatus::Active));
    }

    /// Ends the input: the watermark advances to the end of time.
    pub fn end(&mut self) {
        lock(&self.items).push(Item::End);
    }
}

/// The source of a [`TestInput`].
pub(super) struct TestSource<T> {
    items: Items<T>,
}

/// How many items have been taken: the one split.
struct Whole {
    given: bool,
}

impl SplitEnumerator<u64> for Whole {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<u64>, BoxError> {
        Ok(if std::mem::replace(&mut self.given, true) {
            Assignment::NoMore
        } else {
            Assignment::Splits(vec![0])
        })
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut out = Writer::new();
        self.given.encode(&mut out);
        Some(out.into_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        self.given = bool::decode(&mut Reader::new(snapshot))?;
        Ok(())
    }
}

impl<T: Row> Source<T> for TestSource<T> {
    type Split = u64;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<u64>>, BoxError> {
        Ok(Box::new(Whole { given: false }))
    }

    fn reader(&self, _context: &ReaderContext) -> Result<Box<dyn SourceReader<T, u64>>, BoxError> {
        Ok(Box::new(TestReader {
            items: self.items.clone(),
            next: None,
        }))
    }
}

struct TestReader<T> {
    items: Items<T>,
    next: Option<u64>,
}

impl<T: Row> SourceReader<T, u64> for TestReader<T> {
    fn add_splits(&mut self, splits: Vec<u64>) {
        self.next = splits.first().copied().or(self.next);
    }

    fn poll(&mut self, out: &mut SourceOutput<T>, budget: usize) -> Result<ReaderStatus, BoxError> {
        let items = lock(&self.items);
        let Some(next) = &mut self.next else {
            return Ok(ReaderStatus::WantsSplit);
        };
        while out.len() < budget {
            let item = items.get(usize::try_from(*next).unwrap_or(usize::MAX));
            match item {
                Some(Item::Row(row, timestamp)) => out.emit_at(0, row.clone(), *timestamp),
                Some(Item::Watermark(watermark)) => {
                    *next += 1;
                    out.emit_watermark(*watermark);
                    return Ok(ReaderStatus::More);
                }
                Some(Item::Status(status)) => {
                    *next += 1;
                    out.emit_status(*status);
                    return Ok(ReaderStatus::More);
                }
                Some(Item::End) => {
                    self.next = None;
                    return Ok(ReaderStatus::WantsSplit);
                }
                None => return Ok(ReaderStatus::Pending { until: None }),
            }
            *next += 1;
        }
        Ok(ReaderStatus::More)
    }

    fn is_available(&self) -> bool {
        let count = lock(&self.items).len() as u64;
        self.next.is_some_and(|next| next < count)
    }

    fn splits(&self) -> Vec<u64> {
        self.next.iter().copied().collect()
    }
}
