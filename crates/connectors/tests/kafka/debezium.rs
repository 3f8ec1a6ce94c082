//! Debezium's change events from a real Kafka, and from files: the bytes that a real connector wrote.

use crate::common;
use crate::kafka;
use crate::registry;

use std::collections::BTreeMap;

use common::{part, unique};
use kafka::{Broker, Owned};
use registry::{decode_base64, register};
use rheos::execute::start;
use rheos::prelude::*;
use rheos_connectors::avro::RegistrySettings;
use rheos_connectors::debezium::{
    DebeziumAvro, DebeziumEvent, DebeziumJson, MissingBefore, Operation, Unscaled,
};
use rheos_connectors::kafka::batch::Compression;
use rheos_connectors::kafka::{
    KafkaDeadLetter, KafkaSource, Offsets, RecordFormat, Values, kafka_dead_letters,
};
use rheos_connectors::{BadRecords, CollectSink, FileSource};
use serde_json::Value as Json;

const SAMPLES: &str = include_str!("../fixtures/debezium/samples.jsonl");
const SCHEMAS: &str = include_str!("../fixtures/debezium/avro-schemas.jsonl");

/// A row of the tables `customers` and `accounts`.
#[derive(Row, Clone, Debug, PartialEq)]
struct Customer {
    id: i32,
    name: Option<String>,
    email: Option<String>,
    balance: Option<Unscaled>,
    vip: Option<bool>,
}

fn samples(mut wanted: impl FnMut(&Json) -> bool) -> Vec<Json> {
    SAMPLES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|sample| wanted(sample))
        .collect()
}

fn read<C: Row>(
    address: &str,
    topic: &str,
    format: impl RecordFormat<C>,
) -> (Vec<C>, Vec<KafkaDeadLetter>) {
    let env = StreamEnv::default();
    let source = KafkaSource::new(format)
        .bootstrap_servers(address)
        .topics([topic])
        .bounded(Offsets::Latest)
        .bad_records(BadRecords::DeadLetter);
    let rows: DataStream<C> = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "kafka")
        .parallelism(1);
    let (good, bad) = (CollectSink::new(), CollectSink::new());
    rows.sink_to(good.clone()).parallelism(1);
    let letters: DataStream<KafkaDeadLetter> = rows.side_output(&kafka_dead_letters());
    letters.sink_to(bad.clone()).parallelism(1);
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    job.wait().unwrap();
    (good.take(), bad.take())
}

fn words(changes: &[Change<Customer>]) -> Vec<String> {
    changes
        .iter()
        .map(|change| format!("{}{}", change.kind, change.row.id))
        .collect()
}

#[test]
fn json_of_two_tables_with_tombstones_and_words_of_transactions() {
    let Some(address) = part("RHEOS_KAFKA") else {
        return;
    };
    let topic = unique("debezium-json");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    let tables = [
        "shop.public.customers",
        "shop.public.accounts",
        "shop.transaction",
    ];
    let samples = samples(|sample| {
        sample["format"] == "json" && tables.contains(&sample["topic"].as_str().unwrap())
    });
    let bytes = |text: &Json| text.as_str().map(|text| text.as_bytes().to_vec());
    let records: Vec<Owned> = samples
        .iter()
        .map(|sample| {
            let time = sample["timestamp_ms"].as_i64().unwrap();
            (bytes(&sample["key"]), bytes(&sample["value"]), time)
        })
        .collect();
    broker.produce(&topic, 0, Compression::None, &records);

    let upserts = DebeziumJson::new().missing_before(MissingBefore::Upsert);
    let (rows, letters) = read::<Change<Customer>>(&address, &topic, Values(upserts));
    assert_eq!(letters, []);
    let found = words(&rows);
    let expected = [
        "+I1", "+I2", "+I3", "+U2", "-U1", "+U1", "-D3", "+I30", "-D1", "-D2", "+U2", "+I1", "+I4",
        "-U1", "+U1", "+I5",
    ];
    assert_eq!(found, expected);

    // Without upserts the updates without a row before are bad, and nothing else is.
    let (rows, letters) = read::<Change<Customer>>(&address, &topic, Values(DebeziumJson::new()));
    assert_eq!((rows.len(), letters.len()), (expected.len() - 2, 2));
    for letter in &letters {
        assert!(
            letter.error.contains("REPLICA IDENTITY FULL"),
            "{}",
            letter.error
        );
    }

    // The source's words are there for who asks.
    let (events, _) = read::<DebeziumEvent<Customer>>(&address, &topic, Values(upserts));
    let places: BTreeMap<_, _> = events
        .iter()
        .filter_map(|event| Some((event.source.lsn?, event.source.table.clone()?.to_string())))
        .collect();
    assert_eq!(places[&40_529_152], "accounts");
    assert_eq!(events[0].op, Operation::Read);
    let members = events.iter().filter_map(|event| event.transaction.as_ref());
    let members: Vec<_> = members
        .filter(|place| place.id.starts_with("868:"))
        .map(|place| place.total_order)
        .collect();
    assert_eq!(members, [1, 2, 3]);
}

#[test]
fn avro_by_a_registry_with_a_column_added_in_mid_stream() {
    let (Some(address), Some(registry)) = (part("RHEOS_KAFKA"), part("RHEOS_REGISTRY")) else {
        return;
    };
    let topic = unique("debezium-avro");
    let mut broker = Broker::new(&address);
    broker.create(&topic, 1);
    // The numbers of that registry become those of this one.
    let mut numbers = BTreeMap::new();
    for line in SCHEMAS.lines() {
        let schema: Json = serde_json::from_str(line).unwrap();
        let id = schema["id"].as_u64().unwrap() as u8;
        let subject = format!("{topic}-{id}");
        numbers.insert(
            id,
            register(&registry, &subject, schema["schema"].as_str().unwrap()),
        );
    }
    let renumbered = |text: &Json| {
        let mut bytes = decode_base64(text.as_str()?);
        let id = numbers[&bytes[4]];
        bytes[1..5].copy_from_slice(&id.to_be_bytes());
        Some(bytes)
    };
    let records: Vec<Owned> = samples(|sample| sample["format"] == "avro")
        .iter()
        .map(|sample| (renumbered(&sample["key"]), renumbered(&sample["value"]), 5))
        .collect();
    assert_eq!(records.len(), 5);
    broker.produce(&topic, 0, Compression::Zstd, &records);

    let format = DebeziumAvro::new(RegistrySettings::new(&registry));
    let upserts = format.clone().missing_before(MissingBefore::Upsert);
    let (rows, letters) = read::<Change<Customer>>(&address, &topic, upserts);
    assert_eq!(letters, []);
    assert_eq!(words(&rows), ["+I3", "-U1", "+U1", "-D1", "+U2"]);
    assert_eq!(rows[1].row.balance.unwrap().to_decimal(2), "100.00");
    assert_eq!((rows[0].row.vip, rows[4].row.vip), (None, Some(true)));

    let (events, letters) = read::<DebeziumEvent<Customer>>(&address, &topic, format);
    assert_eq!((events.len(), letters.len()), (4, 0));
    assert_eq!(events[3].source.name, "shopa");
}

#[test]
fn files_of_events_with_and_without_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let texts = |format: &str| -> String {
        samples(|sample| {
            let topic = sample["topic"].as_str().unwrap();
            let table = topic.ends_with(".customers") || topic.ends_with(".accounts");
            sample["format"] == format && table && !topic.starts_with("shopu")
        })
        .iter()
        // A tombstone is an empty line.
        .map(|sample| format!("{}\n", sample["value"].as_str().unwrap_or_default()))
        .collect()
    };
    std::fs::write(folder.path().join("1.jsonl"), texts("json")).unwrap();
    std::fs::write(folder.path().join("2.jsonl"), texts("json+schema")).unwrap();
    let env = StreamEnv::default();
    let format = DebeziumJson::new().missing_before(MissingBefore::Upsert);
    let source = FileSource::new(format, folder.path());
    let rows: DataStream<Change<Customer>> = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "files")
        .parallelism(1);
    let found = CollectSink::new();
    rows.sink_to(found.clone()).parallelism(1);
    let job = start(&env.program().unwrap(), Configuration::default()).unwrap();
    job.wait().unwrap();
    let found = words(&found.take());
    let with_schema = ["+I1", "-U1", "+U1", "-D1"];
    assert_eq!(found.len(), 16 + with_schema.len());
    assert_eq!(found[16..], with_schema);
}
