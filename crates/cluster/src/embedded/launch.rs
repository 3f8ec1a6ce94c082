//! Starts the tasks of a job on threads of this process.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::config::options::WEB_EXCEPTION_HISTORY_SIZE;
use rheos_core::id::JobId;
use rheos_core::rng::Rng;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::metrics::registry::MetricRegistry;
use rheos_runtime::task::worker;

use super::attempt::{Attempt, Threads};
use super::checkpoints::{Checkpoints, FAILED_MEANWHILE, Watched};
use super::deployed::{AttemptPlan, Deployed};
use super::events::Events;
use super::handle::{JobHandle, JobView, Shared};
use super::master::{JobMaster, Scaling};
use super::workers::{WorkerTask, Workers};
use crate::checkpoint::job_store::{Begun, JobStore, RestoreFrom};
use crate::checkpoint::savepoint::Savepoints;
use crate::deploy::JobMetrics;
use crate::error::JobError;
use crate::memory::MemoryWatch;
use crate::recover::restart_strategy::RestartStrategy;
use crate::remote::supply::Needs;
use crate::schedule::scaling::{ScalingMode, ScalingSettings};
use crate::schedule::{ExecutionGraph, ExecutionState};
use crate::submit::failures::Failures;
use crate::submit::lifecycle::Lifecycle;
use crate::submit::rescales::Rescales;

/// Which tasks share a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threading {
    /// None: one thread a task. A blocking user function delays only its own task.
    Task,
    /// The tasks of a slot.
    Slot,
    /// As [`Threading::fitting`] says at each start, with so many cores: a job may be wider at the next.
    Auto {
        /// Cores of this machine.
        cores: usize,
    },
}

impl Threading {
    /// What is fastest: a thread a task while each can have a core, else a thread a slot, which does
    /// not switch between threads for every batch (measured on two cores with six tasks: a third
    /// more rows a second for the keyed count, a seventh for the pipeline).
    pub fn fitting(tasks: usize, cores: usize) -> Self {
        if tasks > cores {
            Self::Slot
        } else {
            Self::Task
        }
    }
}

/// A cluster in this process.
#[derive(Clone)]
pub struct EmbeddedCluster {
    /// Makes threads.
    pub spawner: SharedSpawner,
    /// What the tasks share.
    pub environment: TaskEnvironment,
    /// Which tasks share a thread.
    pub threading: Threading,
    /// Slots, if they are limited.
    pub slots: Option<u32>,
    /// How long a cancelled task may take to end.
    pub cancellation_timeout: Duration,
    /// Where the metrics of its jobs are shown while they run.
    pub metrics: MetricRegistry,
}

/// What an attempt starts with.
pub(crate) struct Start<'a> {
    /// Its generation, if the job takes checkpoints.
    pub generation: Option<u64>,
    /// The job's history, if it takes checkpoints.
    pub lineage: Option<String>,
    /// How often the job had been started before,
    pub number: u32,
    /// and how often of that only for another parallelism.
    pub rescales: u32,
    /// The subtasks of each vertex.
    pub parallelism: &'a [u32],
    /// What it goes on from,
    pub restored: Option<&'a RestoredJob>,
    /// and where that is.
    pub from: Option<&'a RestoreFrom>,
    /// The metrics that it counts on in.
    pub before: Option<&'a JobMetrics>,
}

/// Starts attempts: the seam between the JobMaster, which decides, and where tasks run. Implemented
/// for this process ([`EmbeddedCluster`]) and for TaskManagers in others
/// ([`crate::remote::RemoteLauncher`]); called from the JobMaster's thread, and for the first attempt
/// from that of who starts the job.
pub(crate) trait Launch: Send {
    /// The slots there are, if they are limited.
    fn slots(&self) -> Option<u32>;

    /// Whether there may be others later.
    fn may_get_slots(&self) -> bool;

    /// Whether the tasks run in this process.
    fn runs_tasks_here(&self) -> bool {
        true
    }

    /// The job needs so many from now on: where somebody supplies them.
    fn ask(&self, _needs: Needs) {}

    /// Whether more slots are about to be there.
    fn are_slots_on_their_way(&self) -> bool {
        false
    }

    /// Starts an attempt.
    ///
    /// # Errors
    /// If it can't be.
    fn launch(
        &self,
        events: &Arc<Events>,
        start: &Start<'_>,
    ) -> Result<(Attempt, JobMetrics), JobError>;
}

impl Threading {
    /// What it is for so many tasks in this process.
    pub(crate) fn of(self, tasks: usize) -> Self {
        match self {
            Self::Auto { cores } => Self::fitting(tasks, cores),
            set => set,
        }
    }
}

impl EmbeddedCluster {
    /// Starts a job, which runs by itself from then on; with a store it takes checkpoints, and goes on
    /// from what has begun there.
    ///
    /// # Errors
    /// If there are too few slots, the graph does not fit together, a source takes part in no
    /// checkpoint, the restart strategy is not sound, or the system refuses a thread.
    pub fn start(
        &self,
        id: JobId,
        program: &Program,
        store: Option<(JobStore, Begun)>,
    ) -> Result<JobHandle, JobError> {
        let scaling = ScalingSettings::of(&self.environment.configuration)
            .map_err(|error| JobError::Configuration(error.to_string()))?;
        if scaling.mode == ScalingMode::Reactive {
            return Err(JobError::Configuration(
                "scheduler-mode is reactive, which takes the slots of TaskManagers that come and go, \
                 and the job runs in one process: start it as jobmanager and taskmanager, or leave \
                 scheduler-mode out"
                    .to_owned(),
            ));
        }
        let launcher = Launcher {
            id,
            cluster: self.clone(),
            program: program.clone(),
        };
        self.start_on(Box::new(launcher), id, program, store)
    }

    /// As [`EmbeddedCluster::start`], with tasks where `launcher` starts them.
    pub(crate) fn start_on(
        &self,
        launcher: Box<dyn Launch>,
        id: JobId,
        program: &Program,
        store: Option<(JobStore, Begun)>,
    ) -> Result<JobHandle, JobError> {
        worker::install_panic_hook();
        let clock = self.environment.clock.clone();
        let strategy = RestartStrategy::from_configuration(
            &self.environment.configuration,
            store.is_some(),
            Rng::new(self.environment.seed),
        )
        .map_err(|error| JobError::Configuration(error.to_string()))?;
        let watched = (&self.environment.configuration, clock.clone());
        let memory = match launcher.runs_tasks_here() {
            true => MemoryWatch::new(watched.0, watched.1)?,
            false => MemoryWatch::of_jobmanager(watched.0, watched.1)?,
        };
        let conf = &self.environment.configuration;
        let remembered = conf
            .get(&WEB_EXCEPTION_HISTORY_SIZE)
            .map_err(|error| JobError::Configuration(error.to_string()))?;
        let mut lifecycle = Lifecycle::new(strategy, clock.wall_millis());
        let scaling = ScalingSettings::of(conf)
            .map_err(|error| JobError::Configuration(error.to_string()))?;
        let kept = store.as_ref().and_then(|(_, begun)| begun.width.as_ref());
        let mut requirements = scaling.requirements(program, kept);
        if kept.is_some() && !launcher.may_get_slots() {
            let fit = requirements.fit(&program.graph, launcher.slots());
            if let Err(error) = fit {
                tracing::warn!("the job is as wide as it is written, and not as it was: {error}");
                requirements = scaling.declared(program);
            }
        }
        let parallelism = requirements.fit(&program.graph, launcher.slots())?;
        let graph = program.graph.with_parallelism(&parallelism);
        if parallelism != program.graph.parallelism() {
            tracing::info!(?parallelism, "the job is not as wide as it is written");
        }
        lifecycle.created(clock.wall_millis());
        let events = Arc::new(Events::default());
        let started_micros = clock.monotonic_micros();
        let begun = store.as_ref().map(|(_, begun)| begun);
        let start = Start {
            generation: begun.map(|begun| begun.generation),
            lineage: begun.map(|begun| begun.lineage.clone()),
            number: 0,
            rescales: 0,
            parallelism: &parallelism,
            restored: begun.and_then(|begun| begun.restored.as_ref()),
            from: begun.and_then(|begun| begun.from.as_ref()),
            before: None,
        };
        let mut execution = ExecutionGraph::new(&graph, clock.wall_millis());
        execution.enter_all(ExecutionState::Scheduled, clock.wall_millis());
        let (attempt, metrics) = launcher.launch(&events, &start)?;
        execution.enter_all(ExecutionState::Deploying, clock.wall_millis());
        let checkpointed = store.is_some();
        let settings = store.as_ref().map(|(store, _)| store.settings().clone());
        let savepoints = Savepoints::new(id.to_string(), settings);
        let (mut checkpoints, history, savepoints) = match store {
            Some((mut store, begun)) => {
                let stats = &metrics.checkpoints;
                store
                    .start_copies(&self.spawner, stats)
                    .map_err(|error| JobError::System {
                        what: "starting a thread",
                        error,
                    })?;
                let watched = Watched::new(&store, metrics.checkpoints.clone(), savepoints);
                let seen = (watched.history.clone(), watched.savepoints.clone());
                let (spawner, clock) = (&self.spawner, clock.clone());
                let mut checkpoints =
                    Checkpoints::start(store, &begun, spawner, clock, &events, watched)?;
                let attempted = (&attempt, parallelism.as_slice());
                checkpoints.attempt(&begun, attempted, FAILED_MEANWHILE);
                (Some(checkpoints), Some(seen.0), seen.1)
            }
            None => (None, None, Arc::new(savepoints)),
        };
        lifecycle.deployed(clock.wall_millis());
        let view = JobView {
            timeline: lifecycle.timeline().clone(),
            execution,
            restarts: 0,
            failures: Failures::new(remembered as usize),
            requirements: requirements.clone(),
            rescales: Rescales::default(),
        };
        let shared = Arc::new(Shared::new(view, metrics.clone()));
        let handle = JobHandle {
            id,
            clock: clock.clone(),
            events: events.clone(),
            shared: shared.clone(),
            at_most: program.at_most().into(),
            checkpointed,
            history,
            savepoints: savepoints.clone(),
        };
        let declared = (program.graph.clone(), scaling.declared(program));
        let scaling = Scaling::new(declared, requirements, scaling, started_micros);
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.keep(scaling.kept());
        }
        let master = JobMaster {
            clock,
            events,
            shared,
            launcher,
            attempt,
            metrics,
            checkpoints,
            lifecycle,
            started_micros,
            cancellation_timeout: self.cancellation_timeout,
            memory,
            savepoints,
            scaling,
        };
        let span = tracing::info_span!("job", job = %program.graph.name, id = %id);
        let body = Box::new(move || {
            let _entered = span.entered();
            master.run();
        });
        self.spawner
            .spawn("rheos-master".to_owned(), body)
            .map_err(|error| JobError::System {
                what: "starting a thread",
                error,
            })?;
        Ok(handle)
    }
}

/// Starts the attempts of one job in this process.
struct Launcher {
    id: JobId,
    cluster: EmbeddedCluster,
    program: Program,
}

impl Launch for Launcher {
    fn slots(&self) -> Option<u32> {
        self.cluster.slots
    }

    fn may_get_slots(&self) -> bool {
        false
    }

    fn launch(
        &self,
        events: &Arc<Events>,
        start: &Start<'_>,
    ) -> Result<(Attempt, JobMetrics), JobError> {
        let Self {
            id,
            cluster,
            program,
        } = self;
        let program = &program.with_parallelism(start.parallelism);
        let graph = &program.graph;
        let mut workers = Workers::new(graph, cluster.threading.of(graph.tasks()));
        let Deployed {
            mut attempt,
            metrics,
            builders,
        } = Deployed::new(
            AttemptPlan {
                id: *id,
                program,
                environment: cluster.environment.clone(),
                number: start.number,
                rescales: start.rescales,
                lineage: start.lineage.clone(),
                known: (start.restored, start.before),
            },
            &cluster.metrics,
            events,
            &mut |vertex, subtask| workers.signal(vertex, subtask),
        )?;
        let tasks = builders.into_iter().enumerate();
        let tasks = tasks.map(|(index, (vertex, place, builder))| WorkerTask {
            index,
            vertex,
            place,
            builder,
        });
        let clock = &cluster.environment.clock;
        let threads = workers.start(
            tasks.collect(),
            (start.number, clock),
            &cluster.spawner,
            events.clone(),
        )?;
        attempt.host = Box::new(Threads(threads));
        Ok((attempt, metrics))
    }
}
