//! A source that a test feeds by hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::element::StreamStatus;
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

type Queue<T> = Arc<Mutex<VecDeque<Item<T>>>>;

fn lock<T>(queue: &Queue<T>) -> MutexGuard<'_, VecDeque<Item<T>>> {
    queue
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Feeds one source of a test. It has one subtask, so what is fed keeps its order.
pub struct TestInput<T> {
    queue: Queue<T>,
}

impl<T: Row> TestInput<T> {
    pub(super) fn new() -> (Self, TestSource<T>) {
        let queue = Queue::default();
        (
            Self {
                queue: queue.clone(),
            },
            TestSource { queue },
        )
    }

    /// Feeds a row with its timestamp.
    pub fn push(&mut self, row: T, timestamp: Millis) {
        lock(&self.queue).push_back(Item::Row(row, timestamp));
    }

    /// Feeds a watermark.
    pub fn watermark(&mut self, watermark: Millis) {
        lock(&self.queue).push_back(Item::Watermark(watermark));
    }

    /// The input becomes idle.
    pub fn idle(&mut self) {
        lock(&self.queue).push_back(Item::Status(StreamStatus::Idle));
    }

    /// The input becomes active.
    pub fn active(&mut self) {
        lock(&self.queue).push_back(Item::Status(StreamStatus::Active));
    }

    /// Ends the input: the watermark advances to the end of time.
    pub fn end(&mut self) {
        lock(&self.queue).push_back(Item::End);
    }
}

/// The source of a [`TestInput`].
pub(super) struct TestSource<T> {
    queue: Queue<T>,
}

struct NoSplits;

impl SplitEnumerator<()> for NoSplits {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<()>, BoxError> {
        Ok(Assignment::NoMore)
    }
}

impl<T: Row> Source<T> for TestSource<T> {
    type Split = ();

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(&self, _parallelism: u32) -> Result<Box<dyn SplitEnumerator<()>>, BoxError> {
        Ok(Box::new(NoSplits))
    }

    fn reader(&self, _context: &ReaderContext) -> Result<Box<dyn SourceReader<T, ()>>, BoxError> {
        Ok(Box::new(TestReader {
            queue: self.queue.clone(),
        }))
    }
}

struct TestReader<T> {
    queue: Queue<T>,
}

impl<T: Row> SourceReader<T, ()> for TestReader<T> {
    fn add_splits(&mut self, _splits: Vec<()>) {}

    fn poll(&mut self, out: &mut SourceOutput<T>, budget: usize) -> Result<ReaderStatus, BoxError> {
        let mut queue = lock(&self.queue);
        while out.len() < budget {
            match queue.pop_front() {
                Some(Item::Row(row, timestamp)) => out.emit_at(0, row, timestamp),
                Some(Item::Watermark(watermark)) => {
                    out.emit_watermark(watermark);
                    return Ok(ReaderStatus::More);
                }
                Some(Item::Status(status)) => {
                    out.emit_status(status);
                    return Ok(ReaderStatus::More);
                }
                Some(Item::End) => {
                    queue.push_front(Item::End);
                    return Ok(ReaderStatus::WantsSplit);
                }
                None => return Ok(ReaderStatus::Pending { until: None }),
            }
        }
        Ok(ReaderStatus::More)
    }

    fn is_available(&self) -> bool {
        !lock(&self.queue).is_empty()
    }

    fn splits(&self) -> Vec<()> {
        Vec::new()
    }
}
