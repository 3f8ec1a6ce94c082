//! What has been sent back: a compacted topic whose keys are the names of letters.
//!
//! The record of a letter is part of the transaction that sends its message back, so a letter is in
//! here exactly if its message is in its topic, whatever ends the program in between. Filters do not
//! disturb it, as a position in the letters would be by them.

use std::collections::HashSet;

use rheos_connectors::kafka::KafkaError;
use rheos_connectors::kafka::client::{Cluster, PartitionScan};
use rheos_connectors::kafka::protocol::error_code::ErrorCode;
use rheos_connectors::kafka::protocol::topics::NewTopic;

/// See the [module](self).
pub(super) struct Ledger {
    pub topic: String,
    sent: HashSet<String>,
}

impl Ledger {
    /// Reads what is in it; makes the topic if `make` and it is not there.
    pub async fn open(cluster: &mut Cluster, topic: &str, make: bool) -> Result<Self, KafkaError> {
        let mut ledger = Self {
            topic: topic.to_owned(),
            sent: HashSet::new(),
        };
        let metadata = cluster.metadata(Some(vec![topic.to_owned()])).await?;
        let found = metadata.topics.first().map(|found| found.error);
        if found != Some(ErrorCode::NONE) {
            if !make {
                return Ok(ledger);
            }
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
                "the topic '{topic}', which holds what has been sent back, has \
                 cleanup.policy={policy} and would forget: set cleanup.policy=compact, or name \
                 another by --ledger"
            )));
        }
        cluster.leader(topic, 0).await?;
        let mut scan = PartitionScan::open(cluster, topic, 0).await?;
        let sent = &mut ledger.sent;
        let mut visit = |record: rheos_connectors::kafka::batch::Record<'_>| {
            if let Some(key) = record.key {
                sent.insert(String::from_utf8_lossy(key).into_owned());
            }
            Ok::<(), KafkaError>(())
        };
        while scan.step(cluster, &mut visit).await? {}
        Ok(ledger)
    }

    /// Whether a letter of this name has been sent back.
    pub fn has(&self, id: &str) -> bool {
        self.sent.contains(id)
    }

    /// Notes what has been sent back by now.
    pub fn note(&mut self, id: String) {
        self.sent.insert(id);
    }
}
