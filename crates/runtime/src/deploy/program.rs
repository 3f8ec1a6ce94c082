//! A job as it can be run: the JobGraph, and for each operator and edge what makes it.

use std::any::Any;
use std::sync::Arc;

use rheos_core::job_graph::JobGraph;
use rheos_core::key_group::KEY_GROUPS;

use super::edge_builder::EdgeBuilder;
use super::operator_builder::OperatorBuilder;
use crate::error::BoxError;
use crate::source::coordinator::{Coordinator, SplitRequests};

/// A coordinator, and the same object as the source's stage knows it.
pub struct BuiltCoordinator {
    /// For the JobManager.
    pub coordinator: Arc<dyn Coordinator>,
    /// For the stage: an `Arc<SourceCoordinator<S>>`.
    pub shared: Arc<dyn Any + Send + Sync>,
}

/// Where the enumerator of a source is.
#[derive(Clone)]
pub enum Enumeration {
    /// In this process, for a source of so many subtasks.
    Here(u32),
    /// In another one, which is asked through this.
    There(Arc<dyn SplitRequests>),
}

/// Makes the coordinator of a source, at each start of the job.
pub type CoordinatorBuilder =
    Arc<dyn Fn(Enumeration) -> Result<BuiltCoordinator, BoxError> + Send + Sync>;

/// What makes one operator.
#[derive(Clone)]
pub struct OperatorProgram {
    /// Makes its stage.
    pub builder: Arc<dyn OperatorBuilder>,
    /// Makes its coordinator, if it is a source.
    pub coordinator: Option<CoordinatorBuilder>,
    /// The greatest number of subtasks that it can have.
    pub at_most: u32,
}

/// A job as it can be run.
#[derive(Clone)]
pub struct Program {
    /// What to run.
    pub graph: JobGraph,
    /// By operator, as in the graph.
    pub operators: Vec<OperatorProgram>,
    /// By edge, as in the graph.
    pub edges: Vec<Arc<dyn EdgeBuilder>>,
}

impl Program {
    /// The same job with other numbers of subtasks, by vertex.
    #[must_use]
    pub fn with_parallelism(&self, by_vertex: &[u32]) -> Self {
        Self {
            graph: self.graph.with_parallelism(by_vertex),
            ..self.clone()
        }
    }

    /// The greatest number of subtasks of each vertex: the least of its operators.
    pub fn at_most(&self) -> Vec<u32> {
        let of = |operator: &usize| self.operators.get(*operator).map(|o| o.at_most);
        let vertices = self.graph.vertices.iter();
        vertices
            .map(|vertex| {
                let operators = vertex.operators.iter().filter_map(of);
                operators.min().unwrap_or(KEY_GROUPS)
            })
            .collect()
    }
}
