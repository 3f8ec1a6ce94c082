//! The writer of an exactly-once sink that gathers rows into batches: those of an epoch are its handle,
//! and nothing is sent.

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::row::Writer as RowWriter;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::metrics::user::Counter;
use rheos_runtime::sink::writer::{SinkWriter, WriterContext};

use super::writer::counted;
use super::{Delivery, Gather};
use crate::bad_records::{BadRecordHandler, Direction};
use crate::error::ConnectorError;

/// The batches of an epoch. Implemented by connectors; called on the task's thread.
pub(crate) trait Epoch: Default + 'static {
    /// What is gathered.
    type Batch: Send + 'static;

    /// Adds a batch.
    fn push(&mut self, batch: Self::Batch);

    /// Whether there is none.
    fn is_empty(&self) -> bool;

    /// What is kept in the checkpoint.
    fn to_handle(&self) -> Vec<u8>;
}

/// The writer of one subtask of an exactly-once sink.
pub(crate) struct StagingWriter<G, E> {
    gather: G,
    delivery: Delivery,
    bad_records: BadRecordHandler,
    /// For messages.
    sink: String,
    rows: usize,
    count: u64,
    epoch: E,
    /// Rows of the epoch.
    gathered: u64,
    sent: Counter,
    bytes_sent: Counter,
}

impl<G, E: Epoch> StagingWriter<G, E> {
    /// A writer in `context`; `target` is where its committer writes to, for messages.
    pub fn open(
        context: &WriterContext,
        target: &str,
        gather: G,
        delivery: Delivery,
    ) -> Result<Self, ConnectorError> {
        let bad_records = BadRecordHandler::new(
            delivery.bad_records,
            Direction::Out,
            &context.side_outputs,
            context.metrics.clone(),
            context.clock.clone(),
        )?;
        let metrics = context.metrics.group();
        Ok(Self {
            gather,
            delivery,
            bad_records,
            sink: format!("{} into {target}", context.place),
            rows: 0,
            count: 0,
            epoch: E::default(),
            gathered: 0,
            sent: metrics.counter("numRecordsSend"),
            bytes_sent: metrics.counter("numBytesSend"),
        })
    }
}

impl<T, G, E> SinkWriter<T> for StagingWriter<G, E>
where
    T: Row,
    E: Epoch,
    G: Gather<T, Batch = E::Batch>,
{
    fn write(&mut self, row: T, _timestamp: Millis) -> Result<(), BoxError> {
        self.count += 1;
        match self.gather.put(&row) {
            Ok(place) => {
                self.rows = self.rows.max(place + 1);
                self.gathered += 1;
            }
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
        let limits = &self.delivery.limits;
        if self.rows >= limits.max_rows.max(1) || self.gather.bytes() >= limits.max_bytes.max(1) {
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
        if epoch.is_empty() {
            return Ok(None);
        }
        let handle = epoch.to_handle();
        // Handed over for good: the committer writes them, or says which it had to leave out.
        self.sent
            .inc_by(counted(std::mem::take(&mut self.gathered)));
        self.bytes_sent.inc_by(counted(handle.len() as u64));
        Ok(Some(handle))
    }
}
