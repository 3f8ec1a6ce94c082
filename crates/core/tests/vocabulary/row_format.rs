//! The format on disk and on the wire: schema and bytes of a row with everything in it.
//!
//! The fixture is the schema on one line and the bytes in hexadecimal on the next. Two readers of
//! Avro that are not ours (`avro` and `fastavro` of Python) read it, and `fastavro` writes the same
//! bytes again. If this test fails, stored state can't be read any more: mend the code, not the
//! fixture.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use rheos_core::Row;
use rheos_core::row::{Reader, Resolution, Schema, Str, Writer};

const FIXTURE: &str = include_str!("../fixtures/row_avro.txt");

#[derive(Row, Clone, Debug, PartialEq)]
#[row(name = "com.acme.Order")]
struct Order {
    id: u64,
    small: i8,
    price: f32,
    total: f64,
    raw: Vec<u8>,
    ok: bool,
    c: char,
    nothing: (),
    names: Vec<Str>,
    counts: BTreeMap<Str, u32>,
    by: BTreeMap<i32, Str>,
    day: Day,
    event: Event,
    maybe: Option<Event>,
    nested: Option<Option<i32>>,
    pair: (i16, Str),
    parent: Option<Box<Order>>,
    expr: Expr,
    #[row(default = Event::Paid { cents: 3 })]
    dflt: Event,
    #[row(default = u64::MAX)]
    big: u64,
    again: Vec<Day>,
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Day {
    Mon,
    #[row(default)]
    Sun,
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Event {
    Created,
    Paid { cents: i64 },
    Note(Str),
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Expr {
    Num(i64),
    Neg(Box<Expr>),
    Add(Box<Expr>, Box<Expr>),
}

fn order() -> Order {
    let five = Box::new(Expr::Num(5));
    let leaf = Order {
        id: 1 << 63,
        small: -7,
        price: 1.5,
        total: -0.25,
        raw: vec![0, 255],
        ok: true,
        c: 'ß',
        nothing: (),
        names: vec!["a".into(), "".into()],
        counts: [("x".into(), u32::MAX)].into(),
        by: [(-1, "m".into())].into(),
        day: Day::Sun,
        event: Event::Paid { cents: -300 },
        maybe: Some(Event::Note("n".into())),
        nested: Some(None),
        pair: (300, "p".into()),
        parent: None,
        expr: Expr::Add(Box::new(Expr::Neg(five)), Box::new(Expr::Num(i64::MIN))),
        dflt: Event::Created,
        big: 7,
        again: vec![Day::Mon],
    };
    Order {
        parent: Some(Box::new(leaf.clone())),
        ..leaf
    }
}

#[test]
fn the_format_has_not_changed() {
    let mut out = Writer::new();
    order().encode(&mut out);
    let hex: String = out.as_slice().iter().map(|b| format!("{b:02x}")).collect();
    let schema = Order::schema().to_avro_json().unwrap();
    assert_eq!(format!("{schema}\n{hex}\n"), FIXTURE);
}

#[test]
fn a_row_is_read_by_its_schema_as_text() {
    let (schema, hex) = FIXTURE.trim_end().split_once('\n').unwrap();
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    let writer = Schema::parse_avro_json(schema).unwrap();
    let resolution = Resolution::new(&writer, &Order::schema()).unwrap();
    assert!(resolution.doubts().is_empty());
    let mut input = Reader::new(&bytes);
    assert_eq!(
        Order::decode_resolved(&mut input, &resolution).unwrap(),
        order()
    );
    input.finish().unwrap();
}
