//! Properties of the codec and of key bytes that hold for all values.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use proptest::collection::{btree_map, hash_map, vec};
use proptest::prelude::*;
use rheos_core::Row;
use rheos_core::key_group::hash_bytes;
use rheos_core::row::{KeyBuffer, KeySink, Reader, Resolution, Schema, Str, Writer};

#[derive(Row, Clone, Debug, PartialEq)]
struct Flight {
    carrier: Str,
    number: i16,
    tail: Option<Str>,
    times: Vec<i64>,
    delays: (f32, f64),
    raw: Vec<u8>,
    seats: BTreeMap<u8, Class>,
    tags: HashMap<String, bool>,
    nested: Option<Option<u64>>,
    next: Option<Box<Flight>>,
}

#[derive(Row, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Class {
    Economy,
    Business { rank: u32, code: char },
    Other(String),
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![
        Just(Class::Economy),
        (any::<u32>(), any::<char>()).prop_map(|(rank, code)| Class::Business { rank, code }),
        ".{0,8}".prop_map(Class::Other),
    ]
}

fn text() -> impl Strategy<Value = Str> {
    // Zero bytes and prefixes of each other are where an encoding of strings goes wrong.
    "[\u{0}\u{1}a\u{ff}b]{0,30}".prop_map(Str::from)
}

fn flight() -> impl Strategy<Value = Flight> {
    let leaf = (
        (
            text(),
            any::<i16>(),
            proptest::option::of(text()),
            vec(any::<i64>(), 0..4),
        ),
        (-1e9f32..1e9, -1e300f64..1e300),
        vec(any::<u8>(), 0..40),
        btree_map(any::<u8>(), class(), 0..4),
        hash_map(".{0,5}", any::<bool>(), 0..4),
        proptest::option::of(proptest::option::of(any::<u64>())),
    )
        .prop_map(
            |((carrier, number, tail, times), delays, raw, seats, tags, nested)| Flight {
                carrier,
                number,
                tail,
                times,
                delays,
                raw,
                seats,
                tags,
                nested,
                next: None,
            },
        )
        .boxed();
    (leaf.clone(), proptest::option::of(leaf)).prop_map(|(flight, next)| Flight {
        next: next.map(Box::new),
        ..flight
    })
}

fn encoded<T: Row>(value: &T) -> Vec<u8> {
    let mut out = Writer::new();
    value.encode(&mut out);
    out.into_vec()
}

fn key<T: Row>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.key_bytes(&mut bytes);
    bytes
}

/// Key bytes order, equality, hash and self-delimitation of two keys.
fn check_keys<T: Row>(a: &T, b: &T, order: Ordering) -> Result<(), TestCaseError> {
    let (a_key, b_key) = (key(a), key(b));
    prop_assert_eq!(a_key.cmp(&b_key), order);
    prop_assert_eq!(a.key_eq(b), order.is_eq());
    prop_assert_eq!(a.key_hash(), hash_bytes(&a_key));
    if order.is_ne() {
        prop_assert!(!a_key.starts_with(&b_key) && !b_key.starts_with(&a_key));
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(flight in flight()) {
        let bytes = encoded(&flight);
        let mut input = Reader::new(&bytes);
        prop_assert_eq!(&Flight::decode(&mut input).unwrap(), &flight);
        prop_assert!(input.is_empty());
        prop_assert_eq!(&Flight::from_value(&flight.to_value()).unwrap(), &flight);
    }

    #[test]
    fn its_own_resolution_reads_what_the_codec_reads(flight in flight()) {
        let text = Flight::schema().to_avro_json().unwrap();
        let writer = Schema::parse_avro_json(&text).unwrap();
        let resolution = Resolution::new(&writer, &Flight::schema()).unwrap();
        prop_assert!(resolution.doubts().is_empty());
        let bytes = encoded(&flight);
        let mut input = Reader::new(&bytes);
        prop_assert_eq!(&Flight::decode_resolved(&mut input, &resolution).unwrap(), &flight);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn truncated_input_is_an_error_at_each_byte(flight in flight()) {
        let bytes = encoded(&flight);
        let schema = Flight::schema();
        let resolution = Resolution::new(&schema, &schema).unwrap();
        for len in 0..bytes.len() {
            prop_assert!(Flight::decode(&mut Reader::new(&bytes[..len])).is_err());
            prop_assert!(resolution.read_value(&mut Reader::new(&bytes[..len])).is_err());
        }
    }

    #[test]
    fn random_input_never_panics(bytes in vec(any::<u8>(), 0..200)) {
        let schema = Flight::schema();
        let resolution = Resolution::new(&schema, &schema).unwrap();
        let direct = Flight::decode(&mut Reader::new(&bytes));
        let resolved = Flight::decode_resolved(&mut Reader::new(&bytes), &resolution);
        prop_assert_eq!(direct.is_ok(), resolved.is_ok());
        drop(<Vec<Vec<Vec<Str>>>>::decode(&mut Reader::new(&bytes)));
        drop(<Vec<HashMap<u64, Option<Class>>>>::decode(&mut Reader::new(&bytes)));
    }

    #[test]
    fn damaged_input_never_panics(flight in flight(), at in any::<usize>(), byte in any::<u8>()) {
        let mut bytes = encoded(&flight);
        let at = at % bytes.len();
        bytes[at] = byte;
        drop(Flight::decode(&mut Reader::new(&bytes)));
    }

    #[test]
    fn a_broken_schema_never_panics(text in "[\\[\\]{}\",:a-z0-9 ]{0,60}", at in any::<usize>()) {
        drop(Schema::parse_avro_json(&text));
        let mut schema = Flight::schema().to_avro_json().unwrap();
        schema.remove(at % schema.len());
        if let Ok(schema) = Schema::parse_avro_json(&schema) {
            drop(Resolution::new(&schema, &Flight::schema()));
        }
    }

    #[test]
    fn integers_of_all_widths_are_ordered(a in any::<i64>(), b in any::<i64>()) {
        check_keys(&a, &b, a.cmp(&b))?;
        check_keys(&(a as i32), &(b as i32), (a as i32).cmp(&(b as i32)))?;
        check_keys(&(a as i16), &(b as i16), (a as i16).cmp(&(b as i16)))?;
        check_keys(&(a as i8), &(b as i8), (a as i8).cmp(&(b as i8)))?;
        check_keys(&(a as u64), &(b as u64), (a as u64).cmp(&(b as u64)))?;
        check_keys(&(a as u32), &(b as u32), (a as u32).cmp(&(b as u32)))?;
        check_keys(&(a as u16), &(b as u16), (a as u16).cmp(&(b as u16)))?;
        check_keys(&(a as u8), &(b as u8), (a as u8).cmp(&(b as u8)))?;
    }

    #[test]
    fn composed_keys_are_ordered_as_their_parts(
        a in (text(), proptest::option::of(any::<i8>()), vec(text(), 0..3), class()),
        b in (text(), proptest::option::of(any::<i8>()), vec(text(), 0..3), class()),
    ) {
        check_keys(&a, &b, a.cmp(&b))?;
        let (mut c, mut d) = (b.clone(), b.clone());
        c.0 = a.0.clone();
        d.0 = a.0.clone();
        d.2 = a.2.clone();
        check_keys(&c, &d, c.cmp(&d))?;
        check_keys(&a.0, &b.0, a.0.cmp(&b.0))?;
        let bytes = (a.0.as_bytes().to_vec(), b.0.as_bytes().to_vec());
        check_keys(&bytes.0, &bytes.1, bytes.0.cmp(&bytes.1))?;
    }

    #[test]
    fn floats_are_ordered(a in any::<f64>(), b in any::<f64>()) {
        // −0.0 is 0.0, and one NaN comes last.
        let order = a.partial_cmp(&b).unwrap_or(a.is_nan().cmp(&b.is_nan()));
        check_keys(&a, &b, order)?;
        let (a, b) = (a as f32, b as f32);
        let order = a.partial_cmp(&b).unwrap_or(a.is_nan().cmp(&b.is_nan()));
        check_keys(&a, &b, order)?;
    }

    #[test]
    fn a_buffer_on_the_stack_holds_what_a_vec_holds(parts in vec(vec(any::<u8>(), 0..60), 0..8)) {
        let (mut buffer, mut bytes) = (KeyBuffer::new(), Vec::new());
        for part in &parts {
            buffer.put(part);
            bytes.put(part);
        }
        prop_assert_eq!(buffer.as_slice(), bytes.as_slice());
    }
}

#[test]
fn special_floats_are_one_key() {
    let nan = f64::from_bits(0xfff8_0000_0000_0001);
    assert!(nan.key_eq(&f64::NAN) && nan.key_hash() == f64::NAN.key_hash());
    assert!((-0.0f64).key_eq(&0.0) && (-0.0f64).key_hash() == 0.0f64.key_hash());
    assert!((-0.0f32).key_eq(&0.0) && (-0.0f32).key_hash() == 0.0f32.key_hash());
    assert!(key(&f64::INFINITY) < key(&nan));
}

#[test]
fn maps_with_equal_entries_are_one_key() {
    let one: HashMap<i32, i32> = (0..100).map(|i| (i, i)).collect();
    let other: HashMap<i32, i32> = (0..100).rev().map(|i| (i, i)).collect();
    assert!(one.key_eq(&other));
    assert_eq!(key(&one), key(&other));
}

#[test]
fn a_hash_is_the_same_in_every_version() {
    assert_eq!(7u64.key_hash(), hash_bytes(&[0, 0, 0, 0, 0, 0, 0, 7]));
    assert_eq!((-1i32).key_hash(), hash_bytes(&[0x7f, 0xff, 0xff, 0xff]));
    assert_eq!(Str::from("UA").key_hash(), hash_bytes(b"UA\x00\x01"));
    assert_eq!(String::from("a\0").key_hash(), Str::from("a\0").key_hash());
}

#[test]
fn a_lying_length_reserves_no_memory() {
    let mut out = Writer::new();
    out.long(i64::MAX);
    let bytes = [out.as_slice(), &[1; 100]].concat();
    assert!(Reader::new(&bytes).size_hint::<u64>() <= bytes.len());
    assert!(<Vec<u64>>::decode(&mut Reader::new(&bytes)).is_err());
    assert!(<Vec<u8>>::decode(&mut Reader::new(&bytes)).is_err());
    assert!(String::decode(&mut Reader::new(&bytes)).is_err());
    // Items without content can't be checked against the bytes that are left.
    assert!(<Vec<()>>::decode(&mut Reader::new(&bytes)).is_err());
    assert!(<HashMap<u8, u8>>::decode(&mut Reader::new(&bytes)).is_err());
}

#[test]
fn nesting_is_bounded() {
    #[derive(Row, Clone, Debug)]
    struct Chain {
        next: Option<Box<Chain>>,
    }
    let bytes = vec![2; 1_000_000];
    let error = Chain::decode(&mut Reader::new(&bytes)).unwrap_err();
    assert_eq!(error.message(), "nested more than 128 levels deep");
    let schema = Chain::schema();
    let resolution = Resolution::new(&schema, &schema).unwrap();
    assert!(resolution.read_value(&mut Reader::new(&bytes)).is_err());

    let chain = |len: usize| {
        let chain = (0..len).fold(Chain { next: None }, |next, _| Chain {
            next: Some(Box::new(next)),
        });
        let mut out = Writer::new();
        chain.encode(&mut out);
        out
    };
    let longest = chain(128);
    longest.check().unwrap();
    Chain::decode(&mut Reader::new(longest.as_slice())).unwrap();
    resolution
        .read_value(&mut Reader::new(longest.as_slice()))
        .unwrap();
    assert!(chain(129).check().is_err());
}
