//! An attempt of a job, made and not yet run: by threads, or step by step.

use std::sync::Arc;

use rheos_core::id::{JobId, Place};
use rheos_runtime::checkpoint::Checkpointing;
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::metrics::handle::JobIdentity;
use rheos_runtime::metrics::registry::{MetricRegistry, Registration};
use rheos_runtime::task::signal::Signal;
use rheos_runtime::task::worker::TaskBuilder;

use super::attempt::{Attempt, AttemptTask, Threads};
use super::events::{Events, Reporter};
use crate::deploy::{DeployedTask, JobMetrics, SourceDeployment, Sources, deploy};
use crate::error::JobError;

/// Finds out now, and not by the first checkpoint, what can't be in one.
///
/// # Errors
/// If a source takes part in none.
pub(crate) fn try_snapshots(sources: &[SourceDeployment]) -> Result<(), JobError> {
    for source in sources {
        let tried = source.coordinator.snapshot(&mut || {});
        tried.map_err(|error| JobError::Source {
            operator: source.name.clone(),
            error,
        })?;
    }
    Ok(())
}

/// Shows the metrics of an attempt.
pub(crate) fn register(
    registry: &MetricRegistry,
    id: JobId,
    environment: &TaskEnvironment,
    metrics: &JobMetrics,
) -> Registration {
    let identity = JobIdentity {
        id: id.to_string(),
        name: metrics.graph.name.clone(),
    };
    let (tasks, clock) = (metrics.tasks.clone(), environment.clock.clone());
    let registration = registry.register(identity, environment.attempt, tasks, clock);
    registration.show(metrics.checkpoints.clone(), metrics.growth.clone());
    registration
}

/// What an attempt is made of.
pub(super) struct AttemptPlan<'a> {
    pub id: JobId,
    pub program: &'a Program,
    pub environment: TaskEnvironment,
    pub number: u32,
    pub rescales: u32,
    /// The job's history, if it takes checkpoints.
    pub lineage: Option<String>,
    /// What it goes on from, and the metrics that it counts on in.
    pub known: (Option<&'a RestoredJob>, Option<&'a JobMetrics>),
}

/// An attempt whose tasks nothing runs yet.
pub(super) struct Deployed {
    pub attempt: Attempt,
    pub metrics: JobMetrics,
    /// What makes each task, with its vertex.
    pub builders: Vec<(usize, Place, TaskBuilder)>,
}

impl Deployed {
    /// Makes it. `signal_of` gives the signal of the thread that will run a task, by vertex and subtask.
    ///
    /// # Errors
    /// If the graph does not fit together, or a source takes part in no checkpoint.
    pub(super) fn new(
        plan: AttemptPlan<'_>,
        registry: &MetricRegistry,
        events: &Arc<Events>,
        signal_of: &mut dyn FnMut(usize, u32) -> Arc<Signal>,
    ) -> Result<Self, JobError> {
        let AttemptPlan {
            id,
            program,
            mut environment,
            number,
            rescales,
            lineage,
            known,
        } = plan;
        environment.attempt = number;
        let checkpointed = lineage.is_some();
        if let Some(lineage) = lineage {
            environment.checkpointing = Some(Arc::new(Checkpointing { lineage }));
            environment.listener = Arc::new(Reporter {
                events: events.clone(),
                listener: environment.listener,
            });
        }
        let sources = Sources::default();
        let deployment = deploy(program, &environment, known, signal_of, sources, None)?;
        if checkpointed {
            try_snapshots(&deployment.coordinators)?;
        }
        let registration = register(registry, id, &environment, &deployment.metrics);
        registration.set_rescales(rescales);
        let mut tasks = Vec::new();
        let mut builders: Vec<(usize, Place, TaskBuilder)> = Vec::new();
        for task in deployment.tasks {
            let DeployedTask {
                vertex,
                deployment,
                mail,
                is_source,
                ..
            } = task;
            let place = deployment.place.clone();
            tasks.push(AttemptTask {
                place: place.clone(),
                reach: Box::new(mail),
                is_source,
            });
            builders.push((vertex, place, Box::new(move || deployment.build())));
        }
        let running = tasks.iter().map(|task| task.place.clone()).enumerate();
        let attempt = Attempt {
            running: running.collect(),
            tasks,
            sources: deployment.coordinators,
            host: Box::new(Threads(Vec::new())),
            registration,
        };
        Ok(Self {
            attempt,
            metrics: deployment.metrics,
            builders,
        })
    }
}
