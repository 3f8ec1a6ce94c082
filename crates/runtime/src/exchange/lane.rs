//! The receiving end of one channel, on its way to the gate: with what is needed to find its rows in
//! a checkpoint, and theirs.

use super::channel::ChannelReceiver;
use super::partitioner::Partitioning;

/// Names a channel among those of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneId {
    /// The edge: the hash of who emits and by which output, the same in every start of a job.
    pub edge: u64,
    /// The sending subtask.
    pub sender: u32,
    /// Of so many.
    pub senders: u32,
}

/// The receiving end of a channel.
pub struct LaneEnd<T> {
    /// Its name.
    pub id: LaneId,
    /// How the rows of its edge are distributed.
    pub partitioning: Partitioning<T>,
    /// It.
    pub receiver: ChannelReceiver<T>,
}
