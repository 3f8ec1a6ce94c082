//! The side of an exactly-once sink that applies what writers have staged.
//!
//! A writer stages an epoch, the rows between two barriers; its handle is in the checkpoint. Once that
//! is complete the committer applies the epoch, in one transaction of the system outside that also
//! moves the *fence* of the writer there: `(lineage, sink, writer) → epoch`. It may be told to apply
//! an epoch that has been applied, when nobody knows whether it was: then the fence says so, and it
//! does nothing.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::id::{OperatorId, Place};
use rheos_core::row::{Reader, RowError, Writer};
use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::metrics::operator::OperatorMetrics;

/// What keeps an epoch from being applied twice.
///
/// Epochs of one writer rise and are never used twice within a lineage. A job that starts without a
/// checkpoint has a new lineage, so it never meets the fences of another run.
#[derive(Row, Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The job's history.
    pub lineage: String,
    /// The sink's identity, in hexadecimal.
    pub sink: String,
    /// The subtask that staged it, which need not be the one that commits it.
    pub writer: u32,
    /// The checkpoint that the epoch ends with.
    pub epoch: u64,
}

/// What a writer has staged.
#[derive(Row, Debug, Clone, PartialEq, Eq)]
pub struct StagedEpoch {
    /// Whose it is, and which.
    pub fence: Fence,
    /// When its checkpoint was triggered, in milliseconds since the epoch; rises with the epochs of a
    /// lineage.
    pub triggered_at: Millis,
    /// What the writer gave.
    pub handle: Vec<u8>,
}

impl StagedEpoch {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.encode(&mut out);
        out.into_vec()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RowError> {
        let mut reader = Reader::new(bytes);
        let epoch = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(epoch)
    }
}

/// What a committer is given.
pub struct CommitterContext {
    /// Operator, subtask, parallelism.
    pub place: Place,
    /// The sink's identity.
    pub operator: OperatorId,
    /// The job's history.
    pub lineage: String,
    /// Time.
    pub clock: SharedClock,
    /// The job's configuration.
    pub configuration: Arc<Configuration>,
    /// Where futures run.
    pub io: Option<tokio::runtime::Handle>,
    /// The operator's counters.
    pub metrics: Arc<OperatorMetrics>,
}

/// Applies staged epochs. Implemented by connectors; one for each subtask of a sink.
///
/// Called on a thread that may block (within a tokio runtime, so that a client may be driven by
/// `Handle::block_on`), one call at a time. A task that ends does not wait for it: a commit of a
/// former attempt, or of a process that is thought dead, may still be at work when a new one begins;
/// the fence, in the transaction, must hold against that too.
pub trait Committer: Send {
    /// Applies epochs, in this order: those of one writer rise. An epoch at or below its writer's
    /// fence has been applied, and is left out. May apply several in one transaction.
    ///
    /// # Errors
    /// What ends the attempt: the job restarts from its last checkpoint, and the epochs are committed
    /// again. Failures that pass by themselves had better be waited out.
    fn commit(&mut self, epochs: &[StagedEpoch]) -> Result<(), BoxError>;
}
