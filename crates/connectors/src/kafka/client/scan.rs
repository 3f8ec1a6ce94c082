//! Reads a partition from its first record to what is its end at the start, once: what small topics
//! of notes and dead letters are read with. Only what is committed is seen.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cluster::Cluster;
use crate::kafka::batch::{self, Buffers, Record, RecordCursor};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;
use crate::kafka::protocol::fetch::{FetchPartition, FetchRequest, FetchedPartition};
use crate::kafka::protocol::offsets::{EARLIEST, LATEST};
use crate::kafka::source::aborted::AbortedTransactions;
use crate::net;

/// How long an open transaction is waited for at a time.
const WAIT: Duration = Duration::from_millis(100);

/// Bytes of an answer.
const MAX_BYTES: i32 = 8 << 20;

/// See the [module](self). Life: opened, which fixes the end → steps, until one says that there is no
/// more.
pub struct PartitionScan {
    topic: String,
    partition: i32,
    next: i64,
    end: i64,
    waited: Duration,
    buffers: Buffers,
}

impl PartitionScan {
    /// In front of the first record of a partition.
    ///
    /// # Errors
    /// What the brokers say.
    pub async fn open(
        cluster: &mut Cluster,
        topic: &str,
        partition: i32,
    ) -> Result<Self, KafkaError> {
        let of = |time| [(topic.to_owned(), partition, time)];
        let place = (topic.to_owned(), partition);
        let at = |found: BTreeMap<_, i64>| found.get(&place).copied().unwrap_or(0);
        let end = at(cluster.offsets(false, &of(LATEST)).await?);
        let next = at(cluster.offsets(false, &of(EARLIEST)).await?);
        Ok(Self {
            topic: topic.to_owned(),
            partition,
            next,
            end,
            waited: Duration::ZERO,
            buffers: Buffers::default(),
        })
    }

    /// Shows `visit` the records of one answer, some megabytes at most; whether there may be more. A
    /// transaction that is open in front of the end is waited for, for as long as
    /// `default.api.timeout.ms` says.
    ///
    /// # Errors
    /// What the brokers say, or `visit`.
    pub async fn step(
        &mut self,
        cluster: &mut Cluster,
        visit: &mut (dyn FnMut(Record<'_>) -> Result<(), KafkaError> + Send),
    ) -> Result<bool, KafkaError> {
        if self.next >= self.end {
            return Ok(false);
        }
        let before = self.next;
        let fetched = fetch(cluster, &self.topic, self.partition, before).await?;
        let mut aborted = AbortedTransactions::new(fetched.aborted);
        let mut records = fetched.records;
        let broken = |what: String| KafkaError::Corrupt {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: before,
            what,
        };
        while let Some(found) = batch::decode(&mut records, true, &self.buffers).map_err(broken)? {
            self.next = self.next.max(found.last_offset + 1);
            if !aborted.admits(&found) {
                continue;
            }
            let mut cursor = RecordCursor::new(found);
            while let Some(record) = cursor.record().map_err(broken)? {
                // A batch that is asked for in its middle comes whole.
                if record.offset >= before && record.offset < self.end {
                    visit(record)?;
                }
                cursor.advance();
            }
        }
        if self.next > before {
            self.waited = Duration::ZERO;
            return Ok(true);
        }
        if fetched.last_stable_offset >= self.end {
            // What followed has been compacted away.
            return Ok(false);
        }
        self.waited += WAIT;
        if self.waited > cluster.settings().api_timeout {
            let what = format!(
                "reading {}, partition {}: a transaction at offset {} is still open",
                self.topic, self.partition, fetched.last_stable_offset
            );
            return Err(KafkaError::broker(what, ErrorCode::CONCURRENT_TRANSACTIONS));
        }
        net::pause(WAIT).await;
        Ok(true)
    }
}

async fn fetch(
    cluster: &mut Cluster,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<FetchedPartition, KafkaError> {
    let leader = cluster.leader(topic, partition).await?;
    let request = FetchRequest {
        max_wait_millis: 0,
        min_bytes: 1,
        max_bytes: MAX_BYTES,
        read_committed: true,
        partitions: vec![FetchPartition {
            topic: topic.to_owned(),
            partition,
            leader_epoch: -1,
            offset,
            max_bytes: MAX_BYTES,
        }],
    };
    let what = || format!("reading {topic}, partition {partition}");
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
