//! A sink whose rows a test takes as a value.

use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

type Rows<T> = Arc<Mutex<Vec<(T, Millis)>>>;

fn lock<T>(rows: &Rows<T>) -> MutexGuard<'_, Vec<(T, Millis)>> {
    rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What has arrived at one sink of a test, in the order of arrival.
pub struct TestOutput<T> {
    rows: Rows<T>,
}

impl<T: Row> TestOutput<T> {
    pub(super) fn new() -> (Self, TestSink<T>) {
        let rows = Rows::default();
        (Self { rows: rows.clone() }, TestSink { rows })
    }

    /// Takes what has arrived since the last time, with timestamps.
    pub fn take(&self) -> Vec<(T, Millis)> {
        std::mem::take(&mut *lock(&self.rows))
    }

    /// Takes the rows that have arrived since the last time.
    pub fn take_rows(&self) -> Vec<T> {
        self.take().into_iter().map(|(row, _)| row).collect()
    }
}

/// The sink of a [`TestOutput`].
pub(super) struct TestSink<T> {
    rows: Rows<T>,
}

impl<T: Row> Sink<T> for TestSink<T> {
    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        Ok(Box::new(TestWriter {
            rows: self.rows.clone(),
        }))
    }
}

struct TestWriter<T> {
    rows: Rows<T>,
}

impl<T: Row> SinkWriter<T> for TestWriter<T> {
    fn write(&mut self, row: T, timestamp: Millis) -> Result<(), BoxError> {
        lock(&self.rows).push((row, timestamp));
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}
