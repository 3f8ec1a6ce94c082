//! Events that real connectors wrote (`tests/fixtures/debezium/`), to the last one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use rheos_core::Row;
use rheos_core::change::{Change, RowKind};
use serde_json::Value as Json;

use super::*;
use crate::format::{Decoder, DecodingFormat, Encoder, EncodingFormat};

const POSTGRES: &str = include_str!("../../tests/fixtures/debezium/samples.jsonl");
const MARIADB: &str = include_str!("../../tests/fixtures/debezium/samples-mariadb.jsonl");

/// A row of any table of the samples.
#[derive(Row, Clone, Debug, PartialEq)]
struct Any {
    id: Option<i64>,
    a: Option<i64>,
}

struct Sample {
    name: String,
    format: String,
    value: Option<String>,
}

fn samples() -> Vec<Sample> {
    let samples: Vec<_> = POSTGRES
        .lines()
        .chain(MARIADB.lines())
        .map(|line| {
            let json: Json = serde_json::from_str(line).unwrap();
            let text = |field: &str| json[field].as_str().map(str::to_owned);
            Sample {
                name: text("name").unwrap(),
                format: text("format").unwrap(),
                value: text("value"),
            }
        })
        .collect();
    assert_eq!(samples.len(), 56);
    samples
}

fn sample(name: &str) -> String {
    let found = samples().into_iter().find(|sample| sample.name == name);
    found.unwrap().value.unwrap()
}

fn decode<C: ChangeRow>(format: DebeziumJson, text: &str) -> Result<Vec<C>, String> {
    let mut rows = Vec::new();
    let mut decoder = DecodingFormat::<C>::decoder(&format);
    match decoder.decode(text.as_bytes(), |row| rows.push(row)) {
        Ok(()) => Ok(rows),
        Err(error) => {
            assert!(rows.is_empty(), "emitted before an error");
            Err(error.to_string())
        }
    }
}

fn changes<T: Row>(name: &str) -> Result<Vec<Change<T>>, String> {
    decode(DebeziumJson::new(), &sample(name))
}

fn lenient() -> DebeziumJson {
    DebeziumJson::new()
        .missing_before(MissingBefore::Upsert)
        .unavailable_values(UnavailableValues::Keep)
        .truncates(Truncates::Ignore)
}

#[test]
fn every_recorded_event_is_read_as_another_parser_reads_it() {
    let (mut events, mut others, mut flattened) = (0, 0, 0);
    for sample in samples() {
        let Some(text) = sample.value.filter(|_| sample.format != "avro") else {
            continue;
        };
        let json: Json = serde_json::from_str(&text).unwrap();
        let json = json.get("payload").unwrap_or(&json);
        let decoded = decode::<DebeziumEvent<Any>>(DebeziumJson::new(), &text);
        if json.get("op").is_none() {
            if sample.name.starts_with("unwrapped") {
                let error = decoded.unwrap_err();
                assert!(error.contains("ExtractNewRecordState"), "{error}");
                flattened += 1;
            } else {
                assert_eq!(decoded.unwrap(), [], "{}", sample.name);
                others += 1;
            }
            continue;
        }
        let [event] = <[_; 1]>::try_from(decoded.unwrap()).unwrap();
        let row = |row: &Option<Any>| {
            row.as_ref().map(|row| {
                let id = row.id.or(row.a);
                id.unwrap()
            })
        };
        let expected_row = |field: &str| json[field]["id"].as_i64().or(json[field]["a"].as_i64());
        assert_eq!(
            row(&event.before),
            expected_row("before"),
            "{}",
            sample.name
        );
        assert_eq!(row(&event.after), expected_row("after"), "{}", sample.name);
        let (source, from) = (&json["source"], &event.source);
        let texts = |values: [&Json; 7]| values.map(|value| value.as_str().map(str::to_owned));
        let own = |text: &Option<rheos_core::row::Str>| text.as_ref().map(ToString::to_string);
        let expected = texts([
            &source["snapshot"],
            &source["db"],
            &source["schema"],
            &source["table"],
            &source["sequence"],
            &source["gtid"],
            &source["file"],
        ]);
        let found = [
            own(&from.snapshot),
            Some(from.db.to_string()),
            own(&from.schema),
            own(&from.table),
            from.sequence.clone(),
            from.gtid.clone(),
            own(&from.file),
        ];
        assert_eq!(found, expected, "{}", sample.name);
        let expected = [
            "ts_ms",
            "ts_us",
            "ts_ns",
            "txId",
            "lsn",
            "pos",
            "row",
            "server_id",
        ];
        let expected = expected.map(|field| source[field].as_i64());
        let found = [
            from.ts_ms,
            from.ts_us,
            from.ts_ns,
            from.tx_id,
            from.lsn,
            from.pos,
            from.row,
            from.server_id,
        ];
        assert_eq!(found, expected, "{}", sample.name);
        let place = event.transaction.as_ref();
        assert_eq!(
            place.map(|place| (place.id.as_str(), place.total_order)),
            json["transaction"]["id"]
                .as_str()
                .zip(json["transaction"]["total_order"].as_i64()),
            "{}",
            sample.name
        );
        assert_eq!(event.ts_ms, json["ts_ms"].as_i64(), "{}", sample.name);
        events += 1;
    }
    assert_eq!((events, others, flattened), (40, 5, 2));
}

#[test]
fn what_is_made_of_each_event_under_the_rules() {
    let words = |format: DebeziumJson, text: &str| -> String {
        match decode::<Change<Any>>(format, text) {
            Ok(rows) => rows
                .iter()
                .map(|change| {
                    let id = change.row.id.or(change.row.a).unwrap();
                    format!("{}{id} ", change.kind)
                })
                .collect(),
            Err(error) => error,
        }
    };
    let refused = "lacks the row before";
    for (name, strict, upserts) in [
        ("snapshot_first", "+I1 ", "+I1 "),
        ("incremental_snapshot", "+I1 ", "+I1 "),
        ("create", "+I3 ", "+I3 "),
        ("update_identity_default", refused, "+U2 "),
        ("update_other_column", refused, "+U1 "),
        ("schema_change_added_column", refused, "+U2 "),
        ("update_identity_full", "-U1 +U1 ", "-U1 +U1 "),
        ("update_with_schema", "-U1 +U1 ", "-U1 +U1 "),
        ("tx_member_2", "-U1 +U1 ", "-U1 +U1 "),
        ("pk_change_1_delete", "-D3 ", "-D3 "),
        ("pk_change_3_create", "+I30 ", "+I30 "),
        ("delete_identity_default", "-D1 ", "-D1 "),
        ("delete_identity_full", "-D2 ", "-D2 "),
        ("delete_with_schema", "-D1 ", "-D1 "),
        ("no_primary_key", "+I1 ", "+I1 "),
        ("truncate", "the table was truncated", ""),
        ("logical_message", "", ""),
        ("tx_begin", "", ""),
        ("tx_end", "", ""),
        ("heartbeat", "", ""),
        ("maria_update", "-U1 +U1 ", "-U1 +U1 "),
        ("maria_pk_change_1_delete", "-D2 ", "-D2 "),
        ("maria_pk_change_3_create", "+I20 ", "+I20 "),
        ("maria_delete", "-D1 ", "-D1 "),
        ("maria_schema_change", "", ""),
    ] {
        let text = sample(name);
        let found = words(DebeziumJson::new(), &text);
        if strict.len() > 12 {
            assert!(found.contains(strict), "{name}: {found}");
        } else {
            assert_eq!(found, strict, "{name}");
        }
        assert_eq!(words(lenient(), &text), upserts, "{name}");
        // The same with the schema in front, as Kafka Connect may write it.
        if !text.starts_with("{\"schema\"") {
            let wrapped = format!("{{\"schema\":{{\"type\":\"struct\"}},\"payload\":{text}}}");
            assert_eq!(words(lenient(), &wrapped), upserts, "{name}");
        }
    }
    for tombstone in ["", " ", "null", "{\"schema\":null,\"payload\":null}"] {
        assert_eq!(words(DebeziumJson::new(), tombstone), "");
    }
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Status {
    #[row(rename = "new")]
    New,
    #[row(rename = "paid")]
    Paid,
    #[row(rename = "sent")]
    Sent,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Order {
    id: i64,
    customer_id: i32,
    amount: Option<Unscaled>,
    rate: Option<VariableScale>,
    price: Option<Unscaled>,
    status: Status,
    created: Option<String>,
    created_local: Option<i64>,
    day: Option<i32>,
    at: Option<i64>,
    atz: Option<String>,
    ok: Option<bool>,
    doc: Option<String>,
    tags: Option<Vec<Option<String>>>,
    nums: Option<Vec<i32>>,
    uid: Option<String>,
    bin: Option<Vec<u8>>,
    dur: Option<i64>,
    f4: Option<f32>,
    f8: Option<f64>,
    ch: Option<String>,
}

fn order(name: &str) -> Order {
    let [change] = <[_; 1]>::try_from(changes::<Order>(name).unwrap()).unwrap();
    assert_eq!(change.kind, RowKind::Insert);
    change.row
}

#[test]
fn a_column_of_every_type() {
    let row = order("snapshot_all_types");
    let expected = Order {
        id: 1,
        customer_id: 1,
        amount: Some(Unscaled(1234)),
        rate: Some(VariableScale {
            scale: 5,
            value: Unscaled(314_159),
        }),
        price: Some(Unscaled(999)),
        status: Status::New,
        created: Some("2024-02-29T21:59:59.123456Z".into()),
        created_local: Some(1_709_251_199_123_456),
        day: Some(19_782),
        at: Some(45_296_789_012),
        atz: Some("10:34:56Z".into()),
        ok: Some(true),
        doc: Some("{\"b\": 2, \"a\":  [1, null]}".into()),
        tags: Some(vec![Some("x".into()), Some("y,z".into()), None]),
        nums: Some(vec![1, 2, 3]),
        uid: Some("00000000-0000-0000-0000-00000000002a".into()),
        bin: Some(vec![0xde, 0xad, 0xbe, 0xef]),
        dur: Some(93_784_500_000),
        f4: Some(1.5),
        f8: Some(2.25),
        ch: Some("ab ".into()),
    };
    assert_eq!(row, expected);
    assert_eq!(row.amount.unwrap().to_decimal(2), "12.34");
    assert_eq!(row.rate.unwrap().to_decimal(), "3.14159");
    let nulls = order("snapshot_all_null");
    assert_eq!((nulls.amount, nulls.tags, nulls.bin), (None, None, None));
    assert_eq!(nulls.status, Status::Paid);
    let extremes = order("create_extremes");
    assert_eq!(extremes.amount.unwrap().to_decimal(2), "-0.01");
    let rate = extremes.rate.unwrap().to_decimal();
    assert_eq!(rate, "123456789012345678901234567890.5");
    assert_eq!(extremes.created.as_deref(), Some("infinity"));
    assert_eq!(extremes.day, Some(-2_147_472_692));
    assert_eq!(extremes.tags, Some(vec![]));
    // Debezium has no word for it in this mode.
    assert_eq!(order("create_numeric_nan").rate, None);

    #[derive(Row, Clone, Debug)]
    struct InWords {
        amount: Option<String>,
        rate: Option<String>,
        day: Option<String>,
        dur: Option<String>,
    }
    let rows = changes::<InWords>("snapshot_string_modes").unwrap();
    let row = &rows[0].row;
    let found = [&row.amount, &row.rate, &row.day, &row.dur].map(|text| text.clone().unwrap());
    assert_eq!(
        found,
        ["12.34", "3.14159", "2024-02-29Z", "P0Y0M1DT2H3M4.5S"]
    );
    assert_eq!(
        changes::<InWords>("nan_string_modes").unwrap()[0].row.rate,
        Some("NAN".into())
    );

    #[derive(Row, Clone, Debug, PartialEq)]
    struct Item {
        id: i64,
        price: Option<Unscaled>,
        ok: Option<i16>,
        n: Option<i64>,
        st: Option<String>,
        ts: Option<String>,
        dt: Option<i64>,
        y: Option<i32>,
        bits: Option<Vec<u8>>,
    }
    let rows = changes::<Item>("maria_update").unwrap();
    let [old, new] = <[_; 2]>::try_from(rows).unwrap();
    assert_eq!(
        (old.kind, new.kind),
        (RowKind::UpdateBefore, RowKind::UpdateAfter)
    );
    assert_eq!(old.row.price.unwrap().to_decimal(2), "1.50");
    assert_eq!(new.row.price.unwrap().to_decimal(2), "2.00");
    let expected = Item {
        id: 1,
        price: Some(Unscaled(200)),
        ok: Some(1),
        n: Some(4_000_000_000),
        st: Some("a".into()),
        ts: Some("2024-02-29T23:59:59.123456Z".into()),
        dt: Some(1_709_251_199_123),
        y: Some(2024),
        bits: Some(vec![10]),
    };
    assert_eq!(new.row, expected);
}

#[test]
fn a_value_that_debezium_does_not_have_is_no_value() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Doc {
        id: i32,
        title: String,
        body: Option<String>,
    }
    let upserts = DebeziumJson::new().missing_before(MissingBefore::Upsert);
    let text = sample("toast_unchanged");
    let error = decode::<Change<Doc>>(upserts, &text).unwrap_err();
    assert!(
        error.starts_with("after.body: the value did not change"),
        "{error}"
    );
    let kept = upserts.unavailable_values(UnavailableValues::Keep);
    let rows = decode::<Change<Doc>>(kept, &text).unwrap();
    assert_eq!(
        rows[0].row.body.as_deref(),
        Some("__debezium_unavailable_value")
    );
    // With full identity it is there; and a row without the field does not miss it.
    let rows = changes::<Doc>("toast_unchanged_full").unwrap();
    assert_eq!(rows[0].row.body, rows[1].row.body);
    assert!(rows[1].row.body.as_ref().unwrap().len() > 2_000);
    assert_eq!(decode::<Change<Any>>(upserts, &text).unwrap().len(), 1);

    #[derive(Row, Clone, Debug, PartialEq)]
    struct Bytes {
        body: Vec<u8>,
        #[row(default)]
        more: Vec<Option<String>>,
    }
    let text = r#"{"op":"c","after":{"body":"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="}}"#;
    let error = decode::<Change<Bytes>>(upserts, text).unwrap_err();
    assert!(
        error.starts_with("after.body: the value did not change"),
        "{error}"
    );
    let text = r#"{"op":"c","after":{"body":"","more":["__debezium_unavailable_value"]}}"#;
    let error = decode::<Change<Bytes>>(upserts, text).unwrap_err();
    assert!(
        error.starts_with("after.more[0]: the value did not change"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, expected) in [
        (r#"{"op":"x","after":{"id":1}}"#, "op: \"x\" is none of"),
        (
            r#"{"op":"c","after":null}"#,
            "after: the event of an insertion lacks the row",
        ),
        (
            r#"{"op":"u","before":{"id":1}}"#,
            "after: the event of an update lacks the row",
        ),
        (
            r#"{"op":"d","after":{"id":1}}"#,
            "before: the event of a deletion lacks the row",
        ),
        (
            r#"{"op":"c","after":{"id":"x"}}"#,
            "after.id: expected an integer, found the string",
        ),
        (
            r#"{"op":"c","after":{"id":1}} x"#,
            "expected the end of the record",
        ),
        (r#"{"op":"c","after":{"id":1}"#, "expected ',' or '}'"),
        (
            r#"{"id":1,"name":"x"}"#,
            "the record is no envelope of Debezium: it has no `op`, only id, name",
        ),
        (
            r#"{"before":"no row","id":1}"#,
            "the record is no envelope of Debezium",
        ),
        (
            r#"{"status":"new","id":"1"}"#,
            "the record is no envelope of Debezium",
        ),
        (
            r#"{"schema":{},"payload":{"id":1}}"#,
            "the record is no envelope of Debezium: it has no `op`, only id",
        ),
        ("[]", "expected an object, found a list"),
    ] {
        let error = decode::<Change<Any>>(lenient(), text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn changes_are_written_as_flink_writes_them_and_read_back() {
    let mut encoder = EncodingFormat::<Change<Any>>::encoder(&DebeziumJson::new());
    let mut out = Vec::new();
    let row = |id| Any {
        id: Some(id),
        a: None,
    };
    for (i, kind) in [
        RowKind::Insert,
        RowKind::UpdateBefore,
        RowKind::UpdateAfter,
        RowKind::Delete,
    ]
    .into_iter()
    .enumerate()
    {
        encoder
            .encode(&Change::new(kind, row(i as i64)), &mut out)
            .unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"before":null,"after":{"id":0,"a":null},"op":"c"}"#
    );
    assert_eq!(
        lines[1],
        r#"{"before":{"id":1,"a":null},"after":null,"op":"d"}"#
    );
    let read: Vec<_> = lines
        .iter()
        .flat_map(|line| decode::<Change<Any>>(DebeziumJson::new(), line).unwrap())
        .map(|change| (change.kind, change.row.id.unwrap()))
        .collect();
    use RowKind::{Delete, Insert};
    assert_eq!(read, [(Insert, 0), (Delete, 1), (Insert, 2), (Delete, 3)]);
}

#[cfg(feature = "kafka")]
mod avro {
    use rheos_core::row::Schema;

    use super::*;
    use crate::debezium::avro::EnvelopeReader;
    use crate::debezium::changes::Rules;
    use crate::debezium::unavailable::Suspicion;
    use crate::format::base64;

    const SCHEMAS: &str = include_str!("../../tests/fixtures/debezium/avro-schemas.jsonl");

    fn schema(id: u64) -> Schema {
        let schemas = SCHEMAS
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap());
        let found = schemas
            .into_iter()
            .find(|schema| schema["id"] == id)
            .unwrap();
        Schema::parse_avro_json(found["schema"].as_str().unwrap()).unwrap()
    }

    fn read<C: ChangeRow>(name: &str, rules: &Rules) -> Result<Vec<C>, String> {
        let mut value = Vec::new();
        assert!(base64::decode(sample(name).as_bytes(), &mut value));
        let (frame, value) = value.split_at(5);
        let reader = EnvelopeReader::new::<C>(&schema(u64::from(frame[4]))).unwrap();
        let mut rows = Vec::new();
        reader
            .read(value, Some(&Suspicion::binary()), rules, |row| {
                rows.push(row)
            })
            .map_err(|error| error.to_string())?;
        Ok(rows)
    }

    #[test]
    fn events_in_avro_are_those_in_json() {
        for (avro, json) in [
            ("avro_create", "create"),
            ("avro_update_full", "update_identity_full"),
            ("avro_delete", "delete_identity_default"),
        ] {
            let [a] = <[DebeziumEvent<Row3>; 1]>::try_from(read(avro, &Rules::default()).unwrap())
                .unwrap();
            let j = decode::<DebeziumEvent<Row3>>(DebeziumJson::new(), &sample(json)).unwrap();
            let [j] = <[_; 1]>::try_from(j).unwrap();
            assert_eq!((a.op, &a.before, &a.after), (j.op, &j.before, &j.after));
            assert_eq!(a.source.lsn, j.source.lsn);
            assert_eq!(
                (a.source.table, a.source.tx_id),
                (j.source.table, j.source.tx_id)
            );
            assert_eq!(a.source.snapshot.as_deref(), Some("false"));
            let (own, other): (Vec<_>, Vec<_>) = (
                read::<Change<Row3>>(avro, &Rules::default()).unwrap(),
                decode(DebeziumJson::new(), &sample(json)).unwrap(),
            );
            assert_eq!(own, other);
        }
        let error = read::<Change<Row3>>("avro_after_alter", &Rules::default()).unwrap_err();
        assert!(error.contains("lacks the row before"), "{error}");
        let rules = Rules {
            missing_before: MissingBefore::Upsert,
            ..Rules::default()
        };
        let rows = read::<Change<Row3>>("avro_after_alter", &rules).unwrap();
        assert_eq!(
            (rows[0].kind, rows[0].row.vip),
            (RowKind::UpdateAfter, Some(true))
        );
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    struct Row3 {
        id: i32,
        name: Option<String>,
        email: Option<String>,
        balance: Option<Unscaled>,
        vip: Option<bool>,
    }

    #[test]
    fn a_schema_that_lacks_a_column_or_is_no_envelope_is_refused_with_its_words() {
        #[derive(Row, Clone, Debug)]
        struct Other {
            id: String,
        }
        #[derive(Row, Clone, Debug)]
        struct More {
            id: i32,
            phone: String,
        }
        let refused = |found: Result<EnvelopeReader, rheos_core::row::RowError>| {
            found.err().unwrap().to_string()
        };
        let error = refused(EnvelopeReader::new::<Change<Other>>(&schema(3)));
        assert!(
            error.contains("id") && error.contains("i32") && error.contains("string"),
            "{error}"
        );
        let error = refused(EnvelopeReader::new::<Change<More>>(&schema(3)));
        assert!(error.contains("phone"), "{error}");
        let error = refused(EnvelopeReader::new::<Change<Any>>(&schema(1)));
        assert!(
            error.contains("no envelope of Debezium: it has no `op`, only id"),
            "{error}"
        );
        let text =
            r#"{"type":"record","name":"Heartbeat","fields":[{"name":"ts_ms","type":"long"}]}"#;
        let heartbeat = Schema::parse_avro_json(text).unwrap();
        let reader = EnvelopeReader::new::<Change<Any>>(&heartbeat).unwrap();
        reader
            .read(&[2], None, &Rules::default(), |_: Change<Any>| {
                panic!("a row")
            })
            .unwrap();
    }

    proptest! {
        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let reader = EnvelopeReader::new::<Change<Row3>>(&schema(5)).unwrap();
            let _ = reader.read(&bytes, Some(&Suspicion::binary()), &Rules::default(), |_: Change<Row3>| {});
        }
    }
}

proptest! {
    #[test]
    fn decimals_of_any_length_are_their_numbers(number: i128, shift in 0u32..120, pad in 0usize..4) {
        let number = number >> shift;
        let bytes = Unscaled(number).to_bytes();
        prop_assert_eq!(Unscaled::from_bytes(&bytes).unwrap(), Unscaled(number));
        let fill = if number < 0 { 0xff } else { 0 };
        let padded = [vec![fill; pad], bytes].concat();
        prop_assert_eq!(Unscaled::from_bytes(&padded).unwrap(), Unscaled(number));
        let text = Unscaled(number).to_decimal(pad as u32).replace('.', "");
        prop_assert_eq!(text.parse::<i128>().unwrap(), number);
    }

    #[test]
    fn damaged_events_never_panic(which in 0usize..56, at: proptest::sample::Index, byte: u8) {
        let samples = samples();
        let Some(text) = &samples[which].value else { return Ok(()) };
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut decoder = DecodingFormat::<Change<Any>>::decoder(&lenient());
        let _ = decoder.decode(&bytes, |_| {});
    }
}

#[test]
fn a_decimal_of_too_many_bytes_is_refused() {
    assert!(Unscaled::from_bytes(&[]).is_err());
    assert!(Unscaled::from_bytes(&[1; 17]).is_err());
    assert!(Unscaled::from_bytes(&[&[0][..], &[0xff; 16]].concat()).is_err());
    assert_eq!(
        Unscaled::from_bytes(&[&[0][..], &[0x7f; 16]].concat())
            .unwrap()
            .0
            .leading_zeros(),
        1
    );
}
