//! The job of a test: its tasks, stepped one after the other until all of them wait.

use std::sync::{Arc, Mutex};

use rheos_cluster::deploy::{Deployment, JobMetrics, deploy};
use rheos_core::Row;
use rheos_core::barrier::{Barrier, SnapshotKind};
use rheos_core::clock::{Clock, ManualClock};
use rheos_core::config::Configuration;
use rheos_core::id::{CheckpointId, Generation, Place};
use rheos_core::time::Millis;
use rheos_runtime::TaskError;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::exchange::debloat::WindowLimits;
use rheos_runtime::exchange::writer::BatchLimits;
use rheos_runtime::task::mailbox::{Mail, MailSender};
use rheos_runtime::task::signal::Signal;
use rheos_runtime::task::task::{Step, Task, TaskListener};
use rheos_runtime::task::worker::{guard, guarded_step, install_panic_hook};
use rheos_runtime::time::WatermarkStrategy;

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
    /// A source's coordinator failed.
    #[error("source: {0}")]
    Source(String),
}

/// Describes a job for a test.
pub struct Harness {
    env: StreamEnv,
    clock: Arc<ManualClock>,
    io: Option<tokio::runtime::Handle>,
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
        }
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
        stream.sink_to(sink);
        output
    }

    /// Starts the job. Operators that say nothing else have parallelism 1.
    ///
    /// # Errors
    /// If the job is not sound or an operator can't be opened.
    pub fn start(&self) -> Result<TestJob, HarnessError> {
        install_panic_hook();
        self.env.parallelism(1);
        let program = self.env.program()?;
        let listener = Arc::new(Passed::default());
        let environment = TaskEnvironment {
            clock: self.clock.clone(),
            io: self.io.clone(),
            configuration: Arc::new(self.env.configuration()),
            batches: BatchLimits::default(),
            windows: WindowLimits::default(),
            listener: listener.clone(),
            seed: 0,
            attempt: 0,
        };
        let signal = Arc::new(Signal::new());
        let deployment = deploy(&program, &environment, &mut |_, _| signal.clone())
            .map_err(|error| HarnessError::Job(ApiError::Run(error)))?;
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
            next_checkpoint: 1,
        })
    }
}

#[derive(Default)]
struct Passed {
    places: Mutex<Vec<(CheckpointId, Place)>>,
}

impl TaskListener for Passed {
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
    coordinators: Vec<(
        String,
        Arc<dyn rheos_runtime::source::coordinator::Coordinator>,
    )>,
    metrics: JobMetrics,
    /// Every task's: raised by what one task does for another.
    signal: Arc<Signal>,
    passed: Arc<Passed>,
    next_checkpoint: u64,
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
        for (operator, coordinator) in &self.coordinators {
            coordinator
                .tick(now)
                .map_err(|error| HarnessError::Source(format!("{operator}: {error}")))?;
        }
        let mut worked = false;
        for slot in &mut self.tasks {
            let Some(task) = slot else { continue };
            match guarded_step(task)? {
                Step::Worked => worked = true,
                Step::Blocked { .. } => {}
                Step::Finished => {
                    task.close();
                    *slot = None;
                    worked = true;
                }
            }
        }
        // A task may have worked in a step that it ended blocked; what that means for the others,
        // rows or credit, has raised the signal.
        Ok(self.signal.take() || worked)
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

    /// Sends a barrier into every source.
    pub fn trigger_barrier(&mut self) -> CheckpointId {
        let checkpoint = CheckpointId(self.next_checkpoint);
        self.next_checkpoint += 1;
        let barrier = Barrier {
            checkpoint,
            generation: Generation(1),
            triggered_at: self.clock.wall_millis(),
            kind: SnapshotKind::Checkpoint,
        };
        self.send_to_sources(|| Mail::Checkpoint(barrier));
        checkpoint
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
