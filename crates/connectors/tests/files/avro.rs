//! Avro files in and out of jobs: files that another library wrote, damage, bad rows, and files of ours.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rheos::harness::Harness;
use rheos::prelude::*;
use rheos_connectors::avro::{AvroCodec, AvroFiles};
use rheos_connectors::{
    BadRecords, CollectSink, CollectionSource, DeadLetter, FileSink, FileSource, Rolling,
    dead_letters,
};
use tempfile::TempDir;

/// What `tests/fixtures/avro/` holds, as a reader that came later sees it.
#[derive(Row, Clone, Debug, PartialEq)]
struct Flight {
    status: Status,
    #[row(alias = "airline")]
    carrier: Str,
    id: i64,
    delay: Option<f64>,
    legs: Vec<Leg>,
    tags: BTreeMap<String, String>,
    day: i32,
    price: Vec<u8>,
    #[row(default = 1)]
    seats: u32,
}

#[derive(Row, Clone, Debug, PartialEq)]
enum Status {
    #[row(rename = "SCHEDULED")]
    Scheduled,
    #[row(rename = "LANDED")]
    Landed,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Leg {
    from: String,
    miles: f64,
}

fn flight(i: i64) -> Flight {
    let cents = i - 200;
    let price = cents.to_be_bytes();
    // As that library has them: -128 in two bytes.
    let short = (-127..128).contains(&cents);
    Flight {
        status: if i % 2 == 0 {
            Status::Landed
        } else {
            Status::Scheduled
        },
        carrier: ["UA", "AA", "DL"][(i % 3) as usize].into(),
        id: i,
        delay: (i % 4 != 0).then_some(i as f64 / 2.0),
        legs: vec![
            Leg {
                from: "EWR".into(),
                miles: 100.0 * i as f64,
            };
            (i % 3) as usize
        ],
        tags: (i % 5 == 0)
            .then(|| ("k".to_owned(), i.to_string()))
            .into_iter()
            .collect(),
        day: 15_706 + (i % 365) as i32,
        price: price[if short { 7 } else { 6 }..].to_vec(),
        seats: 1,
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/avro")
}

fn read<T: Row>(source: FileSource<AvroFiles>) -> (Vec<T>, Vec<DeadLetter>) {
    let harness = Harness::new();
    let (rows, letters) = (CollectSink::new(), CollectSink::new());
    let stream: DataStream<T> = harness
        .env()
        .from_source(
            source.bad_records(BadRecords::DeadLetter),
            WatermarkStrategy::no_watermarks(),
            "files",
        )
        .parallelism(1);
    stream.sink_to(rows.clone()).parallelism(1);
    let bad: DataStream<DeadLetter> = stream.side_output(&dead_letters());
    bad.sink_to(letters.clone()).parallelism(1);
    let mut job = harness.start().unwrap();
    job.settle().unwrap();
    assert!(job.is_finished());
    (rows.take(), letters.take())
}

#[test]
fn files_of_another_library_are_read_by_each_codec() {
    for codec in ["null", "deflate", "snappy", "zstandard"] {
        let path = fixtures().join(format!("fastavro-{codec}.avro"));
        let (rows, letters) = read::<Flight>(FileSource::new(AvroFiles::new(), path));
        assert_eq!(letters, []);
        assert_eq!(rows.len(), 400, "{codec}");
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(*row, flight(i as i64), "{codec}");
        }
    }
    // All of them at once: each is a split.
    let (rows, _) = read::<Flight>(FileSource::new(AvroFiles::new(), fixtures().join("*.avro")));
    assert_eq!(rows.len(), 1_600);
}

#[test]
fn files_that_are_written_roll_read_back_and_say_their_codec() {
    for codec in [
        AvroCodec::Null,
        AvroCodec::Deflate,
        AvroCodec::Snappy,
        AvroCodec::Zstandard,
    ] {
        let folder = TempDir::new().unwrap();
        let harness = Harness::new();
        let rows: Vec<_> = (0..1_000).map(flight).collect();
        let rolling = Rolling {
            max_rows: 300,
            ..Rolling::default()
        };
        harness
            .env()
            .from_source(
                CollectionSource::from(rows.clone()),
                WatermarkStrategy::no_watermarks(),
                "flights",
            )
            .sink_to(FileSink::new(AvroFiles::new().codec(codec), folder.path()).rolling(rolling))
            .parallelism(1);
        let mut job = harness.start().unwrap();
        job.settle().unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names[0].ends_with("part-0-0.avro"), "{names:?}");
        let bytes = fs::read(&names[0]).unwrap();
        assert!(bytes.starts_with(b"Obj\x01"));
        assert!(
            bytes
                .windows(codec.name().len())
                .any(|part| part == codec.name().as_bytes())
        );
        let (back, letters) = read::<Flight>(FileSource::new(AvroFiles::new(), folder.path()));
        assert_eq!(letters, []);
        assert!(back == rows, "{codec:?}");
    }
}

#[test]
fn damage_costs_its_block_and_goes_to_dead_letters_with_its_place() {
    let folder = TempDir::new().unwrap();
    let mut bytes = fs::read(fixtures().join("fastavro-snappy.avro")).unwrap();
    let marker: [u8; 16] = bytes[bytes.len() - 16..].try_into().unwrap();
    let at = |bytes: &[u8], nth: usize| {
        let mut found = bytes
            .windows(16)
            .enumerate()
            .filter(|(_, part)| *part == marker);
        found.nth(nth).unwrap().0
    };
    // The header's is the first, that of the first block the second.
    let first = at(&bytes, 1);
    bytes[first + 7] ^= 0x40;
    fs::write(folder.path().join("1.avro"), &bytes).unwrap();
    fs::write(folder.path().join("2.avro"), b"no Avro at all\n").unwrap();
    fs::copy(
        fixtures().join("fastavro-null.avro"),
        folder.path().join("3.avro"),
    )
    .unwrap();
    let (rows, letters) = read::<Flight>(FileSource::new(AvroFiles::new(), folder.path()));
    let (damaged, whole) = rows.split_at(rows.len() - 400);
    assert_eq!((whole[0].id, whole[399].id), (0, 399));
    assert!(damaged.len() < 400 && damaged.last().unwrap().id == 399);
    let missing = 400 - damaged.len() as i64;
    assert!(damaged.iter().map(|row| row.id).eq(missing..400));
    assert_eq!(letters.len(), 2);
    assert!(letters[0].source.ends_with("1.avro"));
    assert!(
        letters[0]
            .error
            .contains(&format!("a block of {missing} rows")),
        "{}",
        letters[0].error
    );
    assert!(
        letters[0].error.contains("is damaged"),
        "{}",
        letters[0].error
    );
    assert!(
        letters[1].error.contains("the file is none of Avro"),
        "{}",
        letters[1].error
    );
    assert_eq!(letters[1].bytes, b"no Avro at all\n");
}

#[test]
fn a_row_without_a_place_for_a_value_is_bad_alone_with_its_bytes() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Strict {
        id: i64,
        delay: f64,
    }
    let path = fixtures().join("fastavro-zstandard.avro");
    let (rows, letters) = read::<Strict>(FileSource::new(AvroFiles::new(), &path));
    assert_eq!((rows.len(), letters.len()), (300, 100));
    assert!(letters[1].error.contains("delay"), "{}", letters[1].error);
    // The fifth flight: id 4, "AA", no delay.
    assert!(
        letters[1].bytes.starts_with(&[8, 4, b'A', b'A', 0]),
        "{:?}",
        letters[1].bytes
    );
    #[derive(Row, Clone, Debug)]
    struct Other {
        id: bool,
    }
    let (rows, letters) = read::<Other>(FileSource::new(AvroFiles::new(), &path));
    assert_eq!((rows.len(), letters.len()), (0, 1));
    let error = &letters[0].error;
    assert!(
        error.contains("id") && error.contains("i32") && error.contains("boolean"),
        "{error}"
    );
}
