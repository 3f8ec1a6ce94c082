//! Where reading begins, and where it ends.

use std::collections::BTreeMap;

use crate::kafka::client::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::offsets::{EARLIEST, LATEST};

/// Offsets by topic and partition.
pub(super) type PartitionOffsets = BTreeMap<(String, i32), i64>;

/// Offsets of partitions: where to begin, or where to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offsets {
    /// The first record there is.
    Earliest,
    /// Behind the last record there is; of a source that reads what is committed, behind the last
    /// transaction that has ended.
    Latest,
    /// Where the group was, by `group.id`; where it was nowhere, as `auto.offset.reset` says.
    Committed,
    /// The first record of this time or later, in milliseconds since 1970; behind the last record
    /// where there is none.
    Timestamp(i64),
    /// By topic and partition; partitions that are not named as the other says.
    Explicit(BTreeMap<(String, i32), i64>, Box<Offsets>),
}

impl Offsets {
    /// The offsets of these partitions.
    pub(super) async fn resolve(
        &self,
        cluster: &mut Cluster,
        read_committed: bool,
        group: Option<&str>,
        reset: Option<i64>,
        partitions: &[(String, i32)],
    ) -> Result<PartitionOffsets, KafkaError> {
        let at = |time: i64, partitions: &[(String, i32)]| -> Vec<_> {
            partitions
                .iter()
                .map(|(topic, partition)| (topic.clone(), *partition, time))
                .collect()
        };
        match self {
            Self::Earliest => {
                cluster
                    .offsets(read_committed, &at(EARLIEST, partitions))
                    .await
            }
            Self::Latest => {
                cluster
                    .offsets(read_committed, &at(LATEST, partitions))
                    .await
            }
            Self::Timestamp(time) => {
                let time = (*time).max(0);
                let mut found = cluster
                    .offsets(read_committed, &at(time, partitions))
                    .await?;
                let without: Vec<_> = partitions
                    .iter()
                    .filter(|partition| found.get(partition).is_none_or(|offset| *offset < 0))
                    .cloned()
                    .collect();
                if !without.is_empty() {
                    let ends = at(LATEST, &without);
                    found.append(&mut cluster.offsets(read_committed, &ends).await?);
                }
                Ok(found)
            }
            Self::Committed => {
                let Some(group) = group else {
                    return Err(KafkaError::setting(
                        "the offsets of a group are asked for, and there is no group: set group.id",
                    ));
                };
                let mut found = cluster.committed(group, partitions).await?;
                let without: Vec<_> = partitions
                    .iter()
                    .filter(|partition| found.get(partition).is_none_or(|offset| *offset < 0))
                    .cloned()
                    .collect();
                if let Some((topic, partition)) = without.first() {
                    let Some(reset) = reset else {
                        return Err(KafkaError::setting(format!(
                            "the group '{group}' has no offset of {topic}, partition {partition}: \
                             set auto.offset.reset to earliest or latest, or begin elsewhere"
                        )));
                    };
                    let resets = at(reset, &without);
                    found.append(&mut cluster.offsets(read_committed, &resets).await?);
                }
                Ok(found)
            }
            Self::Explicit(offsets, others) => {
                let mut rest = Vec::new();
                let mut found = BTreeMap::new();
                for partition in partitions {
                    match offsets.get(partition) {
                        Some(offset) => drop(found.insert(partition.clone(), *offset)),
                        None => rest.push(partition.clone()),
                    }
                }
                if !rest.is_empty() {
                    let others = others.resolve(cluster, read_committed, group, reset, &rest);
                    found.append(&mut Box::pin(others).await?);
                }
                Ok(found)
            }
        }
    }

    /// What `auto.offset.reset` is where it is not set: what the source says of records that are gone.
    pub(super) fn default_reset(&self) -> Option<i64> {
        match self {
            Self::Earliest => Some(EARLIEST),
            Self::Latest => Some(LATEST),
            Self::Explicit(_, others) => others.default_reset(),
            Self::Committed | Self::Timestamp(_) => None,
        }
    }
}
