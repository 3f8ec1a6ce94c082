//! Why a job did not finish, sorted by what the reader can do about it.

use rheos_runtime::{BoxError, TaskError};

use crate::checkpoint::CheckpointError;

/// The end of a job that did not finish.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The job needs more slots than there are: lower a parallelism, or give more slots.
    #[error(
        "the job needs {needed} slots and there are {available}: \
         lower its parallelism, or raise taskmanager.numberOfTaskSlots"
    )]
    NoResource {
        /// Slots needed.
        needed: u32,
        /// Slots there are.
        available: u32,
    },
    /// The graph does not fit together: mend the job.
    #[error("operator '{operator}': {message}")]
    Graph {
        /// The operator.
        operator: String,
        /// What does not fit.
        message: String,
    },
    /// The splits of a source can't be found: mend its options, or what it reads.
    #[error("source '{operator}': {error}")]
    Source {
        /// The source.
        operator: String,
        /// What its enumerator says.
        error: BoxError,
    },
    /// A task failed: see its error.
    #[error("{0}")]
    Task(#[source] Box<TaskError>),
    /// Checkpoints can't be taken or restored: see the error.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The configuration can't be used: mend it.
    #[error("configuration: {0}")]
    Configuration(String),
    /// There is no room left: give states a time-to-live, or the process more memory.
    #[error(
        "the process has {resident} in memory of the {limit} that it may have ({bounds}): its tasks end \
         before the system ends it. The largest states: {states}. Give states that need not \
         be kept for ever a time-to-live, raise {key}, or spread the job over more processes"
    )]
    OutOfMemory {
        /// What it has.
        resident: String,
        /// What it may have.
        limit: String,
        /// What sets that.
        bounds: &'static str,
        /// The key that raises it.
        key: &'static str,
        /// The largest states, with their sizes.
        states: String,
    },
    /// There is no room left in a TaskManager, which has ended: as above.
    #[error("TaskManager {manager}: {message}")]
    TaskManagerOutOfMemory {
        /// Which.
        manager: String,
        /// What it said.
        message: String,
    },
    /// The TaskManagers of the job can't be brought together.
    #[error("{0}")]
    Network(#[source] BoxError),
    /// Another JobManager leads the job: there is nothing to do here.
    #[error("this JobManager leads the job no more: {0}")]
    LeadsNoMore(String),
    /// The job was cancelled.
    #[error("the job was cancelled")]
    Cancelled,
    /// A task did not end within `task.cancellation.timeout`: its user code hangs.
    #[error(
        "{tasks} did not end within {seconds} s of being cancelled: user code hangs there; \
         the first cause was: {cause}"
    )]
    CancellationTimeout {
        /// The tasks.
        tasks: String,
        /// How long was waited.
        seconds: u64,
        /// Why they were cancelled.
        cause: String,
    },
    /// The system refused something the process needs.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

impl JobError {
    /// Whether another process runs the job by now.
    pub fn is_superseded(&self) -> bool {
        matches!(
            self,
            Self::LeadsNoMore(_) | Self::Checkpoint(CheckpointError::Superseded { .. })
        )
    }
}
