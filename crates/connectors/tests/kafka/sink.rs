//! The Kafka sink against a real broker: what is written is what is read.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::manual_is_multiple_of
)]

use crate::common;
use crate::kafka;

use common::{part, unique};
use kafka::Broker;
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::avro::{ConfluentAvro, RegistrySettings};
use rheos_connectors::kafka::batch::Compression;
use rheos_connectors::kafka::{
    AvroRecords, Decoded, KafkaDeadLetter, KafkaRecord, KafkaSink, KafkaSource, Offsets, OutRecord,
    RecordDecoder, RecordFormat, Values, dead_letter_records, kafka_dead_letters,
};
use rheos_connectors::{BadRecords, CollectSink, CollectionSource, RawLines};
use rheos_core::config::Configuration;
use rheos_core::row::RowError;
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::ReaderContext;

/// A record as a row: topic, partition, offset, time, key, value, headers.
#[derive(Row, Clone, Debug, PartialEq)]
struct Seen {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, String)>,
}

#[derive(Clone)]
struct Everything;

impl RecordFormat<Seen> for Everything {
    type Decoder = Self;

    fn decoder(&self, _context: &ReaderContext) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl RecordDecoder<Seen> for Everything {
    fn decode(
        &mut self,
        record: &KafkaRecord<'_>,
        mut emit: impl FnMut(Seen),
    ) -> Result<Decoded, RowError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        emit(Seen {
            topic: record.topic.to_owned(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(text),
            value: record.value.map(text),
            headers: record
                .headers
                .iter()
                .map(|(name, value)| (name.into_owned(), text(value.unwrap_or_default())))
                .collect(),
        });
        Ok(Decoded::Done)
    }

    fn takes_tombstones(&self) -> bool {
        true
    }
}

fn run(env: &StreamEnv) -> Result<(), String> {
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    job.wait().map(drop).map_err(|error| error.to_string())
}

fn write<F>(sink: KafkaSink<F>, numbers: Vec<u64>, parallelism: u32) -> Result<(), String>
where
    F: Fn(&u64) -> OutRecord + Clone + Send + Sync + 'static,
{
    let env = StreamEnv::default();
    let rows = env.from_source(
        CollectionSource::from_elements(numbers),
        WatermarkStrategy::no_watermarks(),
        "numbers",
    );
    rows.rebalance().sink_to(sink).parallelism(parallelism);
    run(&env)
}

/// What every reader finds.
fn read(address: &str, pattern: &str) -> Vec<Seen> {
    let mut found = kafka::READERS.iter().map(|reader| {
        let env = StreamEnv::default();
        let source = KafkaSource::new(Everything)
            .reader(*reader)
            .bootstrap_servers(address)
            .topic_pattern(pattern)
            .bounded(Offsets::Latest);
        let rows: DataStream<Seen> =
            env.from_source(source, WatermarkStrategy::no_watermarks(), "kafka");
        let sink = CollectSink::new();
        rows.sink_to(sink.clone());
        run(&env).unwrap();
        let mut rows: Vec<Seen> = sink.take();
        rows.sort_by_key(|row| (row.topic.clone(), row.partition, row.offset));
        rows
    });
    let first = found.next().unwrap();
    for other in found {
        assert_eq!(other, first, "what the readers find");
    }
    first
}

#[test]
fn keys_headers_times_partitions_and_topics_arrive_under_every_codec() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let name = unique("sink");
        let mut broker = Broker::new(&address);
        broker.create(&format!("{name}.even"), 3);
        broker.create(&format!("{name}.odd"), 1);
        let topics = name.clone();
        let sink = KafkaSink::new(move |n: &u64| OutRecord {
            topic: format!("{topics}.{}", if n % 2 == 0 { "even" } else { "odd" }),
            partition: n.is_multiple_of(10).then_some(2),
            key: (n % 3 == 0).then(|| b"21".to_vec()),
            value: (n % 7 != 0).then(|| format!("value {n}").into_bytes()),
            headers: vec![("n".to_owned(), n.to_string().into_bytes())],
            timestamp: Some(1_000_000 + *n as i64),
        })
        .bootstrap_servers(&address)
        .property("compression.type", codec)
        .property("batch.size", "2000");
        write(sink, (0..1_000).collect(), 2).unwrap();
        let seen = read(&address, &format!("{name}\\..*"));
        assert_eq!(seen.len(), 1_000, "{codec}");
        let mut numbers: Vec<u64> = Vec::new();
        for row in &seen {
            let n: u64 = row.headers[0].1.parse().unwrap();
            numbers.push(n);
            assert_eq!(row.topic.ends_with("even"), n % 2 == 0);
            assert_eq!(row.timestamp, 1_000_000 + n as i64);
            assert_eq!(row.key.as_deref(), (n % 3 == 0).then_some("21"));
            let value = (n % 7 != 0).then(|| format!("value {n}"));
            assert_eq!(row.value, value);
            if row.topic.ends_with("even") && n % 10 == 0 {
                assert_eq!(row.partition, 2);
            } else if row.topic.ends_with("even") && row.key.is_some() {
                // Where Kafka's own producers send this key, see `partitioner`.
                assert_eq!(row.partition, (-973_932_308i32 & 0x7fff_ffff) % 3);
            }
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1_000).collect::<Vec<_>>(), "{codec}");
    }
}

#[test]
fn order_holds_within_a_partition() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let topic = unique("order");
    Broker::new(&address).create(&topic, 2);
    let to = topic.clone();
    let sink = KafkaSink::new(move |n: &u64| OutRecord {
        topic: to.clone(),
        partition: Some((n % 2) as i32),
        value: Some(n.to_string().into_bytes()),
        ..OutRecord::default()
    })
    .bootstrap_servers(&address)
    .property("batch.size", "500");
    write(sink, (0..5_000).collect(), 1).unwrap();
    for partition in 0..2 {
        let seen = read(&address, &topic);
        let numbers = seen
            .iter()
            .filter(|row| row.partition == partition)
            .map(|row| row.value.as_ref().unwrap().parse::<u64>().unwrap());
        let expected = (0..5_000).filter(|n| n % 2 == partition as u64);
        assert!(numbers.eq(expected), "partition {partition}");
    }
}

#[test]
fn what_a_broker_refuses_is_told_with_the_record() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let topic = unique("refused");
    Broker::new(&address).create(&topic, 1);
    let record = |topic: &str, bytes: usize| {
        let topic = topic.to_owned();
        move |n: &u64| OutRecord {
            topic: topic.clone(),
            key: Some(format!("key {n}").into_bytes()),
            value: Some(vec![b'x'; bytes]),
            ..OutRecord::default()
        }
    };
    // More than the topic's max.message.bytes.
    let sink = KafkaSink::new(record(&topic, 2 << 20)).bootstrap_servers(&address);
    let error = write(sink, vec![7], 1).unwrap_err();
    assert!(error.contains("MESSAGE_TOO_LARGE"), "{error}");
    assert!(error.contains(&format!("{topic}, partition 0")), "{error}");
    assert!(
        error.contains("key \"key 7\"") && error.contains("bytes more"),
        "{error}"
    );

    let missing = KafkaSink::new(record(&unique("missing"), 1))
        .bootstrap_servers(&address)
        .property("default.api.timeout.ms", "200");
    let error = write(missing, vec![7], 1).unwrap_err();
    assert!(error.contains("make the topic"), "{error}");
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Late {
    event_id: String,
    event_time: i64,
    value: Option<f64>,
}

#[test]
fn rows_go_out_in_the_registrys_framing_and_come_back() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("late");
    Broker::new(&address).create(&topic, 2);
    let rows: Vec<Late> = (0..100)
        .map(|n| Late {
            event_id: format!("{n:03}"),
            event_time: n,
            value: (n % 2 == 0).then_some(n as f64),
        })
        .collect();
    let env = StreamEnv::default();
    let schema = r#"{"type":"record","name":"Event","fields":[
        {"name":"event_id","type":"string"},
        {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"value","type":["null","double"],"default":null}]}"#;
    let records = AvroRecords::new(&topic, RegistrySettings::new(&registry))
        .schema(schema)
        .key(|row: &Late| Some(row.event_id.clone().into_bytes()))
        .timestamp(|row| row.event_time.max(1));
    env.from_source(
        CollectionSource::from_elements(rows.clone()),
        WatermarkStrategy::no_watermarks(),
        "late",
    )
    .sink_to(KafkaSink::new(records).bootstrap_servers(&address));
    run(&env).unwrap();

    let env = StreamEnv::default();
    let source = KafkaSource::new(ConfluentAvro::new(RegistrySettings::new(&registry)))
        .bootstrap_servers(&address)
        .topics([&topic])
        .bounded(Offsets::Latest);
    let back: DataStream<Late> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "kafka");
    let sink = CollectSink::new();
    back.sink_to(sink.clone());
    run(&env).unwrap();
    let mut got: Vec<Late> = sink.take();
    got.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    assert_eq!(got, rows);
    let seen = read(&address, &topic);
    assert!(
        seen.iter()
            .all(|row| row.timestamp >= 1 && row.key.is_some())
    );
    assert!(seen.iter().any(|row| row.partition == 1));
}

#[test]
fn a_dead_letter_goes_to_a_topic_as_it_came_with_where_it_came_from() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let (events, letters) = (unique("events"), unique("letters"));
    let mut broker = Broker::new(&address);
    broker.create(&events, 1);
    broker.create(&letters, 1);
    let bad = (Some(b"k".to_vec()), Some(b"no number".to_vec()), 77);
    let records = [kafka::value(1), bad, kafka::value(2)];
    broker.produce(&events, 0, Compression::None, &records);
    let env = StreamEnv::default();
    let source = KafkaSource::new(Values(RawLines))
        .bootstrap_servers(&address)
        .topics([&events])
        .bounded(Offsets::Latest)
        .bad_records(BadRecords::DeadLetter);
    let numbers: DataStream<i64> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers");
    let sink = CollectSink::new();
    numbers.sink_to(sink.clone());
    let bad: DataStream<KafkaDeadLetter> = numbers.side_output(&kafka_dead_letters());
    bad.sink_to(KafkaSink::new(dead_letter_records(&letters)).bootstrap_servers(&address));
    run(&env).unwrap();
    let mut good: Vec<i64> = sink.take();
    good.sort_unstable();
    assert_eq!(good, [1, 2]);
    let seen = read(&address, &letters);
    assert_eq!(seen.len(), 1);
    let Seen { key, value, .. } = &seen[0];
    assert_eq!(
        (key.as_deref(), value.as_deref()),
        (Some("k"), Some("no number"))
    );
    assert_eq!(seen[0].timestamp, 77);
    let header = |name: &str| {
        let found = seen[0].headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap()
    };
    assert_eq!(header("topic"), events);
    assert_eq!(
        (header("partition"), header("offset"), header("timestamp")),
        ("0", "1", "77")
    );
    assert!(header("error").contains("no number"), "{}", header("error"));
}
