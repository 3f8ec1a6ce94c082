//! Starts the tasks of a job on threads of this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::id::{JobId, Place};
use rheos_core::rng::Rng;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::metrics::registry::MetricRegistry;
use rheos_runtime::task::signal::Signal;
use rheos_runtime::task::worker::{self, TaskBuilder, WorkerListener};

use super::attempt::Attempt;
use super::checkpoints::Checkpoints;
use super::deployed::{AttemptPlan, Deployed};
use super::events::Events;
use super::handle::{JobHandle, JobView, Shared};
use super::master::JobMaster;
use crate::checkpoint::job_store::{Begun, JobStore};
use crate::deploy::JobMetrics;
use crate::error::JobError;
use crate::memory::MemoryWatch;
use crate::recover::restart_strategy::RestartStrategy;
use crate::schedule::{ExecutionGraph, ExecutionState, slots};
use crate::submit::lifecycle::Lifecycle;

/// Which tasks share a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threading {
    /// None: one thread a task. A blocking user function delays only its own task.
    Task,
    /// The tasks of a slot.
    Slot,
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

/// Which thread a task runs on.
type ThreadKey = (usize, String, u32);

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
        worker::install_panic_hook();
        let clock = self.environment.clock.clone();
        let strategy = RestartStrategy::from_configuration(
            &self.environment.configuration,
            store.is_some(),
            Rng::new(self.environment.seed),
        )
        .map_err(|error| JobError::Configuration(error.to_string()))?;
        let memory = MemoryWatch::new(&self.environment.configuration, clock.clone())?;
        let mut lifecycle = Lifecycle::new(strategy, clock.wall_millis());
        slots::check(&program.graph, self.slots)?;
        lifecycle.created(clock.wall_millis());
        let events = Arc::new(Events::default());
        let launcher = Launcher {
            id,
            cluster: self.clone(),
            program: program.clone(),
        };
        let started_micros = clock.monotonic_micros();
        let (lineage, restored) = match &store {
            Some((_, begun)) => (Some(begun.lineage.clone()), begun.restored.as_ref()),
            None => (None, None),
        };
        let mut execution = ExecutionGraph::new(&program.graph, clock.wall_millis());
        execution.enter_all(ExecutionState::Scheduled, clock.wall_millis());
        let (attempt, metrics) = launcher.launch(&events, lineage, 0, restored, None)?;
        execution.enter_all(ExecutionState::Deploying, clock.wall_millis());
        let checkpointed = store.is_some();
        let checkpoints = match store {
            Some((store, begun)) => {
                let (spawner, clock) = (&self.spawner, clock.clone());
                let stats = metrics.checkpoints.clone();
                let mut checkpoints =
                    Checkpoints::start(store, &begun, spawner, clock, &events, stats)?;
                checkpoints.attempt(&begun, &attempt);
                Some(checkpoints)
            }
            None => None,
        };
        lifecycle.deployed(clock.wall_millis());
        let shared = Arc::new(Shared::new(JobView {
            timeline: lifecycle.timeline().clone(),
            execution,
            restarts: 0,
        }));
        let handle = JobHandle {
            id,
            clock: clock.clone(),
            events: events.clone(),
            shared: shared.clone(),
            metrics: metrics.clone(),
            checkpointed,
        };
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

/// Starts the attempts of one job.
pub(super) struct Launcher {
    id: JobId,
    cluster: EmbeddedCluster,
    program: Program,
}

impl Launcher {
    /// Starts an attempt; `before` are the metrics that it counts on in.
    pub(super) fn launch(
        &self,
        events: &Arc<Events>,
        lineage: Option<String>,
        number: u32,
        restored: Option<&RestoredJob>,
        before: Option<&JobMetrics>,
    ) -> Result<(Attempt, JobMetrics), JobError> {
        let Self {
            id,
            cluster,
            program,
        } = self;
        let graph = &program.graph;
        let key_of = |vertex: usize, subtask: u32| -> ThreadKey {
            match cluster.threading {
                Threading::Task => (vertex, String::new(), subtask),
                Threading::Slot => {
                    let group = graph
                        .vertices
                        .get(vertex)
                        .map(|v| v.slot_sharing_group.clone());
                    (0, group.unwrap_or_default(), subtask)
                }
            }
        };
        let mut signals: BTreeMap<ThreadKey, Arc<Signal>> = BTreeMap::new();
        let Deployed {
            mut attempt,
            metrics,
            builders,
        } = Deployed::new(
            AttemptPlan {
                id: *id,
                program,
                environment: cluster.environment.clone(),
                number,
                lineage,
                known: (restored, before),
            },
            &cluster.metrics,
            events,
            &mut |vertex, subtask| signals.entry(key_of(vertex, subtask)).or_default().clone(),
        )?;
        let listener: Arc<dyn WorkerListener> = events.clone();
        let mut by_thread: BTreeMap<ThreadKey, Vec<(usize, Place, TaskBuilder)>> = BTreeMap::new();
        for (index, (vertex, place, builder)) in builders.into_iter().enumerate() {
            let thread = by_thread.entry(key_of(vertex, place.subtask));
            thread.or_default().push((index, place, builder));
        }
        let clock = cluster.environment.clock.clone();
        for (key, builders) in by_thread {
            let signal = signals.entry(key.clone()).or_default().clone();
            let name = thread_name(&key, &builders);
            let (clock, listener) = (clock.clone(), listener.clone());
            let span = span_of(&graph.name, number, &builders);
            let body = Box::new(move || {
                let _entered = span.entered();
                worker::run(&signal, &clock, builders, &listener);
            });
            let thread = cluster
                .spawner
                .spawn(name, body)
                .map_err(|error| JobError::System {
                    what: "starting a thread",
                    error,
                })?;
            attempt.threads.push(thread);
        }
        Ok((attempt, metrics))
    }
}

/// What the log lines of a thread carry: its job, and its task where it has one.
fn span_of(job: &str, attempt: u32, builders: &[(usize, Place, TaskBuilder)]) -> tracing::Span {
    match builders {
        [(_, place, _)] => tracing::info_span!(
            "task",
            job,
            operator = %place.operator,
            subtask = place.subtask,
            attempt
        ),
        _ => tracing::info_span!("slot", job, attempt),
    }
}

/// Linux shows 15 bytes: the head of the chain and the subtask.
fn thread_name(key: &ThreadKey, builders: &[(usize, Place, TaskBuilder)]) -> String {
    let (_, group, subtask) = key;
    let head = match builders {
        [(_, place, _)] => place
            .operator
            .split(" -> ")
            .next()
            .unwrap_or("task")
            .to_owned(),
        _ => format!("slot {group}"),
    };
    let short: String = head
        .chars()
        .filter(|c| c.is_ascii() && *c != '\0')
        .take(12)
        .collect();
    format!("{short}/{subtask}")
}
