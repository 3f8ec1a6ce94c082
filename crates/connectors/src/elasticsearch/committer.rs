//! Applies staged epochs, one after the other, by `_bulk`. There is no fence: the versions of the
//! actions (see [`super::epoch`]) make that an epoch can be applied again, in part or as a whole.

use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, StagedEpoch};

use super::courier::BulkCourier;
use super::epoch::Epoch;
use crate::error::ConnectorError;
use crate::outbox::{Courier, LeftOut};

/// The committer of one subtask.
pub(super) struct ElasticsearchCommitter {
    pub courier: BulkCourier,
    pub left_out: LeftOut,
    /// For messages.
    pub target: String,
    pub io: tokio::runtime::Handle,
}

impl ElasticsearchCommitter {
    async fn apply(&mut self, staged: &StagedEpoch) -> Result<(), ConnectorError> {
        let batches = Epoch::batches_of(staged).map_err(|what| {
            let message = format!("an epoch in the checkpoint can't be read: {what}");
            self.courier.patience.failed(&message)
        })?;
        for batch in batches {
            for rejected in self.courier.deliver(batch).await?.rejected {
                let refused = self.left_out.refused(&self.target, &rejected.message);
                refused.map_err(|message| self.courier.patience.failed(&message))?;
            }
        }
        Ok(())
    }
}

impl Committer for ElasticsearchCommitter {
    fn commit(&mut self, epochs: &[StagedEpoch]) -> Result<(), BoxError> {
        let io = self.io.clone();
        for epoch in epochs {
            io.block_on(self.apply(epoch))?;
        }
        Ok(())
    }
}
