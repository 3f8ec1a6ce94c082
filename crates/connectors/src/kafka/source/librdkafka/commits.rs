//! What the group is told of offsets. It is for watching only.

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::Fetcher;
use crate::kafka::source::fetcher::uncommitted;

impl Fetcher {
    /// What the group is to be told now, taken down as told.
    fn to_commit(&self) -> Option<TopicPartitionList> {
        self.settings.group.as_ref()?;
        let due = uncommitted(&self.shared);
        let mut offsets = TopicPartitionList::new();
        let mut state = self.shared.lock();
        for (split, topic, partition, offset) in &due {
            let added = offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset));
            if let (Ok(()), Some(split)) = (added, state.splits.get_mut(*split)) {
                split.committed = Some(*offset);
            }
        }
        (!due.is_empty()).then_some(offsets)
    }

    /// Offsets are for watching only: one that could not be committed is followed by the next.
    pub(super) fn commit(&mut self) {
        let Some(offsets) = self.to_commit() else {
            return;
        };
        let told = match self.settings.commit_interval {
            // It commits what is stored, so often.
            Some(_) => self.consumer.store_offsets(&offsets),
            None => self.consumer.commit(&offsets, CommitMode::Async),
        };
        if let Err(error) = told {
            self.trouble("committing offsets", &error);
        }
    }

    /// What was emitted at last is committed before the task ends, if the broker is quick.
    pub(super) async fn commit_last(self) {
        if self.settings.commit_interval.is_none() {
            return;
        }
        let offsets = self.to_commit();
        let consumer = self.consumer.clone();
        let commit = move || -> rdkafka::error::KafkaResult<()> {
            if let Some(offsets) = &offsets {
                consumer.store_offsets(offsets)?;
            }
            match consumer.commit_consumer_state(CommitMode::Sync) {
                // There was nothing left to be told.
                Err(ClientError::ConsumerCommit(Code::NoOffset)) => Ok(()),
                other => other,
            }
        };
        if let Ok(Err(error)) = self.last.io.spawn_blocking(commit).await {
            tracing::warn!("the last offsets were not committed: {error}");
        }
    }
}
