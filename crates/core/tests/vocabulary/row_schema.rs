//! Schemas as text, and values of one version read by another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use rheos_core::Row;
use rheos_core::row::{Reader, Resolution, RowError, RowErrorKind, Schema, Str, Value, Writer};

fn bytes<T: Row>(value: &T) -> Vec<u8> {
    let mut out = Writer::new();
    value.encode(&mut out);
    out.into_vec()
}

/// Reads a value of one type as another, by way of the writer's schema as text.
fn evolve<W: Row, R: Row>(value: &W) -> Result<R, RowError> {
    let text = W::schema().to_avro_json()?;
    let resolution = Resolution::new(&Schema::parse_avro_json(&text)?, &R::schema())?;
    let bytes = bytes(value);
    let mut input = Reader::new(&bytes);
    let row = R::decode_resolved(&mut input, &resolution)?;
    input.finish()?;
    Ok(row)
}

mod v1 {
    use super::*;

    #[derive(Row, Clone, Debug, PartialEq)]
    pub struct Order {
        pub id: u32,
        pub amount: f32,
        pub customer: Str,
        pub lines: Vec<Line>,
        pub obsolete: BTreeMap<i32, Vec<u8>>,
        pub state: State,
        pub event: Event,
        pub parent: Option<Box<Order>>,
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    pub struct Line {
        pub count: i32,
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    pub enum State {
        Open,
        Closed,
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    pub enum Event {
        Created,
        Paid { cents: i32 },
        Note(Str),
    }
}

mod v2 {
    use super::*;

    #[derive(Row, Clone, Debug, PartialEq)]
    #[row(name = "com.acme.Purchase", alias = "Order")]
    pub struct Order {
        pub event: Event,
        #[row(rename = "buyer", alias = "customer")]
        pub who: Option<Str>,
        pub id: u64,
        pub amount: f64,
        #[row(default = "EUR")]
        pub currency: Str,
        pub lines: Vec<Line>,
        pub state: State,
        pub parent: Option<Box<Order>>,
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    pub struct Line {
        pub count: i64,
        #[row(default = -1)]
        pub discount: i16,
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    pub enum State {
        #[row(default)]
        Unknown,
        #[row(alias = "Open")]
        Active,
    }

    #[derive(Row, Clone, Debug, PartialEq)]
    pub enum Event {
        Note(Str),
        #[row(alias = "Paid")]
        Settled {
            cents: i64,
            note: Option<Str>,
        },
        Created,
        Shipped,
    }
}

fn order() -> v1::Order {
    v1::Order {
        id: 7,
        amount: 1.5,
        customer: "Ada".into(),
        lines: vec![v1::Line { count: 3 }],
        obsolete: [(1, vec![2])].into(),
        state: v1::State::Open,
        event: v1::Event::Paid { cents: 150 },
        parent: None,
    }
}

#[test]
fn fields_come_go_change_places_names_and_widths() {
    let mut old = order();
    old.parent = Some(Box::new(v1::Order {
        state: v1::State::Closed,
        event: v1::Event::Note("hi".into()),
        ..order()
    }));
    let new: v2::Order = evolve(&old).unwrap();
    let child = v2::Order {
        event: v2::Event::Note("hi".into()),
        who: Some("Ada".into()),
        id: 7,
        amount: 1.5,
        currency: "EUR".into(),
        lines: vec![v2::Line {
            count: 3,
            discount: -1,
        }],
        state: v2::State::Unknown,
        parent: None,
    };
    let expected = v2::Order {
        event: v2::Event::Settled {
            cents: 150,
            note: None,
        },
        state: v2::State::Active,
        parent: Some(Box::new(child.clone())),
        ..child
    };
    assert_eq!(new, expected);
}

#[test]
fn a_schema_survives_its_text() {
    for schema in [
        v1::Order::schema(),
        v2::Order::schema(),
        <(Option<Option<u8>>, char)>::schema(),
    ] {
        let text = schema.to_avro_json().unwrap();
        let parsed = Schema::parse_avro_json(&text).unwrap();
        assert_eq!(parsed.to_avro_json().unwrap(), text);
    }
}

#[test]
fn the_text_is_what_avro_expects() {
    assert_eq!(
        v2::Line::schema().to_avro_json().unwrap(),
        r#"{"type":"record","name":"Line","fields":[{"name":"count","type":"long"},{"name":"discount","type":{"type":"int","logicalType":"i16"},"default":-1}]}"#
    );
    assert_eq!(
        <BTreeMap<Str, Option<v2::State>>>::schema()
            .to_avro_json()
            .unwrap(),
        r#"{"type":"map","values":["null",{"type":"enum","name":"State","symbols":["Unknown","Active"],"default":"Unknown","rheos.symbolAliases":{"Active":["Open"]}}]}"#
    );
}

#[test]
fn defaults_survive_the_text() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Defaults {
        #[row(default = u64::MAX)]
        big: u64,
        #[row(default = f64::NEG_INFINITY)]
        low: f64,
        #[row(default = vec![0, 255])]
        raw: Vec<u8>,
        #[row(default = v1::Event::Paid { cents: 3 })]
        event: v1::Event,
        #[row(default = v1::Event::Note("x".into()))]
        note: v1::Event,
        #[row(default = Some(v1::Event::Created))]
        maybe: Option<v1::Event>,
        #[row(default = Some(None))]
        nested: Option<Option<i32>>,
        #[row(default = (1, "x".into()))]
        pair: (i8, Str),
        #[row(default = [(5, 'y')].into())]
        map: BTreeMap<u8, char>,
    }
    #[derive(Row, Clone)]
    struct Empty {}
    let text = Defaults::schema().to_avro_json().unwrap();
    let parsed = Schema::parse_avro_json(&text).unwrap();
    assert_eq!(parsed.to_avro_json().unwrap(), text);
    let resolution = Resolution::new(&Empty::schema(), &parsed).unwrap();
    let value = resolution.read_value(&mut Reader::new(&[])).unwrap();
    let own: Defaults = evolve(&Empty {}).unwrap();
    assert_eq!(Defaults::from_value(&value).unwrap(), own);
    assert_eq!(own.big, u64::MAX);
    assert_eq!(own.nested, Some(None));
    assert_eq!(own.event, v1::Event::Paid { cents: 3 });
}

#[test]
fn nested_options_keep_their_level() {
    type Nested = Option<Option<Option<i32>>>;
    for value in [None, Some(None), Some(Some(None)), Some(Some(Some(1)))] {
        let value: Nested = value;
        assert_eq!(evolve::<Nested, Nested>(&value).unwrap(), value);
    }
    assert_eq!(evolve::<_, Option<()>>(&Some(())).unwrap(), Some(()));
    assert_eq!(
        evolve::<_, Option<v1::Event>>(&v1::Event::Created).unwrap(),
        Some(v1::Event::Created)
    );
    assert_eq!(
        evolve::<_, v1::Event>(&Some(v1::Event::Created)).unwrap(),
        v1::Event::Created
    );
}

#[test]
fn what_can_never_be_read_is_refused_by_name() {
    #[derive(Row, Clone, Debug)]
    struct Reader1 {
        id: u32,
        missing: i32,
    }
    #[derive(Row, Clone, Debug)]
    struct Reader2 {
        id: Str,
    }
    let error = evolve::<_, Reader1>(&order()).unwrap_err();
    assert_eq!(error.kind(), RowErrorKind::Incompatible);
    assert_eq!(
        error.to_string(),
        "missing: the writer's record Order has no such field, and the reader's record Reader1 no \
         default for it; add #[row(default)] or #[row(alias = \"...\")]"
    );
    let error = evolve::<_, Reader2>(&order()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "id: the writer's u32 can't be read as the reader's string"
    );
    let error = evolve::<_, i32>(&1i64).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the writer's i64 can't be read as the reader's i32"
    );
}

#[test]
fn what_may_fail_is_told_beforehand_and_fails_by_value() {
    let doubts = |writer: Schema, reader: Schema| {
        Resolution::new(&writer, &reader).unwrap().doubts().to_vec()
    };
    assert_eq!(
        doubts(i32::schema(), u8::schema()),
        ["the writer's i32 may be out of range for the reader's u8"]
    );
    assert_eq!(evolve::<_, u8>(&200i32).unwrap(), 200);
    let error = evolve::<_, u8>(&300i32).unwrap_err();
    assert_eq!(error.to_string(), "300 is out of range for u8");

    assert_eq!(
        doubts(<Option<i32>>::schema(), i64::schema()),
        ["the writer's null can't be read as the reader's i64"]
    );
    assert_eq!(evolve::<_, i64>(&Some(5)).unwrap(), 5);
    assert!(evolve::<Option<i32>, i64>(&None).is_err());

    #[derive(Row, Clone, Debug, PartialEq)]
    enum Fewer {
        Open,
    }
    assert_eq!(
        doubts(v1::State::schema(), Fewer::schema()),
        ["the writer's variant Closed is unknown to the reader's enum Fewer"]
    );
    assert_eq!(evolve::<_, Fewer>(&v1::State::Open).unwrap(), Fewer::Open);
    assert!(evolve::<_, Fewer>(&v1::State::Closed).is_err());
    let error = evolve::<_, v1::State>(&v2::State::Unknown).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the writer's enum State can't be read as the reader's enum State"
    );
}

#[test]
fn an_enum_may_gain_variants_with_fields() {
    #[derive(Row, Clone, Debug, PartialEq)]
    enum State {
        Closed,
        Failed { why: Str },
        Open,
    }
    assert_eq!(evolve::<_, State>(&v1::State::Open).unwrap(), State::Open);
    assert_eq!(
        evolve::<_, State>(&v1::State::Closed).unwrap(),
        State::Closed
    );
}

#[test]
fn schemas_of_others_are_understood() {
    let text = r#"{
        "type": "record", "name": "Envelope", "namespace": "db.shop", "doc": "Debezium",
        "fields": [
            {"name": "before", "type": ["null", {"type": "record", "name": "Value", "fields": [
                {"name": "id", "type": {"type": "int", "connect.default": 0}},
                {"name": "price", "type": {"type": "fixed", "name": "Price", "size": 2}},
                {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}
            ]}], "default": null},
            {"name": "after", "type": ["null", "Value"], "default": null},
            {"name": "op", "type": ["string", "int"]}
        ]
    }"#;
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Envelope {
        before: Option<Product>,
        after: Option<Product>,
    }
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Product {
        id: i64,
        at: i64,
        price: Vec<u8>,
    }
    let writer = Schema::parse_avro_json(text).unwrap();
    let resolution = Resolution::new(&writer, &Envelope::schema()).unwrap();
    let bytes = [0, 2, 14, 1, 2, 8, 0, 2, b'c'];
    let mut input = Reader::new(&bytes);
    let row = Envelope::decode_resolved(&mut input, &resolution).unwrap();
    input.finish().unwrap();
    let after = Some(Product {
        id: 7,
        at: 4,
        price: vec![1, 2],
    });
    assert_eq!(
        row,
        Envelope {
            before: None,
            after
        }
    );
}

#[test]
fn a_broken_schema_is_refused_with_its_place() {
    let refused = |text: &str| Schema::parse_avro_json(text).unwrap_err().to_string();
    assert!(refused("{").starts_with("the schema is not JSON"));
    assert_eq!(refused(r#""Order""#), "the name \"Order\" is not defined");
    assert_eq!(
        refused(r#"["null", ["int"]]"#),
        "a union directly in a union"
    );
    assert_eq!(
        refused(
            r#"{"type":"record","name":"A","fields":[{"name":"x","type":"int","default":"1"}]}"#
        ),
        "x: \"1\" is no default for i32"
    );
}

#[test]
fn two_types_of_one_name_are_told_apart_or_refused() {
    #[derive(Row, Clone)]
    struct Both {
        one: v1::Line,
        two: v2::Line,
    }
    let error = Both::schema().to_avro_json().unwrap_err();
    assert_eq!(
        error.to_string(),
        "two: two different types are named \"Line\" in one schema; give one of them another name \
         with #[row(name = \"...\")]"
    );
}

#[test]
fn a_value_can_be_read_without_its_type() {
    let schema = v1::Order::schema();
    let resolution = Resolution::new(&schema, &schema).unwrap();
    assert!(resolution.doubts().is_empty());
    let value = resolution
        .read_value(&mut Reader::new(&bytes(&order())))
        .unwrap();
    assert_eq!(value.field("customer"), Some(&Value::String("Ada".into())));
    assert_eq!(v1::Order::from_value(&value).unwrap(), order());
    assert_eq!(
        value.to_string(),
        "Order { id: 7, amount: 1.5, customer: \"Ada\", lines: [Line { count: 3 }], obsolete: \
         [Entry_i32_bytes { key: 1, value: 1 bytes }], state: Open, event: Paid(Event_Paid { \
         cents: 150 }), parent: null }"
    );
}

#[test]
fn numbers_and_texts_are_promoted_one_way() {
    assert_eq!(evolve::<_, f32>(&7i32).unwrap(), 7.0);
    assert_eq!(evolve::<_, f64>(&-7i64).unwrap(), -7.0);
    assert_eq!(evolve::<_, f64>(&u64::MAX).unwrap(), u64::MAX as f64);
    assert_eq!(evolve::<_, f64>(&1.5f32).unwrap(), 1.5);
    assert_eq!(evolve::<_, Vec<u8>>(&Str::from("ab")).unwrap(), b"ab");
    assert_eq!(evolve::<_, Str>(&b"ab".to_vec()).unwrap(), "ab");
    assert!(evolve::<_, Str>(&vec![0xffu8]).is_err());
    assert!(evolve::<_, f32>(&1.5f64).is_err());
    assert!(evolve::<_, i64>(&1.5f64).is_err());
    assert!(evolve::<_, Str>(&true).is_err());
    let doubts = |writer: Schema, reader: Schema| {
        Resolution::new(&writer, &reader).unwrap().doubts().to_vec()
    };
    assert_eq!(doubts(<Vec<u8>>::schema(), Str::schema()).len(), 1);
    assert_eq!(doubts(i64::schema(), u64::schema()).len(), 1);
    assert_eq!(doubts(u32::schema(), i64::schema()).len(), 0);
    assert_eq!(evolve::<_, i64>(&(i64::MAX as u64)).unwrap(), i64::MAX);
    assert!(evolve::<_, i64>(&u64::MAX).is_err());
}

#[test]
fn a_variant_with_fields_that_is_removed_is_a_doubt() {
    #[derive(Row, Clone, Debug, PartialEq)]
    enum Event {
        Note(Str),
        Created,
    }
    let resolution = Resolution::new(&v1::Event::schema(), &Event::schema()).unwrap();
    assert_eq!(
        resolution.doubts(),
        [
            "the writer's record Event_Paid can't be read as the reader's record Event_Note or record \
          Event_Created"
        ]
    );
    let note = v1::Event::Note("x".into());
    assert_eq!(evolve::<_, Event>(&note).unwrap(), Event::Note("x".into()));
    assert!(evolve::<_, Event>(&v1::Event::Paid { cents: 1 }).is_err());
}
