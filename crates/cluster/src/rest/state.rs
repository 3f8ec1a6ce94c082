//! What answers are made of.

use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::id::{JobId, VertexId};
use rheos_core::job_graph::JobVertex;
use rheos_core::time::Millis;
use rheos_runtime::metrics::registry::MetricRegistry;

use super::answer::Refusal;
use super::logs::LogTail;
use super::route::Asked;
use crate::embedded::JobHandle;
use crate::remote::Agents;
use crate::reporter::process::Process;

/// The one TaskManager of a process.
pub(super) const TASK_MANAGER: &str = "embedded";
/// Where it is.
pub(super) const ENDPOINT: &str = "localhost";

/// See the [module](self).
pub struct State {
    pub(super) jobs: Mutex<Vec<JobHandle>>,
    pub(super) registry: MetricRegistry,
    pub(super) process: Process,
    pub(super) configuration: Arc<Configuration>,
    pub(super) clock: SharedClock,
    pub(super) slots: Option<u32>,
    pub(super) logs: Option<LogTail>,
    pub(super) agents: Option<Agents>,
    /// How addresses begin that are told.
    pub(super) scheme: &'static str,
}

/// A vertex of a job.
pub(super) struct Vertex {
    pub index: usize,
    pub id: VertexId,
    pub of: JobVertex,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Vec<JobHandle>> {
        self.jobs
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn add(&self, job: JobHandle) {
        self.lock().push(job);
    }

    pub(super) fn now(&self) -> Millis {
        self.clock.wall_millis()
    }

    /// The jobs.
    pub(super) fn jobs(&self) -> Vec<JobHandle> {
        self.lock().clone()
    }

    /// The job that the path names.
    pub(super) fn job(&self, asked: &Asked) -> Result<JobHandle, Refusal> {
        let text = asked.param("jobid");
        let id: JobId = text
            .parse()
            .map_err(|error| Refusal::BadRequest(format!("the job's id: {error}")))?;
        let found = self.lock().iter().find(|job| job.id() == id).cloned();
        found.ok_or_else(|| Refusal::NotFound(format!("Job {id} not found")))
    }
}

/// The vertices of a job, with their ids.
pub(super) fn vertices(job: &JobHandle) -> impl Iterator<Item = Vertex> {
    let graph = job.graph();
    (0..graph.vertices.len()).filter_map(move |index| {
        let of = graph.vertices.get(index)?.clone();
        let id = graph.vertex_id(&of)?;
        Some(Vertex { index, id, of })
    })
}

/// The vertex that the path names.
pub(super) fn vertex(job: &JobHandle, asked: &Asked) -> Result<Vertex, Refusal> {
    let text = asked.param("vertexid");
    let id: VertexId = text
        .parse()
        .map_err(|error| Refusal::BadRequest(format!("the vertex's id: {error}")))?;
    vertices(job)
        .find(|vertex| vertex.id == id)
        .ok_or_else(|| Refusal::NotFound(format!("Job vertex {id} not found")))
}

/// A moment that may not have come: -1, as Flink says it.
pub(super) fn or_never(at: Option<Millis>) -> Millis {
    at.unwrap_or(-1)
}
