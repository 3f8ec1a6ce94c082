//! The tasks of one attempt, as long as they run.

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use rheos_core::id::{CheckpointId, Place};
use rheos_core::time::Millis;
use rheos_runtime::metrics::registry::Registration;
use rheos_runtime::task::mailbox::{Mail, MailSender};

use crate::deploy::SourceDeployment;
use crate::error::JobError;

/// A task of the attempt.
pub(super) struct AttemptTask {
    pub place: Place,
    pub mail: MailSender,
    pub is_source: bool,
}

/// See the [module](self).
pub(super) struct Attempt {
    pub tasks: Vec<AttemptTask>,
    pub sources: Vec<SourceDeployment>,
    pub threads: Vec<JoinHandle<()>>,
    /// Those that have not ended.
    pub running: BTreeMap<usize, Place>,
    /// Shows the attempt's metrics.
    pub registration: Registration,
}

impl Attempt {
    pub(super) fn mail_sources(&self, mail: impl Fn() -> Mail) {
        for task in self.tasks.iter().filter(|task| task.is_source) {
            task.mail.send(mail());
        }
    }

    pub(super) fn cancel(&self) {
        for task in &self.tasks {
            task.mail.send(Mail::Cancel);
        }
    }

    /// Tells the tasks that a checkpoint is complete: sources last, because some of them end then,
    /// and a sink must have heard of it before its input ends.
    pub(super) fn checkpoint_completed(&self, checkpoint: u64) {
        for sources in [false, true] {
            for task in self.tasks.iter().filter(|task| task.is_source == sources) {
                task.mail
                    .send(Mail::CheckpointCompleted(CheckpointId(checkpoint)));
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

    /// Waits for the threads, whose tasks have all ended.
    pub(super) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker's thread ended by a panic outside of its tasks");
            }
        }
        drop(self.registration);
    }
}
