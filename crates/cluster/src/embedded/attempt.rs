//! The tasks of one attempt, as long as they run, wherever that is.

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use rheos_core::barrier::Barrier;
use rheos_core::id::{CheckpointId, Place};
use rheos_core::time::Millis;
use rheos_runtime::metrics::registry::Registration;
use rheos_runtime::task::mailbox::{Mail, MailSender};

use crate::deploy::SourceDeployment;
use crate::error::JobError;

/// What the JobMaster tells a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// To a source: emit this barrier.
    Checkpoint(Barrier),
    /// A checkpoint is complete.
    CheckpointCompleted(CheckpointId),
    /// To a source: end now.
    Stop {
        /// Whether windows and timers fire.
        drain: bool,
    },
    /// End without finishing.
    Cancel,
}

impl Command {
    /// As mail.
    pub(crate) fn to_mail(self) -> Mail {
        match self {
            Self::Checkpoint(barrier) => Mail::Checkpoint(barrier),
            Self::CheckpointCompleted(checkpoint) => Mail::CheckpointCompleted(checkpoint),
            Self::Stop { drain } => Mail::Stop { drain },
            Self::Cancel => Mail::Cancel,
        }
    }
}

/// How a task is reached: the seam between the JobMaster and where tasks run. Implemented by the mail
/// of tasks in this process, and by the TaskManagers of others; commands arrive in their order.
pub(crate) trait Reach: Send {
    /// Tells the task.
    fn tell(&self, command: Command);
}

impl Reach for MailSender {
    fn tell(&self, command: Command) {
        self.send(command.to_mail());
    }
}

/// What holds the tasks of an attempt. Told to end once all of them have.
pub(crate) trait Host: Send {
    /// Waits for what is left of the attempt.
    fn end(self: Box<Self>);
}

/// Threads of this process.
pub(crate) struct Threads(pub Vec<JoinHandle<()>>);

impl Host for Threads {
    fn end(self: Box<Self>) {
        for thread in self.0 {
            if thread.join().is_err() {
                tracing::error!("a worker's thread ended by a panic outside of its tasks");
            }
        }
    }
}

/// A task of the attempt.
pub(crate) struct AttemptTask {
    pub place: Place,
    pub reach: Box<dyn Reach>,
    pub is_source: bool,
}

/// See the [module](self).
pub(crate) struct Attempt {
    pub tasks: Vec<AttemptTask>,
    pub sources: Vec<SourceDeployment>,
    pub host: Box<dyn Host>,
    /// Those that have not ended.
    pub running: BTreeMap<usize, Place>,
    /// Shows the attempt's metrics.
    pub registration: Registration,
}

impl Attempt {
    pub(super) fn tell_sources(&self, command: Command) {
        for task in self.tasks.iter().filter(|task| task.is_source) {
            task.reach.tell(command);
        }
    }

    pub(super) fn cancel(&self) {
        for task in &self.tasks {
            task.reach.tell(Command::Cancel);
        }
    }

    /// Tells the tasks that a checkpoint is complete: sources last, because some of them end then,
    /// and a sink must have heard of it before its input ends.
    pub(super) fn checkpoint_completed(&self, checkpoint: u64) {
        for sources in [false, true] {
            for task in self.tasks.iter().filter(|task| task.is_source == sources) {
                let command = Command::CheckpointCompleted(CheckpointId(checkpoint));
                task.reach.tell(command);
            }
        }
    }

    /// Lets the enumerators look for splits.
    pub(super) fn tick(&self, now: Millis) -> Option<JobError> {
        for source in &self.sources {
            if let Err(error) = source.coordinator.tick(now) {
                return Some(JobError::Source {
                    operator: source.name.clone(),
                    error,
                });
            }
        }
        None
    }

    /// Waits for where the tasks ran; they have all ended.
    pub(super) fn join(self) {
        self.host.end();
        drop(self.registration);
    }
}
