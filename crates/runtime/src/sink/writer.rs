//! The side of a sink that its author writes.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::id::Place;
use rheos_core::time::Millis;

use super::committer::{Committer, CommitterContext};
use crate::chain::inbox::Cursor;
use crate::deploy::side_outputs::SideOutputs;
use crate::error::BoxError;
use crate::metrics::operator::OperatorMetrics;
use crate::task::signal::Signal;

/// Takes rows out of the job. Implemented by connectors and users; shared between threads.
pub trait Sink<T: Row>: Send + Sync + 'static {
    /// The side that writes. One for a subtask, made and called on its thread.
    ///
    /// # Errors
    /// If it can't be made.
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError>;

    /// The side that applies what writers have staged, in a job that takes checkpoints
    /// ([`WriterContext::checkpointed`]); asked for once a subtask, on its thread, after its writer.
    /// A sink that has none is at least once: its writers are flushed before a barrier passes.
    ///
    /// # Errors
    /// If it can't be made.
    fn committer(
        &self,
        context: &CommitterContext,
    ) -> Result<Option<Box<dyn Committer>>, BoxError> {
        let _ = context;
        Ok(None)
    }

    /// Rows a second that all subtasks together may write.
    fn rate_limit(&self) -> Option<f64> {
        None
    }
}

/// What a writer is given.
pub struct WriterContext {
    /// Operator, subtask, parallelism.
    pub place: Place,
    /// How often the job has been started before.
    pub attempt: u32,
    /// Whether the job takes checkpoints. If not, nothing that is staged would ever be committed: a
    /// writer then writes at once.
    pub checkpointed: bool,
    /// Time.
    pub clock: SharedClock,
    /// The job's configuration.
    pub configuration: Arc<Configuration>,
    /// Wakes the task, for writers that wait for another thread.
    pub signal: Arc<Signal>,
    /// Where futures run.
    pub io: Option<tokio::runtime::Handle>,
    /// The operator's counters.
    pub metrics: Arc<OperatorMetrics>,
    /// The operator's side outputs; what is not asked for before the writer is made, it doesn't have.
    pub side_outputs: SideOutputs,
}

/// Writes rows. Called by the sink's operator on the task's thread.
pub trait SinkWriter<T> {
    /// Writes one row.
    ///
    /// # Errors
    /// What ends the job.
    fn write(&mut self, row: T, timestamp: Millis) -> Result<(), BoxError>;

    /// Writes the rows of a slice; a writer that works in batches overrides it.
    ///
    /// # Errors
    /// What ends the job.
    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        rows.each(usize::MAX, |row, timestamp| self.write(row, timestamp))
    }

    /// Whether it takes rows at the moment; if not, it raises the signal when it does. This is how
    /// a slow system outside shows as back-pressure.
    fn is_ready(&self) -> bool {
        true
    }

    /// Whether rows that it has taken are still on their way, to be written by another thread: a
    /// barrier does not pass, and the task does not end, before they are. Until then the task goes on
    /// with its mail, and [`SinkWriter::flush`] is called so that nothing waits for more rows.
    fn has_outstanding(&self) -> bool {
        false
    }

    /// Whether another thread has left word; it raises the signal when it does.
    fn has_news(&self) -> bool {
        false
    }

    /// Takes note of what another thread has written, or could not.
    ///
    /// # Errors
    /// What ends the job.
    fn take_news(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Sees a watermark.
    ///
    /// # Errors
    /// What ends the job.
    fn watermark(&mut self, watermark: Millis) -> Result<(), BoxError> {
        let _ = watermark;
        Ok(())
    }

    /// When it next wants [`SinkWriter::flush`] although no row comes.
    fn flush_deadline(&self) -> Option<Millis> {
        None
    }

    /// Makes what was written visible; at its deadline, before a barrier passes, and with `end` when
    /// no rows follow. A writer with rows outstanding sends them on their way and returns.
    ///
    /// # Errors
    /// What ends the job.
    fn flush(&mut self, end: bool) -> Result<(), BoxError>;

    /// Closes an epoch: what was written since the last barrier is staged, so that a committer can
    /// apply it whatever becomes of this process. What it returns is kept in the checkpoint; none if
    /// there is nothing to apply. Called before a barrier passes, where the sink has a committer;
    /// may be called again without a commit in between, when a checkpoint was aborted.
    ///
    /// # Errors
    /// What ends the job.
    fn stage(&mut self, barrier: &Barrier) -> Result<Option<Vec<u8>>, BoxError> {
        let _ = barrier;
        self.flush(false)?;
        Ok(None)
    }

    /// What the writer itself remembers over a restart, beside the epochs that it has staged.
    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    /// Goes on from what the writers remembered that this one is the heir of: its own subtask's, and
    /// where there are fewer now, those of subtasks that equal it modulo their number.
    ///
    /// # Errors
    /// If that can't be read.
    fn restore(&mut self, snapshots: Vec<Vec<u8>>) -> Result<(), BoxError> {
        let _ = snapshots;
        Ok(())
    }

    /// The task ends, well or not.
    fn close(&mut self) {}
}
