//! The two sides of a source that its author writes: the enumerator and the reader.

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::id::{CheckpointId, Place};
use rheos_core::time::Millis;
use std::sync::Arc;

use super::output::SourceOutput;
use crate::deploy::side_outputs::SideOutputs;
use crate::error::BoxError;
use crate::metrics::operator::OperatorMetrics;
use crate::task::signal::Signal;

/// Whether a source ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundedness {
    /// It does.
    Bounded,
    /// It goes on until the job is stopped.
    Unbounded,
}

/// A source of rows. Implemented by connectors and users; shared between threads.
pub trait Source<T: Row>: Send + Sync + 'static {
    /// A unit of the source, with the position reached in it.
    type Split: Row;

    /// Whether it ends by itself.
    fn boundedness(&self) -> Boundedness;

    /// The side that knows the splits. One for a job, called by the JobManager.
    ///
    /// # Errors
    /// If the splits can't be found.
    fn enumerator(
        &self,
        parallelism: u32,
    ) -> Result<Box<dyn SplitEnumerator<Self::Split>>, BoxError>;

    /// The side that reads. One for a subtask, made and called on its thread.
    ///
    /// # Errors
    /// If it can't be made.
    fn reader(
        &self,
        context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<T, Self::Split>>, BoxError>;
}

/// What a reader is given.
pub struct ReaderContext {
    /// Operator, subtask, parallelism.
    pub place: Place,
    /// Time.
    pub clock: SharedClock,
    /// The job's configuration.
    pub configuration: Arc<Configuration>,
    /// Wakes the task, for readers whose rows come from another thread.
    pub signal: Arc<Signal>,
    /// Where futures run.
    pub io: Option<tokio::runtime::Handle>,
    /// The operator's counters.
    pub metrics: Arc<OperatorMetrics>,
    /// The operator's side outputs; what is not asked for before the reader is made, it doesn't have.
    pub side_outputs: SideOutputs,
}

/// An answer to a reader that wants a split.
#[derive(Debug, Clone, PartialEq)]
pub enum Assignment<S> {
    /// Take these.
    Splits(Vec<S>),
    /// None at the moment; more may be discovered.
    Later,
    /// None, and there will be none.
    NoMore,
}

/// Knows the splits of a source: a state machine without threads. Called by the JobManager, one call
/// at a time.
pub trait SplitEnumerator<S>: Send {
    /// A reader wants work.
    ///
    /// # Errors
    /// If the splits can't be found.
    fn request(&mut self, subtask: u32) -> Result<Assignment<S>, BoxError>;

    /// Looks for new splits; called every [`SplitEnumerator::discovery_interval_millis`].
    ///
    /// # Errors
    /// If the splits can't be found.
    fn discover(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// What of it belongs to a checkpoint: which splits it has yet to give out, and whatever keeps it
    /// from giving others out twice. Splits that readers have are not its own any more. None if it
    /// can't say, and then the source takes part in no checkpoint.
    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    /// Goes on from what [`SplitEnumerator::snapshot`] gave, perhaps for another number of readers;
    /// called before anything else. Splits that readers had go to readers.
    ///
    /// # Errors
    /// If that can't be read.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        let _ = snapshot;
        Err("the enumerator can't be restored".into())
    }

    /// How often to look for new splits.
    fn discovery_interval_millis(&self) -> Option<Millis> {
        None
    }
}

/// What a poll came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderStatus {
    /// There may be more at once.
    More,
    /// Nothing at the moment: ask again when the signal is raised, or at this time (monotonic
    /// microseconds).
    Pending {
        /// When to ask again at the latest.
        until: Option<i64>,
    },
    /// The splits it was given are used up: it wants another.
    WantsSplit,
}

/// Reads splits. Called by the source's stage on the task's thread.
pub trait SourceReader<T, S> {
    /// Takes splits on, from the enumerator or, at their positions, from a checkpoint.
    fn add_splits(&mut self, splits: Vec<S>);

    /// Emits up to about `budget` rows, without blocking.
    ///
    /// # Errors
    /// What ends the job, with split and offset.
    fn poll(&mut self, out: &mut SourceOutput<T>, budget: usize) -> Result<ReaderStatus, BoxError>;

    /// Whether a poll would give something now, though the last one gave nothing: for readers that
    /// another thread feeds. Whoever feeds it raises the signal of [`ReaderContext`].
    fn is_available(&self) -> bool {
        false
    }

    /// The splits at work, each with the position behind the last row emitted.
    fn splits(&self) -> Vec<S>;

    /// A checkpoint is complete, before whose barrier [`SourceReader::splits`] was asked: for systems
    /// that like to be told how far their reader has come.
    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) {
        let _ = checkpoint;
    }

    /// The splits at work at the barrier of a checkpoint.
    fn snapshot(&mut self, checkpoint: CheckpointId) -> Vec<S> {
        let _ = checkpoint;
        self.splits()
    }

    /// Stops or goes on reading one split, for alignment of watermarks; whether it can.
    fn pause_split(&mut self, split: u32, paused: bool) -> bool {
        let _ = (split, paused);
        false
    }

    /// The task ends.
    fn close(&mut self) {}
}
