//! A job's folder: which generation it is in, what it goes on from, what of it is kept.
//!
//! Life: opened → a generation begun, with what it goes on from → checkpoints completed, older ones
//! deleted → another generation, after a failure → ended in good order, or not.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use rheos_core::clock::SharedClock;
use rheos_core::job_graph::JobGraph;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::metrics::checkpoints::CheckpointStats;

use super::copies::{self, Copier, CopySettings};
use super::error::CheckpointError;
use super::location::Location;
use super::log::{CheckpointRecord, Ending, JobLog, Record, SavepointRecord};
use super::manifest::{Checkpoint, Keyed, MANIFEST, Manifest, Reading};
use super::memory::MemoryStorage;
use super::savepoint::{SavepointTarget, UNFINISHED};
use super::settings::CheckpointSettings;
use super::storage::CheckpointStorage;
use super::store_files::StoreFiles;
use crate::schedule::kept_width::KeptWidth;

mod kept;

/// What a job goes on from when it is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Resume {
    /// The newest complete checkpoint, if there is one.
    #[default]
    Latest,
    /// Nothing: it starts afresh.
    Nothing,
    /// The checkpoint of this number.
    Number(u64),
    /// The newest that was complete by then, in milliseconds since the epoch.
    Time(i64),
    /// The one in this folder, of whatever job.
    Folder(Location),
}

/// Where a checkpoint is, for another process that goes on from it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreFrom {
    /// In this folder below the job's.
    Own(String),
    /// In this folder, of whatever job.
    Foreign(Location),
}

/// What a generation goes on from: the storage, the folder in it, and what others know that by.
type Source = (Arc<dyn CheckpointStorage>, String, RestoreFrom);

/// What a generation begins with.
#[derive(Debug)]
pub struct Begun {
    /// Its number.
    pub generation: u64,
    /// The job's history.
    pub lineage: String,
    /// The number of its first checkpoint.
    pub next_checkpoint: u64,
    /// What it goes on from,
    pub restored: Option<RestoredJob>,
    /// where that is,
    pub from: Option<RestoreFrom>,
    /// and whether it is a savepoint.
    pub from_savepoint: bool,
    /// How long the job had run by then, in milliseconds.
    pub run_millis: i64,
    /// How wide the job is to be, if somebody had asked for that.
    pub width: Option<KeptWidth>,
    /// When that was triggered: what is triggered from here on is later, whatever the clock says.
    pub triggered_at: i64,
}

impl Begun {
    /// That goes on from nothing.
    fn new(generation: u64, lineage: String, next_checkpoint: u64) -> Self {
        Self {
            generation,
            lineage,
            next_checkpoint,
            restored: None,
            from: None,
            from_savepoint: false,
            run_millis: 0,
            width: None,
            triggered_at: 0,
        }
    }
}

/// What there is to do about a job that is started.
#[derive(Debug)]
pub enum Start {
    /// To run it.
    Run(Box<Begun>),
    /// Nothing: it had finished.
    Finished,
}

/// A job's folder.
pub struct JobStore {
    storage: Arc<dyn CheckpointStorage>,
    log: JobLog,
    settings: CheckpointSettings,
    clock: SharedClock,
    /// That of this process, once it has begun one.
    generation: u64,
    lineage: String,
    /// What it went on from when it was started, for restarts before its first checkpoint.
    origin: Option<Source>,
    /// The newest complete checkpoint of this process, or the savepoint that the job was to stop with.
    latest: Option<Source>,
    highest: u64,
    /// Told from other processes by this.
    owner: String,
    /// Checkpoints of this generation whose record the storage gave no answer to: they may be complete.
    doubtful: BTreeSet<u64>,
    /// The files of stores.
    store_files: StoreFiles,
    /// Whether the tasks run in other processes, which read what they need themselves.
    tasks_elsewhere: bool,
    /// The job's folder in the second place.
    second: Option<CopySettings>,
    /// Copies checkpoints there, once it has been started.
    copier: Option<Copier>,
}

/// The name of a job's folder, below the one that checkpoints go to.
pub fn folder_of(job: &str) -> String {
    let name: String = job
        .chars()
        .map(|c| match c {
            c if c.is_alphanumeric() || "._-".contains(c) => c,
            _ => '-',
        })
        .collect();
    match name.trim_matches('.') {
        "" => "job".to_owned(),
        name => name.to_owned(),
    }
}

/// The files of a job's folder.
fn storage_of(
    job: &str,
    settings: &CheckpointSettings,
) -> Result<Arc<dyn CheckpointStorage>, CheckpointError> {
    match &settings.location {
        Some(location) => location.below(&folder_of(job)).open(&settings.s3),
        None => Ok(Arc::new(MemoryStorage::default())),
    }
}

/// The folder of a checkpoint, below the job's.
pub fn checkpoint_folder(generation: u64, checkpoint: u64) -> String {
    format!("g{generation}/chk-{checkpoint}")
}

/// 128 bits that nobody else draws.
pub(crate) fn random() -> String {
    let draw = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", draw(), draw())
}

impl JobStore {
    /// The folder of a job.
    ///
    /// # Errors
    /// What the storage says.
    pub fn open(
        job: &str,
        settings: CheckpointSettings,
        clock: SharedClock,
    ) -> Result<Self, CheckpointError> {
        let storage = storage_of(job, &settings)?;
        storage.check_exclusive()?;
        let second = settings.copies.clone().map(|copies| CopySettings {
            location: copies.location.below(&folder_of(job)),
            s3: copies.s3,
        });
        Ok(Self {
            second,
            ..Self::with_storage(storage, settings, clock)?
        })
    }

    /// From now on checkpoints are copied to the second place, if there is one.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start_copies(
        &mut self,
        spawner: &SharedSpawner,
        stats: &CheckpointStats,
    ) -> std::io::Result<()> {
        let Some(second) = self.second.clone() else {
            return Ok(());
        };
        let (from, retained) = (self.storage.clone(), self.settings.retained);
        let copier = Copier::start(from, second, retained, spawner, stats.clone())?;
        self.copier = Some(copier);
        Ok(())
    }

    /// A job's folder in this storage.
    ///
    /// # Errors
    /// What the storage says.
    pub fn with_storage(
        storage: Arc<dyn CheckpointStorage>,
        settings: CheckpointSettings,
        clock: SharedClock,
    ) -> Result<Self, CheckpointError> {
        let log = JobLog::read(storage.clone())?;
        Ok(Self::new(storage, log, settings, clock))
    }

    fn new(
        storage: Arc<dyn CheckpointStorage>,
        log: JobLog,
        settings: CheckpointSettings,
        clock: SharedClock,
    ) -> Self {
        Self {
            highest: log.highest(),
            store_files: StoreFiles::new(settings.inline_threshold),
            storage,
            log,
            settings,
            clock,
            generation: 0,
            lineage: String::new(),
            origin: None,
            latest: None,
            owner: random(),
            doubtful: BTreeSet::new(),
            tasks_elsewhere: false,
            second: None,
            copier: None,
        }
    }

    /// When checkpoints are taken.
    pub fn settings(&self) -> &CheckpointSettings {
        &self.settings
    }

    /// Where it lies, for messages.
    pub fn location(&self) -> String {
        self.storage.location()
    }

    fn older(&self, than: u64) -> Option<u64> {
        let numbers = self.log.checkpoints().map(|record| record.checkpoint);
        numbers.filter(|number| *number < than).max()
    }

    fn unknown(&self, wanted: &str) -> CheckpointError {
        CheckpointError::Unknown {
            location: self.location(),
            wanted: wanted.to_owned(),
            known: self
                .log
                .checkpoints()
                .map(|record| record.checkpoint)
                .collect(),
        }
    }

    /// What is to be resumed, and its number.
    fn choose(&self, resume: &Resume) -> Result<Option<(Source, u64)>, CheckpointError> {
        let whole = |location: &Location, number| {
            let storage = location.open(&self.settings.s3)?;
            // A job's folder in the second place: the newest copy.
            if storage.get(MANIFEST)?.is_none()
                && let Some(path) = copies::newest(storage.as_ref())?
            {
                let from = RestoreFrom::Foreign(location.below(&path));
                return Ok(Some(((storage, path, from), number)));
            }
            let from = RestoreFrom::Foreign(location.clone());
            Ok(Some(((storage, String::new(), from), number)))
        };
        if let (Resume::Latest, Some(savepoint)) = (resume, self.log.stopped_with()) {
            return whole(&Location::parse(&savepoint.location)?, savepoint.checkpoint);
        }
        let mut records = self.log.checkpoints();
        let record: Option<&CheckpointRecord> = match resume {
            Resume::Nothing => None,
            Resume::Latest => records.next_back(),
            Resume::Number(number) => Some(
                records
                    .rfind(|record| record.checkpoint == *number)
                    .ok_or_else(|| self.unknown(&number.to_string()))?,
            ),
            Resume::Time(time) => Some(
                records
                    .rfind(|record| record.completed_at <= *time)
                    .ok_or_else(|| self.unknown("of that time or before"))?,
            ),
            Resume::Folder(location) => return whole(location, 0),
        };
        Ok(record.map(|record| {
            let from = RestoreFrom::Own(record.path.clone());
            let source = (self.storage.clone(), record.path.clone(), from);
            (source, record.checkpoint)
        }))
    }

    /// Begins the job's first generation in this process.
    ///
    /// The job may still run elsewhere, and complete checkpoints and delete older ones meanwhile: then
    /// it is chosen anew what to go on from.
    ///
    /// # Errors
    /// If what is to be resumed is not there, damaged, or does not fit the job: nothing has been
    /// touched then, unless the job runs elsewhere and is quicker than its checkpoints can be read; it
    /// ends there in that case. What the storage says.
    pub fn begin(&mut self, resume: &Resume, graph: &JobGraph) -> Result<Start, CheckpointError> {
        self.begin_if(resume, graph, |_| Ok(()))
    }

    /// As [`JobStore::begin`], if what is to be resumed suits the caller.
    ///
    /// # Errors
    /// See [`JobStore::begin`], and what `check` says: nothing has been touched then.
    pub fn begin_if(
        &mut self,
        resume: &Resume,
        graph: &JobGraph,
        check: impl Fn(&RestoredJob) -> Result<(), CheckpointError>,
    ) -> Result<Start, CheckpointError> {
        let mut outrun = 0;
        loop {
            if *resume == Resume::Latest && self.log.ending() == Some(Ending::Finished) {
                return Ok(Start::Finished);
            }
            self.highest = self.highest.max(self.log.highest());
            let (begun, chosen) = match self.prepare(resume, graph, &check) {
                Err(CheckpointError::Damaged { .. }) if self.log.has_moved()? => {
                    outrun += 1;
                    if outrun > 2 {
                        // Whoever is quicker than this can read is stopped first.
                        self.fence()?;
                    }
                    continue;
                }
                prepared => prepared?,
            };
            let from = chosen
                .as_ref()
                .map(|(storage, folder, _)| format!("{}/{folder}", storage.location()));
            match self.log.claim(&self.generation_record(&begun, from)) {
                Ok(true) => {
                    self.has_begun(&begun);
                    self.origin = chosen;
                    self.sweep()?;
                    return Ok(Start::Run(Box::new(begun)));
                }
                // Another was quicker; the next number is to be had, or there is a newer checkpoint.
                Ok(false) | Err(CheckpointError::Superseded { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins a generation that goes on from nothing, so that no other completes a checkpoint any more.
    fn fence(&mut self) -> Result<(), CheckpointError> {
        let none = Begun::new(self.log.generation() + 1, random(), self.highest + 1);
        match self.log.claim(&self.generation_record(&none, None)) {
            Ok(_) | Err(CheckpointError::Superseded { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What the next generation would begin with.
    fn prepare(
        &self,
        resume: &Resume,
        graph: &JobGraph,
        check: impl Fn(&RestoredJob) -> Result<(), CheckpointError>,
    ) -> Result<(Begun, Option<Source>), CheckpointError> {
        let mut begun = Begun::new(self.log.generation() + 1, random(), self.highest + 1);
        let chosen = self.choose(resume)?;
        if let Some(((storage, folder, from), number)) = &chosen {
            let older = self.older(*number);
            let checkpoint = Checkpoint::open(storage.clone(), folder, older)?;
            let restored = checkpoint.load(graph, self.reading(storage, older))?;
            check(&restored)?;
            let Manifest {
                lineage,
                checkpoint,
                run_millis,
                triggered_at,
                savepoint,
                width,
                ..
            } = checkpoint.manifest;
            // What is somebody's own may be gone on from several times, and while the job that took it
            // went on: each has a history of its own, so that none meets another's fences.
            if !matches!(resume, Resume::Folder(_)) {
                begun.lineage = lineage;
            }
            // A savepoint is gone on from as the command line says.
            begun.width = width.filter(|_| matches!(from, RestoreFrom::Own(_)));
            begun.next_checkpoint = begun.next_checkpoint.max(checkpoint + 1);
            begun.restored = Some(restored);
            begun.from = Some(from.clone());
            begun.from_savepoint = savepoint;
            begun.run_millis = run_millis;
            begun.triggered_at = triggered_at;
        }
        Ok((begun, chosen.map(|(source, _)| source)))
    }

    fn generation_record(&self, begun: &Begun, from: Option<String>) -> Record {
        Record::Generation {
            generation: begun.generation,
            owner: self.owner.clone(),
            lineage: begun.lineage.clone(),
            from,
            at: self.clock.wall_millis(),
        }
    }

    fn has_begun(&mut self, begun: &Begun) {
        self.generation = begun.generation;
        self.doubtful.clear();
        self.store_files.begin(begun.generation, None);
        self.lineage.clone_from(&begun.lineage);
    }

    /// Begins the next generation, after a failure: from the newest complete checkpoint.
    ///
    /// # Errors
    /// As [`JobStore::begin`]; and [`CheckpointError::Superseded`] if the job runs elsewhere by now.
    pub fn begin_again(
        &mut self,
        graph: &JobGraph,
        next_checkpoint: u64,
    ) -> Result<Begun, CheckpointError> {
        let mut begun = Begun::new(self.generation + 1, self.lineage.clone(), next_checkpoint);
        let source = self.latest.clone().or_else(|| self.origin.clone());
        if let Some((storage, folder, from)) = &source {
            begun.from = Some(from.clone());
            let checkpoint = Checkpoint::open(storage.clone(), folder, None)?;
            let older = self.older(checkpoint.manifest.checkpoint);
            begun.restored = Some(checkpoint.load(graph, self.reading(storage, older))?);
            begun.from_savepoint = checkpoint.manifest.savepoint;
            begun.run_millis = checkpoint.manifest.run_millis;
            begun.triggered_at = checkpoint.manifest.triggered_at;
        }
        let from = source.map(|(storage, folder, _)| format!("{}/{folder}", storage.location()));
        self.log.append(self.generation_record(&begun, from))?;
        self.has_begun(&begun);
        Ok(begun)
    }

    /// Takes part in a generation that another process has begun, as the member of this number: writes parts
    /// of its checkpoints, and completes none.
    ///
    /// # Errors
    /// If the folder can't be used.
    pub fn follow(
        job: &str,
        settings: CheckpointSettings,
        clock: SharedClock,
        (generation, member): (u64, u32),
    ) -> Result<Self, CheckpointError> {
        let storage = storage_of(job, &settings)?;
        // Who begins a generation has found out whether the log is to be had, and reads it.
        let log = JobLog::unread(storage.clone());
        let mut followed = Self::new(storage, log, settings, clock);
        followed.generation = generation;
        followed.store_files.begin(generation, Some(member));
        Ok(followed)
    }

    /// Reads the checkpoint that a generation goes on from, for a process that follows it and runs the tasks
    /// with these keys.
    ///
    /// # Errors
    /// If it is damaged, or does not fit the job. What the storage says.
    pub fn load(
        &self,
        from: &RestoreFrom,
        graph: &JobGraph,
        keyed: Keyed,
    ) -> Result<RestoredJob, CheckpointError> {
        let (storage, folder): (Arc<dyn CheckpointStorage>, &str) = match from {
            RestoreFrom::Own(folder) => (self.storage.clone(), folder),
            RestoreFrom::Foreign(path) => (path.open(&self.settings.s3)?, ""),
        };
        let checkpoint = Checkpoint::open(storage.clone(), folder, None)?;
        let reading = Reading {
            keyed,
            ..self.reading(&storage, None)
        };
        checkpoint.load(graph, reading)
    }

    /// How a checkpoint in this storage is read.
    fn reading(&self, storage: &Arc<dyn CheckpointStorage>, older: Option<u64>) -> Reading {
        Reading {
            ignore_unclaimed: self.settings.ignore_unclaimed,
            older,
            same_job: Arc::ptr_eq(storage, &self.storage),
            keyed: match self.tasks_elsewhere {
                true => Keyed::None,
                false => Keyed::All,
            },
            local: self.settings.local.clone(),
        }
    }

    /// The tasks run in other processes: state of keys does not pass through this one.
    pub fn leave_keys_to_tasks(&mut self) {
        self.tasks_elsewhere = true;
    }

    /// The folder of a checkpoint of this generation.
    pub fn folder(&self, checkpoint: u64) -> String {
        checkpoint_folder(self.generation, checkpoint)
    }

    /// Where files go.
    pub fn storage(&self) -> Arc<dyn CheckpointStorage> {
        self.storage.clone()
    }

    /// A checkpoint whose files are all written is complete: writes its manifest and record, and
    /// deletes what is no longer kept.
    ///
    /// # Errors
    /// What the storage says; [`CheckpointError::Superseded`] if the job runs elsewhere by now.
    pub fn complete(&mut self, manifest: &Manifest) -> Result<(), CheckpointError> {
        let path = self.folder(manifest.checkpoint);
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| {
            CheckpointError::Setting(format!("the manifest can't be written: {error}"))
        })?;
        self.storage.put(&format!("{path}/{MANIFEST}"), &text)?;
        self.doubtful.insert(manifest.checkpoint);
        let record = CheckpointRecord {
            checkpoint: manifest.checkpoint,
            generation: self.generation,
            path: path.clone(),
            completed_at: self.clock.wall_millis(),
        };
        self.log.append(Record::Checkpoint(record.clone()))?;
        if let Some(copier) = &self.copier {
            copier.completed(&record);
        }
        self.settle_doubts(manifest.checkpoint);
        self.highest = self.highest.max(manifest.checkpoint);
        let from = RestoreFrom::Own(path.clone());
        self.latest = Some((self.storage.clone(), path, from));
        if let Err(error) = self.retire().and_then(|()| self.sweep_stores()) {
            // It will be tried again with the next one.
            tracing::warn!("old checkpoints stay: {error}");
        }
        Ok(())
    }

    /// The place that doubtful records were for is taken by now: those not found in the log never will
    /// be there.
    fn settle_doubts(&mut self, completed: u64) {
        let doubtful = std::mem::take(&mut self.doubtful);
        for checkpoint in doubtful.into_iter().filter(|doubt| *doubt != completed) {
            let folder = self.folder(checkpoint);
            if self.log.checkpoints().any(|record| record.path == folder) {
                continue;
            }
            if let Err(error) = self.discard_folder(&folder) {
                tracing::warn!("what there is of checkpoint {checkpoint} stays: {error}");
            }
        }
    }

    /// Whether the log may say that a checkpoint or savepoint is complete, though the storage has not
    /// answered that it does.
    pub fn is_doubtful(&self, checkpoint: u64) -> bool {
        self.doubtful.contains(&checkpoint)
    }

    /// A savepoint whose files are all written is complete: writes its manifest and record.
    ///
    /// # Errors
    /// What the storages say; [`CheckpointError::Superseded`] if the job runs elsewhere by now.
    pub fn complete_savepoint(
        &mut self,
        manifest: &Manifest,
        target: &SavepointTarget,
    ) -> Result<(), CheckpointError> {
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| {
            CheckpointError::Setting(format!("the manifest can't be written: {error}"))
        })?;
        target.storage.put(MANIFEST, &text)?;
        self.doubtful.insert(manifest.checkpoint);
        self.log.append(Record::Savepoint(SavepointRecord {
            checkpoint: manifest.checkpoint,
            generation: self.generation,
            location: target.location.clone(),
            stops: target.stops,
            completed_at: self.clock.wall_millis(),
        }))?;
        self.settle_doubts(manifest.checkpoint);
        self.highest = self.highest.max(manifest.checkpoint);
        if target.stops {
            // Sinks commit what is in it: a job that fails before it has ended goes on from here.
            let from = RestoreFrom::Foreign(Location::parse(&target.location)?);
            self.latest = Some((target.storage.clone(), String::new(), from));
        }
        if let Err(error) = target.storage.delete(UNFINISHED) {
            tracing::warn!("{UNFINISHED} stays in a savepoint that is complete: {error}");
        }
        Ok(())
    }

    /// The files of stores, for the writer.
    pub fn store_files(&mut self) -> &mut StoreFiles {
        &mut self.store_files
    }

    /// The job has ended in good order.
    ///
    /// # Errors
    /// What the storage says; [`CheckpointError::Superseded`] if the job runs elsewhere by now.
    pub fn end(&mut self, how: Ending) -> Result<(), CheckpointError> {
        self.log.append(Record::Ended {
            generation: self.generation,
            how,
            at: self.clock.wall_millis(),
        })
    }
}

#[cfg(test)]
mod tests;
