use std::collections::BTreeMap;

use proptest::prelude::*;
use rheos_core::Row;

use super::*;
use crate::format::{Decoder, DecodingFormat, Encoder, EncodingFormat};

#[derive(Row, Clone, Debug, PartialEq)]
struct Leg {
    from: String,
    miles: u32,
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Status {
    Scheduled,
    Landed { at: i64 },
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Flight {
    #[row(alias = "airline")]
    carrier: String,
    delay: Option<f64>,
    #[row(default = 1)]
    legs: u32,
    status: Status,
    route: Vec<Leg>,
    seats: BTreeMap<u32, bool>,
    payload: Vec<u8>,
    pair: (i64, String),
}

fn flight() -> Flight {
    Flight {
        carrier: "U\"A\n\u{1}é".to_owned(),
        delay: Some(-1.5e-7),
        legs: 2,
        status: Status::Landed { at: -3 },
        route: vec![Leg {
            from: "EWR".to_owned(),
            miles: 1_400,
        }],
        seats: BTreeMap::from([(7, true), (12, false)]),
        payload: vec![0, 255, 16],
        pair: (-1, "x".to_owned()),
    }
}

fn encode<T: Row>(row: &T) -> Result<String, String> {
    let mut out = Vec::new();
    let mut encoder = JsonLines.encoder();
    encoder
        .encode(row, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn decode<T: Row>(text: &str) -> Result<T, String> {
    let mut decoder = DecodingFormat::<T>::decoder(&JsonLines);
    let mut row = None;
    match decoder.decode(text.as_bytes(), |decoded| row = Some(decoded)) {
        Ok(()) => row.ok_or_else(|| "no row".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_row_reads_back_and_any_json_parser_reads_it() {
    let text = encode(&flight()).unwrap();
    assert_eq!(decode::<Flight>(&text).unwrap(), flight());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["carrier"], "U\"A\n\u{1}é");
    assert_eq!(value["status"]["Landed"]["at"], -3);
    assert_eq!(value["seats"]["12"], false);
    assert_eq!(value["payload"], "AP8Q");
    assert_eq!(value["pair"][0], -1);
}

#[test]
fn fields_come_in_any_order_and_unknown_ones_are_skipped() {
    let row: Flight = decode(
        r#" { "x": {"a": [1, {"b": null}, "\u00e9"]}, "pair": {"f1": "y", "f0": 4},
            "payload": "", "seats": {}, "route": [ ], "status": "Scheduled",
            "delay": null, "airline": "\ud83d\ude00\/" } "#,
    )
    .unwrap();
    assert_eq!(row.carrier, "😀/");
    assert_eq!((row.delay, row.legs, row.pair.0), (None, 1, 4));
    assert_eq!(row.status, Status::Scheduled);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let whole = encode(&flight()).unwrap();
    for (find, replace, expected) in [
        (
            "1400",
            "\"far\"",
            "route[0].miles: expected an integer, found the string \"far\"",
        ),
        (
            "1400",
            "1.5",
            "route[0].miles: expected an integer, found 1.5",
        ),
        (
            "1400",
            "-1",
            "route[0].miles: expected an integer that is not negative, found",
        ),
        (
            "1400",
            "99999999999",
            "route[0].miles: 99999999999 is out of range for u32",
        ),
        (
            "\"miles\"",
            "\"mils\"",
            "route[0].miles: the field is missing and has no default",
        ),
        (
            "\"12\":false",
            "\"12\":0",
            "seats[\"12\"]: expected true or false, found the number 0",
        ),
        (
            "\"12\":",
            "\"b\":",
            "seats.key of the map: expected an integer, found \"b\"",
        ),
        (
            "Landed",
            "Lost",
            "status: Status has no variant \"Lost\", only Scheduled, Landed",
        ),
        (
            "AP8Q",
            "?",
            "payload: expected base64 in a string, found \"?\"",
        ),
        ("[-1,", "[-1,2,", "pair"),
        (
            "{\"carrier\"",
            "[\"carrier\"",
            "expected an object, found a list",
        ),
    ] {
        assert!(whole.contains(find), "{find}");
        let error = decode::<Flight>(&whole.replacen(find, replace, 1)).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn broken_text_is_refused_with_its_column() {
    for (text, expected) in [
        ("{", "expected a key in quotes at column 2, found the end"),
        (
            r#"{"from": "a" "miles": 1}"#,
            "expected ',' or '}' at column 14, found '\"'",
        ),
        (
            r#"{"from": "a", "miles": 1} x"#,
            "expected the end of the record at column 27",
        ),
        (
            r#"{"from": "a", "miles": 1"#,
            "expected ',' or '}' at column 25, found the end",
        ),
        (
            r#"{"from": "a"#,
            "from: expected the closing quote of a string at column 12",
        ),
        (r#"{"from": "\x"}"#, "from: expected an escape at column 12"),
        (
            r#"{"from": "\ud800"}"#,
            "from: expected the second half of a surrogate pair",
        ),
        (
            r#"{"from": "a", "miles": 01}"#,
            "miles: expected the end of the number at column 25",
        ),
        (
            r#"{"from": "a", "miles": 1, "x": nul}"#,
            "expected a value at column 32",
        ),
        (r#"{"from": "a", "x": 1e}"#, "expected a digit at column 22"),
    ] {
        let error = decode::<Leg>(text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let deep = format!("{{\"x\": {}", "[".repeat(100_000));
    assert!(
        decode::<Leg>(&deep)
            .unwrap_err()
            .contains("nested more than 128 levels deep")
    );
}

#[test]
fn numbers_that_json_has_not_are_refused() {
    let error = encode(&Flight {
        delay: Some(f64::NAN),
        ..flight()
    })
    .unwrap_err();
    assert_eq!(error, "delay: NaN is no number in JSON");
    assert!(decode::<f64>("1e999").unwrap_err().contains("out of range"));
    let error = decode::<f32>("1e300").unwrap_err();
    assert_eq!(error, "1e300 is out of range for f32");
}

proptest! {
    #[test]
    fn strings_and_floats_read_back(text in ".*", float in proptest::num::f64::NORMAL) {
        let row = (text.clone(), float);
        let encoded = encode(&row).unwrap();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&encoded).is_ok());
        prop_assert_eq!(decode::<(String, f64)>(&encoded).unwrap(), row);
    }

    /// What the parser takes or refuses, another one takes or refuses too.
    #[test]
    fn damaged_text_is_judged_as_by_another_parser(at in 0usize..150, byte in 0x20u8..0x7f) {
        let mut text = encode(&flight()).unwrap().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let Ok(text) = String::from_utf8(text) else { return Ok(()) };
        let other = serde_json::from_str::<serde_json::Value>(&text);
        let own = decode::<Flight>(&text);
        if own.is_ok() {
            prop_assert!(other.is_ok(), "{text}");
        }
        let mut parser = JsonParser::new(&text);
        let skipped = parser.skip_all();
        prop_assert_eq!(skipped.is_ok(), other.is_ok(), "{}", text);
    }
}
