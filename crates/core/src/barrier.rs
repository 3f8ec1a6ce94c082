//! The barrier that cuts a stream into what belongs to a checkpoint and what comes after it.

use crate::id::{CheckpointId, Generation};
use crate::time::Millis;

/// What a barrier asks of the tasks that it passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// A checkpoint: may be incremental, is owned and deleted by the job.
    Checkpoint,
    /// A savepoint: self-describing, always aligned, owned by the user.
    Savepoint,
}

/// A barrier. It never overtakes a row of its channel unless its checkpoint is unaligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// The checkpoint that it belongs to.
    pub checkpoint: CheckpointId,
    /// The generation of the job that triggered it; a task of another generation ignores it.
    pub generation: Generation,
    /// When the coordinator triggered it, by its clock.
    pub triggered_at: Millis,
    /// Checkpoint or savepoint.
    pub kind: SnapshotKind,
}
