//! The Kafka sink exactly once, against real brokers: committers and brokers that die at every step, a
//! time-out that passes, zombies, and whole jobs that fail, stop and go on.

use crate::common;
use crate::kafka;
use crate::staged;

use std::time::Duration;

use common::own::Own;
use common::{part, unique, wait_until};
use kafka::Broker;
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::kafka::batch::{BatchBuilder, Compression};
use rheos_connectors::kafka::client::Outgoing;
use rheos_connectors::kafka::{KafkaSink, KafkaSource, Offsets, OutRecord, Values};
use rheos_connectors::{CollectSink, DataGeneratorSource, DeliveryGuarantee, RawLines};
use rheos_core::config::Configuration;
use rheos_runtime::sink::committer::{Committer, StagedEpoch};
use staged::{OPERATOR, Staged, run_through_trouble};

const MINUTE: Duration = Duration::from_secs(60);

fn sink(
    address: &str,
    topic: &str,
) -> KafkaSink<impl Fn(&u64) -> OutRecord + Clone + Send + Sync + 'static + use<>> {
    let topic = topic.to_owned();
    KafkaSink::new(move |n: &u64| OutRecord {
        topic: topic.clone(),
        partition: Some((n % 2) as i32),
        value: Some(format!("{n:06}").into_bytes()),
        ..OutRecord::default()
    })
    .bootstrap_servers(address)
    .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
}

/// A sink, its topic and who commits to it.
struct Desk {
    staged: Staged,
    address: String,
    topic: String,
    broker: Broker,
}

impl Desk {
    fn new(address: &str) -> Self {
        let topic = unique("once");
        let mut broker = Broker::new(address);
        broker.create(&topic, 2);
        Self {
            staged: Staged::new(),
            address: address.to_owned(),
            topic,
            broker,
        }
    }

    fn committer(&self) -> Box<dyn Committer> {
        let sink = sink(&self.address, &self.topic);
        self.staged.committer(&sink).unwrap()
    }

    /// An epoch of a hundred rows.
    fn epoch(&self, number: u64) -> StagedEpoch {
        let sink = sink(&self.address, &self.topic).property("batch.size", "300");
        let rows = number * 100..(number + 1) * 100;
        self.staged.epoch(&sink, number, rows)
    }

    /// Commits an epoch up to a step, in the words of the protocol, and is gone.
    fn die_at(&mut self, step: Step, number: u64, timeout: Duration) {
        let (topic, lineage) = (self.topic.clone(), self.staged.lineage.clone());
        let fence = format!("{lineage}/{OPERATOR}/0");
        let mut transactions = self
            .broker
            .open(&format!("rheos-{lineage}-{OPERATOR}-0"), timeout);
        if step == Step::Opened {
            return;
        }
        let batch = |partition: u64| {
            let mut builder = BatchBuilder::default();
            for n in (number * 100..(number + 1) * 100).filter(|n| n % 2 == partition) {
                builder.push(n as i64, None, Some(format!("{n:06}").as_bytes()), &[]);
            }
            (builder.count(), builder.finish(Compression::None).unwrap())
        };
        let rows = [batch(0), batch(1)];
        let outgoing = |partition: usize| Outgoing {
            topic: &topic,
            partition: partition as i32,
            records: rows[partition].0,
            bytes: &rows[partition].1,
        };
        let mut builder = BatchBuilder::default();
        let text = number.to_string();
        builder.push(0, Some(fence.as_bytes()), Some(text.as_bytes()), &[]);
        let record = builder.finish(Compression::None).unwrap();
        let fence = Outgoing {
            topic: "rheos-fences",
            partition: 0,
            records: 1,
            bytes: &record,
        };
        self.broker.run(async {
            let places = [(&*topic, 0), (&topic, 1), ("rheos-fences", 0)];
            let places = places.map(|(topic, partition)| (topic.to_owned(), partition));
            transactions.add(places.to_vec()).await.unwrap();
            if step >= Step::HalfProduced {
                transactions.produce(&[outgoing(0)], 1 << 20).await.unwrap();
            }
            if step >= Step::Produced {
                let rest = [outgoing(1), fence];
                transactions.produce(&rest, 1 << 20).await.unwrap();
            }
            if step >= Step::Committed {
                transactions.commit().await.unwrap();
            }
        });
    }

    /// Each row of these epochs is there once.
    fn check(&mut self, epochs: std::ops::Range<u64>) {
        settled(&mut self.broker, &self.topic);
        let rows = read(&self.address, &self.topic);
        let expected: Vec<String> = (epochs.start * 100..epochs.end * 100)
            .map(|n| format!("{n:06}"))
            .collect();
        assert_eq!(rows, expected);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Opened,
    Added,
    HalfProduced,
    Produced,
    Committed,
}

const STEPS: [Step; 5] = [
    Step::Opened,
    Step::Added,
    Step::HalfProduced,
    Step::Produced,
    Step::Committed,
];

/// What is committed, sorted.
fn read(address: &str, topic: &str) -> Vec<String> {
    let env = StreamEnv::default();
    let source = KafkaSource::new(Values(RawLines))
        .bootstrap_servers(address)
        .topics([topic])
        .property("isolation.level", "read_committed")
        .bounded(Offsets::Latest);
    let rows: DataStream<String> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "kafka");
    let out = CollectSink::new();
    rows.sink_to(out.clone());
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    job.wait().unwrap();
    let mut rows = out.take();
    rows.sort();
    rows
}

/// Waits until no transaction is open. A commit is durable before its marks are in the partitions.
fn settled(broker: &mut Broker, topic: &str) {
    for (topic, partition) in [(topic, 0), (topic, 1), ("rheos-fences", 0)] {
        wait_until("a transaction is left open", || {
            broker.end(topic, partition, true) == broker.end(topic, partition, false)
        });
    }
}

#[test]
fn a_committer_that_died_at_any_step_is_followed_by_one_that_applies_the_epoch_once() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let mut desk = Desk::new(&address);
    desk.committer().commit(&[desk.epoch(0)]).unwrap();
    for (number, step) in (1..).zip(STEPS) {
        desk.die_at(step, number, MINUTE);
        // The checkpoint still holds what has been committed before.
        let epochs = [desk.epoch(number - 1), desk.epoch(number)];
        desk.committer().commit(&epochs).unwrap();
        desk.check(0..number + 1);
    }
}

#[test]
fn a_broker_killed_at_any_step_of_a_commit_loses_and_doubles_nothing() {
    let Some(own) = Own::up("RHEOS_KAFKA", &["kafka"], &[]) else {
        return;
    };
    let address = own.variable("RHEOS_KAFKA");
    let mut desk = Desk::new(&address);
    desk.committer().commit(&[desk.epoch(0)]).unwrap();
    for (number, step) in (1..).zip(STEPS) {
        let epochs = [desk.epoch(number - 1), desk.epoch(number)];
        desk.die_at(step, number, MINUTE);
        own.services(&["kill", "kafka"]);
        own.services(&["up", "kafka"]);
        desk.broker = Broker::new(&address);
        desk.committer().commit(&epochs).unwrap();
        desk.check(0..number + 1);
    }
    // One that was connected before goes on by itself.
    let mut committer = desk.committer();
    committer.commit(&[desk.epoch(6)]).unwrap();
    let epoch = desk.epoch(7);
    own.services(&["kill", "kafka"]);
    let waiting = std::thread::spawn(move || committer.commit(&[epoch]).map_err(|e| e.to_string()));
    own.services(&["up", "kafka"]);
    waiting.join().unwrap().unwrap();
    desk.broker = Broker::new(&address);
    desk.check(0..8);
}

#[test]
fn a_job_that_is_down_for_longer_than_the_time_out_of_its_transaction_loses_nothing() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let mut desk = Desk::new(&address);
    desk.committer().commit(&[desk.epoch(0)]).unwrap();
    let before = desk.broker.end(&desk.topic, 0, false);
    desk.die_at(Step::Produced, 1, Duration::from_secs(1));
    // The broker looks for such transactions every ten seconds.
    let topic = desk.topic.clone();
    wait_until("the broker did not end the transaction", || {
        let committed = desk.broker.end(&topic, 0, true);
        committed > before && committed == desk.broker.end(&topic, 0, false)
    });
    desk.check(0..1);
    desk.committer().commit(&[desk.epoch(1)]).unwrap();
    desk.check(0..2);
}

#[test]
fn a_committer_whose_place_was_taken_writes_nothing_more_and_says_why() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let mut desk = Desk::new(&address);
    let (mut zombie, mut heir) = (desk.committer(), desk.committer());
    zombie.commit(&[desk.epoch(0)]).unwrap();
    heir.commit(&[desk.epoch(0), desk.epoch(1)]).unwrap();
    let error = zombie.commit(&[desk.epoch(1)]).unwrap_err().to_string();
    assert!(error.contains("another run of this job"), "{error}");
    heir.commit(&[desk.epoch(2)]).unwrap();
    desk.check(0..3);
    // What it has not known of its own place it reads from the fence.
    zombie.commit(&[desk.epoch(1), desk.epoch(2)]).unwrap();
    desk.check(0..3);
}

#[test]
fn what_the_cluster_would_refuse_is_refused_before_anything_runs() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let topic = unique("once");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 2);
    let refused = |sink: KafkaSink<_>| {
        let mut conf = Configuration::default();
        conf.set("execution.checkpointing.interval", "1 s");
        conf.set("restart-strategy.type", "none");
        let env = StreamEnv::new(conf.clone());
        let numbers = DataGeneratorSource::new(|n| n, 10);
        env.from_source(numbers, WatermarkStrategy::no_watermarks(), "numbers")
            .sink_to(sink);
        let job = start(&env.program().unwrap(), conf);
        match job.and_then(|job| job.wait()) {
            Ok(_) => panic!("not refused"),
            Err(error) => error.to_string(),
        }
    };
    let error = refused(sink(&address, &topic).property("transaction.timeout.ms", "900001"));
    assert!(error.contains("is 900001"), "{error}");
    assert!(
        error.contains("transaction.max.timeout.ms is 900000"),
        "{error}"
    );
    let error = refused(sink(&address, &topic).fence_topic(&topic));
    assert!(error.contains("cleanup.policy=delete"), "{error}");
    let error = refused(sink(&address, &topic).property("enable.idempotence", "false"));
    assert!(error.contains("enable.idempotence=true"), "{error}");
    let error = refused(sink(&address, &topic).property("max.request.size", "100"));
    assert!(error.contains("a batch may have 100"), "{error}");
    assert_eq!(read(&address, &topic), Vec::<String>::new());
}

/// A job in trouble, and what becomes of its rows.
fn go_on(address: &str, count: u64, meanwhile: impl FnOnce(&dyn Fn() -> u64)) {
    let topic = unique("once");
    Broker::new(address).create(&topic, 2);
    let sink = || sink(address, &topic).property("compression.type", "lz4");
    run_through_trouble(sink, count, meanwhile);
    settled(&mut Broker::new(address), &topic);
    let expected: Vec<String> = (0..count).map(|n| format!("{n:06}")).collect();
    assert_eq!(read(address, &topic), expected);
}

#[test]
fn a_job_that_fails_and_stops_and_changes_its_parallelism_writes_each_row_once() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    go_on(&address, 12_000, |_| {});
}

#[test]
fn a_broker_killed_under_a_job_loses_and_doubles_nothing() {
    let Some(own) = Own::up("RHEOS_KAFKA", &["kafka"], &[]) else {
        return;
    };
    let address = own.variable("RHEOS_KAFKA");
    go_on(&address, 30_000, |read| {
        wait_until("the job does not begin", || read() > 1_000);
        own.services(&["kill", "kafka"]);
        own.services(&["up", "kafka"]);
    });
}
