//! What can go wrong in a task, sorted by what the reader can do about it.

use rheos_core::id::Place;

/// Any error of user code.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The end of a task that did not finish.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A user function returned an error: mend the function, or the rows it is given.
    #[error("{place}: {error}")]
    User {
        /// Where.
        place: Place,
        /// What the function said.
        error: BoxError,
    },
    /// A user function panicked: mend the function.
    #[error("{place}: panicked: {message}\n{backtrace}")]
    Panic {
        /// Where.
        place: Place,
        /// The panic's message and its place in the source.
        message: String,
        /// The stack, where one was captured.
        backtrace: String,
    },
    /// A source could not go on.
    #[error("{place}: source: {error}")]
    Source {
        /// Where.
        place: Place,
        /// What the source said, with split and offset.
        error: BoxError,
    },
    /// A sink could not take a row or finish.
    #[error("{place}: sink: {error}")]
    Sink {
        /// Where.
        place: Place,
        /// What the sink said.
        error: BoxError,
    },
    /// Rows can't be exchanged with a task of another process any more.
    #[error("{place}: {error}")]
    Exchange {
        /// Where.
        place: Place,
        /// With which TaskManager, and why not.
        error: BoxError,
    },
    /// A task of another process failed: see what it says.
    #[error("{message}")]
    Remote {
        /// Where.
        place: Place,
        /// The error, with its place.
        message: String,
    },
    /// The job's graph is not what its operators expect: mend the job.
    #[error("{place}: {message}")]
    Graph {
        /// Where.
        place: Place,
        /// What does not fit, and the way out.
        message: String,
    },
    /// The task was told to end, because another failed or the user said so.
    #[error("{place}: cancelled")]
    Cancelled {
        /// Where.
        place: Place,
    },
}

impl TaskError {
    /// Where it happened.
    pub fn place(&self) -> &Place {
        match self {
            Self::User { place, .. }
            | Self::Panic { place, .. }
            | Self::Source { place, .. }
            | Self::Sink { place, .. }
            | Self::Exchange { place, .. }
            | Self::Remote { place, .. }
            | Self::Graph { place, .. }
            | Self::Cancelled { place } => place,
        }
    }

    /// Whether the task is only the victim of another's failure.
    pub fn is_cancellation(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }
}
