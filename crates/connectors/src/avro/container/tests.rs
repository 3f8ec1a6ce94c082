#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use rheos_core::Row;
use rheos_core::row::Str;

use super::header::{self, MARKER};
use super::*;
use crate::format::{Decoder, Encoder, Frame};

const CODECS: [AvroCodec; 4] = [
    AvroCodec::Null,
    AvroCodec::Deflate,
    AvroCodec::Snappy,
    AvroCodec::Zstandard,
];

#[derive(Row, Clone, Debug, PartialEq)]
struct Event {
    id: i64,
    name: Str,
    value: Option<f64>,
}

fn event(id: i64) -> Event {
    Event {
        id,
        name: format!("event number {id}, not so short").into(),
        value: (id % 3 != 0).then_some(id as f64 / 2.0),
    }
}

fn write<T: Row>(format: &AvroFiles, rows: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut encoder = EncodingFormat::<T>::encoder(format);
    let mut out = Vec::new();
    encoder.start(&mut out);
    for row in rows {
        encoder.encode(&row, &mut out).unwrap();
    }
    encoder.finish(&mut out).unwrap();
    out
}

fn events(codec: AvroCodec, count: i64) -> Vec<u8> {
    write(&AvroFiles::new().codec(codec), (0..count).map(event))
}

/// Reads a file that comes in pieces, as the file source does; the rows, what is wrong, and the most
/// rows handed out at once.
fn read_pieces<T: Row>(file: &[u8], piece: usize) -> (Vec<T>, Vec<String>, usize) {
    let mut decoder = DecodingFormat::<T>::decoder(&AvroFiles::new());
    let (mut rows, mut errors, mut most) = (Vec::new(), Vec::new(), 0);
    let (mut from, mut to) = (0, piece.min(file.len()));
    let mut steps = 0;
    while from < file.len() {
        steps += 1;
        assert!(steps < 10 * file.len() + 100_000, "no end");
        let end = to == file.len();
        match decoder.frame(&file[from..to], end) {
            Frame::Incomplete => {
                assert!(!end, "incomplete at the end");
                to = (to + piece).min(file.len());
            }
            Frame::Record {
                content, consumed, ..
            } => {
                let before = rows.len();
                let record = &file[from..from + content];
                if let Err(error) = decoder.decode(record, |row| rows.push(row)) {
                    errors.push(error.to_string());
                }
                most = most.max(rows.len() - before);
                from += consumed;
                if from == to {
                    to = (to + piece).min(file.len());
                }
            }
            Frame::Broken {
                consumed, message, ..
            } => {
                errors.push(message);
                from += consumed;
                if from == to {
                    to = (to + piece).min(file.len());
                }
            }
        }
    }
    (rows, errors, most)
}

fn read<T: Row>(file: &[u8]) -> (Vec<T>, Vec<String>) {
    let (rows, errors, _) = read_pieces(file, file.len());
    (rows, errors)
}

fn ids(rows: &[Event]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

/// Where each block begins, and the end.
fn blocks(file: &[u8]) -> Vec<usize> {
    let mut at = header::len(file).unwrap();
    let mut starts = vec![at];
    while at < file.len() {
        let mut input = rheos_core::row::Reader::new(&file[at..]);
        input.long().unwrap();
        let _ = input.bytes().unwrap();
        at = file.len() - input.remaining() + MARKER;
        starts.push(at);
    }
    starts
}

#[test]
fn rows_come_back_by_each_codec_however_the_bytes_come() {
    for codec in CODECS {
        let file = events(codec, 6_000);
        assert!(blocks(&file).len() > 3, "several blocks");
        for piece in [17, 1_000, 100_000, file.len()] {
            let (rows, errors, most) = read_pieces::<Event>(&file, piece);
            assert_eq!(errors, [""; 0], "{codec:?}");
            assert!(
                rows == (0..6_000).map(event).collect::<Vec<_>>(),
                "{codec:?}"
            );
            assert!(most <= 1024, "{most} rows at once");
        }
    }
    // A block of many small rows is handed out a few at a time.
    let file = write(&AvroFiles::new(), 0..30_000_i64);
    let (rows, errors, most) = read_pieces::<i64>(&file, file.len());
    assert_eq!((rows.len(), errors.len(), most), (30_000, 0, 1024));
    assert!(write(&AvroFiles::new(), Vec::<i64>::new()).is_empty());
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Older {
    extra: Vec<String>,
    title: String,
    id: i32,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Newer {
    id: f64,
    #[row(alias = "title")]
    name: Str,
    #[row(default = 7)]
    more: i64,
    value: Option<f64>,
}

#[test]
fn a_file_of_another_schema_is_resolved_to_the_row() {
    let older = Older {
        extra: vec!["x".into(); 3],
        title: "t".into(),
        id: 5,
    };
    let file = write(&AvroFiles::new(), vec![older; 2_000]);
    let (rows, errors) = read::<Newer>(&file);
    let expected = Newer {
        id: 5.0,
        name: "t".into(),
        more: 7,
        value: None,
    };
    assert_eq!(errors, [""; 0]);
    assert!(rows == vec![expected; 2_000]);
    let text = r#"{"type":"record","name":"Sale","namespace":"com.acme","fields":[
        {"name":"id","type":{"type":"long","logicalType":"timestamp-millis"}},
        {"name":"name","type":"string"},{"name":"value","type":["null","double"]}]}"#;
    let file = write(&AvroFiles::new().schema(text), [event(1)]);
    assert!(String::from_utf8_lossy(&file).contains("com.acme"));
    assert_eq!(read::<Event>(&file), (vec![event(1)], vec![]));
    let mut wrong = EncodingFormat::<i64>::encoder(&AvroFiles::new().schema(text));
    let error = Encoder::<i64>::encode(&mut wrong, &1, &mut Vec::new()).unwrap_err();
    assert!(
        error.to_string().contains("rows of i64 are not values"),
        "{error}"
    );
}

#[test]
fn a_damaged_marker_or_length_costs_its_block_and_is_named() {
    for codec in CODECS {
        let file = events(codec, 6_000);
        let starts = blocks(&file);
        let marker = |file: &mut Vec<u8>| file[starts[2] - 3] ^= 1;
        // The second byte of the number of bytes, which follows two of the number of rows.
        let length = |file: &mut Vec<u8>| file[starts[1] + 3] ^= 0x15;
        let huge = |file: &mut Vec<u8>| file[starts[1] + 4] |= 0xf0;
        for (what, damage) in [
            ("marker", &marker as &dyn Fn(&mut Vec<u8>)),
            ("length", &length),
            ("huge", &huge),
        ] {
            let mut damaged = file.clone();
            damage(&mut damaged);
            let (rows, errors) = read::<Event>(&damaged);
            assert_eq!(errors.len(), 1, "{codec:?}, {what}: {errors:?}");
            let named = [
                "is damaged",
                "the file ends within a block",
                "a negative number",
            ];
            assert!(
                named.iter().any(|words| errors[0].contains(words)),
                "{errors:?}"
            );
            assert!(errors[0].contains("reading goes on behind the next marker"));
            let ids = ids(&rows);
            assert!(
                ids.len() < 6_000 && ids[0] == 0 && ids[ids.len() - 1] == 5_999,
                "{what}"
            );
            assert!(ids.is_sorted_by(|a, b| a < b));
        }
    }
}

#[test]
fn a_damaged_block_is_told_where_the_codec_can_tell() {
    for codec in [AvroCodec::Deflate, AvroCodec::Snappy, AvroCodec::Zstandard] {
        let mut file = events(codec, 6_000);
        let starts = blocks(&file);
        let lost = starts[1] + 20..starts[1] + 300;
        file[lost].fill(0x5a);
        let (rows, errors) = read::<Event>(&file);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].contains("a block of") || errors[0].contains("of the block's"),
            "{errors:?}"
        );
        let ids = ids(&rows);
        assert!(ids.len() < 6_000 && ids[0] == 0 && ids[ids.len() - 1] == 5_999);
    }
}

#[test]
fn a_file_that_is_cut_off_gives_its_whole_blocks() {
    let file = events(AvroCodec::Zstandard, 6_000);
    let starts = blocks(&file);
    let (rows, errors) = read::<Event>(&file[..starts[2] + 50]);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].contains("the file ends within a block"),
        "{errors:?}"
    );
    assert!(!rows.is_empty());
    let (rows, errors) = read::<Event>(&file[..20]);
    assert_eq!((rows.len(), errors.len()), (0, 1));
    assert!(
        errors[0].contains("the header of the Avro file is broken"),
        "{errors:?}"
    );
}

#[test]
fn only_the_row_is_bad_whose_value_the_row_has_no_place_for() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Strict {
        id: i64,
        value: f64,
    }
    let file = events(AvroCodec::Null, 10);
    let (rows, errors) = read::<Strict>(&file);
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [1, 2, 4, 5, 7, 8]);
    assert_eq!(errors.len(), 4);
    assert!(
        errors[1].starts_with("row 4 of the block's 10: value: "),
        "{errors:?}"
    );
    // Where a row's end is not known, the rest of its block is lost.
    let mut file = file;
    let at = blocks(&file)[0] + 4;
    file[at + 20] = 0xff;
    let (rows, errors) = read::<Event>(&file);
    assert!(rows.len() < 10 && errors.len() == 1);
    assert!(
        errors[0].contains("are not read") || errors[0].contains("UTF-8"),
        "{errors:?}"
    );
}

#[test]
fn what_is_no_file_of_these_rows_is_refused_once_with_both_words() {
    let (rows, errors) = read::<Event>(b"{\"id\": 1}\n{\"id\": 2}\n");
    assert_eq!((rows.len(), errors.len()), (0, 1));
    assert!(
        errors[0].starts_with("the file is none of Avro"),
        "{errors:?}"
    );
    let refused = |file: &[u8]| {
        let (rows, mut errors) = read::<Event>(file);
        assert_eq!((rows.len(), errors.len()), (0, 1), "{errors:?}");
        errors.pop().unwrap()
    };
    let error = refused(&write(
        &AvroFiles::new(),
        vec![(1_i64, "x".to_owned()); 9_000],
    ));
    assert!(
        error.contains("the file's schema") && error.contains("id"),
        "{error}"
    );
    #[derive(Row, Clone)]
    #[row(name = "Event")]
    struct Words {
        id: String,
        name: String,
    }
    let words = Words {
        id: "1".into(),
        name: "x".into(),
    };
    let error = refused(&write(&AvroFiles::new(), [words]));
    assert!(
        error.contains("id") && error.contains("i64") && error.contains("string"),
        "{error}"
    );
    let mut file = Vec::new();
    header::write("\"long\"", AvroCodec::Null, &[7; MARKER], &mut file);
    let at = file.windows(4).rposition(|four| four == b"null").unwrap();
    file[at..at + 4].copy_from_slice(b"lzma");
    let error = refused(&file);
    assert!(error.contains("the codec 'lzma' is not read"), "{error}");
}

#[test]
fn a_block_of_more_rows_than_it_can_have_is_refused() {
    let mut file = Vec::new();
    header::write("\"null\"", AvroCodec::Null, &[7; MARKER], &mut file);
    let mut out = rheos_core::row::Writer::from_vec(file);
    out.long(i64::MAX);
    out.bytes(&[]);
    out.raw(&[7; MARKER]);
    let (rows, errors) = read::<Option<i64>>(out.as_slice());
    assert_eq!((rows.len(), errors.len()), (0, 1));
    assert!(
        errors[0].contains("can't have 9223372036854775807 rows"),
        "{errors:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_byte_never_panics_nor_hangs(codec in 0usize..4, at: proptest::sample::Index, to: u8) {
        let mut file = events(CODECS[codec], 3_000);
        let at = at.index(file.len());
        file[at] = to;
        let (rows, _, _) = read_pieces::<Event>(&file, 50_000);
        prop_assert!(rows.len() <= 3_000);
    }

    #[test]
    fn noise_never_panics_nor_hangs(noise in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let mut file = events(AvroCodec::Snappy, 10);
        let at = blocks(&file)[0];
        file.splice(at..at, noise);
        let (rows, _, _) = read_pieces::<Event>(&file, 100);
        prop_assert!(rows.len() <= 2_010);
    }
}
