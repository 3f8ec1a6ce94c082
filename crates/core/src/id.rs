//! Names of the things a job is made of.

use std::fmt;

/// One incarnation of a job's execution: the fence for everything it writes. Rises by one at each
/// (re)start of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// The number of a checkpoint; rises within a job and is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointId(pub u64);

/// How often a task has been started in this job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attempt(pub u32);

/// The stable identity of an operator: the hash of its uid. State is found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub u64);

impl OperatorId {
    /// The id of the operator with this uid.
    pub fn of_uid(uid: &str) -> Self {
        Self(crate::key_group::hash_bytes(uid.as_bytes()))
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where something happens: the operator's name and the subtask, as users know them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The operator's name.
    pub operator: String,
    /// Zero-based index of the parallel subtask.
    pub subtask: u32,
    /// How many subtasks the operator has.
    pub parallelism: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}/{})",
            self.operator,
            self.subtask + 1,
            self.parallelism
        )
    }
}
