//! The Kafka source against a real broker.

use crate::common;
use crate::kafka;

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{part, unique};
use kafka::{Broker, each_reader, value};
use rheos::cluster::embedded::JobControl;
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::kafka::batch::Compression;
use rheos_connectors::kafka::{KafkaReader, KafkaSource, KafkaSplit, Offsets, Values};
use rheos_connectors::{CollectSink, RawLines};
use rheos_core::config::Configuration;
use rheos_runtime::source::reader::{Assignment, Source, SplitEnumerator};

fn source(reader: KafkaReader, address: &str, topic: &str) -> KafkaSource<Values<RawLines>> {
    KafkaSource::new(Values(RawLines))
        .reader(reader)
        .bootstrap_servers(address)
        .topics([topic])
}

/// A job that runs: its JobManager is whoever waits for it.
struct Job {
    control: JobControl,
    waiter: JoinHandle<Result<(), String>>,
}

impl Job {
    fn wait(self) -> Result<(), String> {
        self.waiter.join().unwrap()
    }
}

/// Starts a job that collects what the source gives.
fn run(source: KafkaSource<Values<RawLines>>, parallelism: u32) -> (CollectSink<String>, Job) {
    let env = StreamEnv::default();
    let rows: DataStream<String> = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "kafka")
        .parallelism(parallelism);
    let sink = CollectSink::new();
    rows.sink_to(sink.clone());
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    let control = job.handle.control();
    let waiter = std::thread::spawn(move || match job.wait() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
    (sink, Job { control, waiter })
}

/// Why a job of this source does not start.
fn refused(source: KafkaSource<Values<RawLines>>) -> String {
    let env = StreamEnv::default();
    let rows: DataStream<String> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "kafka");
    rows.sink_to(CollectSink::new());
    match start(&env.program().unwrap(), Configuration::default()) {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    }
}

/// All that a bounded source gives, sorted.
fn all(source: KafkaSource<Values<RawLines>>, parallelism: u32) -> Vec<String> {
    let (sink, job) = run(source, parallelism);
    job.wait().unwrap();
    let mut rows = sink.take();
    rows.sort();
    rows
}

/// Waits until the sink has so many rows.
fn wait_for(sink: &CollectSink<String>, count: usize, got: &mut Vec<String>) {
    let began = Instant::now();
    while got.len() < count {
        got.extend(sink.take());
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} of {count} rows after a minute",
            got.len()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

#[test]
fn every_codec_and_partition_is_read_once_at_any_parallelism() {
    each_reader(|reader| {
        let Some(address) = part("RHEOS_KAFKA") else {
            return;
        };
        let topic = unique("codecs");
        let mut broker = Broker::new(&address);
        broker.create(&topic, 4);
        let mut expected = Vec::new();
        for (i, codec) in CODECS.into_iter().enumerate() {
            for partition in 0..3 {
                let texts: Vec<_> = (0..200)
                    .map(|k| format!("{i}-{partition}-{k:03}"))
                    .collect();
                let records: Vec<_> = texts.iter().map(value).collect();
                broker.produce(&topic, partition, codec, &records);
                expected.extend(texts);
            }
        }
        expected.sort();
        // Partition 3 is empty: it ends at once.
        for parallelism in [1, 2, 6] {
            let rows = all(
                source(reader, &address, &topic).bounded(Offsets::Latest),
                parallelism,
            );
            assert_eq!(rows, expected, "parallelism {parallelism}");
        }
    });
}

#[test]
fn what_a_transaction_aborted_is_left_out_and_ends_a_bounded_source_all_the_same() {
    each_reader(|reader| {
        let Some(address) = part("RHEOS_KAFKA") else {
            return;
        };
        let topic = unique("transactions");
        let mut broker = Broker::new(&address);
        broker.create(&topic, 2);
        for round in 0..4 {
            let commit = round % 2 == 0;
            let word = if commit { "yes" } else { "no" };
            let batches: Vec<_> = (0..2)
                .map(|p| {
                    (
                        p,
                        (0..5)
                            .map(|k| value(format!("{word}-{round}-{p}-{k}")))
                            .collect(),
                    )
                })
                .collect();
            broker.transaction(&topic, &batches, Compression::Lz4, commit);
        }
        broker.produce(&topic, 0, Compression::None, &[value("yes-plain")]);
        broker.transaction(
            &topic,
            &[(1, vec![value("no-last")])],
            Compression::None,
            false,
        );

        let committed = source(reader, &address, &topic)
            .property("isolation.level", "read_committed")
            .bounded(Offsets::Latest);
        let rows = all(committed, 2);
        assert_eq!(rows.len(), 21);
        assert!(rows.iter().all(|row| row.starts_with("yes")), "{rows:?}");
        let rows = all(source(reader, &address, &topic).bounded(Offsets::Latest), 1);
        assert_eq!(rows.len(), 42, "uncommitted, without the marks of the ends");
    });
}

#[test]
fn reading_begins_and_ends_where_it_is_told() {
    each_reader(|reader| {
        let Some(address) = part("RHEOS_KAFKA") else {
            return;
        };
        let topic = unique("offsets");
        let mut broker = Broker::new(&address);
        broker.create(&topic, 2);
        for partition in 0..2 {
            for k in 0..10i64 {
                let record = (
                    None,
                    Some(format!("{partition}-{k}").into_bytes()),
                    1_000 + k * 10,
                );
                broker.produce(&topic, partition, Compression::None, &[record]);
            }
        }
        let read = |source: KafkaSource<Values<RawLines>>| all(source.bounded(Offsets::Latest), 2);
        let base = || source(reader, &address, &topic);

        let rows = read(base().starting_offsets(Offsets::Timestamp(1_075)));
        assert_eq!(rows, ["0-8", "0-9", "1-8", "1-9"]);
        assert!(read(base().starting_offsets(Offsets::Timestamp(9_000))).is_empty());
        assert!(read(base().starting_offsets(Offsets::Latest)).is_empty());

        let only: BTreeMap<_, _> = [((topic.clone(), 0), 9)].into();
        let explicit = Offsets::Explicit(only.clone(), Box::new(Offsets::Latest));
        assert_eq!(read(base().starting_offsets(explicit)), ["0-9"]);
        let until = Offsets::Explicit(
            [((topic.clone(), 0), 2)].into(),
            Box::new(Offsets::Earliest),
        );
        assert_eq!(all(base().bounded(until), 1), ["0-0", "0-1"]);

        let group = unique("group");
        broker.commit(&group, &topic, &[(0, 7), (1, 10)]);
        let rows = read(base().group_id(&group).starting_offsets(Offsets::Committed));
        assert_eq!(rows, ["0-7", "0-8", "0-9"]);

        // An offset that the log does not have.
        let gone = Offsets::Explicit([((topic.clone(), 0), 99)].into(), Box::new(Offsets::Latest));
        let (_, job) = run(
            base()
                .starting_offsets(gone.clone())
                .property("auto.offset.reset", "none"),
            1,
        );
        let error = job.wait().unwrap_err();
        assert!(error.contains("offset 99 is not in the log"), "{error}");
        assert!(error.contains("partition 0"), "{error}");
        let (sink, job) = run(
            base()
                .starting_offsets(gone)
                .property("auto.offset.reset", "earliest"),
            1,
        );
        let mut rows = Vec::new();
        wait_for(&sink, 10, &mut rows);
        rows.sort();
        assert_eq!(rows[0], "0-0");
        job.control.cancel();
        drop(job.wait());
    });
}

#[test]
fn records_partitions_and_topics_that_come_while_it_runs_are_read() {
    each_reader(|reader| {
        let Some(address) = part("RHEOS_KAFKA") else {
            return;
        };
        let name = unique("live");
        let mut broker = Broker::new(&address);
        let first = format!("{name}.a");
        broker.create(&first, 1);
        broker.produce(&first, 0, Compression::None, &[value("a0")]);
        let group = unique("group");
        let source = KafkaSource::new(Values(RawLines))
            .reader(reader)
            .bootstrap_servers(&address)
            .topic_pattern(format!("{}\\.[ab]", name.replace('.', "\\.")))
            .group_id(&group)
            .property("enable.auto.commit", "true")
            .property("auto.commit.interval.ms", "100")
            .partition_discovery_interval(Duration::from_millis(100));
        let (sink, job) = run(source, 2);
        let mut rows = Vec::new();
        wait_for(&sink, 1, &mut rows);
        broker.produce(&first, 0, Compression::None, &[value("a0-later")]);
        wait_for(&sink, 2, &mut rows);
        broker.add_partitions(&first, 3);
        broker.produce(&first, 2, Compression::None, &[value("a2")]);
        wait_for(&sink, 3, &mut rows);
        broker.create(&format!("{name}.b"), 1);
        broker.produce(&format!("{name}.b"), 0, Compression::None, &[value("b0")]);
        broker.create(&format!("{name}.c"), 1);
        broker.produce(
            &format!("{name}.c"),
            0,
            Compression::None,
            &[value("not subscribed")],
        );
        wait_for(&sink, 4, &mut rows);
        assert_eq!(rows, ["a0", "a0-later", "a2", "b0"]);
        job.control.stop(true);
        job.wait().unwrap();
        assert!(sink.take().is_empty());
        let committed = broker.committed(&group, &first, 3);
        assert_eq!(committed, [(0, 2), (1, 0), (2, 1)].into());
    });
}

#[test]
fn a_restored_enumerator_gives_out_what_it_had_left_and_what_is_new_and_nothing_twice() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let topic = unique("restored");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 4);
    let source = source(KafkaReader::Own, &address, &topic).starting_offsets(Offsets::Latest);
    for partition in 0..4 {
        broker.produce(&topic, partition, Compression::None, &[value("old")]);
    }
    let enumerator = |subtasks| Source::<String>::enumerator(&source, subtasks).unwrap();
    let ask = |enumerator: &mut Box<dyn SplitEnumerator<KafkaSplit>>, subtasks: u32| {
        enumerator.discover().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let mut given = Vec::new();
        for subtask in 0..subtasks {
            if let Assignment::Splits(splits) = enumerator.request(subtask).unwrap() {
                given.extend(splits);
            }
        }
        given
    };
    let until = |enumerator: &mut _, subtasks, count: usize| {
        let began = Instant::now();
        let mut given = Vec::new();
        while given.len() < count {
            given.extend(ask(enumerator, subtasks));
            assert!(began.elapsed() < Duration::from_secs(60), "{given:?}");
        }
        given
    };
    let mut before = enumerator(2);
    let unstarted = before.snapshot().unwrap();
    // Only the first of two subtasks asks.
    let first = until(&mut before, 1, 2);
    assert!(first.iter().all(|split| split.offset == 1), "{first:?}");

    let mut after = enumerator(3);
    after.restore(&before.snapshot().unwrap()).unwrap();
    let second = until(&mut after, 3, 2);
    broker.add_partitions(&topic, 6);
    let new = until(&mut after, 3, 2);
    assert!(new.iter().all(|split| split.offset == 0), "{new:?}");
    let mut all: Vec<_> = [first, second, new]
        .concat()
        .iter()
        .map(|split| split.partition)
        .collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    assert!(ask(&mut after, 3).is_empty());

    // What was restored from a time before it had looked begins as it was told.
    let mut again = enumerator(1);
    again.restore(&unstarted).unwrap();
    assert_eq!(until(&mut again, 1, 6).len(), 6);
}

#[test]
fn security_is_by_properties_and_refusals_say_who_and_why() {
    each_reader(|reader| {
        let (Some(sasl), Some(tls), Some(ca), Some(plain)) = (
            part("RHEOS_KAFKA_SASL"),
            part("RHEOS_KAFKA_TLS"),
            part("RHEOS_KAFKA_CA"),
            part("RHEOS_KAFKA"),
        ) else {
            return;
        };
        let topic = unique("secure");
        let mut broker = Broker::new(&plain);
        broker.create(&topic, 1);
        broker.produce(&topic, 0, Compression::None, &[value("secret")]);
        let login = |mechanism: &str, password: &str| {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule";
            let jaas = format!("{module} required username=\"rheos\" password=\"{password}\";");
            source(reader, &sasl, &topic)
                .property("security.protocol", "SASL_PLAINTEXT")
                .property("sasl.mechanism", mechanism)
                .property("sasl.jaas.config", jaas)
                .bounded(Offsets::Latest)
        };
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            assert_eq!(all(login(mechanism, "rheos"), 1), ["secret"], "{mechanism}");
            let error = run(login(mechanism, "wrong"), 1).1.wait().unwrap_err();
            assert!(error.contains("do not trust each other"), "{error}");
            assert!(
                error.contains("user 'rheos'") && !error.contains("wrong"),
                "{error}"
            );
        }
        let over_tls = |source: KafkaSource<Values<RawLines>>| {
            source
                .bootstrap_servers(&tls)
                .property("security.protocol", "SASL_SSL")
        };
        let trusted = over_tls(login("SCRAM-SHA-512", "rheos")).property("ssl.ca.location", &ca);
        assert_eq!(all(trusted, 1), ["secret"]);
        let stranger = over_tls(login("SCRAM-SHA-512", "rheos"));
        let error = run(stranger, 1).1.wait().unwrap_err();
        assert!(
            error.contains("certificate") || error.contains("UnknownIssuer"),
            "{error}"
        );
    });
}

#[test]
fn a_topic_that_is_not_there_and_properties_that_are_unknown_are_named() {
    each_reader(|reader| {
        let Some(address) = part("RHEOS_KAFKA") else {
            return;
        };
        let topic = unique("missing");
        let missing = source(reader, &address, &topic).property("default.api.timeout.ms", "300");
        let error = run(missing, 1).1.wait().unwrap_err();
        assert!(
            error.contains(&topic) && error.contains("make the topic"),
            "{error}"
        );
        let unknown = source(reader, &address, &topic).property("fetch.min.byte", "1");
        let error = refused(unknown);
        assert!(error.contains("fetch.min.byte"), "{error}");
        // The port of nobody.
        let nobody =
            source(reader, "127.0.0.1:1", &topic).property("default.api.timeout.ms", "300");
        let error = run(nobody, 1).1.wait().unwrap_err();
        assert!(error.contains("127.0.0.1:1"), "{error}");
    });
}
