//! The topic of fences: of each writer the last epoch that is applied.
//!
//! A compacted topic of one partition. The record of a fence is part of the transaction that applies
//! the epoch: key `lineage/sink/writer`, value the epoch in digits.

use rheos_runtime::sink::committer::Fence;

use super::epoch::StagedBatch;
use crate::kafka::batch::{BatchBuilder, Compression, Record};
use crate::kafka::client::{Cluster, PartitionScan};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;
use crate::kafka::protocol::topics::NewTopic;

/// The key of a writer's fence.
pub(super) fn key(fence: &Fence) -> String {
    format!("{}/{}/{}", fence.lineage, fence.sink, fence.writer)
}

/// The record of a fence, as a batch of its own.
pub(super) fn record(topic: &str, fence: &Fence, now: i64) -> Result<StagedBatch, KafkaError> {
    let mut builder = BatchBuilder::default();
    let (key, value) = (key(fence), fence.epoch.to_string());
    builder.push(now, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    let bytes = builder.finish(Compression::None);
    Ok(StagedBatch {
        topic: topic.to_owned(),
        partition: 0,
        records: 1,
        bytes: bytes.map_err(|error| KafkaError::setting(format!("a fence: {error}")))?,
    })
}

/// Makes the topic if it is not there, and refuses one that would forget.
pub(super) async fn ensure(cluster: &mut Cluster, topic: &str) -> Result<(), KafkaError> {
    let metadata = cluster.metadata(Some(vec![topic.to_owned()])).await?;
    let found = metadata.topics.first().map(|found| found.error);
    if found != Some(ErrorCode::NONE) {
        let new = NewTopic {
            name: topic.to_owned(),
            partitions: 1,
            replicas: -1,
            configs: vec![("cleanup.policy".into(), "compact".into())],
        };
        cluster.create_topics(vec![new]).await?;
    }
    let configs = cluster.configs(Some(topic), &["cleanup.policy"]).await?;
    let policy = configs.get("cleanup.policy").map_or("", String::as_str);
    if policy != "compact" {
        return Err(KafkaError::setting(format!(
            "the topic of fences '{topic}' has cleanup.policy={policy} and would forget which epochs \
             are applied: set cleanup.policy=compact, or name another by fence_topic"
        )));
    }
    cluster.leader(topic, 0).await.map(drop)
}

/// The last epoch of a writer that is applied. Its last transaction must have ended.
pub(super) async fn read(
    cluster: &mut Cluster,
    topic: &str,
    fence: &Fence,
) -> Result<Option<u64>, KafkaError> {
    let key = key(fence);
    let mut last = None;
    let mut scan = PartitionScan::open(cluster, topic, 0).await?;
    let mut visit = |record: Record<'_>| {
        if record.key == Some(key.as_bytes()) {
            let text = record
                .value
                .and_then(|value| std::str::from_utf8(value).ok());
            let epoch = text.and_then(|text| text.parse::<u64>().ok());
            let epoch = epoch.ok_or_else(|| {
                KafkaError::setting(format!(
                    "{topic}, offset {}: no fence of '{key}'; nothing but sinks may write to this \
                     topic",
                    record.offset
                ))
            })?;
            last = last.max(Some(epoch));
        }
        Ok::<(), KafkaError>(())
    };
    while scan.step(cluster, &mut visit).await? {}
    Ok(last)
}
