#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use rheos_core::Row;
use rheos_core::row::{Schema, Str, Writer};

use super::AvroReader;

#[derive(Row, Clone, Debug, PartialEq)]
struct Event {
    event_id: Str,
    user_id: Str,
    event_time: i64,
    value: Option<f64>,
}

const SAME: &str = r#"{"type":"record","name":"Event","namespace":"other","fields":[
    {"name":"event_id","type":"string"},{"name":"user_id","type":"string"},
    {"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"value","type":["null","double"],"default":null}]}"#;

fn reader(schema: &str) -> AvroReader<Event> {
    AvroReader::new(&Schema::parse_avro_json(schema).unwrap()).unwrap()
}

fn event() -> Event {
    Event {
        event_id: "e1".into(),
        user_id: "u1".into(),
        event_time: 1_370_000_000_000,
        value: Some(1.5),
    }
}

#[test]
fn a_writer_with_the_rows_schema_is_read_by_the_rows_codec() {
    assert!(reader(SAME).is_direct());
    let mut out = Writer::new();
    event().encode(&mut out);
    assert_eq!(reader(SAME).read(out.as_slice()).unwrap(), event());
}

#[test]
fn the_order_of_a_unions_branches_and_of_fields_is_the_writers() {
    let other = SAME.replace(
        r#"["null","double"],"default":null"#,
        r#"["double","null"]"#,
    );
    let other = reader(&other);
    assert!(!other.is_direct());
    let mut out = Writer::new();
    out.str("e1");
    out.str("u1");
    out.long(1_370_000_000_000);
    out.long(0);
    out.double(1.5);
    assert_eq!(other.read(out.as_slice()).unwrap(), event());
}

#[test]
fn new_fields_are_passed_over_missing_ones_take_their_default_and_numbers_are_promoted() {
    let newer = reader(
        r#"{"type":"record","name":"Event","fields":[
            {"name":"extra","type":{"type":"map","values":{"type":"array","items":"int"}}},
            {"name":"event_time","type":"int"},{"name":"user_id","type":"string"},
            {"name":"event_id","type":"bytes"}]}"#,
    );
    let mut out = Writer::new();
    out.block(1, |out| {
        out.str("k");
        out.block(2, |out| {
            out.long(1);
            out.long(2);
        });
    });
    out.long(7);
    out.str("u1");
    out.str("e1");
    let expected = Event {
        event_time: 7,
        value: None,
        ..event()
    };
    assert_eq!(newer.read(out.as_slice()).unwrap(), expected);
}

#[test]
fn a_field_that_is_missing_or_of_another_type_is_named_with_both_words() {
    let refused = |schema: &str| {
        let schema = Schema::parse_avro_json(schema).unwrap();
        AvroReader::<Event>::new(&schema).unwrap_err().to_string()
    };
    let missing = refused(
        r#"{"type":"record","name":"Event","fields":[
        {"name":"event_id","type":"string"},{"name":"event_time","type":"long"}]}"#,
    );
    assert!(missing.contains("user_id"), "{missing}");
    let other = refused(&SAME.replace(
        r#"{"type":"long","logicalType":"timestamp-millis"}"#,
        r#""boolean""#,
    ));
    assert!(other.contains("event_time"), "{other}");
    assert!(
        other.contains("boolean") && other.contains("i64"),
        "{other}"
    );
}

proptest! {
    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let other = SAME.replace(r#"["null","double"],"default":null"#, r#"["double","null"]"#);
        let _ = reader(SAME).read(&bytes);
        let _ = reader(&other).read(&bytes);
    }
}
