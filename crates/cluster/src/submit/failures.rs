//! The last failures of a job, the newest last: those that ended an attempt, each with what failed after
//! it in the same attempt.

use std::collections::VecDeque;
use std::sync::Arc;

use rheos_core::id::Place;
use rheos_core::time::Millis;

use crate::error::JobError;

/// How many failures after the first one of an attempt are remembered.
const CONCURRENT: usize = 100;

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When, by the wall clock.
    pub at: Millis,
    /// What kind of failure.
    pub kind: &'static str,
    /// The error; of a panic, with the stack.
    pub text: String,
    /// Where, if it was in a task.
    pub place: Option<Place>,
    /// What failed after it in the same attempt, the first first.
    pub concurrent: Vec<Failure>,
}

impl Failure {
    /// Of this error.
    pub fn of(error: &JobError, at: Millis) -> Self {
        let (kind, place) = match error {
            JobError::Task(task) => ("TaskError", Some(task.place().clone())),
            JobError::Checkpoint(_) => ("CheckpointError", None),
            JobError::Source { .. } => ("SourceError", None),
            JobError::OutOfMemory { .. } | JobError::TaskManagerOutOfMemory { .. } => {
                ("OutOfMemory", None)
            }
            JobError::NoResource { .. } => ("NoResource", None),
            JobError::Network(_) => ("NetworkError", None),
            JobError::CancellationTimeout { .. } => ("CancellationTimeout", None),
            _ => ("JobError", None),
        };
        Self {
            at,
            kind,
            text: error.to_string(),
            place,
            concurrent: Vec::new(),
        }
    }
}

/// See the [module](self). Clones share what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    size: usize,
    last: VecDeque<Arc<Failure>>,
    /// How many there were.
    total: u64,
}

impl Failures {
    /// None yet; the last `size` are to be remembered.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            last: VecDeque::new(),
            total: 0,
        }
    }

    /// One that ends an attempt.
    pub fn add(&mut self, failure: Failure) {
        self.total += 1;
        self.last.push_back(Arc::new(failure));
        if self.last.len() > self.size {
            self.last.pop_front();
        }
    }

    /// One of an attempt that has failed already.
    pub fn add_concurrent(&mut self, failure: Failure) {
        if let Some(last) = self.last.back_mut()
            && last.concurrent.len() < CONCURRENT
        {
            Arc::make_mut(last).concurrent.push(failure);
        }
    }

    /// Those remembered, the newest first.
    pub fn newest(&self) -> impl ExactSizeIterator<Item = &Failure> {
        self.last.iter().rev().map(AsRef::as_ref)
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered_with_what_came_after_each() {
        let mut failures = Failures::new(2);
        let failure = |at| Failure::of(&JobError::Configuration(format!("{at}")), at);
        failures.add_concurrent(failure(0));
        for at in 1..4 {
            failures.add(failure(10 * at));
            failures.add_concurrent(failure(10 * at + 1));
        }
        let seen: Vec<_> = failures
            .newest()
            .map(|failure| (failure.at, failure.concurrent.len()))
            .collect();
        assert_eq!(seen, [(30, 1), (20, 1)]);
        assert_eq!(failures.total(), 3);
        assert_eq!(failures.newest().next().unwrap().concurrent[0].at, 31);
    }
}
