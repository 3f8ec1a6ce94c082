//! One user of a transactional id, and its transactions.
//!
//! Life: opened, which shuts the last user of the id out and ends what it left open → for each
//! transaction partitions are added, batches produced, and it is committed. After any failure nobody
//! here knows how the transaction ended: it is of no use any more, and who opens the next one waits
//! until the broker has made up its mind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::settings::ClientSettings;
use crate::kafka::batch;
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;
use crate::kafka::protocol::group::Coordinates;
use crate::kafka::protocol::produce::{InitProducerIdRequest, ProduceRequest};
use crate::kafka::protocol::transactions::{AddPartitionsToTxnRequest, EndTxnRequest};
use crate::net;

/// Between two questions whether the last transaction has ended.
const SOON: Duration = Duration::from_millis(10);

/// The user of a transactional id.
pub struct Transactions {
    cluster: Cluster,
    id: String,
    coordinator: i32,
    identity: (i64, i16),
    sequences: BTreeMap<(String, i32), i32>,
    leaders: BTreeMap<(String, i32), i32>,
}

/// A finished batch and where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// How many records it holds.
    pub records: i32,
    /// The batch.
    pub bytes: &'a [u8],
}

impl Transactions {
    /// Becomes the only user of an id; `timeout` is how long the broker lets a transaction be open.
    ///
    /// # Errors
    /// If a broker does not answer, or with an error.
    pub async fn open(
        settings: &Arc<ClientSettings>,
        id: &str,
        timeout: Duration,
    ) -> Result<Self, KafkaError> {
        let mut cluster = Cluster::new(settings.clone());
        let coordinator = cluster.coordinator(Coordinates::Transactions, id).await?;
        let request = InitProducerIdRequest {
            transactional_id: Some(id.to_owned()),
            timeout_millis: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        };
        let mut waited = Duration::ZERO;
        let identity = loop {
            match cluster.call(coordinator, &request).await? {
                Ok(identity) => break identity,
                Err(ErrorCode::CONCURRENT_TRANSACTIONS) if waited < settings.api_timeout => {
                    waited += SOON;
                    net::pause(SOON).await;
                }
                Err(code) => {
                    let what = format!("the transactions of '{id}'");
                    return Err(KafkaError::broker(what, code));
                }
            }
        };
        Ok(Self {
            cluster,
            id: id.to_owned(),
            coordinator,
            identity,
            sequences: BTreeMap::new(),
            leaders: BTreeMap::new(),
        })
    }

    /// The cluster, for questions beside the transactions.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Begins a transaction, or goes on with it: these partitions are to be written to.
    ///
    /// # Errors
    /// If the coordinator does not answer, or with an error.
    pub async fn add(&mut self, mut partitions: Vec<(String, i32)>) -> Result<(), KafkaError> {
        partitions.sort_unstable();
        partitions.dedup();
        let request = AddPartitionsToTxnRequest {
            transactional_id: self.id.clone(),
            identity: self.identity,
            partitions,
        };
        let mut waited = Duration::ZERO;
        loop {
            match self.cluster.call(self.coordinator, &request).await? {
                Ok(()) => return Ok(()),
                // The marks of the last one are still being written.
                Err((_, _, ErrorCode::CONCURRENT_TRANSACTIONS))
                    if waited < self.cluster.settings().api_timeout =>
                {
                    waited += SOON;
                    net::pause(SOON).await;
                }
                Err((topic, partition, code)) => {
                    let id = &self.id;
                    let what =
                        format!("a transaction of '{id}' over {topic}, partition {partition}");
                    return Err(KafkaError::broker(what, code));
                }
            }
        }
    }

    async fn leader(&mut self, topic: &str, partition: i32) -> Result<i32, KafkaError> {
        let place = (topic.to_owned(), partition);
        if let Some(leader) = self.leaders.get(&place) {
            return Ok(*leader);
        }
        let leader = self.cluster.leader(topic, partition).await?;
        self.leaders.insert(place, leader);
        Ok(leader)
    }

    /// Writes batches, those of a partition in their order; requests have at most `max_request` bytes
    /// where a batch alone has no more.
    ///
    /// # Errors
    /// If a leader does not answer, or with an error.
    pub async fn produce(
        &mut self,
        batches: &[Outgoing<'_>],
        max_request: usize,
    ) -> Result<(), KafkaError> {
        let mut queues: BTreeMap<(&str, i32), std::collections::VecDeque<&Outgoing<'_>>> =
            BTreeMap::new();
        for batch in batches {
            let queue = queues.entry((batch.topic, batch.partition)).or_default();
            queue.push_back(batch);
        }
        let mut by_leader: BTreeMap<i32, Vec<std::collections::VecDeque<&Outgoing<'_>>>> =
            BTreeMap::new();
        for ((topic, partition), queue) in queues {
            let leader = self.leader(topic, partition).await?;
            by_leader.entry(leader).or_default().push(queue);
        }
        for (leader, mut queues) in by_leader {
            while !queues.is_empty() {
                let mut bytes = 0;
                let mut request = Vec::new();
                // A request holds one batch of a partition.
                for queue in &mut queues {
                    let fits = |batch: &&&Outgoing<'_>| {
                        bytes == 0 || bytes + batch.bytes.len() <= max_request
                    };
                    if let Some(batch) = queue.front().filter(fits).copied() {
                        bytes += batch.bytes.len();
                        request.push(batch);
                        queue.pop_front();
                    }
                }
                queues.retain(|queue| !queue.is_empty());
                self.request(leader, &request).await?;
            }
        }
        Ok(())
    }

    async fn request(&mut self, leader: i32, batches: &[&Outgoing<'_>]) -> Result<(), KafkaError> {
        let mut stamped = Vec::with_capacity(batches.len());
        for batch in batches {
            let place = (batch.topic.to_owned(), batch.partition);
            let next = self.sequences.entry(place).or_insert(0);
            let mut bytes = batch.bytes.to_vec();
            let (id, epoch) = self.identity;
            batch::stamp_transactional(&mut bytes, id, epoch, *next);
            // Numbers begin anew behind the greatest.
            *next = next.wrapping_add(batch.records) & i32::MAX;
            stamped.push(bytes);
        }
        let timeout = self.cluster.settings().request_timeout.as_millis();
        let request = ProduceRequest {
            transactional_id: Some(&self.id),
            acks: -1,
            timeout_millis: i32::try_from(timeout).unwrap_or(i32::MAX),
            batches: batches
                .iter()
                .zip(&stamped)
                .map(|(batch, bytes)| (batch.topic, batch.partition, [bytes.as_slice(), &[]]))
                .collect(),
        };
        let produced = self.cluster.call(leader, &request).await?;
        for batch in batches {
            let answer = produced
                .iter()
                .find(|one| one.topic == batch.topic && one.partition == batch.partition);
            let code = answer.map_or(ErrorCode(-1), |answer| answer.error);
            if code != ErrorCode::NONE {
                let (topic, partition) = (batch.topic, batch.partition);
                return Err(KafkaError::Broker {
                    what: format!("writing to {topic}, partition {partition}"),
                    code,
                    message: answer.and_then(|answer| answer.message.clone()),
                });
            }
        }
        Ok(())
    }

    /// Commits the transaction. An error leaves open whether it is.
    ///
    /// # Errors
    /// If the coordinator does not answer, or with an error.
    pub async fn commit(&mut self) -> Result<(), KafkaError> {
        let request = EndTxnRequest {
            transactional_id: self.id.clone(),
            identity: self.identity,
            commit: true,
        };
        let ended = self.cluster.call(self.coordinator, &request).await?;
        ended.map_err(|code| {
            KafkaError::broker(format!("committing a transaction of '{}'", self.id), code)
        })
    }
}
