//! Applies staged epochs, one after the other, under a fence; see [`super::epoch`].

use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, StagedEpoch};

use super::courier::RedisCourier;
use super::epoch::Epoch;
use crate::error::ConnectorError;
use crate::outbox::{Courier, LeftOut};

/// The committer of one subtask.
pub(super) struct RedisCommitter {
    pub courier: RedisCourier,
    pub left_out: LeftOut,
    /// The digest of the script.
    pub digest: String,
    /// For messages.
    pub target: String,
    pub io: tokio::runtime::Handle,
}

impl RedisCommitter {
    async fn apply(&mut self, staged: &StagedEpoch) -> Result<(), ConnectorError> {
        let cluster = self.courier.nodes.cluster;
        let skip = self.left_out.skips();
        let calls = Epoch::calls_of(staged, cluster, skip, &self.digest).map_err(|what| {
            let message = format!("an epoch in the checkpoint can't be read: {what}");
            self.courier.patience.failed(&message)
        })?;
        let delivered = self.courier.deliver(calls).await?;
        if let Some(rejected) = delivered.rejected.into_iter().next() {
            // The script answers for its commands itself.
            return Err(self.courier.patience.failed(&rejected.message));
        }
        for message in std::mem::take(&mut self.courier.told) {
            let refused = self.left_out.refused(&self.target, &message);
            refused.map_err(|message| self.courier.patience.failed(&message))?;
        }
        Ok(())
    }
}

impl Committer for RedisCommitter {
    fn commit(&mut self, epochs: &[StagedEpoch]) -> Result<(), BoxError> {
        let io = self.io.clone();
        for epoch in epochs {
            io.block_on(self.apply(epoch))?;
        }
        Ok(())
    }
}
