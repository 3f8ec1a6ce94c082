use std::collections::BTreeMap;

use proptest::prelude::*;
use rheos_core::Row;

use super::*;
use crate::format::{Decoder, DecodingFormat, Encoder, EncodingFormat, Frame};

#[derive(Row, Clone, Debug, PartialEq)]
struct Flight {
    carrier: String,
    delay: Option<f64>,
    #[row(default = 1)]
    legs: u32,
    canceled: bool,
    stops: Vec<String>,
}

/// Reads all records; an error where one is bad.
fn read<T: Row>(csv: &Csv, text: &str) -> Vec<Result<T, String>> {
    let mut decoder = DecodingFormat::<T>::decoder(csv);
    let mut rest = text.as_bytes();
    let mut rows = Vec::new();
    while !rest.is_empty() {
        match decoder.frame(rest, true) {
            Frame::Record {
                content, consumed, ..
            } => {
                let decoded = decoder.decode(&rest[..content], |row| rows.push(Ok(row)));
                if let Err(error) = decoded {
                    rows.push(Err(error.to_string()));
                }
                rest = &rest[consumed..];
            }
            Frame::Broken {
                consumed, message, ..
            } => {
                rows.push(Err(message));
                rest = &rest[consumed..];
            }
            Frame::Incomplete => panic!("incomplete at the end"),
        }
    }
    rows
}

fn write<T: Row>(csv: &Csv, rows: &[T]) -> String {
    let mut out = Vec::new();
    let mut encoder = EncodingFormat::<T>::encoder(csv);
    encoder.start(&mut out);
    for row in rows {
        encoder.encode(row, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn columns_are_found_by_name() {
    let text = "delay,extra,carrier,canceled,stops\n-3.5,?,UA,FALSE,\"[\"\"EWR\"\"]\"\r\nNA,,\"\",true,[]\n";
    let rows = read::<Flight>(&Csv::new().null_value("NA"), text);
    let first = Flight {
        carrier: "UA".to_owned(),
        delay: Some(-3.5),
        legs: 1,
        canceled: false,
        stops: vec!["EWR".to_owned()],
    };
    let second = Flight {
        carrier: String::new(),
        delay: None,
        canceled: true,
        stops: vec![],
        ..first.clone()
    };
    assert_eq!(rows, [Ok(first), Ok(second)]);
}

#[test]
fn columns_are_found_by_position_or_given_names() {
    let rows = read::<(i64, String)>(&Csv::new().without_header().delimiter(b';'), "1;a\n2;\n");
    assert_eq!(rows, [Ok((1, "a".to_owned())), Ok((2, String::new()))]);
    let named = Csv::new().columns(["f1", "f0"]);
    let rows = read::<BTreeMap<String, i64>>(&named, "1,2\n");
    assert_eq!(
        rows,
        [Ok(BTreeMap::from([
            ("f1".to_owned(), 1),
            ("f0".to_owned(), 2)
        ]))]
    );
    assert_eq!(
        read::<i64>(&Csv::new().without_header(), "7\n8\n"),
        [Ok(7), Ok(8)]
    );
}

#[test]
fn bad_records_are_told_and_passed() {
    let header = "carrier,delay,legs,canceled,stops\n";
    for (record, expected) in [
        ("UA,x,1,true,[]", "delay: expected a number, found \"x\""),
        ("UA,1,,true,[]", "legs: expected an integer, found nothing"),
        (
            "UA,1,-1,true,[]",
            "legs: expected an integer that is not negative, found \"-1\"",
        ),
        (
            "UA,1,99999999999999999999,true,[]",
            "legs: 99999999999999999999 is out of range",
        ),
        (
            "UA,1,1,yes,[]",
            "canceled: expected true or false, found \"yes\"",
        ),
        ("UA,1,1,true,EWR", "stops: expected a list, found \"EWR\""),
        (
            "UA,1,1,true,\"[\"\"EWR\"",
            "stops[0]: expected the closing quote of a string",
        ),
        ("UA,1,1", "the record has 3 cells, and there are 5 columns"),
        (
            "\"UA\"x,1,1,true,[]",
            "text behind the closing quote at column 4",
        ),
        ("\"UA,1,1,true,[]", "the quote at column 1 is never closed"),
    ] {
        let text = format!("{header}{record}\nUA,1,1,true,[]\n");
        let rows = read::<Flight>(&Csv::new(), &text);
        assert_eq!(rows.len(), 2, "{record}: {rows:?}");
        let error = rows[0].as_ref().unwrap_err();
        assert!(error.starts_with(expected), "{error}");
        assert!(rows[1].is_ok(), "{rows:?}");
    }
}

#[test]
fn a_header_that_is_bad_makes_every_record_bad() {
    let rows = read::<(i64, i64)>(&Csv::new(), "a,a\n1,2\n");
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter()
            .all(|row| row.as_ref().unwrap_err().contains("\"a\" is there twice"))
    );
    let rows = read::<Flight>(&Csv::new(), "carrier,delay\nUA,1\n");
    assert!(
        rows[0]
            .as_ref()
            .unwrap_err()
            .starts_with("canceled: the field is missing")
    );
}

#[test]
fn ragged_records_pass_where_they_may() {
    let rows = read::<(i64, Option<i64>)>(&Csv::new().ragged(), "f0,f1\n1\n2,3,4\n");
    assert_eq!(rows, [Ok((1, None)), Ok((2, Some(3)))]);
}

#[test]
fn cells_with_line_breaks_count_their_lines() {
    let csv = Csv::new().without_header();
    let text = b"1,\"a\nb\"\n2,c\n";
    assert_eq!(
        super::record::frame(&csv, text, false),
        Frame::Record {
            content: 7,
            consumed: 8,
            lines: 2
        }
    );
    assert_eq!(
        super::record::frame(&csv, &text[..7], false),
        Frame::Incomplete
    );
    assert_eq!(
        super::record::frame(&csv, &text[..5], false),
        Frame::Incomplete
    );
}

proptest! {
    /// Rows read back, and another parser reads the same cells.
    #[test]
    fn written_rows_read_back(rows in proptest::collection::vec(
        ("[a\",;\r\n é]{0,6}", proptest::option::of(any::<i32>()), "[x\"]{0,3}"), 1..6)
    ) {
        for delimiter in [b',', b';'] {
            let csv = Csv::new().delimiter(delimiter);
            let text = write(&csv, &rows);
            let own: Vec<_> = read::<(String, Option<i32>, String)>(&csv, &text);
            prop_assert_eq!(&own, &rows.iter().cloned().map(Ok).collect::<Vec<_>>(), "{:?}", text);
            let mut other = ::csv::ReaderBuilder::new()
                .delimiter(delimiter)
                .from_reader(text.as_bytes());
            let cells: Vec<Vec<String>> = other
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            let expected: Vec<Vec<String>> = rows
                .iter()
                .map(|(a, b, c)| {
                    vec![a.clone(), b.map_or(String::new(), |b| b.to_string()), c.clone()]
                })
                .collect();
            prop_assert_eq!(cells, expected, "{:?}", text);
        }
    }

    /// However the text is cut, the records come out the same.
    #[test]
    fn frames_do_not_depend_on_how_much_is_at_hand(text in "[a\",\r\n]{0,24}") {
        let csv = Csv::new();
        let bytes = text.as_bytes();
        let mut rest = bytes;
        while !rest.is_empty() {
            let whole = super::record::frame(&csv, rest, true);
            for cut in 1..rest.len() {
                let partial = super::record::frame(&csv, &rest[..cut], false);
                prop_assert!(partial == Frame::Incomplete || partial == whole, "{:?}", text);
            }
            rest = match whole {
                Frame::Record { consumed, .. } | Frame::Broken { consumed, .. } => &rest[consumed..],
                Frame::Incomplete => panic!(),
            };
        }
    }
}
