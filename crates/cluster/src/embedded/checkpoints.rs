//! The checkpoints of a running job: carries out what the coordinator decides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos_core::clock::SharedClock;
use rheos_core::id::{CheckpointId, Generation, OperatorId};
use rheos_core::job_graph::JobGraph;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::checkpoint::snapshot::TaskSnapshot;
use rheos_runtime::metrics::checkpoints::{CheckpointStats, CompletedCheckpoint};

use super::attempt::{Attempt, Command};
use super::events::{Event, Events};
use crate::checkpoint::coordinator::{Consequence, Coordinator};
use crate::checkpoint::history::{History, Restored};
use crate::checkpoint::job_store::{Begun, JobStore, RestoreFrom, checkpoint_folder};
use crate::checkpoint::log::Ending;
use crate::checkpoint::manifest::{FORMAT, Manifest};
use crate::checkpoint::progress::Piece;
use crate::checkpoint::savepoint::{Asked, SavepointTarget, Savepoints};
use crate::checkpoint::store_files::StoreManifest;
use crate::checkpoint::writer::{CheckpointWriter, Order, Tell, Written};
use crate::checkpoint::{CheckpointError, CheckpointSettings};
use crate::deploy::JobMetrics;
use crate::error::JobError;
use crate::schedule::kept_width::KeptWidth;
use crate::submit::JobStatus;

/// Why what was under way came to nothing when an attempt has failed,
pub(super) const FAILED_MEANWHILE: &str = "the job failed meanwhile";
/// and when the next one is wider or narrower.
pub(super) const RESCALED_MEANWHILE: &str = "the job was rescaled meanwhile";

mod described;
mod savepoints;

use described::describe;

/// See the [module](self).
pub(super) struct Checkpoints {
    store: Arc<Mutex<JobStore>>,
    writer: CheckpointWriter,
    settings: CheckpointSettings,
    clock: SharedClock,
    coordinator: Coordinator,
    generation: u64,
    lineage: String,
    /// How long the job had run when the attempt began.
    run_millis: i64,
    /// When the last checkpoint was triggered. Sinks tell by the time of a trigger what is newer: it
    /// rises, whatever becomes of the clock.
    triggered_at: i64,
    began_micros: i64,
    /// What tasks that have ended left: their parts of later checkpoints.
    left: BTreeMap<usize, TaskSnapshot>,
    /// What the enumerators remember of checkpoints under way.
    enumerators: BTreeMap<u64, Vec<(OperatorId, Vec<u8>)>>,
    /// Where the job's folder is.
    location: String,
    /// For those who watch: counts,
    stats: CheckpointStats,
    /// the checkpoints one by one,
    history: History,
    /// and what has been asked for.
    savepoints: Arc<Savepoints>,
    /// Where tasks ask which checkpoints are wanted.
    events: Arc<Events>,
    /// Savepoints whose place is open, in the order in which they were asked for.
    asked: VecDeque<(Asked, SavepointTarget)>,
    /// The savepoint under way.
    savepoint: Option<(u64, Asked, SavepointTarget)>,
    /// The sources are to be told to stop, with draining or without.
    stop: Option<bool>,
    /// Requests for a checkpoint that none has begun for,
    hurried: Vec<Asker>,
    /// and those with the one that has.
    served: Vec<(u64, Asker)>,
    /// How many tasks of each vertex there are.
    widths: Arc<[u32]>,
    /// How wide the job is to be, where somebody has asked for that: kept by its checkpoints.
    width: Option<KeptWidth>,
    /// What has become of the checkpoint that a rescale waits for.
    rescale: Option<Result<u64, String>>,
}

/// Who has asked for a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asker {
    /// A request, by its trigger id.
    Trigger(String),
    /// The job itself, to go on from it with other parallelism: whether it has begun for that.
    Rescale {
        /// Else it was under way.
        own: bool,
    },
}

/// What those see who watch the checkpoints of a job.
pub(super) struct Watched {
    pub stats: CheckpointStats,
    pub history: History,
    pub savepoints: Arc<Savepoints>,
}

impl Watched {
    /// For the job of this store.
    pub(super) fn new(store: &JobStore, stats: CheckpointStats, savepoints: Savepoints) -> Self {
        let settings = store.settings();
        Self {
            stats,
            history: History::new(settings.history, settings.retained),
            savepoints: Arc::new(savepoints),
        }
    }
}

fn lock(store: &Mutex<JobStore>) -> MutexGuard<'_, JobStore> {
    store
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Lets a writer tell the job.
fn told_to(events: &Arc<Events>) -> Tell {
    let events = events.clone();
    Box::new(move |written| events.push(Event::Written(written)))
}

impl Checkpoints {
    pub(super) fn start(
        store: JobStore,
        begun: &Begun,
        spawner: &SharedSpawner,
        clock: SharedClock,
        events: &Arc<Events>,
        watched: Watched,
    ) -> Result<Self, JobError> {
        let store = Arc::new(Mutex::new(store));
        let tell = told_to(events);
        let writer = CheckpointWriter::start(store.clone(), spawner, clock.clone(), tell).map_err(
            |error| JobError::System {
                what: "starting a thread",
                error,
            },
        )?;
        Ok(Self::new(store, writer, begun, clock, events, watched))
    }

    /// Those of a job whose writer is stepped by whoever steps the job.
    pub(super) fn stepped(
        store: JobStore,
        begun: &Begun,
        clock: SharedClock,
        events: &Arc<Events>,
        stats: CheckpointStats,
    ) -> Self {
        // Nobody asks a job that is stepped.
        let savepoints = Savepoints::new(String::new(), None);
        let watched = Watched::new(&store, stats, savepoints);
        let store = Arc::new(Mutex::new(store));
        let writer = CheckpointWriter::stepped(store.clone(), clock.clone(), told_to(events));
        Self::new(store, writer, begun, clock, events, watched)
    }

    /// Lets a stepped writer carry out one order; whether there was one.
    pub(super) fn step_writer(&mut self) -> bool {
        self.writer.step()
    }

    fn new(
        store: Arc<Mutex<JobStore>>,
        writer: CheckpointWriter,
        begun: &Begun,
        clock: SharedClock,
        events: &Arc<Events>,
        watched: Watched,
    ) -> Self {
        let Watched {
            stats,
            history,
            savepoints,
        } = watched;
        stats.update(|_| {});
        let settings = lock(&store).settings().clone();
        let location = lock(&store).location();
        let now = clock.monotonic_micros();
        Self {
            store,
            writer,
            coordinator: Coordinator::new(
                &settings,
                begun.next_checkpoint,
                0,
                BTreeSet::new(),
                now,
            ),
            settings,
            clock,
            generation: begun.generation,
            lineage: begun.lineage.clone(),
            run_millis: begun.run_millis,
            triggered_at: begun.triggered_at,
            began_micros: now,
            left: BTreeMap::new(),
            enumerators: BTreeMap::new(),
            location,
            stats,
            history,
            savepoints,
            events: events.clone(),
            asked: VecDeque::new(),
            savepoint: None,
            stop: None,
            hurried: Vec::new(),
            served: Vec::new(),
            widths: Arc::default(),
            width: None,
            rescale: None,
        }
    }

    /// An attempt begins, with so many tasks of each vertex. What was under way in the one before came to nothing: why.
    pub(super) fn attempt(
        &mut self,
        begun: &Begun,
        (attempt, widths): (&Attempt, &[u32]),
        why: &str,
    ) {
        self.widths = widths.into();
        let now = self.clock.monotonic_micros();
        let lost = self.coordinator.in_progress();
        let tasks = attempt.tasks.iter().enumerate();
        let sources = tasks.filter(|(_, task)| task.is_source);
        self.coordinator = Coordinator::new(
            &self.settings,
            begun.next_checkpoint,
            attempt.tasks.len(),
            sources.map(|(index, _)| index).collect(),
            now,
        );
        self.generation = begun.generation;
        self.run_millis = begun.run_millis;
        self.triggered_at = self.triggered_at.max(begun.triggered_at);
        self.began_micros = now;
        self.count_failed(lost);
        self.fail_savepoints(why);
        let wall = self.clock.wall_millis();
        self.history.all_failed(why, wall);
        if let (Some(restored), Some(from)) = (&begun.restored, &begun.from) {
            self.stats.update(|counts| counts.restored_at = Some(wall));
            self.history.restored(Restored {
                checkpoint: restored.checkpoint.0,
                at: wall,
                savepoint: begun.from_savepoint,
                place: match from {
                    RestoreFrom::Own(folder) => format!("{}/{folder}", self.location),
                    RestoreFrom::Foreign(location) => location.to_string(),
                },
            });
        }
        self.enumerators.clear();
        self.left.clear();
    }

    /// How wide the job is to be, if somebody has asked for that.
    pub(super) fn keep(&mut self, width: Option<KeptWidth>) {
        self.width = width;
    }

    /// What the job has to name its history by.
    pub(super) fn lineage(&self) -> &str {
        &self.lineage
    }

    /// How long the job has run, over all attempts that count, in milliseconds.
    pub(super) fn run_millis(&self) -> i64 {
        let run = self.clock.monotonic_micros() - self.began_micros;
        self.run_millis + run.div_euclid(1000)
    }

    /// When to be called again at the latest, in monotonic microseconds.
    pub(super) fn next_look(&self) -> i64 {
        self.coordinator.next_look()
    }

    /// Begins what is due and gives up what is overdue; the failure that it comes to.
    pub(super) fn tick(&mut self, attempt: &Attempt) -> Option<JobError> {
        let now = self.clock.monotonic_micros();
        if let Some((checkpoint, missing)) = self.coordinator.expired(now) {
            let tasks = missing
                .iter()
                .filter_map(|task| attempt.tasks.get(*task))
                .map(|task| task.place.to_string());
            let error = CheckpointError::Expired {
                checkpoint,
                seconds: self.settings.timeout.as_secs(),
                tasks: tasks.collect::<Vec<_>>().join(", "),
            };
            return self.failed(checkpoint, error);
        }
        if !self.hurried.is_empty() && !self.coordinator.has_sources() {
            self.fail_hurried("all sources of the job have ended: its last checkpoint is taken");
        }
        if self.savepoint_is_due() {
            return self.begin_savepoint(now, attempt);
        }
        if !self.coordinator.is_due(now) {
            return None;
        }
        let wall = self.trigger_time();
        let checkpoint = self.coordinator.begin(now, wall);
        let hurried = self.hurried.drain(..);
        self.served.extend(hurried.map(|asker| (checkpoint, asker)));
        let (kind, alignment) = (SnapshotKind::Checkpoint, self.settings.alignment());
        self.send(checkpoint, wall, (kind, alignment), attempt)
    }

    /// When the next checkpoint is triggered, by the wall clock.
    fn trigger_time(&mut self) -> i64 {
        let wall = self.clock.wall_millis().max(self.triggered_at + 1);
        self.triggered_at = wall;
        wall
    }

    /// Sends the barriers of a checkpoint that has begun.
    fn send(
        &mut self,
        checkpoint: u64,
        wall: i64,
        (kind, alignment): (SnapshotKind, Alignment),
        attempt: &Attempt,
    ) -> Option<JobError> {
        self.count_failed(0);
        let savepoint = kind == SnapshotKind::Savepoint;
        self.history
            .begun(checkpoint, savepoint, wall, &self.widths);
        let barrier = Barrier {
            checkpoint: CheckpointId(checkpoint),
            generation: Generation(self.generation),
            triggered_at: wall,
            kind,
            alignment,
        };
        let mut enumerators = Vec::new();
        for source in &attempt.sources {
            let snapshot = source.coordinator.snapshot(&mut || {
                let tasks = source.tasks.iter();
                for task in tasks.filter_map(|task| attempt.tasks.get(*task)) {
                    task.reach.tell(Command::Checkpoint(barrier));
                }
            });
            match snapshot {
                Ok(snapshot) => enumerators.push((source.id, snapshot)),
                Err(error) => {
                    return Some(JobError::Source {
                        operator: source.name.clone(),
                        error,
                    });
                }
            }
        }
        self.enumerators.insert(checkpoint, enumerators);
        for (task, left) in &self.left {
            self.coordinator.left(checkpoint, *task);
            self.writer.order(Order::Task {
                checkpoint,
                task: *task,
                name: String::new(),
                snapshot: left.clone(),
            });
        }
        None
    }

    /// Takes note of what a task or the writer has said; the failure that it comes to.
    pub(super) fn take(&mut self, event: Event, attempt: &Attempt) -> Option<JobError> {
        match event {
            Event::Piece(task, barrier, operator, piece) => {
                self.piece(task, &barrier, operator, piece);
            }
            Event::Snapshot(task, barrier, snapshot) => {
                self.snapshot(task, &barrier, snapshot, attempt);
            }
            Event::Leaves(task, left) => {
                self.left.insert(task, left);
            }
            Event::EndReached(task) => self.coordinator.end_reached(task),
            // It writes its part itself, in another process.
            Event::Answered(checkpoint, task) => {
                self.coordinator.answered(checkpoint, task);
            }
            Event::Written(written) => return self.written(written, attempt),
            Event::Entered(..)
            | Event::Ended(..)
            | Event::Stop { .. }
            | Event::Cancel
            | Event::Superseded(_)
            | Event::Savepoint(_)
            | Event::TakeCheckpoint(_)
            | Event::Barrier(_)
            | Event::WantsSplit(..)
            | Event::Rescale(..)
            | Event::Lost(..)
            | Event::OutOfMemory(..) => {}
        }
        None
    }

    /// A piece of the state of a task.
    fn piece(&mut self, task: usize, barrier: &Barrier, operator: OperatorId, piece: Piece) {
        let checkpoint = barrier.checkpoint.0;
        if self.coordinator.triggered_micros(checkpoint).is_some() {
            self.writer.order(Order::Piece {
                checkpoint,
                task,
                operator,
                piece,
            });
        }
    }

    fn snapshot(
        &mut self,
        task: usize,
        barrier: &Barrier,
        snapshot: TaskSnapshot,
        attempt: &Attempt,
    ) {
        let checkpoint = barrier.checkpoint.0;
        if self.coordinator.answered(checkpoint, task) {
            let name = attempt.tasks.get(task).map(|task| task.place.to_string());
            self.writer.order(Order::Task {
                checkpoint,
                task,
                name: name.unwrap_or_default(),
                snapshot,
            });
        }
    }

    pub(super) fn task_ended(&mut self, task: usize) {
        // Checkpoints under way that it has not answered get what it left.
        if let Some(left) = self.left.get(&task) {
            for checkpoint in self.coordinator.unanswered(task) {
                self.coordinator.answered(checkpoint, task);
                self.writer.order(Order::Task {
                    checkpoint,
                    task,
                    name: String::new(),
                    snapshot: left.clone(),
                });
            }
        }
        self.coordinator.task_ended(task);
    }

    /// Takes note of what is written; the failure that it comes to.
    fn written(&mut self, written: Written, attempt: &Attempt) -> Option<JobError> {
        match written {
            Written::Task(checkpoint, task, mut part) => {
                // Of another process, by the clock of this one.
                if part.written_micros == 0 {
                    part.written_micros = self.clock.monotonic_micros();
                    let stores = part.operators.iter().filter_map(|of| of.store.as_ref());
                    let shared = stores.flat_map(StoreManifest::shared);
                    let shared: Vec<String> = shared.map(|file| file.part.file.clone()).collect();
                    if !shared.is_empty() {
                        self.writer.order(Order::Named(checkpoint, shared));
                    }
                }
                if let Some(triggered) = self.coordinator.triggered_micros(checkpoint) {
                    let millis = (part.written_micros - triggered).div_euclid(1_000);
                    let when = (millis, self.clock.wall_millis());
                    self.history.written(checkpoint, task, &part, when);
                }
                self.coordinator.written(checkpoint, task, part);
                None
            }
            Written::Complete(checkpoint, bytes) => {
                let now = self.clock.monotonic_micros();
                tracing::debug!(checkpoint, bytes, "checkpoint complete");
                let triggered = self.coordinator.triggered_micros(checkpoint);
                let duration_millis = (now - triggered.unwrap_or(now)).div_euclid(1_000);
                let completed_at = self.clock.wall_millis();
                let place = match &self.savepoint {
                    Some((of, _, target)) if *of == checkpoint => target.location.clone(),
                    _ => {
                        let folder = checkpoint_folder(self.generation, checkpoint);
                        format!("{}/{folder}", self.location)
                    }
                };
                let when = (duration_millis, completed_at);
                self.history.completed(checkpoint, place, when);
                if self.savepoint_completed(checkpoint) {
                    return None;
                }
                let given_up = self.coordinator.completed(checkpoint, now);
                self.serve(checkpoint);
                self.count_failed(given_up.len());
                let last = CompletedCheckpoint {
                    number: checkpoint,
                    duration_millis,
                    bytes,
                    completed_at,
                };
                self.stats.update(|counts| {
                    counts.completed += 1;
                    counts.last = Some(last);
                });
                for given_up in given_up {
                    let cause =
                        format!("checkpoint {checkpoint}, which is newer, was complete first");
                    self.history.failed(given_up, &cause, completed_at);
                    self.enumerators.remove(&given_up);
                    self.writer.order(Order::Discard(given_up));
                }
                self.enumerators.remove(&checkpoint);
                attempt.checkpoint_completed(checkpoint);
                None
            }
            Written::Failed(checkpoint, error) => self.failed(checkpoint, error),
            Written::Prepared(asked, target) => {
                self.prepared(asked, target);
                None
            }
            Written::Settled => None,
        }
    }

    /// Closes a checkpoint of which everything is written.
    pub(super) fn close_whole(&mut self, graph: &JobGraph, metrics: &JobMetrics, job: &str) {
        let run_millis = self.run_millis();
        let Some(pending) = self.coordinator.whole() else {
            return;
        };
        let enumerators = self.enumerators.remove(&pending.checkpoint);
        let mut manifest = Manifest {
            format: FORMAT,
            job: job.to_owned(),
            checkpoint: pending.checkpoint,
            generation: self.generation,
            lineage: self.lineage.clone(),
            triggered_at: pending.triggered_at,
            savepoint: pending.savepoint,
            run_millis,
            width: self.width.clone(),
            operators: Vec::new(),
            tasks: Vec::new(),
        };
        describe(&mut manifest, pending, graph, metrics);
        let mut found = Vec::new();
        for (id, bytes) in enumerators.unwrap_or_default() {
            let id = id.to_string();
            if let Some(at) = manifest.operators.iter().position(|o| o.id == id) {
                found.push((at, bytes));
            }
        }
        self.writer.order(Order::Close(Box::new(manifest), found));
    }

    /// Counts checkpoints that came to nothing, and those that are now under way, which tasks write.
    fn count_failed(&self, failed: usize) {
        let under_way = self.coordinator.under_way();
        let aim = self.savepoint.as_ref();
        let aim = aim.map(|(checkpoint, _, target)| (*checkpoint, target.location.clone()));
        self.events.progress.set_wanted(under_way, aim.as_ref());
        let in_progress = self.coordinator.in_progress();
        self.stats.update(|counts| {
            counts.failed += failed as u64;
            counts.in_progress = in_progress;
        });
    }

    fn failed(&mut self, checkpoint: u64, error: CheckpointError) -> Option<JobError> {
        if matches!(error, CheckpointError::Superseded { .. }) {
            return Some(error.into());
        }
        let wall = self.clock.wall_millis();
        self.history.failed(checkpoint, &error.to_string(), wall);
        self.enumerators.remove(&checkpoint);
        self.writer.order(Order::Discard(checkpoint));
        if self.savepoint_failed(checkpoint, &error) {
            return None;
        }
        if self.fail_served(checkpoint, &error) {
            // It was taken for a rescale alone.
            self.coordinator.savepoint_ended(checkpoint);
            self.count_failed(1);
            return None;
        }
        let now = self.clock.monotonic_micros();
        let under_way = self.coordinator.triggered_micros(checkpoint).is_some();
        let consequence = self.coordinator.failed(checkpoint, now);
        self.count_failed(usize::from(under_way));
        match consequence {
            Consequence::Fatal => Some(error.into()),
            Consequence::Tolerated => {
                tracing::warn!("a checkpoint failed, which is tolerated: {error}");
                None
            }
        }
    }

    /// All tasks have ended, and another attempt is to begin: what is under way is given up, for this
    /// reason, and the writer asked to say when it has nothing left to do.
    pub(super) fn give_up(&mut self, why: &str) {
        for checkpoint in self.coordinator.unfinished() {
            self.writer.order(Order::Discard(checkpoint));
        }
        self.fail_savepoints(why);
        self.writer.order(Order::Settle);
    }

    /// The next generation begins.
    pub(super) fn begin_again(&mut self, graph: &JobGraph) -> Result<Begun, JobError> {
        let next = self.coordinator.next();
        Ok(lock(&self.store).begin_again(graph, next)?)
    }

    /// The job has ended, in this state: waits until all is written, and deletes what is not to be kept.
    pub(super) fn let_go(self, status: JobStatus) {
        drop(self.writer);
        if let Err(error) = lock(&self.store).let_go(status) {
            tracing::warn!("checkpoints that were not to be kept stay: {error}");
        }
    }

    /// The job has ended in good order.
    pub(super) fn end(&self, how: Ending) -> Result<(), JobError> {
        Ok(lock(&self.store).end(how)?)
    }
}
