//! What of a task belongs to a checkpoint, and how a task is made from it.
//!
//! ```text
//! barrier ──▶ each stage: OperatorSnapshot ──▶ TaskSnapshot ──▶ the listener, who stores it
//! RestoredOperator (all its subtasks) ──▶ OperatorRestore (what one new subtask is to take) ──▶ stage
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`snapshot`] | what one subtask of an operator remembers, in its canonical form |
//! | [`restore`] | the share of one subtask in what all subtasks remembered |
//! | [`floors`] | how far event time had come, by key group, where subtasks differed |

pub mod floors;
pub mod restore;
pub mod snapshot;

/// What the tasks of a job that takes checkpoints know of it.
#[derive(Debug, Clone)]
pub struct Checkpointing {
    /// Names the job's history: sinks keep their fences under it.
    pub lineage: String,
}
