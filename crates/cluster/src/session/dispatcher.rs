//! A session's JobManager: the jobs, the slots, and who gets which.
//!
//! Invariant: all that happens changes [`State`] under its lock and ends with [`Shared::arrange`], which
//! starts what can be started. Nothing is waited for there: processes tell what has become of them on
//! threads of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rheos_core::clock::SharedClock;
use rheos_core::id::JobId;
use rheos_core::spawn::SharedSpawner;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::artifacts::Artifacts;
use super::control_group::ControlGroups;
use super::folder::Folder;
use super::job::{Job, JobView, Phase, obituary};
use super::journal::{Ended, Journal, Submission};
use super::message::{Ordered, Start};
use super::settings::{DispatcherSettings, SessionError};
use super::slots::Slots;
use super::tether::{Archive, ToChild};
use crate::remote::listening::Listening;

mod jobmanagers;
pub(super) mod log_end;
mod managers;

use managers::Manager;
pub use managers::ManagerView;

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_millis(100);

pub(super) struct State {
    jobs: BTreeMap<JobId, Job>,
    slots: Slots,
    managers: BTreeMap<u64, Manager>,
    /// Workers by their numbers: when they were started.
    workers: BTreeMap<u64, i64>,
    questions: BTreeMap<u64, oneshot::Sender<Option<String>>>,
    /// The next number of a JobManager's process, a TaskManager or a question.
    next: u64,
    /// Nothing is started any more.
    closing: bool,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    settings: DispatcherSettings,
    clock: SharedClock,
    spawner: SharedSpawner,
    io: Handle,
    artifacts: Artifacts,
    journal: Journal,
    random: SystemRandom,
    /// Where the system holds children to their memory; else they are watched.
    groups: Option<ControlGroups>,
    _folder: Folder,
}

/// See the [module](self). Clones are the same.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
    listening: Arc<Listening>,
}

/// Why a job is not submitted, or not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such program: upload it first.
    #[error("there is no program {0}: upload it first")]
    NoArtifact(String),
    /// There is no such job.
    #[error("Job {0} not found")]
    NoJob(JobId),
    /// It has ended.
    #[error("Job {0} has ended: it is {1}")]
    Ended(JobId, String),
    /// The session ends.
    #[error("this JobManager is about to end: submit the job when it runs again")]
    Closing,
    /// The system refused something.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What it said.
        error: std::io::Error,
    },
}

impl Dispatcher {
    /// Takes a folder, listens for TaskManagers, and starts the jobs again that had not ended.
    ///
    /// # Errors
    /// If the folder is another's or can't be read, the address can't be used, or the system refuses
    /// something.
    pub fn open(
        settings: DispatcherSettings,
        clock: SharedClock,
        spawner: SharedSpawner,
        io: &Handle,
    ) -> Result<Self, SessionError> {
        let refused = |what| move |error| SessionError::System { what, error };
        let folder = Folder::take(settings.folder.clone())
            .map_err(refused("process.jobmanager.working-dir"))?;
        let artifacts = Artifacts::open(&folder.path.join("artifacts"))?;
        let (journal, kept) = Journal::open(&folder.path.join("jobs"))
            .map_err(refused("reading the jobs of this session"))?;
        let now = clock.monotonic_micros();
        let jobs = kept.into_iter().map(|kept| {
            if kept.ended.is_none() {
                tracing::info!(job = %kept.id, "a job that had not ended starts again");
            }
            let job = Job::new(kept.submission, kept.ended, now);
            (kept.id, job)
        });
        let jobs = jobs.collect();
        tracing::info!(
            "programs, jobs and their logs are in {}",
            folder.path.display()
        );
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                jobs,
                slots: Slots::default(),
                managers: BTreeMap::new(),
                workers: BTreeMap::new(),
                questions: BTreeMap::new(),
                next: 0,
                closing: false,
            }),
            changed: Condvar::new(),
            settings,
            clock,
            spawner,
            io: io.clone(),
            artifacts,
            journal,
            random: SystemRandom::new(),
            groups: ControlGroups::of_process_or_none(),
            _folder: folder,
        });
        let mut listening = managers::listen(&shared)?;
        let ticking = shared.clone();
        listening.beside(io, async move {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                ticking.tick();
            }
        });
        Ok(Self {
            shared,
            listening: Arc::new(listening),
        })
    }

    /// Where it takes TaskManagers.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// The programs.
    pub fn artifacts(&self) -> &Artifacts {
        &self.shared.artifacts
    }

    /// Takes a job; its id. It is kept before this returns.
    ///
    /// # Errors
    /// If its program is not there, or the system refuses something.
    pub fn submit(
        &self,
        artifact: &str,
        program: &str,
        arguments: Vec<String>,
    ) -> Result<JobId, Refused> {
        if self.shared.artifacts.find(artifact).is_none() {
            return Err(Refused::NoArtifact(artifact.to_owned()));
        }
        let id = JobId(u128::from_le_bytes(self.shared.draw().map_err(
            |error| Refused::System {
                what: "drawing an id",
                error,
            },
        )?));
        let submission = Submission {
            artifact: artifact.to_owned(),
            program: program.to_owned(),
            arguments,
            submitted_at: self.shared.clock.wall_millis(),
            begun: false,
        };
        let mut state = self.shared.lock();
        if state.closing {
            return Err(Refused::Closing);
        }
        let kept = self.shared.journal.keep(id, &submission);
        kept.map_err(|error| Refused::System {
            what: "keeping the job",
            error,
        })?;
        tracing::info!(job = %id, "{program} is submitted");
        let now = self.shared.clock.monotonic_micros();
        state.jobs.insert(id, Job::new(submission, None, now));
        self.shared.arrange(&mut state);
        Ok(id)
    }

    /// Ends a job whose own REST does not know it yet; the others are to be told by that.
    ///
    /// # Errors
    /// If there is no such job, or it has ended.
    pub fn cancel(&self, id: JobId) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        let job = state.jobs.get_mut(&id).ok_or(Refused::NoJob(id))?;
        match &mut job.phase {
            Phase::Ended(ended) => {
                return Err(Refused::Ended(id, ended.archive.state.clone()));
            }
            Phase::Pending(_) => {
                let at = self.shared.clock.wall_millis();
                let archive = obituary(&job.name, "CANCELED", None, at);
                self.shared.end(id, job, archive);
            }
            Phase::Alive(alive) => {
                alive.cancelled = true;
                alive.child.kill();
            }
        }
        Ok(())
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<JobView> {
        let state = self.shared.lock();
        state.jobs.get(&id).map(|job| job.view(id))
    }

    /// The jobs, in the order in which they were submitted.
    pub fn jobs(&self) -> Vec<JobView> {
        let state = self.shared.lock();
        let jobs = state.jobs.iter();
        let mut views: Vec<JobView> = jobs.map(|(id, job)| job.view(*id)).collect();
        drop(state);
        views.sort_by_key(|view| (view.submission.submitted_at, view.id));
        views
    }

    /// Slots in all, and free ones.
    pub fn slot_counts(&self) -> (u32, u32) {
        self.shared.lock().slots.counts()
    }

    /// The end of a JobManager's log; none if there is no such job.
    pub fn log(&self, id: JobId) -> Option<String> {
        self.shared.lock().jobs.get(&id)?;
        let log = log_end::read(&self.shared.journal.log_of(id));
        Some(log.unwrap_or_default())
    }

    /// Ends the session: jobs that take checkpoints take a last one, as far as that takes no longer than
    /// `patience`. They have not ended: who starts again with this folder goes on with them.
    pub fn close(&self, patience: Duration) {
        let mut state = self.shared.lock();
        state.closing = true;
        for job in state.jobs.values() {
            match job.alive() {
                // Without checkpoints it would end as one that is finished.
                Some(alive) if alive.history.is_some() && alive.runs => alive.child.terminate(),
                Some(alive) => alive.child.kill(),
                None => {}
            }
        }
        let lives = |state: &mut State| state.jobs.values().any(|job| job.alive().is_some());
        let changed = &self.shared.changed;
        let waited = changed.wait_timeout_while(state, patience, lives);
        let (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        for (id, job) in &state.jobs {
            if let Some(alive) = job.alive() {
                tracing::warn!(job = %id, "it takes too long to end, and goes on from its latest checkpoint");
                alive.child.kill();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Bytes that nobody else has, or can guess.
    fn draw(&self) -> std::io::Result<[u8; 16]> {
        let mut bytes = [0; 16];
        let drawn = self.random.fill(&mut bytes);
        drawn.map_err(|_| std::io::Error::other("the system has no randomness"))?;
        Ok(bytes)
    }

    /// What is due is done.
    fn tick(self: &Arc<Self>) {
        let mut state = self.lock();
        self.forget_the_oldest(&mut state);
        self.arrange(&mut state);
    }

    /// Jobs that have ended are remembered for a while, and not without number.
    fn forget_the_oldest(&self, state: &mut State) {
        let ended = state.jobs.iter().filter_map(|(id, job)| match &job.phase {
            Phase::Ended(ended) => Some((ended.at, *id)),
            _ => None,
        });
        let mut ended: Vec<(i64, JobId)> = ended.collect();
        ended.sort_unstable();
        let kept = i64::try_from(self.settings.expiration.as_millis()).unwrap_or(i64::MAX);
        let oldest = self.clock.wall_millis().saturating_sub(kept);
        let too_many = ended.len().saturating_sub(self.settings.most_ended);
        for (place, (at, id)) in ended.into_iter().enumerate() {
            if place < too_many || at < oldest {
                state.jobs.remove(&id);
                if let Err(error) = self.journal.forget(id) {
                    tracing::warn!(job = %id, "its folder can't be deleted: {error}");
                }
            }
        }
    }

    /// Starts what can be started.
    fn arrange(self: &Arc<Self>, state: &mut State) {
        if state.closing {
            return;
        }
        let now = self.clock.monotonic_micros();
        let due = state.jobs.iter().filter_map(|(id, job)| match job.phase {
            Phase::Pending(at) if at <= now => Some(*id),
            _ => None,
        });
        for id in due.collect::<Vec<_>>() {
            self.start_jobmanager(state, id);
        }
        let mut order: Vec<(i64, JobId)> = state
            .jobs
            .iter()
            .map(|(id, job)| (job.submission.submitted_at, *id))
            .collect();
        // Who came first is served first; who needs more than there is holds up nobody.
        order.sort_unstable();
        for (_, id) in order {
            self.supply(state, id, now);
        }
    }

    /// Gives a job the slots that it can have, and says how many they are.
    fn supply(&self, state: &mut State, id: JobId, now: i64) {
        let State {
            jobs,
            slots,
            managers,
            workers,
            ..
        } = state;
        let Some(job) = jobs.get_mut(&id) else {
            return;
        };
        let (submission, before) = (job.submission.clone(), job.no_worker_before);
        let Some(alive) = job.alive_mut() else {
            return;
        };
        let (Some((asked, needs)), Some(rpc)) = (alive.needs, &alive.rpc) else {
            return;
        };
        if alive.ended.is_none() && before <= now {
            let size = self.artifacts.received(&submission.artifact);
            let size = size.map_or(0, |(size, _)| size);
            for (number, worker) in slots.allot(id, needs) {
                let Some(manager) = managers.get(&worker.manager) else {
                    continue;
                };
                workers.insert(number, now);
                manager.order(Ordered::Start(Start {
                    worker: number,
                    job: id.to_string(),
                    artifact: submission.artifact.clone(),
                    size,
                    arguments: submission.arguments.clone(),
                    slots: worker.slots,
                    jobmanager: rpc.clone(),
                    defaults: self.settings.defaults.clone().into_iter().collect(),
                }));
            }
        }
        let has = slots.of(id);
        if alive.told != Some((asked, has)) {
            alive.told = Some((asked, has));
            alive.child.tell(&ToChild::Supplied { asked, slots: has });
        }
    }

    /// A job has ended, and is remembered.
    fn end(&self, id: JobId, job: &mut Job, archive: Archive) {
        tracing::info!(job = %id, "the job has ended: {}", archive.state);
        let ended = Ended {
            at: self.clock.wall_millis(),
            archive,
        };
        // Who starts again with this folder would start it again.
        if let Err(error) = self.journal.end(id, &ended) {
            tracing::error!(job = %id, "that it has ended can't be kept: {error}");
        }
        job.phase = Phase::Ended(Box::new(ended));
    }
}
