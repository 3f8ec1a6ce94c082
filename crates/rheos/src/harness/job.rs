//! The job of a test: its tasks, stepped one after the other until all of them wait.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_cluster::deploy::{Deployment, JobMetrics, SourceDeployment, Sources, deploy};
use rheos_core::Row;
use rheos_core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos_core::clock::{Clock, ManualClock};
use rheos_core::config::Configuration;
use rheos_core::id::{CheckpointId, Generation, OperatorId, Place};
use rheos_core::time::Millis;
use rheos_runtime::TaskError;
use rheos_runtime::checkpoint::restore::{
    FilesHere, GetFiles, RestoredJob, RestoredOperator, RestoredStore,
};
use rheos_runtime::checkpoint::snapshot::TaskSnapshot;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::exchange::debloat::WindowLimits;
use rheos_runtime::exchange::writer::BatchLimits;
use rheos_runtime::task::mailbox::{Mail, MailSender};
use rheos_runtime::task::signal::Signal;
use rheos_runtime::task::task::{Step, Task, TaskListener};
use rheos_runtime::task::worker::{guard, guarded_step, install_panic_hook};
use rheos_runtime::time::WatermarkStrategy;
use rheos_state::store::OriginFile;
use rheos_state::store::settings::store_backend;
use rheos_state::{PendingSeal, StateError};

use super::input::TestInput;
use super::output::TestOutput;
use crate::env::StreamEnv;
use crate::error::ApiError;
use crate::stream::data_stream::DataStream;

/// Why a test's job could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The job is not sound.
    #[error(transparent)]
    Job(#[from] ApiError),
    /// A task failed.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// No checkpoint is under way that could end.
    #[error("no checkpoint is under way: call begin_checkpoint first")]
    NoCheckpoint,
    /// A row can't be in a checkpoint.
    #[error("a row in flight: {0}")]
    Row(rheos_core::row::RowError),
    /// A source's coordinator failed.
    #[error("source: {0}")]
    Source(String),
    /// A task that can do nothing wants to be called again at once: on a thread it would never sleep.
    #[error("{0} has nothing to do, and does not wait: what keeps it awake is a defect")]
    Awake(Place),
}

/// Memory of the stores of a job under test, where its configuration asks for stores.
const HARNESS_STATE_BYTES: u64 = 32 << 20;

/// The files of a store, which stay where they are as long as somebody may restore from them.
fn sealed(seal: &Arc<PendingSeal>) -> Result<RestoredStore, HarnessError> {
    let sealed = seal.seal();
    let sealed = sealed.map_err(|error| HarnessError::Source(error.to_string()))?;
    let files = sealed.files.iter().map(|file| OriginFile {
        name: file.name.clone(),
        path: file.path.clone(),
        kept: None,
    });
    Ok(RestoredStore(Arc::new(SealedFiles(FilesHere {
        files: files.collect(),
        keep: Arc::new((sealed.clone(), seal.clone())),
    }))))
}

struct SealedFiles(FilesHere);

impl GetFiles for SealedFiles {
    fn files(&self) -> Result<FilesHere, StateError> {
        Ok(self.0.clone())
    }
}

/// Describes a job for a test.
pub struct Harness {
    env: StreamEnv,
    clock: Arc<ManualClock>,
    io: Option<tokio::runtime::Handle>,
    windows: WindowLimits,
    /// What outputs do when their job has crashed.
    undo: RefCell<Vec<Box<dyn Fn()>>>,
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

impl Harness {
    /// A harness with parallelism 1 whose clock shows 0.
    pub fn new() -> Self {
        Self::with_configuration(Configuration::default())
    }

    /// A harness whose job has this configuration.
    pub fn with_configuration(configuration: Configuration) -> Self {
        Self {
            env: StreamEnv::new(configuration),
            clock: ManualClock::at(0),
            io: None,
            windows: WindowLimits::default(),
            undo: RefCell::default(),
        }
    }

    /// Grants every channel so many bytes, always.
    pub fn with_credit(mut self, bytes: usize) -> Self {
        self.windows = WindowLimits {
            initial: bytes,
            min: bytes,
            max: bytes,
            ..self.windows
        };
        self
    }

    /// Runs futures of the job on this runtime.
    pub fn with_io(mut self, io: tokio::runtime::Handle) -> Self {
        self.io = Some(io);
        self
    }

    /// The environment that the job is described in.
    pub fn env(&self) -> &StreamEnv {
        &self.env
    }

    /// The clock of the job.
    pub fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    /// A source that the test feeds.
    pub fn input<T: Row>(&self, name: &str) -> (TestInput<T>, DataStream<T>) {
        let (input, source) = TestInput::new();
        let stream = self
            .env
            .from_source(source, WatermarkStrategy::no_watermarks(), name)
            .parallelism(1);
        (input, stream)
    }

    /// A sink that the test reads.
    pub fn output<T: Row>(&self, stream: &DataStream<T>) -> TestOutput<T> {
        let (output, sink) = TestOutput::new();
        self.undo.borrow_mut().push(output.undo());
        stream.sink_to(sink);
        output
    }

    /// Starts the job. Operators that say nothing else have parallelism 1.
    ///
    /// # Errors
    /// If the job is not sound or an operator can't be opened.
    pub fn start(&self) -> Result<TestJob, HarnessError> {
        self.deploy(None)
    }

    /// Gives another parallelism to the operators that were given the parallelism `from`: jobs started
    /// or restored from now on have it.
    pub fn rescale(&self, from: u32, to: u32) {
        self.env.rescale(from, to);
    }

    /// Starts the job anew from a checkpoint of an earlier one, as after a crash: inputs are read
    /// again from where they were at it, and outputs of this harness forget what came behind the first
    /// barrier of the job before.
    ///
    /// # Errors
    /// As [`Harness::start`], or if the checkpoint does not fit the job.
    pub fn restore(&self, checkpoint: &TestCheckpoint) -> Result<TestJob, HarnessError> {
        self.undo.borrow().iter().for_each(|undo| undo());
        self.deploy(Some(&checkpoint.job))
    }

    fn deploy(&self, restored: Option<&RestoredJob>) -> Result<TestJob, HarnessError> {
        install_panic_hook();
        self.env.parallelism(1);
        let program = self.env.program()?;
        let listener = Arc::new(Passed::default());
        let refused = |error: rheos_core::config::ConfigError| {
            HarnessError::Job(ApiError::Configuration(error.to_string()))
        };
        let stores = store_backend(&self.env.configuration(), || Ok(HARNESS_STATE_BYTES));
        let stores = stores.map_err(refused)?;
        let environment = TaskEnvironment {
            clock: self.clock.clone(),
            io: self.io.clone(),
            configuration: Arc::new(self.env.configuration()),
            batches: BatchLimits::default(),
            windows: self.windows,
            listener: listener.clone(),
            checkpointing: None,
            stores,
            seed: 0,
            attempt: 0,
        };
        let signal = Arc::new(Signal::new());
        let known = (restored, None);
        let deployment = deploy(
            &program,
            &environment,
            known,
            &mut |_, _| signal.clone(),
            Sources::default(),
            None,
        )
        .map_err(|error| HarnessError::Job(error.into()))?;
        let Deployment {
            tasks: deployed,
            coordinators,
            metrics,
        } = deployment;
        let mut tasks = Vec::new();
        let mut mails = Vec::new();
        for task in deployed {
            mails.push((task.mail.clone(), task.is_source));
            let place = task.deployment.place.clone();
            tasks.push(Some(guard(|| place, || task.deployment.build())?));
        }
        Ok(TestJob {
            clock: self.clock.clone(),
            tasks,
            mails,
            coordinators,
            metrics,
            signal,
            passed: listener,
            next_checkpoint: restored.map_or(1, |job| job.checkpoint.0 + 1),
            begun: None,
        })
    }
}

/// What a test's job remembered; see [`TestJob::checkpoint`].
#[derive(Debug, Clone)]
pub struct TestCheckpoint {
    job: RestoredJob,
}

#[derive(Default)]
struct Passed {
    places: Mutex<Vec<(CheckpointId, Place)>>,
    /// Whether snapshots are wanted, and those of the checkpoint under way, by task.
    wanted: AtomicBool,
    snapshots: Mutex<BTreeMap<usize, TaskSnapshot>>,
    /// What has come of the keyed state of operators, by task.
    pieces: Mutex<BTreeMap<(usize, OperatorId), Vec<u8>>>,
}

impl Passed {
    fn pieces(&self) -> MutexGuard<'_, BTreeMap<(usize, OperatorId), Vec<u8>>> {
        self.pieces
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl TaskListener for Passed {
    fn takes_snapshots(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    fn snapshot_piece(
        &self,
        task: usize,
        _barrier: &Barrier,
        operator: OperatorId,
        bytes: Vec<u8>,
    ) {
        let mut pieces = self.pieces();
        pieces.entry((task, operator)).or_default().extend(bytes);
    }

    fn snapshot_taken(&self, task: usize, _barrier: &Barrier, mut snapshot: TaskSnapshot) {
        let mut pieces = self.pieces();
        for (operator, part) in &mut snapshot.operators {
            part.add_keyed(&pieces.remove(&(task, *operator)).unwrap_or_default());
        }
        drop(pieces);
        self.snapshots
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .insert(task, snapshot);
    }

    fn barrier_passed(&self, place: &Place, barrier: &Barrier) {
        self.places
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push((barrier.checkpoint, place.clone()));
    }
}

/// A job under test.
pub struct TestJob {
    clock: Arc<ManualClock>,
    tasks: Vec<Option<Task>>,
    mails: Vec<(MailSender, bool)>,
    coordinators: Vec<SourceDeployment>,
    metrics: JobMetrics,
    /// Every task's: raised by what one task does for another.
    signal: Arc<Signal>,
    passed: Arc<Passed>,
    next_checkpoint: u64,
    /// A checkpoint under way, with what the enumerators remember.
    begun: Option<TestCheckpoint>,
}

impl TestJob {
    /// Steps every task until all of them wait.
    ///
    /// # Errors
    /// The first failure of a task; the job can't go on after it.
    pub fn settle(&mut self) -> Result<(), HarnessError> {
        while self.step()? {}
        Ok(())
    }

    /// Steps every task once; whether any got something done.
    ///
    /// # Errors
    /// See [`TestJob::settle`].
    pub fn step(&mut self) -> Result<bool, HarnessError> {
        let now = self.clock.wall_millis();
        for source in &self.coordinators {
            source
                .coordinator
                .tick(now)
                .map_err(|error| HarnessError::Source(format!("{}: {error}", source.name)))?;
        }
        let mut worked = false;
        for task in 0..self.tasks.len() {
            worked |= self.step_task(task)?;
        }
        // A task may have worked in a step that it ended blocked; what that means for the others,
        // rows or credit, has raised the signal.
        Ok(self.signal.take() || worked)
    }

    /// How many tasks there are, upstream first.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Steps one task; whether it got something done.
    ///
    /// # Errors
    /// See [`TestJob::settle`].
    pub fn step_task(&mut self, task: usize) -> Result<bool, HarnessError> {
        let Some(slot) = self.tasks.get_mut(task) else {
            return Ok(false);
        };
        let Some(task) = slot else { return Ok(false) };
        match guarded_step(task)? {
            Step::Worked => Ok(true),
            Step::Blocked { until, .. } => match until {
                Some(until) if until <= self.clock.monotonic_micros() => {
                    Err(HarnessError::Awake(task.place().clone()))
                }
                _ => Ok(false),
            },
            Step::Finished => {
                task.close();
                *slot = None;
                Ok(true)
            }
        }
    }

    /// Steps the tasks that read sources: what they emit is then in flight.
    ///
    /// # Errors
    /// See [`TestJob::settle`].
    pub fn step_sources(&mut self) -> Result<(), HarnessError> {
        let sources = self.mails.iter().map(|(_, is_source)| *is_source);
        let sources: Vec<bool> = sources.collect();
        for (task, _) in sources.iter().enumerate().filter(|(_, is)| **is) {
            while self.step_task(task)? {}
        }
        Ok(())
    }

    /// Moves the clock, and lets what is due happen.
    ///
    /// # Errors
    /// See [`TestJob::settle`].
    pub fn advance(&mut self, millis: Millis) -> Result<(), HarnessError> {
        self.clock.advance(millis);
        self.settle()
    }

    /// Whether all tasks have finished.
    pub fn is_finished(&self) -> bool {
        self.tasks.iter().all(Option::is_none)
    }

    fn barrier(&self, checkpoint: CheckpointId, alignment: Alignment) -> Barrier {
        Barrier {
            checkpoint,
            generation: Generation(1),
            triggered_at: self.clock.wall_millis(),
            kind: SnapshotKind::Checkpoint,
            alignment,
        }
    }

    /// Sends a barrier into every source.
    pub fn trigger_barrier(&mut self) -> CheckpointId {
        let checkpoint = CheckpointId(self.next_checkpoint);
        self.next_checkpoint += 1;
        let barrier = self.barrier(checkpoint, Alignment::Aligned);
        self.send_to_sources(|| Mail::Checkpoint(barrier));
        checkpoint
    }

    /// Takes a checkpoint: lets a barrier through, and keeps what every task remembers.
    ///
    /// # Errors
    /// See [`TestJob::settle`]; or if a source takes part in no checkpoint.
    pub fn checkpoint(&mut self) -> Result<TestCheckpoint, HarnessError> {
        self.take_checkpoint(Alignment::Aligned)
    }

    /// Takes a checkpoint whose barrier overtakes what is in flight, wherever it may.
    ///
    /// # Errors
    /// See [`TestJob::checkpoint`].
    pub fn unaligned_checkpoint(&mut self) -> Result<TestCheckpoint, HarnessError> {
        self.take_checkpoint(Alignment::Unaligned { after_millis: 0 })
    }

    fn take_checkpoint(&mut self, alignment: Alignment) -> Result<TestCheckpoint, HarnessError> {
        self.begin_checkpoint(alignment)?;
        self.settle()?;
        let taken = self.end_checkpoint()?;
        self.settle()?;
        Ok(taken)
    }

    /// Takes a checkpoint. What `feed` puts into the inputs is behind the barrier, and is processed
    /// while tasks write what they remember.
    ///
    /// # Errors
    /// See [`TestJob::checkpoint`].
    pub fn checkpoint_before(
        &mut self,
        feed: impl FnOnce(),
    ) -> Result<TestCheckpoint, HarnessError> {
        self.begin_checkpoint(Alignment::Aligned)?;
        feed();
        self.settle()?;
        let taken = self.end_checkpoint()?;
        self.settle()?;
        Ok(taken)
    }

    fn snapshots(&self) -> MutexGuard<'_, BTreeMap<usize, TaskSnapshot>> {
        let snapshots = &self.passed.snapshots;
        snapshots
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Begins a checkpoint, in place of one that is under way: tells the sources. It goes on as the
    /// tasks are stepped.
    ///
    /// # Errors
    /// If a source takes part in no checkpoint.
    pub fn begin_checkpoint(&mut self, alignment: Alignment) -> Result<(), HarnessError> {
        self.snapshots().clear();
        self.passed.pieces().clear();
        let checkpoint = CheckpointId(self.next_checkpoint);
        self.next_checkpoint += 1;
        let barrier = self.barrier(checkpoint, alignment);
        self.passed.wanted.store(true, Ordering::Relaxed);
        let mut operators: BTreeMap<OperatorId, RestoredOperator> = BTreeMap::new();
        for source in &self.coordinators {
            let mails = &self.mails;
            let snapshot = source.coordinator.snapshot(&mut || {
                for (mail, _) in source.tasks.iter().filter_map(|task| mails.get(*task)) {
                    mail.send(Mail::Checkpoint(barrier));
                }
            });
            let failed = |error| HarnessError::Source(format!("{}: {error}", source.name));
            let operator = operators.entry(source.id).or_default();
            operator.enumerator = Some(Arc::new(snapshot.map_err(failed)?));
        }
        let operators = operators.into_iter();
        self.begun = Some(TestCheckpoint {
            job: RestoredJob {
                ignore_unclaimed: false,
                checkpoint,
                operators: operators.map(|(id, kept)| (id, Arc::new(kept))).collect(),
            },
        });
        Ok(())
    }

    /// Whether the barrier of the checkpoint under way has passed every task, and each has written what
    /// it remembers.
    pub fn checkpoint_is_taken(&self) -> bool {
        let snapshots = self.snapshots();
        let mut tasks = self.tasks.iter().enumerate();
        self.begun.is_some()
            && tasks.all(|(index, task)| task.is_none() || snapshots.contains_key(&index))
    }

    /// Ends the checkpoint under way, and tells the tasks.
    ///
    /// # Errors
    /// If none is under way, or something can't be written.
    pub fn end_checkpoint(&mut self) -> Result<TestCheckpoint, HarnessError> {
        self.passed.wanted.store(false, Ordering::Relaxed);
        let mut snapshots = std::mem::take(&mut *self.snapshots());
        let Some(TestCheckpoint { job }) = self.begun.take() else {
            return Err(HarnessError::NoCheckpoint);
        };
        let begun = job.operators.into_iter();
        let mut operators: BTreeMap<OperatorId, RestoredOperator> = begun
            .map(|(id, kept)| (id, RestoredOperator::clone(&kept)))
            .collect();
        for (task, handle) in self.metrics.tasks.iter().enumerate() {
            let mut snapshot = snapshots.remove(&task).unwrap_or_default();
            snapshot.settle().map_err(HarnessError::Row)?;
            let TaskSnapshot {
                operators: mut taken,
                stores,
                ..
            } = snapshot;
            for watched in &handle.operators {
                let at = taken.iter().position(|(id, _)| *id == watched.id);
                let part = at.map(|at| Arc::new(taken.swap_remove(at).1));
                let seal = stores.iter().find(|(id, _)| *id == watched.id);
                let store = seal.map(|(_, seal)| sealed(seal)).transpose()?;
                let operator = operators.entry(watched.id).or_default();
                operator.parts.push(part);
                operator.stores.push(store);
            }
        }
        for (mail, _) in &self.mails {
            mail.send(Mail::CheckpointCompleted(job.checkpoint));
        }
        let operators = operators.into_iter();
        Ok(TestCheckpoint {
            job: RestoredJob {
                ignore_unclaimed: false,
                checkpoint: job.checkpoint,
                operators: operators.map(|(id, kept)| (id, Arc::new(kept))).collect(),
            },
        })
    }

    /// The tasks that a barrier has passed.
    pub fn passed(&self, checkpoint: CheckpointId) -> Vec<Place> {
        let passed = self
            .passed
            .places
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        passed
            .iter()
            .filter(|(id, _)| *id == checkpoint)
            .map(|(_, place)| place.clone())
            .collect()
    }

    /// Stops the sources.
    pub fn stop(&mut self, drain: bool) {
        self.send_to_sources(|| Mail::Stop { drain });
    }

    fn send_to_sources(&self, mail: impl Fn() -> Mail) {
        for (sender, is_source) in &self.mails {
            if *is_source {
                sender.send(mail());
            }
        }
    }

    /// The counters of the job.
    pub fn metrics(&self) -> &JobMetrics {
        &self.metrics
    }
}
