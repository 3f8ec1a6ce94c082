//! Which partition a record goes to, and under which time.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::clock::SharedClock;
use rheos_core::time::{MIN_TIMESTAMP, Millis};

use super::builder::ProduceSettings;
use super::partitioner;
use super::serializer::OutRecord;
use crate::kafka::client::{Cluster, Patience};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;

/// Bytes that a record takes beside its key, its value and its headers, at most.
const RECORD_OVERHEAD: usize = 64;

/// Where a subtask's records go.
pub(super) struct Routes {
    clock: SharedClock,
    /// By topic the partition of records without a key; another one when its batch is full.
    turns: BTreeMap<Arc<str>, i32>,
    subtask: i32,
}

/// Where one record goes.
pub(super) struct Route {
    pub partition: i32,
    /// In milliseconds since 1970.
    pub time: i64,
    /// Bytes in a batch, at most.
    pub bytes: usize,
}

impl Routes {
    pub fn new(clock: SharedClock, subtask: u32) -> Self {
        Self {
            clock,
            turns: BTreeMap::new(),
            subtask: i32::try_from(subtask).unwrap_or_default(),
        }
    }

    /// Of a record for a topic of `count` partitions.
    pub fn route(
        &mut self,
        record: &OutRecord,
        timestamp: Millis,
        topic: &Arc<str>,
        count: i32,
    ) -> Result<Route, KafkaError> {
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) if (0..count).contains(&partition) => partition,
            (Some(partition), _) => {
                return Err(KafkaError::setting(format!(
                    "a record is for partition {partition} of {topic}, which has {count}"
                )));
            }
            (None, Some(key)) => partitioner::of_key(key, count),
            (None, None) => {
                // Subtasks begin at different partitions.
                let turn = self.turns.entry(topic.clone()).or_insert(self.subtask);
                *turn % count.max(1)
            }
        };
        let time = match record.timestamp {
            Some(time) => time,
            None if timestamp == MIN_TIMESTAMP => self.clock.wall_millis(),
            None => timestamp.max(0),
        };
        let of_headers: usize = record
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 10)
            .sum();
        let len = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
        Ok(Route {
            partition,
            time,
            bytes: len(&record.key) + len(&record.value) + of_headers + RECORD_OVERHEAD,
        })
    }

    /// A batch is full: records without a key go to another partition.
    pub fn turn(&mut self, topic: &Arc<str>) {
        if let Some(turn) = self.turns.get_mut(topic) {
            *turn = turn.wrapping_add(1) & i32::MAX;
        }
    }
}

/// How many partitions a topic has.
pub(super) async fn partitions(
    settings: Arc<ProduceSettings>,
    clock: SharedClock,
    topic: String,
) -> Result<i32, KafkaError> {
    let mut cluster = Cluster::new(settings.client.clone());
    let mut patience = Patience::new(&settings.client, &clock, "looking for a topic to write to");
    loop {
        let error = match cluster.metadata(Some(vec![topic.clone()])).await {
            Ok(metadata) => match metadata.topics.first() {
                Some(found) if found.error == ErrorCode::NONE && !found.partitions.is_empty() => {
                    return Ok(i32::try_from(found.partitions.len()).unwrap_or(i32::MAX));
                }
                found => {
                    let code = found.map_or(ErrorCode(5), |found| found.error);
                    KafkaError::Broker {
                        what: format!("the partitions of the topic '{topic}'"),
                        code,
                        message: (code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                            .then(|| "make the topic, or mend its name".to_owned()),
                    }
                }
            },
            Err(error) => error,
        };
        patience.wait(error).await?;
    }
}
