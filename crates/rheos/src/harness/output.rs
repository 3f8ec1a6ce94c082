//! A sink whose rows a test takes as a value.

use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

/// A row, its timestamp, and how many barriers had passed its writer.
type Written<T> = (T, Millis, u64);
type Rows<T> = Arc<Mutex<Vec<Written<T>>>>;

fn lock<T>(rows: &Rows<T>) -> MutexGuard<'_, Vec<Written<T>>> {
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
        let rows = std::mem::take(&mut *lock(&self.rows)).into_iter();
        rows.map(|(row, timestamp, _)| (row, timestamp)).collect()
    }

    /// Takes what each subtask of the sink has received before its barrier of this number, from 1 in
    /// each life of the job.
    pub fn take_before(&self, barrier: u64) -> Vec<T> {
        let mut rows = lock(&self.rows);
        let (before, behind) = std::mem::take(&mut *rows)
            .into_iter()
            .partition(|(.., passed)| *passed < barrier);
        *rows = behind;
        let before: Vec<Written<T>> = before;
        before.into_iter().map(|(row, ..)| row).collect()
    }

    /// Forgets what came behind a barrier, in a job that has crashed.
    pub(super) fn undo(&self) -> Box<dyn Fn()> {
        let rows = self.rows.clone();
        Box::new(move || lock(&rows).retain(|(.., passed)| *passed == 0))
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
            passed: 0,
        }))
    }
}

struct TestWriter<T> {
    rows: Rows<T>,
    passed: u64,
}

impl<T: Row> SinkWriter<T> for TestWriter<T> {
    fn write(&mut self, row: T, timestamp: Millis) -> Result<(), BoxError> {
        lock(&self.rows).push((row, timestamp, self.passed));
        Ok(())
    }

    fn flush(&mut self, end: bool) -> Result<(), BoxError> {
        // It has no deadline and nothing outstanding: what flushes it before the end is a barrier.
        self.passed += u64::from(!end);
        Ok(())
    }
}
