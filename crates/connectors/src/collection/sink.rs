//! A sink whose rows the program takes as a value.

use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

/// Keeps its rows in memory. A clone shares them: one goes into the job, the other is read when the
/// job has ended, or while it runs.
///
/// A job that restarts writes rows again that it wrote before the failure.
///
/// ```
/// use rheos::harness::Harness;
/// use rheos_connectors::CollectSink;
///
/// let harness = Harness::new();
/// let (mut numbers, stream) = harness.input::<i64>("numbers");
/// let sink = CollectSink::new();
/// stream.sink_to(sink.clone());
/// let mut job = harness.start()?;
/// numbers.push(7, 0);
/// job.settle()?;
/// assert_eq!(sink.take(), [7]);
/// # Ok::<(), rheos::harness::HarnessError>(())
/// ```
#[derive(Debug)]
pub struct CollectSink<T> {
    rows: Arc<Mutex<Vec<T>>>,
}

impl<T> Clone for CollectSink<T> {
    fn clone(&self) -> Self {
        Self {
            rows: self.rows.clone(),
        }
    }
}

impl<T> Default for CollectSink<T> {
    fn default() -> Self {
        Self {
            rows: Arc::default(),
        }
    }
}

impl<T> CollectSink<T> {
    /// A sink without rows.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.rows
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes the rows that have arrived since the last time, in the order of arrival.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.lock())
    }

    /// Rows that have arrived and have not been taken.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl<T: Row> Sink<T> for CollectSink<T> {
    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        Ok(Box::new(self.clone()))
    }
}

impl<T: Row> SinkWriter<T> for CollectSink<T> {
    fn write(&mut self, row: T, _timestamp: Millis) -> Result<(), BoxError> {
        self.lock().push(row);
        Ok(())
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        let mut kept = self.lock();
        while let Some((row, _)) = rows.next() {
            kept.push(row);
        }
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}
