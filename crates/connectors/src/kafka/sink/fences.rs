//! The topic of fences: of each writer the last epoch that is applied.
//!
//! A compacted topic of one partition. The record of a fence is part of the transaction that applies
//! the epoch: key `lineage/sink/writer`, value the epoch in digits.

use std::time::Duration;

use rheos_runtime::sink::committer::Fence;

use super::epoch::StagedBatch;
use crate::kafka::batch::{self, BatchBuilder, Buffers, Compression, RecordCursor};
use crate::kafka::client::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;
use crate::kafka::protocol::fetch::{FetchPartition, FetchRequest};
use crate::kafka::protocol::offsets::{EARLIEST, LATEST};
use crate::kafka::protocol::topics::NewTopic;
use crate::kafka::source::aborted::AbortedTransactions;

/// How long a broker may wait for an open transaction to end before it answers.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// Bytes of an answer.
const MAX_BYTES: i32 = 8 << 20;

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
    let of = |time| [(topic.to_owned(), 0, time)];
    let place = (topic.to_owned(), 0);
    let at = |found: std::collections::BTreeMap<_, i64>| found.get(&place).copied().unwrap_or(0);
    let end = at(cluster.offsets(false, &of(LATEST)).await?);
    let mut next = at(cluster.offsets(false, &of(EARLIEST)).await?);
    let key = key(fence);
    let mut last = None;
    let mut waited = Duration::ZERO;
    let buffers = Buffers::default();
    while next < end {
        let fetched = fetch(cluster, topic, next).await?;
        let mut aborted = AbortedTransactions::new(fetched.aborted);
        let mut records = fetched.records;
        let before = next;
        let broken = |what: String| KafkaError::Corrupt {
            topic: topic.to_owned(),
            partition: 0,
            offset: before,
            what,
        };
        while let Some(found) = batch::decode(&mut records, true, &buffers).map_err(broken)? {
            next = next.max(found.last_offset + 1);
            if !aborted.admits(&found) {
                continue;
            }
            let mut cursor = RecordCursor::new(found);
            while let Some(record) = cursor.record().map_err(broken)? {
                if record.key == Some(key.as_bytes()) {
                    let text = record
                        .value
                        .and_then(|value| std::str::from_utf8(value).ok());
                    let epoch = text.and_then(|text| text.parse::<u64>().ok());
                    let epoch = epoch.ok_or_else(|| {
                        KafkaError::setting(format!(
                            "{topic}, offset {}: no fence of '{key}'; nothing but sinks may write \
                             to this topic",
                            record.offset
                        ))
                    })?;
                    last = last.max(Some(epoch));
                }
                cursor.advance();
            }
        }
        if next == before {
            if fetched.last_stable_offset >= end {
                // What followed has been compacted away.
                break;
            }
            // Another writer's transaction is open in front of what may be ours.
            waited += MAX_WAIT;
            if waited > cluster.settings().api_timeout {
                return Err(KafkaError::broker(
                    format!(
                        "the fences in '{topic}': a transaction at offset {} is still open",
                        fetched.last_stable_offset
                    ),
                    ErrorCode::CONCURRENT_TRANSACTIONS,
                ));
            }
            crate::net::pause(MAX_WAIT).await;
        }
    }
    Ok(last)
}

async fn fetch(
    cluster: &mut Cluster,
    topic: &str,
    offset: i64,
) -> Result<crate::kafka::protocol::fetch::FetchedPartition, KafkaError> {
    let leader = cluster.leader(topic, 0).await?;
    let request = FetchRequest {
        max_wait_millis: 0,
        min_bytes: 1,
        max_bytes: MAX_BYTES,
        read_committed: true,
        partitions: vec![FetchPartition {
            topic: topic.to_owned(),
            partition: 0,
            leader_epoch: -1,
            offset,
            max_bytes: MAX_BYTES,
        }],
    };
    let what = || format!("the fences in '{topic}'");
    let (error, fetched) = cluster.call(leader, &request).await?;
    error
        .check()
        .map_err(|code| KafkaError::broker(what(), code))?;
    // A broker that wants to be asked less often answers without any partition.
    let fetched = fetched.into_iter().next();
    let fetched = fetched.ok_or_else(|| KafkaError::broker(what(), ErrorCode(7)))?;
    match fetched.error.check() {
        Ok(()) => Ok(fetched),
        Err(code) => Err(KafkaError::broker(what(), code)),
    }
}
