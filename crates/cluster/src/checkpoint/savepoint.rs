//! Savepoints: whole pictures of a job that a person asks for and keeps, in canonical form.
//!
//! Life: asked for, by a [`SavepointRequest`] → its place is opened and tried → no checkpoint is under
//! way → its barrier is sent, which overtakes nothing → all parts are written → its manifest, then its
//! record in the job's log → complete. One that stops the job waits until all sources have come to
//! their end, and the job ends once it is complete. What fails at any step fails the request alone.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::error::CheckpointError;
use super::location::Location;
use super::settings::CheckpointSettings;
use super::storage::CheckpointStorage;

/// The file that a savepoint has until it is complete.
pub(crate) const UNFINISHED: &str = "unfinished.json";
/// How many requests are remembered.
const REMEMBERED: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavepointRequest {
    /// The folder that its own folder is made in; `execution.checkpointing.savepoint-dir` without one.
    pub directory: Option<String>,
    /// Whether the job stops with it, and then whether windows and timers fire before.
    pub stop: Option<bool>,
    /// A name for the request, 32 hexadecimal digits; drawn without one.
    pub trigger: Option<String>,
}

/// What has become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavepointStatus {
    /// It is not complete yet.
    InProgress,
    /// It is there; of one that stops the job, that has ended.
    Completed {
        /// Where.
        location: String,
    },
    /// The checkpoint of this number is there, which was asked for, or a newer one.
    Checkpoint(u64),
    /// It has failed.
    Failed {
        /// Why.
        cause: String,
    },
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its trigger.
    pub id: String,
    /// Where it is to be.
    pub location: Location,
    /// Whether the job stops with it, and drains.
    pub stop: Option<bool>,
}

/// Where a savepoint is written to, once that has been tried.
#[derive(Clone)]
pub struct SavepointTarget {
    /// Its folder.
    pub storage: Arc<dyn CheckpointStorage>,
    /// How it is named.
    pub location: String,
    /// Whether the job stops with it.
    pub stops: bool,
}

#[derive(Debug)]
struct Known {
    id: String,
    status: SavepointStatus,
    stop: Option<bool>,
    /// Of one that stops the job: where it is, though the job has not ended yet.
    stopping: Option<String>,
    /// Whether somebody has heard of its end.
    heard: bool,
}

/// The requests of one job, for savepoints and for checkpoints: written by its thread, read by all handles.
#[derive(Debug)]
pub struct Savepoints {
    settings: Option<CheckpointSettings>,
    /// The job's id, of which names of savepoints have the first digits.
    job: String,
    known: Mutex<VecDeque<Known>>,
    changed: Condvar,
}

/// A name for a request, that nobody else draws: 32 hexadecimal digits.
pub(crate) fn draw_id() -> String {
    format!("{:016x}{:016x}", drawn(), drawn())
}

fn drawn() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// The name of a request.
fn named(trigger: Option<String>) -> Result<String, CheckpointError> {
    match trigger {
        Some(id) if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(id),
        Some(other) => Err(CheckpointError::Setting(format!(
            "the trigger id '{other}' is not 32 hexadecimal digits"
        ))),
        None => Ok(draw_id()),
    }
}

impl Savepoints {
    /// Those of a job; without settings it takes no checkpoints, and no savepoints.
    pub(crate) fn new(job: String, settings: Option<CheckpointSettings>) -> Self {
        Self {
            settings,
            job,
            known: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether savepoints can be taken of the job.
    pub fn are_taken(&self) -> bool {
        self.settings.is_some()
    }

    /// Takes a request on.
    pub(crate) fn ask(&self, request: SavepointRequest) -> Result<Asked, CheckpointError> {
        let Some(settings) = &self.settings else {
            return Err(CheckpointError::Setting(
                "the job takes no checkpoints, and so no savepoints: set \
                 execution.checkpointing.interval"
                    .to_owned(),
            ));
        };
        let directory = match request.directory.or_else(|| settings.savepoints.clone()) {
            // Whoever goes on from it may be in another folder.
            Some(directory) => Location::parse(&directory)?.absolute(),
            None => {
                return Err(CheckpointError::Setting(
                    "a savepoint needs a directory: name one, or set \
                     execution.checkpointing.savepoint-dir"
                        .to_owned(),
                ));
            }
        };
        let id = named(request.trigger)?;
        let short: String = self.job.chars().take(6).collect();
        let name = format!("savepoint-{short}-{:012x}", drawn() & 0xffff_ffff_ffff);
        self.know(id.clone(), request.stop)?;
        Ok(Asked {
            id,
            location: directory.below(&name),
            stop: request.stop,
        })
    }

    /// Takes a request for a checkpoint on; its name.
    pub(crate) fn ask_checkpoint(
        &self,
        trigger: Option<String>,
    ) -> Result<String, CheckpointError> {
        if self.settings.is_none() {
            return Err(CheckpointError::Setting(
                "the job takes no checkpoints: set execution.checkpointing.interval".to_owned(),
            ));
        }
        let id = named(trigger)?;
        self.know(id.clone(), None)?;
        Ok(id)
    }

    fn know(&self, id: String, stop: Option<bool>) -> Result<(), CheckpointError> {
        let mut known = self.lock();
        if known.iter().any(|known| known.id == id) {
            return Err(CheckpointError::Setting(format!(
                "there is a request with the trigger id {id} already"
            )));
        }
        known.push_back(Known {
            id,
            status: SavepointStatus::InProgress,
            stop,
            stopping: None,
            heard: false,
        });
        if known.len() > REMEMBERED {
            known.pop_front();
        }
        Ok(())
    }

    /// What has become of a request; none if it is not known.
    pub fn status(&self, id: &str) -> Option<SavepointStatus> {
        let mut known = self.lock();
        let found = known.iter_mut().find(|known| known.id == id)?;
        found.heard |= found.status != SavepointStatus::InProgress;
        let status = found.status.clone();
        drop(known);
        self.changed.notify_all();
        Some(status)
    }

    /// Waits until a request has come to an end; what is known of it when the time is up.
    pub fn wait(&self, id: &str, timeout: Duration) -> Option<SavepointStatus> {
        let known = self.lock();
        let waited = self.changed.wait_timeout_while(known, timeout, |known| {
            let found = known.iter().find(|known| known.id == id);
            found.is_some_and(|known| known.status == SavepointStatus::InProgress)
        });
        drop(waited);
        self.status(id)
    }

    fn change(&self, change: impl Fn(&mut Known)) {
        let mut known = self.lock();
        let open = known.iter_mut();
        open.filter(|known| known.status == SavepointStatus::InProgress)
            .for_each(change);
        drop(known);
        self.changed.notify_all();
    }

    /// A savepoint is complete. Of one that stops the job that is told when the job has ended.
    pub(crate) fn completed(&self, id: &str, location: &str) {
        self.change(|known| {
            if known.id != id {
                return;
            }
            match known.stop {
                Some(_) => known.stopping = Some(location.to_owned()),
                None => {
                    known.status = SavepointStatus::Completed {
                        location: location.to_owned(),
                    };
                }
            }
        });
    }

    /// A checkpoint is there that was asked for, or a newer one.
    pub(crate) fn completed_checkpoint(&self, id: &str, checkpoint: u64) {
        self.change(|known| {
            if known.id == id {
                known.status = SavepointStatus::Checkpoint(checkpoint);
            }
        });
    }

    /// A request has failed.
    pub(crate) fn failed(&self, id: &str, cause: &str) {
        self.change(|known| {
            if known.id == id {
                known.status = SavepointStatus::Failed {
                    cause: cause.to_owned(),
                };
            }
        });
    }

    /// The job has ended: well, or with this error.
    pub(crate) fn job_ended(&self, error: Option<&str>) {
        self.change(|known| {
            known.status = match (&known.stopping, error) {
                (Some(location), None) => SavepointStatus::Completed {
                    location: location.clone(),
                },
                (Some(location), Some(error)) => SavepointStatus::Failed {
                    cause: format!(
                        "a savepoint was made at {location}, but the job did not end in good \
                         order: {error}"
                    ),
                },
                (None, _) => SavepointStatus::Failed {
                    cause: "the job has ended".to_owned(),
                },
            };
        });
    }

    /// Waits for a while until somebody has heard of each request that has stopped the job.
    pub fn linger(&self, timeout: Duration) {
        let known = self.lock();
        let waited = self.changed.wait_timeout_while(known, timeout, |known| {
            known
                .iter()
                .any(|known| known.stop.is_some() && !known.heard)
        });
        drop(waited);
    }
}

#[cfg(test)]
mod tests {
    use rheos_core::config::Configuration;

    use super::*;

    fn savepoints(more: &[(&str, &str)]) -> Savepoints {
        let mut conf = Configuration::default();
        conf.set("execution.checkpointing.interval", "1 s");
        for (key, value) in more {
            conf.set(key, value);
        }
        let settings = CheckpointSettings::from_configuration(&conf).unwrap();
        Savepoints::new("0123456789abcdef".to_owned(), settings)
    }

    #[test]
    fn a_request_names_its_place_or_says_what_is_missing() {
        let none = savepoints(&[]).ask(SavepointRequest::default());
        let error = none.unwrap_err().to_string();
        assert!(error.contains("savepoint-dir"), "{error}");
        let with = savepoints(&[("state.savepoints.dir", "/sp")]);
        let asked = with.ask(SavepointRequest::default()).unwrap();
        let place = asked.location.to_string();
        assert!(place.starts_with("/sp/savepoint-012345-"), "{place}");
        let named = SavepointRequest {
            directory: Some("s3://b/p".to_owned()),
            trigger: Some("ab".repeat(16)),
            ..SavepointRequest::default()
        };
        let asked = with.ask(named.clone()).unwrap();
        let place = asked.location.to_string();
        assert!(place.starts_with("s3://b/p/savepoint-"), "{place}");
        let error = with.ask(named).unwrap_err().to_string();
        assert!(error.contains("already"), "{error}");
        let nowhere = Savepoints::new(String::new(), None);
        let nowhere = nowhere.ask(SavepointRequest::default());
        let error = nowhere.unwrap_err().to_string();
        assert!(
            error.contains("execution.checkpointing.interval"),
            "{error}"
        );
    }

    #[test]
    fn one_that_stops_the_job_is_complete_when_that_has_ended() {
        let savepoints = savepoints(&[("state.savepoints.dir", "/sp")]);
        let ask = |stop| {
            let request = SavepointRequest {
                stop,
                ..SavepointRequest::default()
            };
            savepoints.ask(request).unwrap().id
        };
        let (plain, stopping, late) = (ask(None), ask(Some(false)), ask(None));
        savepoints.completed(&plain, "/sp/a");
        savepoints.completed(&stopping, "/sp/b");
        let completed = |location: &str| SavepointStatus::Completed {
            location: location.to_owned(),
        };
        assert_eq!(savepoints.status(&plain), Some(completed("/sp/a")));
        assert_eq!(
            savepoints.status(&stopping),
            Some(SavepointStatus::InProgress)
        );
        savepoints.job_ended(None);
        assert_eq!(savepoints.status(&stopping), Some(completed("/sp/b")));
        assert!(matches!(
            savepoints.status(&late),
            Some(SavepointStatus::Failed { .. })
        ));
        assert_eq!(savepoints.status("unknown"), None);
    }
}
