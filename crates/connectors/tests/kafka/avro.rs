//! Avro from Kafka by the schemas of a real registry.

use crate::common;
use crate::kafka;

use std::process::Command;
use std::time::{Duration, Instant};

use common::endless::Endless;
use common::proxy::Proxy;
use common::{part, unique};
use kafka::{Broker, Owned};
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::avro::{ConfluentAvro, RegistrySettings};
use rheos_connectors::kafka::batch::Compression;
use rheos_connectors::kafka::{
    AvroRecords, KafkaDeadLetter, KafkaSink, KafkaSource, Offsets, kafka_dead_letters,
};
use rheos_connectors::{BadRecords, CollectSink, DeliveryGuarantee};
use rheos_core::config::Configuration;
use rheos_core::row::Writer;

#[derive(Row, Clone, Debug, PartialEq)]
struct Event {
    event_id: String,
    event_time: i64,
    value: Option<f64>,
}

const FIRST: &str = r#"{"type":"record","name":"Event","fields":[
    {"name":"event_id","type":"string"},
    {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"value","type":["null","double"],"default":null}]}"#;

/// A field more, in front, and another without which the first reader can do.
const SECOND: &str = r#"{"type":"record","name":"Event","fields":[
    {"name":"origin","type":"string","default":""},
    {"name":"event_id","type":"string"},
    {"name":"event_time","type":"long"}]}"#;

/// Registers a schema, by another client than ours.
fn register(registry: &str, subject: &str, schema: &str) -> u32 {
    let body = serde_json::json!({ "schema": schema }).to_string();
    let answer = Command::new("curl")
        .args(["-fsS", "-X", "POST", "-d", &body, "-H"])
        .arg("Content-Type: application/vnd.schemaregistry.v1+json")
        .arg(format!("{registry}/subjects/{subject}/versions"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.status.success(), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["id"].as_u64().unwrap() as u32
}

fn framed(id: u32, write: impl FnOnce(&mut Writer)) -> Owned {
    let mut out = Writer::from_vec([&[0][..], &id.to_be_bytes()].concat());
    write(&mut out);
    (None, Some(out.into_vec()), 5)
}

fn first(id: u32, name: &str, value: Option<f64>) -> Owned {
    framed(id, |out| {
        out.str(name);
        out.long(7);
        match value {
            None => out.long(0),
            Some(value) => {
                out.long(1);
                out.double(value);
            }
        }
    })
}

fn second(id: u32, name: &str) -> Owned {
    framed(id, |out| {
        out.str("here");
        out.str(name);
        out.long(8);
    })
}

type Outcome = (Vec<Event>, Vec<KafkaDeadLetter>, Result<(), String>);

fn read(address: &str, registry: &str, topic: &str, policy: BadRecords) -> Outcome {
    let env = StreamEnv::default();
    let source = KafkaSource::new(ConfluentAvro::new(RegistrySettings::new(registry)))
        .bootstrap_servers(address)
        .topics([topic])
        .bounded(Offsets::Latest)
        .bad_records(policy);
    let rows: DataStream<Event> =
        env.from_source(source, WatermarkStrategy::no_watermarks(), "kafka");
    let rows = rows.parallelism(1);
    let (good, bad) = (CollectSink::new(), CollectSink::new());
    rows.sink_to(good.clone()).parallelism(1);
    if policy == BadRecords::DeadLetter {
        let letters: DataStream<KafkaDeadLetter> = rows.side_output(&kafka_dead_letters());
        letters.sink_to(bad.clone()).parallelism(1);
    }
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    let ended = job.wait().map(drop).map_err(|error| error.to_string());
    (good.take(), bad.take(), ended)
}

fn ids(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.event_id.as_str()).collect()
}

#[test]
fn writers_of_several_schemas_in_one_topic_are_read_as_one_row_type() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("evolution");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let subject = format!("{topic}-value");
    let a = register(&registry, &subject, FIRST);
    let b = register(&registry, &subject, SECOND);
    assert_ne!(a, b);
    let records = [
        first(a, "1", Some(0.5)),
        second(b, "2"),
        (None, None, 6),
        first(a, "3", None),
        second(b, "4"),
    ];
    broker.produce(&topic, 0, Compression::Zstd, &records);
    let (events, _, ended) = read(&address, &registry, &topic, BadRecords::Fail);
    ended.unwrap();
    assert_eq!(ids(&events), ["1", "2", "3", "4"]);
    assert_eq!((events[0].value, events[0].event_time), (Some(0.5), 7));
    assert_eq!((events[1].value, events[1].event_time), (None, 8));
}

#[test]
fn what_cannot_be_decoded_is_a_bad_record_under_each_policy() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("bad");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let good = register(&registry, &format!("{topic}-value"), FIRST);
    let other = register(
        &registry,
        &format!("{topic}-other"),
        r#"{"type":"record","name":"Other","fields":[{"name":"event_id","type":"string"}]}"#,
    );
    let mut truncated = first(good, "cut", Some(1.0));
    truncated.1.as_mut().unwrap().pop();
    let bad: Vec<Owned> = vec![
        (Some(b"key".to_vec()), Some(vec![0, 1]), 5),
        (None, Some(vec![]), 5),
        (None, Some([&[9][..], &[0; 12]].concat()), 5),
        first(2_000_000_000, "no such schema", None),
        framed(other, |out| out.str("lacks event_time")),
        truncated,
        framed(good, |out| {
            out.str("x");
            out.long(1);
            out.long(2);
        }),
        framed(good, |out| {
            out.bytes(&[0xff, 0xfe]);
            out.long(1);
            out.long(0);
        }),
    ];
    for (i, record) in bad.iter().enumerate() {
        broker.produce(&topic, 0, Compression::None, std::slice::from_ref(record));
        broker.produce(
            &topic,
            0,
            Compression::None,
            &[first(good, &i.to_string(), None)],
        );
    }
    let expected: Vec<_> = (0..bad.len()).map(|i| i.to_string()).collect();

    let (events, letters, ended) = read(&address, &registry, &topic, BadRecords::DeadLetter);
    ended.unwrap();
    assert_eq!(ids(&events), expected);
    assert_eq!(letters.len(), bad.len());
    let words = [
        "too short",
        "too short",
        "0x09",
        "no schema 2000000000",
        "event_time",
        "the input ends",
        "branch 2 of 2",
        "not UTF-8",
    ];
    for (i, letter) in letters.iter().enumerate() {
        assert_eq!(
            (letter.topic.as_str(), letter.partition),
            (topic.as_str(), 0)
        );
        assert_eq!((letter.offset, letter.timestamp), (2 * i as i64, 5));
        assert_eq!((&letter.key, &letter.value), (&bad[i].0, &bad[i].1));
        assert!(letter.error.contains(words[i]), "{i}: {}", letter.error);
    }

    let (events, _, ended) = read(&address, &registry, &topic, BadRecords::Skip);
    ended.unwrap();
    assert_eq!(ids(&events), expected);

    let (_, _, ended) = read(&address, &registry, &topic, BadRecords::Fail);
    let error = ended.unwrap_err();
    assert!(
        error.contains(&format!("{topic}, partition 0, offset 0")),
        "{error}"
    );
    assert!(error.contains("too short"), "{error}");
}

#[test]
fn a_sink_whose_registry_is_away_writes_nothing_and_everything_once_it_is_there() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let (host, path) = registry
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let way = Proxy::to(host);
    let url = format!("http://{}/{path}", way.address());
    for delivery in [
        DeliveryGuarantee::AtLeastOnce,
        DeliveryGuarantee::ExactlyOnce,
    ] {
        let topic = unique("out");
        let mut broker = Broker::new(&address);
        broker.create(&topic, 2);
        way.cut();
        let records = AvroRecords::<Event>::new(&topic, RegistrySettings::new(&url));
        let sink = KafkaSink::new(records)
            .bootstrap_servers(&address)
            .delivery_guarantee(delivery);
        let make = |number: u64| Event {
            event_id: format!("{number:06}"),
            event_time: 7,
            value: None,
        };
        let job = Endless::start(make, 2_000.0, sink, "kafka");
        job.wait_until_held_up();
        let written = [0, 1].map(|partition| broker.end(&topic, partition, false));
        assert_eq!(written, [0, 0]);
        way.mend();
        job.wait_until_it_goes_on("the sink does not go on", || job.emitted());
        let count = job.stop();
        let (events, _, ended) = read(&address, &registry, &topic, BadRecords::Fail);
        ended.unwrap();
        let mut found = ids(&events);
        found.sort_unstable();
        let expected: Vec<_> = (0..count).map(|number| format!("{number:06}")).collect();
        assert_eq!(found, expected, "{delivery:?}");
    }
}

#[test]
fn a_registry_that_cannot_be_reached_is_waited_for() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("waiting");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let id = register(&registry, &format!("{topic}-value"), FIRST);
    broker.produce(&topic, 0, Compression::None, &[first(id, "late", None)]);
    // The registry comes up a second after the job: until then nobody listens on its port.
    let (host, path) = registry
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let host = host.to_owned();
    let reserved = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let late = reserved.local_addr().unwrap();
    drop(reserved);
    let url = format!("http://{late}/{path}");
    let began = Instant::now();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        let listener = std::net::TcpListener::bind(late).unwrap();
        for incoming in listener.incoming() {
            let (incoming, host) = (incoming.unwrap(), host.clone());
            std::thread::spawn(move || forward(incoming, &host));
        }
    });
    let (events, _, ended) = read(&address, &url, &topic, BadRecords::Fail);
    ended.unwrap();
    assert_eq!(ids(&events), ["late"]);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

/// Passes bytes on, both ways.
fn forward(incoming: std::net::TcpStream, host: &str) {
    let onward = std::net::TcpStream::connect(host).unwrap();
    let (mut from, mut to) = (incoming.try_clone().unwrap(), onward.try_clone().unwrap());
    std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
    let (mut from, mut to) = (onward, incoming);
    drop(std::io::copy(&mut from, &mut to));
    drop(to.shutdown(std::net::Shutdown::Both));
}
