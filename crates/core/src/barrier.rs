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

/// Whether a barrier waits for the rows before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// Until they are processed.
    Aligned,
    /// Until so many milliseconds after its trigger; from then on it overtakes them, on exchanges
    /// that can put them back, and they become part of the checkpoint.
    Unaligned {
        /// 0 where it never waits.
        after_millis: Millis,
    },
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
    /// Whether it may overtake rows; that of a savepoint never does.
    pub alignment: Alignment,
}

impl Barrier {
    /// From when on it overtakes rows, by the coordinator's clock; never, where there is no time.
    pub fn overtakes_at(&self) -> Option<Millis> {
        match (self.kind, self.alignment) {
            (SnapshotKind::Checkpoint, Alignment::Unaligned { after_millis }) => {
                Some(self.triggered_at.saturating_add(after_millis))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_savepoint_waits_whatever_its_barrier_says() {
        let barrier = |kind, alignment| Barrier {
            checkpoint: CheckpointId(1),
            generation: Generation(1),
            triggered_at: 500,
            kind,
            alignment,
        };
        let unaligned = Alignment::Unaligned { after_millis: 20 };
        let checkpoint = barrier(SnapshotKind::Checkpoint, unaligned);
        assert_eq!(checkpoint.overtakes_at(), Some(520));
        let aligned = barrier(SnapshotKind::Checkpoint, Alignment::Aligned);
        assert_eq!(aligned.overtakes_at(), None);
        let savepoint = barrier(SnapshotKind::Savepoint, unaligned);
        assert_eq!(savepoint.overtakes_at(), None);
    }
}
