//! A real broker, as tests use it: topics, records of any codec, transactions.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_connectors::kafka::batch::{BatchBuilder, Compression, stamp};
use rheos_connectors::kafka::client::{ClientSettings, Cluster};
use rheos_connectors::kafka::properties::Properties;
use rheos_connectors::kafka::protocol::Request;
use rheos_connectors::kafka::protocol::error_code::{ErrorCode, Remedy};
use rheos_connectors::kafka::protocol::produce::ProduceRequest;
use rheos_connectors::kafka::protocol::topics::NewTopic;
use rheos_connectors::kafka::protocol::wire::{Decoder, Encoder, Malformed};

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
        // Every broker knows it once its partitions have leaders.
        for partition in 0..partitions {
            self.leader(topic, partition);
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
            std::thread::sleep(std::time::Duration::from_millis(20));
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
        self.batch(topic, partition, compression, records, None);
    }

    fn batch(
        &mut self,
        topic: &str,
        partition: i32,
        compression: Compression,
        records: &[Owned],
        transaction: Option<(&str, i64, i16, i32)>,
    ) {
        let mut builder = BatchBuilder::default();
        for (key, value, time) in records {
            builder.push(*time, key.as_deref(), value.as_deref(), &[]);
        }
        let mut bytes = builder.finish(compression).unwrap();
        if let Some((_, id, epoch, sequence)) = transaction {
            // Part of a transaction, which nothing but tests writes yet.
            bytes[22] |= 1 << 4;
            stamp(&mut bytes, id, epoch, sequence);
        }
        let request = InTransaction {
            id: transaction.map(|(id, ..)| id.to_owned()),
            produce: ProduceRequest {
                acks: -1,
                timeout_millis: 10_000,
                batches: vec![(topic, partition, [&bytes, &[]])],
            },
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

    /// One transaction, a batch a partition, ended in this way.
    pub fn transaction(
        &mut self,
        topic: &str,
        batches: &[(i32, Vec<Owned>)],
        compression: Compression,
        commit: bool,
    ) {
        let id = super::unique("txn");
        let node = loop {
            let node = self.leader(topic, 0);
            let find = FindTransactions(id.clone());
            let asked = self.cluster.call(node, &find);
            match self.runtime.block_on(asked).unwrap() {
                Ok(node) => break node,
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        };
        let (producer, epoch) = loop {
            let init = InitTransactions(id.clone());
            let asked = self.cluster.call(node, &init);
            match self.runtime.block_on(asked).unwrap() {
                Ok(identity) => break identity,
                Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        };
        for (partition, records) in batches {
            let add = AddPartition(id.clone(), producer, epoch, topic.to_owned(), *partition);
            while let Err(code) = self
                .runtime
                .block_on(self.cluster.call(node, &add))
                .unwrap()
            {
                assert_eq!(code, ErrorCode(51), "{code}");
            }
            let transaction = Some((id.as_str(), producer, epoch, 0));
            self.batch(topic, *partition, compression, records, transaction);
        }
        let end = EndTransaction(id, producer, epoch, commit);
        let ended = self.runtime.block_on(self.cluster.call(node, &end));
        assert_eq!(ended.unwrap(), ErrorCode::NONE);
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
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no coordinator for {group}");
    }
}

struct InTransaction<'a> {
    id: Option<String>,
    produce: ProduceRequest<'a>,
}

impl<'a> Request for InTransaction<'a> {
    type Response = <ProduceRequest<'a> as Request>::Response;
    const KEY: i16 = ProduceRequest::KEY;
    const VERSION: i16 = ProduceRequest::VERSION;
    const NAME: &'static str = "Produce";

    fn encode(&self, out: &mut Encoder) {
        match &self.id {
            None => self.produce.encode(out),
            Some(id) => {
                let mut plain = Encoder::default();
                self.produce.encode(&mut plain);
                out.nullable_str(Some(id));
                // Behind the identifier, which is none there.
                for byte in &plain.into_vec()[2..] {
                    out.i8(*byte as i8);
                }
            }
        }
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        self.produce.decode(input)
    }
}

struct FindTransactions(String);

impl Request for FindTransactions {
    type Response = Result<i32, ErrorCode>;
    const KEY: i16 = 10;
    const VERSION: i16 = 2;
    const NAME: &'static str = "FindCoordinator";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.0);
        out.i8(1);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let error = ErrorCode(input.i16()?);
        input.nullable_str()?;
        let node = input.i32()?;
        Ok(error.check().map(|()| node))
    }
}

struct InitTransactions(String);

impl Request for InitTransactions {
    type Response = Result<(i64, i16), ErrorCode>;
    const KEY: i16 = 22;
    const VERSION: i16 = 1;
    const NAME: &'static str = "InitProducerId";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.0);
        out.i32(60_000);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let error = ErrorCode(input.i16()?);
        let identity = (input.i64()?, input.i16()?);
        Ok(error.check().map(|()| identity))
    }
}

struct AddPartition(String, i64, i16, String, i32);

impl Request for AddPartition {
    type Response = Result<(), ErrorCode>;
    const KEY: i16 = 24;
    const VERSION: i16 = 1;
    const NAME: &'static str = "AddPartitionsToTxn";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.0);
        out.i64(self.1);
        out.i16(self.2);
        out.i32(1);
        out.str(&self.3);
        out.i32(1);
        out.i32(self.4);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        let results = input.list(|input| {
            input.str()?;
            input.list(|input| {
                input.i32()?;
                Ok(ErrorCode(input.i16()?))
            })
        })?;
        Ok(results[0][0].check())
    }
}

struct EndTransaction(String, i64, i16, bool);

impl Request for EndTransaction {
    type Response = ErrorCode;
    const KEY: i16 = 26;
    const VERSION: i16 = 1;
    const NAME: &'static str = "EndTxn";

    fn encode(&self, out: &mut Encoder) {
        out.str(&self.0);
        out.i64(self.1);
        out.i16(self.2);
        out.bool(self.3);
    }

    fn decode(&self, input: &mut Decoder) -> Result<Self::Response, Malformed> {
        input.i32()?;
        Ok(ErrorCode(input.i16()?))
    }
}
