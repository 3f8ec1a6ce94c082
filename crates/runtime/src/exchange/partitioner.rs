//! Which subtask a row goes to.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::rng::Rng;

/// Appends the key hashes of rows, in order: one call a batch, so that the loop over the rows is
/// compiled together with the user's key function.
pub type HashBatch<T> = Arc<dyn Fn(&[T], &mut Vec<u64>) + Send + Sync>;

/// How the rows of an edge are distributed over the receiving subtasks. Names are Flink's.
pub enum Partitioning<T> {
    /// Subtask *i* to subtask *i*; the two sides have one parallelism.
    Forward,
    /// By the hash of the key; equal keys meet.
    Hash(HashBatch<T>),
    /// Row after row to the next subtask.
    Rebalance,
    /// As rebalance, within a share of the subtasks, so that a pair of TaskManagers need not meet.
    Rescale,
    /// To a random subtask.
    Shuffle,
    /// To subtask 0.
    Global,
    /// To every subtask.
    Broadcast,
    /// By the user's function of row and number of subtasks.
    Custom(Arc<dyn Fn(&T, u32) -> u32 + Send + Sync>),
}

impl<T> Clone for Partitioning<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Forward => Self::Forward,
            Self::Hash(f) => Self::Hash(f.clone()),
            Self::Rebalance => Self::Rebalance,
            Self::Rescale => Self::Rescale,
            Self::Shuffle => Self::Shuffle,
            Self::Global => Self::Global,
            Self::Broadcast => Self::Broadcast,
            Self::Custom(f) => Self::Custom(f.clone()),
        }
    }
}

impl<T> Partitioning<T> {
    /// The name Flink's plan shows.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Forward => "FORWARD",
            Self::Hash(_) => "HASH",
            Self::Rebalance => "REBALANCE",
            Self::Rescale => "RESCALE",
            Self::Shuffle => "SHUFFLE",
            Self::Global => "GLOBAL",
            Self::Broadcast => "BROADCAST",
            Self::Custom(_) => "CUSTOM",
        }
    }

    /// Whether `sender` has a channel to `receiver` at these parallelisms.
    pub fn connects(&self, sender: u32, senders: u32, receiver: u32, receivers: u32) -> bool {
        match self {
            Self::Forward => sender == receiver,
            Self::Rescale => rescale_connects(sender, senders, receiver, receivers),
            _ => true,
        }
    }

    /// Whether rows of the edge can be put back by its rule, whatever the parallelism is then: only
    /// then may a barrier overtake them. Between a sender and the one receiver that it belongs to, and
    /// where every receiver gets every row, order is relied upon across channels; and what a user's
    /// function says of a row may change with the number of subtasks.
    pub fn may_be_overtaken(&self) -> bool {
        match self {
            Self::Hash(_) | Self::Rebalance | Self::Shuffle | Self::Global => true,
            Self::Forward | Self::Rescale | Self::Broadcast | Self::Custom(_) => false,
        }
    }

    /// Gives a batch the hashes of its keys, if the edge is keyed.
    pub fn add_hashes(&self, batch: &mut rheos_core::element::Batch<T>) {
        batch.hashes.clear();
        if let Self::Hash(hash) = self {
            hash(&batch.rows, &mut batch.hashes);
        }
    }

    /// The partitioner of one sending subtask.
    pub fn partitioner(&self, seed: u64) -> Partitioner<T>
    where
        T: Row,
    {
        match self {
            Self::Forward | Self::Global => Partitioner::One,
            Self::Hash(hash) => Partitioner::Hash(hash.clone()),
            Self::Rebalance | Self::Rescale => Partitioner::RoundRobin { next: seed as u32 },
            Self::Shuffle => Partitioner::Random(Rng::new(seed)),
            Self::Broadcast => Partitioner::All,
            Self::Custom(choose) => Partitioner::Custom(choose.clone()),
        }
    }
}

/// Whether the shares of two subtasks overlap, when both sides are laid along one line.
fn rescale_connects(sender: u32, senders: u32, receiver: u32, receivers: u32) -> bool {
    if senders >= receivers {
        u64::from(sender) * u64::from(receivers) / u64::from(senders) == u64::from(receiver)
    } else {
        u64::from(receiver) * u64::from(senders) / u64::from(receivers) == u64::from(sender)
    }
}

/// Where the next row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To the channel of this index.
    To(usize),
    /// To every channel.
    All,
}

/// A partitioner at work in one subtask.
pub enum Partitioner<T> {
    /// All rows to the only channel, or to the first.
    One,
    /// By key hash.
    Hash(HashBatch<T>),
    /// To one channel after the other.
    RoundRobin {
        /// The channel of the next row.
        next: u32,
    },
    /// To a random channel.
    Random(Rng),
    /// To every channel.
    All,
    /// By the user's function.
    Custom(Arc<dyn Fn(&T, u32) -> u32 + Send + Sync>),
}

impl<T> Partitioner<T> {
    /// The channel, of `channels`, that a row goes to.
    #[inline]
    pub fn route(&mut self, row: &T, channels: u32) -> Route {
        match self {
            Self::One => Route::To(0),
            // Keyed batches are routed by their hashes, see the writer.
            Self::Hash(_) => Route::To(0),
            Self::RoundRobin { next } => {
                let to = *next % channels;
                *next = to + 1;
                Route::To(to as usize)
            }
            Self::Random(rng) => Route::To(rng.below(u64::from(channels)) as usize),
            Self::All => Route::All,
            Self::Custom(choose) => Route::To((choose(row, channels) % channels) as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescale_gives_every_receiver_at_least_one_sender() {
        for (senders, receivers) in [(1, 3), (3, 1), (2, 6), (6, 2), (3, 2), (2, 3), (4, 4)] {
            for receiver in 0..receivers {
                assert!(
                    (0..senders).any(|s| rescale_connects(s, senders, receiver, receivers)),
                    "{senders} {receivers} {receiver}"
                );
            }
            for sender in 0..senders {
                assert!((0..receivers).any(|r| rescale_connects(sender, senders, r, receivers)));
            }
        }
    }
}
