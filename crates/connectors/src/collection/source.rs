//! A source of the rows of a `Vec`.

use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::row::{Reader, Writer};
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_runtime::BoxError;
use rheos_runtime::source::output::SourceOutput;
use rheos_runtime::source::reader::{
    Assignment, Boundedness, ReaderContext, ReaderStatus, Source, SourceReader, SplitEnumerator,
};

type Rows<T> = Arc<Mutex<Vec<(T, Millis)>>>;

fn lock<T>(rows: &Rows<T>) -> MutexGuard<'_, Vec<(T, Millis)>> {
    rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The rows of a collection in their order. Flink's `fromCollection` and `fromElements`: one split,
/// so that one subtask reads them all whatever the parallelism.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::CollectionSource;
///
/// let env = StreamEnv::default();
/// let words = CollectionSource::from(vec!["to", "be"].into_iter().map(Str::from).collect::<Vec<_>>());
/// let stream: DataStream<Str> = env.from_source(words, WatermarkStrategy::no_watermarks(), "words");
/// ```
#[derive(Debug, Clone)]
pub struct CollectionSource<T> {
    // In a mutex only because rows need not be `Sync`.
    rows: Rows<T>,
}

impl<T> CollectionSource<T> {
    /// These rows, without timestamps of their own.
    pub fn from_elements(rows: impl IntoIterator<Item = T>) -> Self {
        Self::with_timestamps(rows.into_iter().map(|row| (row, MIN_TIMESTAMP)))
    }

    /// These rows with their timestamps.
    pub fn with_timestamps(rows: impl IntoIterator<Item = (T, Millis)>) -> Self {
        Self {
            rows: Arc::new(Mutex::new(rows.into_iter().collect())),
        }
    }
}

impl<T> From<Vec<T>> for CollectionSource<T> {
    fn from(rows: Vec<T>) -> Self {
        Self::from_elements(rows)
    }
}

impl<T> FromIterator<T> for CollectionSource<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self::from_elements(rows)
    }
}

/// The rows of a collection from an index on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Row)]
pub struct CollectionSplit {
    /// The index of the next row.
    pub next: u64,
}

struct CollectionEnumerator {
    split: Option<CollectionSplit>,
}

impl SplitEnumerator<CollectionSplit> for CollectionEnumerator {
    fn request(&mut self, _subtask: u32) -> Result<Assignment<CollectionSplit>, BoxError> {
        Ok(match self.split.take() {
            Some(split) => Assignment::Splits(vec![split]),
            None => Assignment::NoMore,
        })
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let mut out = Writer::new();
        self.split.encode(&mut out);
        Some(out.into_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        self.split = Option::<CollectionSplit>::decode(&mut Reader::new(snapshot))?;
        Ok(())
    }
}

impl<T: Row> Source<T> for CollectionSource<T> {
    type Split = CollectionSplit;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }

    fn enumerator(
        &self,
        _parallelism: u32,
    ) -> Result<Box<dyn SplitEnumerator<CollectionSplit>>, BoxError> {
        Ok(Box::new(CollectionEnumerator {
            split: Some(CollectionSplit { next: 0 }),
        }))
    }

    fn reader(
        &self,
        _context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<T, CollectionSplit>>, BoxError> {
        Ok(Box::new(CollectionReader {
            rows: self.rows.clone(),
            split: None,
        }))
    }
}

struct CollectionReader<T> {
    rows: Rows<T>,
    split: Option<CollectionSplit>,
}

impl<T: Row> SourceReader<T, CollectionSplit> for CollectionReader<T> {
    fn add_splits(&mut self, splits: Vec<CollectionSplit>) {
        self.split = splits.last().copied().or(self.split);
    }

    fn poll(&mut self, out: &mut SourceOutput<T>, budget: usize) -> Result<ReaderStatus, BoxError> {
        let Some(split) = &mut self.split else {
            return Ok(ReaderStatus::WantsSplit);
        };
        let rows = lock(&self.rows);
        let next = usize::try_from(split.next).unwrap_or(usize::MAX);
        let ahead = rows.get(next..).unwrap_or(&[]);
        let count = ahead.len().min(budget);
        out.emit_run(0, ahead.iter().take(count).cloned());
        split.next += count as u64;
        if count < ahead.len() {
            return Ok(ReaderStatus::More);
        }
        out.finish_split(0);
        self.split = None;
        Ok(ReaderStatus::WantsSplit)
    }

    fn splits(&self) -> Vec<CollectionSplit> {
        self.split.iter().copied().collect()
    }
}
