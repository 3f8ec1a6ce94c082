//! What a watcher holds of a running task: names, and the counters that its thread writes.

use std::sync::Arc;

use rheos_core::id::{OperatorId, Place};

use super::operator::OperatorMetrics;
use super::task::TaskTimes;

/// What tells a job from others, in the labels of its metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobIdentity {
    /// 32 hexadecimal digits: the same over its attempts, and where it takes checkpoints over all of
    /// its runs.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// One operator of a task, for whoever watches.
#[derive(Debug, Clone)]
pub struct OperatorHandle {
    /// Index of the operator in the JobGraph.
    pub index: usize,
    /// Its identity.
    pub id: OperatorId,
    /// Its name.
    pub name: String,
    /// Whether it reads a source.
    pub is_source: bool,
    /// Whether its rows leave the task: nothing that is chained to it takes its main output.
    pub is_tail: bool,
    /// Its counters in this subtask.
    pub metrics: Arc<OperatorMetrics>,
}

/// One task, for whoever watches.
#[derive(Debug, Clone)]
pub struct TaskHandle {
    /// Index of the vertex in the JobGraph.
    pub vertex: usize,
    /// The chain's name and the subtask.
    pub place: Place,
    /// Where its time goes.
    pub times: Arc<TaskTimes>,
    /// Its operators, upstream first.
    pub operators: Vec<OperatorHandle>,
}

impl TaskHandle {
    /// Rows that its head took, or read.
    pub fn records_in(&self) -> u64 {
        self.operators
            .first()
            .map_or(0, |head| head.metrics.records_in())
    }

    /// Rows that left its chain.
    pub fn records_out(&self) -> u64 {
        let tails = self.operators.iter().filter(|operator| operator.is_tail);
        tails.map(|operator| operator.metrics.records_out()).sum()
    }
}
