//! A TaskManager of a session: starts processes of jobs in its slots, and reports their ends.
//!
//! Life: attached and registered → told to start workers, whose programs it fetches if it lacks them → they
//! end, or are ended. When the JobManager is lost, or silent for too long, so are the jobs' JobManagers: its
//! workers are ended, and it attaches anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::clock::SharedClock;
use rheos_core::config::{Configuration, options};
use rheos_core::spawn::SharedSpawner;
use tokio::runtime::Handle;

use super::artifacts::{ArtifactError, Artifacts};
use super::child::{self, Child, ChildSpec};
use super::control_group::ControlGroups;
use super::folder::{self, Folder};
use super::message::{
    self, Ended, Ordered, Read, Register, Report, Reported, SessionPlane, Start, Text, WantsPiece,
};
use super::settings::{SessionError, of_jobs};
use super::tether::Mandate;
use crate::memory;
use crate::remote::RemoteSettings;
use crate::remote::attached::{Inbox, News, talk};
use crate::remote::outbox::Outbox;

/// How long to wait between two tries to attach.
const PAUSE: Duration = Duration::from_millis(200);
/// How long it waits for something to happen before it looks again.
const LOOK: Duration = Duration::from_secs(1);
/// Jobs whose logs are kept.
const LOGS: usize = 100;

/// What its thread is told.
enum Told {
    JobManager(News<message::Order>),
    Child(u64, child::News),
}

/// A worker.
enum Worker {
    /// Its program is being fetched.
    Waiting(Start),
    Alive(Child),
}

/// See the [module](self).
pub struct SessionTaskManager {
    name: String,
    settings: RemoteSettings,
    /// Where a job's configuration says nothing, on this machine.
    defaults: BTreeMap<String, String>,
    artifacts: Artifacts,
    folder: Folder,
    clock: SharedClock,
    spawner: SharedSpawner,
    io: Handle,
    memory: u64,
    groups: Option<ControlGroups>,
}

/// How a stay with a JobManager ended.
enum StayEnd {
    Lost(String),
    Refused(String),
}

/// Of the configuration of a TaskManager, what holds for the processes in it.
fn of_machine(configuration: &Configuration) -> BTreeMap<String, String> {
    let mut defaults = of_jobs(configuration);
    defaults.retain(|key, _| {
        key.starts_with("taskmanager.memory.") || *key == options::IO_TMP_DIRS.key
    });
    defaults
}

impl SessionTaskManager {
    /// One as a configuration says.
    ///
    /// # Errors
    /// If a value can't be used, or no folder can be had.
    pub fn of(
        configuration: &Configuration,
        clock: SharedClock,
        spawner: SharedSpawner,
        io: &Handle,
    ) -> Result<Self, SessionError> {
        let settings = RemoteSettings::of(configuration)?;
        let below = folder::configured(configuration, &options::PROCESS_TASKMANAGER_WORKING_DIR)?;
        let folder =
            Folder::take_one(&below.join("taskmanager")).map_err(|error| SessionError::System {
                what: "process.taskmanager.working-dir",
                error,
            })?;
        tracing::info!("programs and logs are in {}", folder.path.display());
        Ok(Self {
            name: format!("{}:{}", settings.host, std::process::id()),
            settings,
            defaults: of_machine(configuration),
            artifacts: Artifacts::open(&folder.path.join("artifacts"))?,
            folder,
            clock,
            spawner,
            io: io.clone(),
            memory: memory::process_memory(configuration)?,
            groups: ControlGroups::of_process_or_none(),
        })
    }

    /// Runs for as long as there is a JobManager.
    ///
    /// # Errors
    /// If none is found within the registration time-out, or it refuses this TaskManager.
    pub fn run(&self) -> Result<(), SessionError> {
        let jobmanager = format!("{}:{}", self.settings.jobmanager, self.settings.port);
        let patience = i64::try_from(self.settings.registration_timeout.as_micros());
        let patience = patience.unwrap_or(i64::MAX / 4);
        let mut alone_since = self.clock.monotonic_micros();
        loop {
            let mut stay = Stay::new(self);
            let reason = match stay.serve(&jobmanager) {
                StayEnd::Lost(reason) => reason,
                StayEnd::Refused(reason) => {
                    return Err(SessionError::JobManager(format!(
                        "the JobManager at {jobmanager} refuses this TaskManager: {reason}"
                    )));
                }
            };
            let now = self.clock.monotonic_micros();
            if stay.registered {
                alone_since = now;
                tracing::warn!("the JobManager at {jobmanager} is lost: {reason}");
            }
            if now - alone_since > patience {
                let seconds = self.settings.registration_timeout.as_secs();
                return Err(SessionError::JobManager(format!(
                    "no JobManager at {jobmanager} within {seconds} s: {reason}"
                )));
            }
            Inbox::<()>::default().next(PAUSE);
        }
    }

    fn logs(&self) -> PathBuf {
        self.folder.path.join("logs")
    }

    /// Of the logs, only those of the newest jobs stay.
    fn tidy(&self) {
        let folders = fs::read_dir(self.logs()).into_iter().flatten().flatten();
        let folders = folders.filter_map(|entry| {
            let changed = entry.metadata().and_then(|of| of.modified()).ok()?;
            Some((changed, entry.path()))
        });
        let mut folders: Vec<_> = folders.collect();
        folders.sort();
        let old = folders.len().saturating_sub(LOGS);
        for (_, folder) in folders.into_iter().take(old) {
            if let Err(error) = fs::remove_dir_all(&folder) {
                tracing::warn!("{}: {error}", folder.display());
            }
        }
    }
}

/// A stay with a JobManager, at the end of which no worker is left.
struct Stay<'a> {
    manager: &'a SessionTaskManager,
    outbox: Outbox<Report>,
    inbox: Arc<Inbox<Told>>,
    workers: BTreeMap<u64, Worker>,
    registered: bool,
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        for worker in self.workers.values() {
            if let Worker::Alive(child) = worker {
                child.kill();
            }
        }
    }
}

impl<'a> Stay<'a> {
    fn new(manager: &'a SessionTaskManager) -> Self {
        Self {
            manager,
            outbox: Outbox::default(),
            inbox: Arc::default(),
            workers: BTreeMap::new(),
            registered: false,
        }
    }

    fn report(&self, what: Reported) {
        self.outbox.put(what.into());
    }

    fn serve(&mut self, jobmanager: &str) -> StayEnd {
        let manager = self.manager;
        self.report(Reported::Register(Register {
            version: message::VERSION,
            name: manager.name.clone(),
            slots: manager.settings.slots,
            process: std::process::id(),
            memory: manager.memory,
        }));
        let told = self.inbox.clone();
        let talking = manager.io.spawn(talk::<SessionPlane>(
            format!("http://{jobmanager}"),
            self.outbox.clone(),
            move |news| told.put(Told::JobManager(news)),
            manager.settings.clone(),
        ));
        let end = loop {
            match self.inbox.next(LOOK) {
                Some(Told::JobManager(News::Lost(reason))) => break StayEnd::Lost(reason),
                Some(Told::JobManager(News::Order(order))) => {
                    if let Some(end) = order.what.and_then(|what| self.obey(what, jobmanager)) {
                        break end;
                    }
                }
                Some(Told::Child(worker, child::News::Ended(status, how))) => {
                    self.workers.remove(&worker);
                    self.ended(worker, &how, status.success());
                }
                Some(Told::Child(_, child::News::Said(_))) | None => {}
            }
        };
        self.outbox.close();
        talking.abort();
        end
    }

    fn obey(&mut self, what: Ordered, jobmanager: &str) -> Option<StayEnd> {
        match what {
            Ordered::Welcome(_) => {
                self.registered = true;
                tracing::info!("registered at the JobManager {jobmanager}");
            }
            Ordered::Refuse(reason) => return Some(StayEnd::Refused(reason)),
            Ordered::Heartbeat(_) => {}
            Ordered::Start(start) => self.begin(start),
            Ordered::Piece(piece) => {
                let wanted = &piece.artifact;
                if let Err(error) = self.take(wanted, piece.offset, &piece.bytes) {
                    self.give_up(wanted, &error.to_string());
                }
            }
            Ordered::End(worker) => match self.workers.get(&worker) {
                Some(Worker::Alive(child)) => child.kill(),
                Some(Worker::Waiting(_)) => {
                    self.workers.remove(&worker);
                    self.ended(worker, "it had not begun", true);
                }
                // It has ended, and that is reported already.
                None => {}
            },
            Ordered::Read(read) => self.read(&read),
        }
        None
    }

    /// A worker has ended, or will not begin.
    fn ended(&self, worker: u64, how: &str, well: bool) {
        tracing::info!(worker, "a worker has ended: {how}");
        self.report(Reported::Ended(Ended {
            worker,
            how: how.to_owned(),
            well,
        }));
    }

    fn begin(&mut self, start: Start) {
        if self.manager.artifacts.find(&start.artifact).is_some() {
            return self.start(&start);
        }
        let mut workers = self.workers.values();
        let artifact = start.artifact.clone();
        let fetching = workers
            .any(|worker| matches!(worker, Worker::Waiting(other) if other.artifact == artifact));
        self.workers.insert(start.worker, Worker::Waiting(start));
        if !fetching {
            match self.manager.artifacts.received(&artifact) {
                Ok((offset, _)) => self.want(&artifact, offset),
                Err(error) => self.give_up(&artifact, &error.to_string()),
            }
        }
    }

    fn want(&self, artifact: &str, offset: u64) {
        self.report(Reported::WantsPiece(WantsPiece {
            artifact: artifact.to_owned(),
            offset,
        }));
    }

    /// A piece of a program has come: the next one is asked for, or those start that wait for it.
    fn take(&mut self, artifact: &str, offset: u64, bytes: &[u8]) -> Result<(), ArtifactError> {
        let artifacts = &self.manager.artifacts;
        let there = artifacts.add(artifact, offset, bytes)?;
        let waiting = self.workers.values().find_map(|worker| match worker {
            Worker::Waiting(start) if start.artifact == artifact => Some(start.size),
            _ => None,
        });
        // Nobody waits for it any more: what is there stays for the next one.
        let Some(size) = waiting else {
            return Ok(());
        };
        if there < size && !bytes.is_empty() {
            self.want(artifact, there);
            return Ok(());
        }
        artifacts.finish(artifact)?;
        tracing::info!(artifact, bytes = there, "a program is fetched");
        for start in self.waiting_for(artifact) {
            self.start(&start);
        }
        Ok(())
    }

    /// Those that wait for a program, which wait no more.
    fn waiting_for(&mut self, artifact: &str) -> Vec<Start> {
        let waiting = self.workers.extract_if(
            ..,
            |_, worker| matches!(worker, Worker::Waiting(start) if start.artifact == artifact),
        );
        waiting
            .filter_map(|(_, worker)| match worker {
                Worker::Waiting(start) => Some(start),
                Worker::Alive(_) => None,
            })
            .collect()
    }

    fn give_up(&mut self, artifact: &str, why: &str) {
        for start in self.waiting_for(artifact) {
            let how = format!("its program {artifact} can't be fetched: {why}");
            self.ended(start.worker, &how, false);
        }
    }

    fn start(&mut self, start: &Start) {
        let manager = self.manager;
        let Some(program) = manager.artifacts.find(&start.artifact) else {
            return self.ended(start.worker, "its program is gone", false);
        };
        let (host, port) = start
            .jobmanager
            .rsplit_once(':')
            .unwrap_or((&start.jobmanager, ""));
        let slots = start.slots.to_string();
        let overrides = [
            (options::JOBMANAGER_RPC_ADDRESS.key, host),
            (options::JOBMANAGER_RPC_PORT.key, port),
            (options::TASKMANAGER_HOST.key, &manager.settings.host),
            (options::TASKMANAGER_DATA_PORT.key, "0"),
            (options::TASKMANAGER_NUM_TASK_SLOTS.key, &slots),
            (options::HA_TYPE.key, "NONE"),
        ];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut defaults: BTreeMap<String, String> = start.defaults.clone().into_iter().collect();
        defaults.extend(manager.defaults.clone());
        // As much as its slots are of all.
        let share = u128::from(manager.memory) * u128::from(start.slots);
        let share = share / u128::from(manager.settings.slots.max(1));
        let share = (options::TASKMANAGER_MEMORY_PROCESS_SIZE.key, share);
        defaults.insert(share.0.to_owned(), share.1.to_string());
        let mut arguments = vec!["taskmanager".to_owned()];
        arguments.extend(start.arguments.iter().cloned());
        let name = format!("taskmanager-{}.log", start.worker);
        let spec = ChildSpec {
            name: "rheos-worker".to_owned(),
            program,
            arguments,
            log: manager.logs().join(&start.job).join(name),
            mandate: Mandate {
                job: start.job.clone(),
                goes_on: false,
                defaults,
                overrides: overrides.into(),
            },
        };
        manager.tidy();
        let (inbox, worker) = (self.inbox.clone(), start.worker);
        let told = Box::new(move |news| inbox.put(Told::Child(worker, news)));
        match Child::start(&spec, manager.groups.as_ref(), &manager.spawner, told) {
            Ok(child) => {
                tracing::info!(
                    job = %start.job,
                    worker,
                    slots = start.slots,
                    process = child.process(),
                    "a worker is started"
                );
                self.workers.insert(worker, Worker::Alive(child));
            }
            Err(error) => {
                let how = format!("it can't be started: {error}");
                self.ended(worker, &how, false);
            }
        }
    }

    /// Answers a question for a log.
    fn read(&self, read: &Read) {
        let text = match read.file.as_str() {
            "" => Some(self.list()),
            file => self
                .path_of(file)
                .and_then(|path| super::dispatcher::log_end::read(&path).ok()),
        };
        self.report(Reported::Text(Text {
            question: read.question,
            text,
        }));
    }

    /// The logs as REST names them: `JOB-taskmanager-WORKER.log`, and what the worker wrote beside it.
    fn list(&self) -> String {
        let mut logs = Vec::new();
        for job in fs::read_dir(self.manager.logs())
            .into_iter()
            .flatten()
            .flatten()
        {
            let id = job.file_name().to_string_lossy().into_owned();
            for log in fs::read_dir(job.path()).into_iter().flatten().flatten() {
                let name = log.file_name().to_string_lossy().into_owned();
                let size = log.metadata().map_or(0, |of| of.len());
                logs.push(serde_json::json!({ "name": format!("{id}-{name}"), "size": size }));
            }
        }
        serde_json::Value::from(logs).to_string()
    }

    fn path_of(&self, file: &str) -> Option<PathBuf> {
        let (job, name) = file.split_once('-')?;
        // Nothing that leads out of the folder.
        job.parse::<rheos_core::id::JobId>().ok()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        (name.bytes().all(plain) && !name.contains(".."))
            .then(|| self.manager.logs().join(job).join(name))
    }
}
