//! How fast the states of a job grow, and when they will have no room: told by the JobManager's side,
//! shown by whoever watches. It outlives the attempts of the job.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rheos_core::id::OperatorId;

/// One state of an operator, over all of its subtasks.
#[derive(Debug, Clone, PartialEq)]
pub struct StateGrowth {
    /// The operator.
    pub operator_id: OperatorId,
    /// Its name.
    pub operator: String,
    /// The state's name.
    pub state: String,
    /// Bytes that it holds.
    pub bytes: u64,
    /// Bytes that it takes more a second; negative where it shrinks.
    pub per_second: f64,
    /// Seconds until the process has no room for it, if it goes on so; none where it does not grow.
    pub seconds_to_limit: Option<f64>,
}

/// The states of a job; clones share them.
#[derive(Debug, Clone, Default)]
pub struct StateGrowths(Arc<Mutex<Vec<StateGrowth>>>);

impl StateGrowths {
    fn lock(&self) -> MutexGuard<'_, Vec<StateGrowth>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells anew.
    pub fn set(&self, growths: Vec<StateGrowth>) {
        *self.lock() = growths;
    }

    /// What was told last; nothing before there is enough to tell by.
    pub fn get(&self) -> Vec<StateGrowth> {
        self.lock().clone()
    }
}
