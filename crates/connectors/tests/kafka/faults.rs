//! Kafka in trouble: brokers of their own, killed and brought back.

use crate::common;
use crate::kafka;

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::own::Own;
use common::unique;
use kafka::{Broker, value};
use rheos::cluster::embedded::JobControl;
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::kafka::batch::Compression;
use rheos_connectors::kafka::{KafkaSink, KafkaSource, Offsets, OutRecord, Values};
use rheos_connectors::{CollectSink, DataGeneratorSource, RawLines};
use rheos_core::config::Configuration;

struct Job {
    control: JobControl,
    waiter: JoinHandle<Result<(), String>>,
}

fn run(env: &StreamEnv) -> Job {
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    let control = job.handle.control();
    let waiter = std::thread::spawn(move || match job.wait() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
    Job { control, waiter }
}

fn lines(address: &str, topic: &str) -> KafkaSource<Values<RawLines>> {
    KafkaSource::new(Values(RawLines))
        .bootstrap_servers(address)
        .topics([topic])
}

fn collect(source: KafkaSource<Values<RawLines>>) -> (CollectSink<String>, Job) {
    let env = StreamEnv::default();
    let rows: DataStream<String> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "kafka");
    let sink = CollectSink::new();
    rows.sink_to(sink.clone());
    (sink, run(&env))
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_source_and_a_sink_outlive_a_broker_that_is_killed_and_come_to_every_record_once() {
    let Some(own) = Own::up("RHEOS_KAFKA", &["kafka"], &[]) else {
        return;
    };
    let address = own.variable("RHEOS_KAFKA");
    let (input, output) = (unique("in"), unique("out"));
    let mut broker = Broker::new(&address);
    broker.create(&input, 2);
    broker.create(&output, 2);
    let mut sent = Vec::new();
    let mut produce = |broker: &mut Broker, count: usize| {
        for _ in 0..count {
            let text = format!("{:05}", sent.len());
            let partition = (sent.len() % 2) as i32;
            broker.produce(&input, partition, Compression::Lz4, &[value(&text)]);
            sent.push(text);
        }
        sent.len()
    };
    let count = produce(&mut broker, 100);
    let (read, reader) = collect(lines(&address, &input));
    let mut got = Vec::new();
    wait_until("the first records were not read", || {
        got.extend(read.take());
        got.len() >= count
    });

    // A writer in the middle of its work.
    let env = StreamEnv::default();
    let to = output.clone();
    let sink = KafkaSink::new(move |n: &u64| OutRecord {
        topic: to.clone(),
        value: Some(format!("{n:06}").into_bytes()),
        ..OutRecord::default()
    })
    .bootstrap_servers(&address)
    .property("batch.size", "2000");
    env.from_source_with_rate(
        DataGeneratorSource::new(|n| n, 20_000),
        WatermarkStrategy::no_watermarks(),
        "numbers",
        2_000.0,
    )
    .sink_to(sink);
    let writer = run(&env);
    let written = |address: &str| {
        let (rows, job) = collect(lines(address, &output).bounded(Offsets::Latest));
        job.waiter.join().unwrap().unwrap();
        rows.take()
    };
    wait_until("nothing was written", || written(&address).len() > 500);
    own.services(&["kill", "kafka"]);
    own.services(&["up", "kafka"]);

    let mut broker = Broker::new(&address);
    let count = produce(&mut broker, 100);
    wait_until("records after the crash were not read", || {
        got.extend(read.take());
        got.len() >= count
    });
    reader.control.stop(true);
    reader.waiter.join().unwrap().unwrap();
    got.extend(read.take());
    got.sort();
    assert_eq!(got, sent);

    writer.waiter.join().unwrap().unwrap();
    let mut rows = written(&address);
    rows.sort();
    let expected: Vec<_> = (0..20_000).map(|n| format!("{n:06}")).collect();
    assert_eq!(
        rows.len(),
        expected.len(),
        "the idempotent producer writes nothing twice"
    );
    assert_eq!(rows, expected);
}

#[test]
fn a_sink_whose_broker_stays_away_gives_up_in_time_and_says_what_was_not_written() {
    let Some(own) = Own::up("RHEOS_KAFKA", &["kafka"], &[]) else {
        return;
    };
    let address = own.variable("RHEOS_KAFKA");
    let topic = unique("away");
    Broker::new(&address).create(&topic, 1);
    let env = StreamEnv::default();
    let to = topic.clone();
    let sink = KafkaSink::new(move |n: &u64| OutRecord {
        topic: to.clone(),
        key: Some(format!("key {n}").into_bytes()),
        value: Some(b"value".to_vec()),
        ..OutRecord::default()
    })
    .bootstrap_servers(&address)
    .property("delivery.timeout.ms", "2000");
    env.from_source_with_rate(
        DataGeneratorSource::new(|n| n, 1_000_000),
        WatermarkStrategy::no_watermarks(),
        "numbers",
        100.0,
    )
    .parallelism(1)
    .sink_to(sink)
    .parallelism(1);
    let job = run(&env);
    wait_until("nothing was written", || {
        let (rows, job) = collect(lines(&address, &topic).bounded(Offsets::Latest));
        job.waiter.join().unwrap().unwrap();
        rows.take().len() > 10
    });
    own.services(&["kill", "kafka"]);
    let error = job.waiter.join().unwrap().unwrap_err();
    assert!(error.contains("delivery.timeout.ms"), "{error}");
    assert!(error.contains(&format!("{topic}, partition 0")), "{error}");
    assert!(error.contains("key \"key "), "{error}");
}
