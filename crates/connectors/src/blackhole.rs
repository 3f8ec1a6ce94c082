//! A sink that drops its rows: the end of streams that are only measured.

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

/// Drops its rows, whole slices at a time. Flink's `DiscardingSink` and `blackhole` connector.
///
/// The operator's `numRecordsIn` says how many there were.
#[derive(Debug, Clone, Copy, Default)]
pub struct BlackholeSink;

/// Flink's name for [`BlackholeSink`].
pub use BlackholeSink as DiscardingSink;

impl<T: Row> Sink<T> for BlackholeSink {
    fn writer(&self, _context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        Ok(Box::new(BlackholeSink))
    }
}

impl<T: Row> SinkWriter<T> for BlackholeSink {
    fn write(&mut self, _row: T, _timestamp: Millis) -> Result<(), BoxError> {
        Ok(())
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        rows.each(usize::MAX, |_, _| Ok(()))
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }
}
