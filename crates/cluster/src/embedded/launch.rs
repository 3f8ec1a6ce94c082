//! Starts the tasks of a job on threads of this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::id::Place;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::metrics::registry::MetricRegistry;
use rheos_runtime::task::signal::Signal;
use rheos_runtime::task::worker::{self, TaskBuilder, WorkerListener};

use super::job::{Events, JobHandle};
use crate::deploy::{DeployedTask, deploy};
use crate::error::JobError;

/// Which tasks share a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Threading {
    /// None: one thread a task. A blocking user function delays only its own task.
    #[default]
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
    /// Starts a job.
    ///
    /// # Errors
    /// If there are too few slots, the graph does not fit together, or the system refuses a thread.
    pub fn start(&self, program: &Program) -> Result<JobHandle, JobError> {
        worker::install_panic_hook();
        let graph = &program.graph;
        let needed = graph.slots_needed();
        if let Some(available) = self.slots
            && needed > available
        {
            return Err(JobError::NoResource { needed, available });
        }
        let key_of = |vertex: usize, subtask: u32| -> ThreadKey {
            match self.threading {
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
        let deployment = deploy(program, &self.environment, None, &mut |vertex, subtask| {
            signals.entry(key_of(vertex, subtask)).or_default().clone()
        })?;
        let registration = self.metrics.register(
            &graph.name,
            self.environment.attempt,
            deployment.metrics.tasks.clone(),
            self.environment.clock.clone(),
        );
        let events = Arc::new(Events::default());
        let listener: Arc<dyn WorkerListener> = events.clone();
        let mut mails = Vec::new();
        let mut by_thread: BTreeMap<ThreadKey, Vec<(usize, Place, TaskBuilder)>> = BTreeMap::new();
        for (index, task) in deployment.tasks.into_iter().enumerate() {
            let DeployedTask {
                vertex,
                deployment,
                mail,
                is_source,
                ..
            } = task;
            let place = deployment.place.clone();
            mails.push((place.clone(), mail, is_source));
            let builder: TaskBuilder = Box::new(move || deployment.build());
            by_thread
                .entry(key_of(vertex, place.subtask))
                .or_default()
                .push((index, place, builder));
        }
        let clock = self.environment.clock.clone();
        let started_micros = clock.monotonic_micros();
        let mut threads = Vec::new();
        for (key, builders) in by_thread {
            let signal = signals.entry(key.clone()).or_default().clone();
            let name = thread_name(&key, &builders);
            let (clock, listener) = (clock.clone(), listener.clone());
            let span = span_of(&graph.name, self.environment.attempt, &builders);
            let body = Box::new(move || {
                let _entered = span.entered();
                worker::run(&signal, &clock, builders, &listener);
            });
            let thread = self
                .spawner
                .spawn(name, body)
                .map_err(|error| JobError::System {
                    what: "starting a thread",
                    error,
                })?;
            threads.push(thread);
        }
        Ok(JobHandle {
            clock,
            events,
            mails,
            coordinators: deployment.coordinators,
            threads,
            metrics: deployment.metrics,
            registration,
            started_micros,
            cancellation_timeout: self.cancellation_timeout,
        })
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
