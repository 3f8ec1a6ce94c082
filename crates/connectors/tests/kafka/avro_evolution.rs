//! Schemas that change while a job runs, and registries in trouble: on a real Kafka and registry.

use crate::common;
use crate::kafka;
use crate::registry;

use std::thread::JoinHandle;

use common::proxy::Proxy;
use common::{part, unique, wait_until};
use kafka::{Broker, Owned};
use registry::{compatibility, latest, register};
use rheos::cluster::embedded::JobControl;
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::avro::{ConfluentAvro, RegistrySettings};
use rheos_connectors::kafka::batch::Compression;
use rheos_connectors::kafka::{
    AvroRecords, KafkaDeadLetter, KafkaSink, KafkaSource, Offsets, kafka_dead_letters,
};
use rheos_connectors::{BadRecords, CollectSink, CollectionSource};
use rheos_core::row::Writer;

/// The row of the job: an older and a newer writer than it are below.
#[derive(Row, Clone, Debug, PartialEq)]
struct Order {
    id: i64,
    /// Writers first called it so.
    #[row(alias = "customer")]
    buyer: String,
    /// An `int` at first, then a `long`: here what both fit into.
    amount: f64,
    /// Not there at first.
    #[row(default = "EUR")]
    currency: String,
    /// A union with null, then without.
    note: Option<String>,
    /// A record, then one with a field more.
    address: Address,
    /// Days since 1970, as a logical type.
    day: i32,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Address {
    city: String,
    #[row(default)]
    zip: Option<String>,
}

const OLD: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
    {"name":"id","type":"int"},
    {"name":"customer","type":"string"},
    {"name":"amount","type":"int"},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"address","type":{"type":"record","name":"Address","fields":[
        {"name":"city","type":"string"}]}},
    {"name":"day","type":{"type":"int","logicalType":"date"}}]}"#;

const NEW: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
    {"name":"currency","type":"string","default":"EUR"},
    {"name":"id","type":"long"},
    {"name":"customer","type":"string"},
    {"name":"amount","type":"long"},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"address","type":{"type":"record","name":"Address","fields":[
        {"name":"zip","type":["null","string"],"default":null},
        {"name":"city","type":"string"}]}},
    {"name":"tags","type":{"type":"array","items":"string"},"default":[]},
    {"name":"day","type":{"type":"int","logicalType":"date"}}]}"#;

fn framed(id: u32, write: impl FnOnce(&mut Writer)) -> Owned {
    let mut out = Writer::from_vec([&[0][..], &id.to_be_bytes()].concat());
    write(&mut out);
    (None, Some(out.into_vec()), 5)
}

fn old(schema: u32, id: i64) -> Owned {
    framed(schema, |out| {
        out.long(id);
        out.str("ada");
        out.long(3);
        out.long(1);
        out.str("soon");
        out.str("Paris");
        out.long(19_782);
    })
}

fn new(schema: u32, id: i64) -> Owned {
    framed(schema, |out| {
        out.str("USD");
        out.long(id);
        out.str("bob");
        out.long(1 << 40);
        out.long(0);
        out.long(1);
        out.str("75001");
        out.str("Paris");
        out.block(2, |out| {
            out.str("a");
            out.str("b");
        });
        out.long(19_783);
    })
}

fn expected_old(id: i64) -> Order {
    Order {
        id,
        buyer: "ada".into(),
        amount: 3.0,
        currency: "EUR".into(),
        note: Some("soon".into()),
        address: Address {
            city: "Paris".into(),
            zip: None,
        },
        day: 19_782,
    }
}

fn expected_new(id: i64) -> Order {
    Order {
        id,
        buyer: "bob".into(),
        amount: (1_u64 << 40) as f64,
        currency: "USD".into(),
        note: None,
        address: Address {
            city: "Paris".into(),
            zip: Some("75001".into()),
        },
        day: 19_783,
    }
}

fn source(address: &str, registry: &str, topic: &str) -> KafkaSource<ConfluentAvro> {
    KafkaSource::new(ConfluentAvro::new(RegistrySettings::new(registry)))
        .bootstrap_servers(address)
        .topics([topic])
}

struct Running {
    rows: CollectSink<Order>,
    got: Vec<Order>,
    letters: CollectSink<KafkaDeadLetter>,
    control: JobControl,
    waiter: JoinHandle<Result<(), String>>,
}

impl Running {
    fn start(source: KafkaSource<ConfluentAvro>) -> Self {
        let env = StreamEnv::default();
        let source = source.bad_records(BadRecords::DeadLetter);
        let stream: DataStream<Order> = env
            .from_source(source, WatermarkStrategy::no_watermarks(), "kafka")
            .parallelism(1);
        let (rows, letters) = (CollectSink::new(), CollectSink::new());
        stream.sink_to(rows.clone()).parallelism(1);
        let bad: DataStream<KafkaDeadLetter> = stream.side_output(&kafka_dead_letters());
        bad.sink_to(letters.clone()).parallelism(1);
        let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
        let control = job.handle.control();
        let waiter = std::thread::spawn(move || match job.wait() {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        });
        Self {
            rows,
            got: Vec::new(),
            letters,
            control,
            waiter,
        }
    }

    fn wait_for(&mut self, count: usize) {
        wait_until("rows are missing", || {
            self.got.extend(self.rows.take());
            assert!(!self.waiter.is_finished(), "the job has ended");
            self.got.len() >= count
        });
    }

    fn end(self) -> (Vec<Order>, Vec<KafkaDeadLetter>) {
        self.control.cancel();
        let _ = self.waiter.join().unwrap();
        (self.got, self.letters.take())
    }
}

#[test]
fn a_running_job_reads_on_when_writers_change_their_schema_forth_and_back() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("mid-stream");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let subject = format!("{topic}-value");
    let first = register(&registry, &subject, OLD);
    let produce = |broker: &mut Broker, records: &[Owned]| {
        broker.produce(&topic, 0, Compression::Lz4, records);
    };
    produce(&mut broker, &[old(first, 1), old(first, 2)]);
    let mut job = Running::start(source(&address, &registry, &topic));
    job.wait_for(2);
    // The registry learns of the new schema only now, while the job runs.
    let second = register(&registry, &subject, NEW);
    assert_ne!(first, second);
    produce(
        &mut broker,
        &[new(second, 3), old(first, 4), new(second, 5)],
    );
    job.wait_for(5);
    produce(&mut broker, &[old(first, 6)]);
    job.wait_for(6);
    let (got, letters) = job.end();
    let expected = [
        expected_old(1),
        expected_old(2),
        expected_new(3),
        expected_old(4),
        expected_new(5),
        expected_old(6),
    ];
    assert_eq!(got, expected);
    assert_eq!(letters, []);
}

#[test]
fn a_schema_that_does_not_fit_the_row_is_refused_at_its_first_message_with_both_words() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("misfit");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let good = register(&registry, &format!("{topic}-good"), OLD);
    let mut records = vec![old(good, 1)];
    let lacking = OLD.replace(r#"{"name":"amount","type":"int"},"#, "");
    let text = OLD.replace(
        r#"{"name":"amount","type":"int"}"#,
        r#"{"name":"amount","type":"string"}"#,
    );
    let inner = OLD.replace(
        r#"{"name":"city","type":"string"}"#,
        r#"{"name":"city","type":"boolean"}"#,
    );
    for (i, schema) in [lacking, text, inner].iter().enumerate() {
        let id = register(&registry, &format!("{topic}-{i}"), schema);
        records.push(framed(id, |out| out.raw(&[0; 30])));
    }
    records.push(old(good, 2));
    // And one whose number the registry does not know.
    records.push(old(2_000_000_001, 3));
    broker.produce(&topic, 0, Compression::None, &records);
    let mut job = Running::start(source(&address, &registry, &topic));
    job.wait_for(2);
    let mut letters = Vec::new();
    wait_until("letters are missing", || {
        letters.extend(job.letters.take());
        letters.len() >= 4
    });
    let (got, rest) = job.end();
    assert_eq!(got, [expected_old(1), expected_old(2)]);
    assert_eq!(rest, []);
    let words: [&[&str]; 4] = [
        &["amount"],
        &["amount", "string", "double"],
        &["address.city", "boolean", "string"],
        &["no schema 2000000001"],
    ];
    assert_eq!(letters.len(), words.len());
    for (letter, words) in letters.iter().zip(words) {
        for word in words {
            assert!(letter.error.contains(word), "{word}: {}", letter.error);
        }
    }
}

#[test]
fn a_registry_that_goes_down_in_mid_stream_is_waited_for_and_makes_no_record_bad() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("down");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let subject = format!("{topic}-value");
    let first = register(&registry, &subject, OLD);
    let second = register(&registry, &subject, NEW);
    let rest = registry.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let proxy = Proxy::to(host);
    let url = format!("http://{}/{path}", proxy.address());
    broker.produce(&topic, 0, Compression::None, &[old(first, 1)]);
    let mut job = Running::start(source(&address, &url, &topic));
    job.wait_for(1);
    proxy.cut();
    // What is known is read on; what is not is waited for.
    broker.produce(&topic, 0, Compression::None, &[old(first, 2)]);
    job.wait_for(2);
    broker.produce(
        &topic,
        0,
        Compression::None,
        &[new(second, 3), old(first, 4)],
    );
    std::thread::sleep(Duration::from_millis(700));
    job.got.extend(job.rows.take());
    assert_eq!(job.got.len(), 2, "read without a schema");
    proxy.mend();
    job.wait_for(4);
    let (got, letters) = job.end();
    let expected = [
        expected_old(1),
        expected_old(2),
        expected_new(3),
        expected_old(4),
    ];
    assert_eq!(got, expected);
    assert_eq!(letters, []);
}

#[test]
fn ten_thousand_broken_messages_neither_panic_nor_hang() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("fuzzed");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let subject = format!("{topic}-value");
    let ids = [OLD, NEW].map(|schema| register(&registry, &subject, schema));
    // A generator of our own, so that a failure can be had again.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    const BROKEN: usize = 10_000;
    let mut sound = 0_i64;
    let mut records = Vec::new();
    for i in 0..BROKEN {
        let (key, value, time) = if i % 2 == 0 {
            old(ids[0], 9)
        } else {
            new(ids[1], 9)
        };
        let mut bytes = value.unwrap();
        match random(5) {
            0 => bytes.truncate(random(bytes.len())),
            1 => bytes = (0..random(60)).map(|_| random(256) as u8).collect(),
            2 => {
                let at = 5 + random(bytes.len() - 5);
                let many = (0..10).map(|_| 0x80 | random(128) as u8);
                bytes.splice(at..at, many);
            }
            _ => {
                for _ in 0..=random(4) {
                    let at = 5 + random(bytes.len() - 5);
                    bytes[at] = random(256) as u8;
                }
            }
        }
        records.push((key, Some(bytes), time));
        if i % 100 == 99 {
            sound += 1;
            records.push(old(ids[0], 1_000_000_000 + sound));
            broker.produce(&topic, 0, Compression::Zstd, &records);
            records.clear();
        }
    }
    let env = StreamEnv::default();
    let source = source(&address, &registry, &topic)
        .bounded(Offsets::Latest)
        .bad_records(BadRecords::DeadLetter);
    let stream: DataStream<Order> = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "kafka")
        .parallelism(1);
    let (rows, letters) = (CollectSink::new(), CollectSink::new());
    stream.sink_to(rows.clone()).parallelism(1);
    let bad: DataStream<KafkaDeadLetter> = stream.side_output(&kafka_dead_letters());
    bad.sink_to(letters.clone()).parallelism(1);
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    job.wait().unwrap();
    let (rows, letters) = (rows.take(), letters.take());
    // Every record is one or the other; all that were sound are rows.
    assert_eq!(rows.len() + letters.len(), BROKEN + sound as usize);
    let known: Vec<_> = rows.iter().filter(|row| row.id > 1_000_000_000).collect();
    let all: Vec<_> = (1..=sound)
        .map(|i| expected_old(1_000_000_000 + i))
        .collect();
    assert!(all.iter().all(|row| known.contains(&row)));
    assert!(letters.len() > BROKEN / 2, "{} letters", letters.len());
}

#[derive(Row, Clone)]
#[row(name = "Payment")]
struct Payment {
    id: i64,
    cents: i64,
}

#[test]
fn a_schema_that_the_registry_holds_for_incompatible_ends_the_job_with_its_words() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("incompatible");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let subject = format!("{topic}-value");
    let before = r#"{"type":"record","name":"Payment","fields":[
        {"name":"id","type":"long"},{"name":"cents","type":"string"}]}"#;
    register(&registry, &subject, before);
    compatibility(&registry, &subject, "BACKWARD");
    let write = || {
        let env = StreamEnv::default();
        let payment = Payment { id: 1, cents: 250 };
        let records = AvroRecords::new(&topic, RegistrySettings::new(&registry));
        let sink = KafkaSink::new(records).bootstrap_servers(&address);
        env.from_source(
            CollectionSource::from(vec![payment]),
            WatermarkStrategy::no_watermarks(),
            "payments",
        )
        .sink_to(sink)
        .parallelism(1);
        let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
        job.wait().map(drop).map_err(|error| error.to_string())
    };
    let error = write().unwrap_err();
    assert!(error.contains(&subject) && error.contains("409"), "{error}");
    assert!(error.to_lowercase().contains("incompatible"), "{error}");
    assert_eq!(broker.end(&topic, 0, false), 0, "nothing may be written");
    // What the registry takes is registered as the subject's next version.
    compatibility(&registry, &subject, "NONE");
    write().unwrap();
    assert_eq!(broker.end(&topic, 0, false), 1);
    assert_eq!(latest(&registry, &subject)["fields"][1]["type"], "long");
}
