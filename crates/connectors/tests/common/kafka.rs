//! A real broker, as tests use it: topics, records of any codec, transactions.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rheos_connectors::kafka::KafkaReader;
use rheos_connectors::kafka::batch::{BatchBuilder, Compression};
use rheos_connectors::kafka::client::{ClientSettings, Cluster, Outgoing, Transactions};
use rheos_connectors::kafka::properties::Properties;
use rheos_connectors::kafka::protocol::error_code::{ErrorCode, Remedy};
use rheos_connectors::kafka::protocol::offsets::LATEST;
use rheos_connectors::kafka::protocol::produce::ProduceRequest;
use rheos_connectors::kafka::protocol::topics::NewTopic;

/// The readers that sources are tested with.
pub const READERS: &[KafkaReader] = &[
    KafkaReader::Own,
    #[cfg(feature = "kafka-librdkafka")]
    KafkaReader::Librdkafka,
];

/// Does the same with every reader.
pub fn each_reader(test: impl Fn(KafkaReader)) {
    for reader in READERS {
        eprintln!("with {reader:?}");
        test(*reader);
    }
}

pub struct Broker {
    runtime: tokio::runtime::Runtime,
    cluster: Cluster,
}

/// Key, value, time.
pub type Owned = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

pub fn value(text: impl std::fmt::Display) -> Owned {
    (None, Some(text.to_string().into_bytes()), 1_000)
}

impl Broker {
    pub fn new(address: &str) -> Self {
        let mut properties = Properties::default();
        properties.set("bootstrap.servers", address);
        let settings = Arc::new(ClientSettings::new(&properties).unwrap());
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            cluster: Cluster::new(settings),
        }
    }

    pub fn create(&mut self, topic: &str, partitions: i32) {
        let new = NewTopic {
            name: topic.to_owned(),
            partitions,
            replicas: -1,
            configs: vec![("retention.ms".into(), "-1".into())],
        };
        let cluster = &mut self.cluster;
        self.runtime
            .block_on(cluster.create_topics(vec![new]))
            .unwrap();
        // Every broker knows it once its partitions have leaders, and those know of it.
        for partition in 0..partitions {
            self.leader(topic, partition);
            self.end(topic, partition, false);
        }
    }

    pub fn add_partitions(&mut self, topic: &str, count: i32) {
        let cluster = &mut self.cluster;
        self.runtime
            .block_on(cluster.create_partitions(topic, count))
            .unwrap();
    }

    pub fn leader(&mut self, topic: &str, partition: i32) -> i32 {
        for _ in 0..1_000 {
            let asked = self.cluster.metadata(Some(vec![topic.to_owned()]));
            if let Ok(metadata) = self.runtime.block_on(asked) {
                let found = metadata.topics[0]
                    .partitions
                    .iter()
                    .find(|p| p.index == partition && p.leader >= 0);
                if let Some(found) = found {
                    return found.leader;
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{topic}, partition {partition} got no leader");
    }

    pub fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        compression: Compression,
        records: &[Owned],
    ) {
        let bytes = batch(compression, records);
        let request = ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout_millis: 10_000,
            batches: vec![(topic, partition, [&bytes, &[]])],
        };
        loop {
            let leader = self.leader(topic, partition);
            let asked = self.cluster.call(leader, &request);
            let produced = self.runtime.block_on(asked).unwrap();
            // The leader of a new partition may not know it yet.
            match produced[0].error {
                ErrorCode::NONE => return,
                code if code.remedy() == Remedy::Refresh => {}
                code => panic!("{code}: {produced:?}"),
            }
        }
    }

    /// Becomes the user of a transactional id; the coordinator of a new one may not be ready.
    pub fn open(&mut self, id: &str, timeout: Duration) -> Transactions {
        for _ in 0..1_000 {
            let opening = Transactions::open(self.cluster.settings(), id, timeout);
            match self.runtime.block_on(opening) {
                Ok(transactions) => return transactions,
                Err(error) => assert!(error.may_pass(), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no coordinator for {id}");
    }

    pub fn run<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime.block_on(future)
    }

    /// One transaction, a batch a partition, ended in this way.
    pub fn transaction(
        &mut self,
        topic: &str,
        batches: &[(i32, Vec<Owned>)],
        compression: Compression,
        commit: bool,
    ) {
        let id = super::common::unique("txn");
        let timeout = Duration::from_secs(60);
        let mut transactions = self.open(&id, timeout);
        let finished: Vec<_> = batches
            .iter()
            .map(|(partition, records)| (*partition, records.len(), batch(compression, records)))
            .collect();
        let outgoing: Vec<_> = finished
            .iter()
            .map(|(partition, records, bytes)| Outgoing {
                topic,
                partition: *partition,
                records: *records as i32,
                bytes,
            })
            .collect();
        let places = finished.iter().map(|(p, ..)| (topic.to_owned(), *p));
        self.run(async {
            transactions.add(places.collect()).await.unwrap();
            transactions.produce(&outgoing, 1 << 20).await.unwrap();
            if commit {
                transactions.commit().await.unwrap();
            }
        });
        if !commit {
            // The next user of the id ends what this one has left open.
            self.open(&id, timeout);
        }
    }

    /// The end of a partition; with `read_committed`, of the last transaction that has ended.
    pub fn end(&mut self, topic: &str, partition: i32, read_committed: bool) -> i64 {
        let wanted = [(topic.to_owned(), partition, LATEST)];
        for _ in 0..1_000 {
            let asked = self.cluster.offsets(read_committed, &wanted);
            match self.runtime.block_on(asked) {
                Ok(found) => return *found.values().next().unwrap(),
                Err(error) => assert!(error.may_pass(), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{topic}, partition {partition} has no leader that knows of it");
    }

    /// The ends of all partitions of a topic, each of the last transaction that has ended.
    pub fn ends(&mut self, topic: &str, partitions: i32) -> Vec<i64> {
        let wanted: Vec<_> = (0..partitions)
            .map(|partition| (topic.to_owned(), partition, LATEST))
            .collect();
        for _ in 0..1_000 {
            let asked = self.cluster.offsets(true, &wanted);
            match self.runtime.block_on(asked) {
                Ok(found) => return found.into_values().collect(),
                Err(error) => assert!(error.may_pass(), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{topic} has partitions without a leader that knows of them");
    }

    pub fn committed(&mut self, group: &str, topic: &str, partitions: i32) -> BTreeMap<i32, i64> {
        let partitions: Vec<_> = (0..partitions).map(|p| (topic.to_owned(), p)).collect();
        let asked = self.cluster.committed(group, &partitions);
        let found = self.runtime.block_on(asked);
        found
            .unwrap_or_default()
            .into_iter()
            .map(|((_, partition), offset)| (partition, offset))
            .collect()
    }

    pub fn commit(&mut self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let offsets: Vec<_> = offsets
            .iter()
            .map(|(partition, offset)| (topic.to_owned(), *partition, *offset))
            .collect();
        for _ in 0..200 {
            let asked = self.cluster.commit(group, offsets.clone());
            match self.runtime.block_on(asked) {
                Ok(()) => return,
                // The coordinator of a new group may not be ready.
                Err(error) => assert!(error.may_pass(), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no coordinator for {group}");
    }
}

fn batch(compression: Compression, records: &[Owned]) -> Vec<u8> {
    let mut builder = BatchBuilder::default();
    for (key, value, time) in records {
        builder.push(*time, key.as_deref(), value.as_deref(), &[]);
    }
    builder.finish(compression).unwrap()
}
