//! Collects the rows of an epoch, on the task's thread; nothing is sent.

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::row::Writer as RowWriter;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::sink::writer::SinkWriter;

use super::courier::Batch;
use super::epoch::Epoch;
use crate::bad_records::BadRecordHandler;
use crate::outbox::{BatchLimits, Gather};

/// The writer of one subtask of an exactly-once sink.
pub(super) struct StagingWriter<G> {
    pub gather: G,
    pub limits: BatchLimits,
    pub bad_records: BadRecordHandler,
    /// For messages.
    pub sink: String,
    pub rows: usize,
    pub count: u64,
    pub epoch: Epoch,
}

impl<T: Row, G: Gather<T, Batch = Batch>> SinkWriter<T> for StagingWriter<G> {
    fn write(&mut self, row: T, _timestamp: Millis) -> Result<(), BoxError> {
        self.count += 1;
        match self.gather.put(&row) {
            Ok(place) => self.rows = self.rows.max(place + 1),
            Err(message) => {
                let bytes = || {
                    let mut out = RowWriter::new();
                    row.encode(&mut out);
                    out.into_vec()
                };
                self.bad_records
                    .handle(&self.sink, self.count, 0, bytes, message)?;
            }
        }
        if self.rows >= self.limits.max_rows || self.gather.bytes() >= self.limits.max_bytes {
            self.epoch.push(self.gather.take());
            self.rows = 0;
        }
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }

    fn stage(&mut self, _barrier: &Barrier) -> Result<Option<Vec<u8>>, BoxError> {
        if self.rows > 0 {
            self.epoch.push(self.gather.take());
            self.rows = 0;
        }
        let epoch = std::mem::take(&mut self.epoch);
        Ok((!epoch.is_empty()).then(|| epoch.to_handle()))
    }
}
