//! Every line of the table "Bad input" in docs/connectors.md: what is bad ends the job with file and
//! line, is skipped and counted, or becomes a dead letter.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::io::Write;
use std::path::Path;

use rheos::harness::{Harness, HarnessError, TestJob};
use rheos::prelude::*;
use rheos_connectors::format::DecodingFormat;
use rheos_connectors::{
    BadRecords, CollectSink, Csv, DeadLetter, FileSource, JsonLines, RawLines, dead_letters,
};
use tempfile::TempDir;

#[derive(Row, Clone, Debug, PartialEq)]
struct Item {
    id: i64,
    name: String,
}

fn item(id: i64, name: &str) -> Item {
    Item {
        id,
        name: name.to_owned(),
    }
}

struct Outcome<T> {
    rows: Vec<T>,
    letters: Vec<DeadLetter>,
    errors_counted: u64,
    result: Result<(), HarnessError>,
}

/// Reads a folder or file under a policy; `before` acts between the files being found and read.
fn read<T: Row, F: DecodingFormat<T>>(
    source: FileSource<F>,
    policy: BadRecords,
    before: impl FnOnce(),
) -> Outcome<T> {
    let harness = Harness::new();
    let rows = CollectSink::new();
    let letters = CollectSink::new();
    let stream = harness.env().from_source(
        source.bad_records(policy),
        WatermarkStrategy::no_watermarks(),
        "files",
    );
    stream.sink_to(rows.clone()).name("rows");
    stream
        .side_output(&dead_letters())
        .sink_to(letters.clone())
        .name("letters");
    let mut job = match harness.start() {
        Ok(job) => job,
        Err(error) => {
            return Outcome {
                rows: vec![],
                letters: vec![],
                errors_counted: 0,
                result: Err(error),
            };
        }
    };
    before();
    let result = job.settle();
    assert!(result.is_err() || job.is_finished());
    let errors_counted = counted(&job);
    Outcome {
        rows: rows.take(),
        letters: letters.take(),
        errors_counted,
        result,
    }
}

fn counted(job: &TestJob) -> u64 {
    let tasks = &job.metrics().tasks;
    tasks
        .iter()
        .flat_map(|task| &task.operators)
        .map(|operator| operator.metrics.records_in_errors())
        .sum()
}

/// What is expected of one bad record: where it is, what it is said to be, and its bytes.
struct Bad<'a> {
    line: u64,
    offset: u64,
    message: &'a str,
    bytes: &'a [u8],
}

/// Holds all three policies to it. `good` are the rows around the bad record.
fn check<T, F>(source: &FileSource<F>, file: &Path, bad: &Bad<'_>, good: &[T])
where
    T: Row + PartialEq + std::fmt::Debug,
    F: DecodingFormat<T>,
{
    let failed: Outcome<T> = read(source.clone(), BadRecords::Fail, || {});
    let error = failed.result.unwrap_err().to_string();
    let place = format!(
        "{}, line {} (byte {})",
        file.display(),
        bad.line,
        bad.offset
    );
    assert!(error.contains("Source: files"), "{error}");
    assert!(error.contains(&place), "{error}");
    assert!(error.contains(bad.message), "{error}");

    let skipped: Outcome<T> = read(source.clone(), BadRecords::Skip, || {});
    skipped.result.unwrap();
    assert_eq!(skipped.rows, good);
    assert_eq!(skipped.errors_counted, 1);
    assert_eq!(skipped.letters, []);

    let lettered: Outcome<T> = read(source.clone(), BadRecords::DeadLetter, || {});
    lettered.result.unwrap();
    assert_eq!(lettered.rows, good);
    assert_eq!(lettered.errors_counted, 1);
    let [letter] = lettered.letters.as_slice() else {
        panic!("{:?}", lettered.letters)
    };
    assert_eq!((letter.line, letter.offset), (bad.line, bad.offset));
    assert_eq!(&*letter.source, file.to_str().unwrap());
    assert_eq!(letter.bytes, bad.bytes);
    assert!(letter.error.contains(bad.message), "{}", letter.error);
}

/// A file of these bytes, and a source of it.
fn file<F>(
    folder: &TempDir,
    name: &str,
    format: F,
    bytes: &[u8],
) -> (std::path::PathBuf, FileSource<F>) {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (path.clone(), FileSource::new(format, path))
}

fn check_json(text: &[u8], bad: &Bad<'_>, good: &[Item]) {
    let folder = TempDir::new().unwrap();
    let (path, source) = file(&folder, "items.jsonl", JsonLines, text);
    check(&source, &path, bad, good);
}

fn check_csv(text: &[u8], bad: &Bad<'_>, good: &[Item]) {
    let folder = TempDir::new().unwrap();
    let (path, source) = file(&folder, "items.csv", Csv::new(), text);
    check(&source, &path, bad, good);
}

const FIRST: &[u8] = b"{\"id\":1,\"name\":\"a\"}\n";
const LAST: &[u8] = b"{\"id\":3,\"name\":\"c\"}\n";

fn between(bad: &[u8]) -> Vec<u8> {
    [FIRST, bad, b"\n", LAST].concat()
}

#[test]
fn a_broken_line() {
    let good = [item(1, "a"), item(3, "c")];
    let bytes = br#"{"id":2,"name":"b""#;
    let message = "expected ',' or '}' at column 19, found the end";
    check_json(
        &between(bytes),
        &Bad {
            line: 2,
            offset: 20,
            message,
            bytes,
        },
        &good,
    );
    let bytes = b"\"2,b";
    let message = "the quote at column 1 is never closed";
    let text = b"id,name\n1,a\n\"2,b\n3,c\n";
    check_csv(
        text,
        &Bad {
            line: 3,
            offset: 12,
            message,
            bytes,
        },
        &good,
    );
}

#[test]
fn a_wrong_type() {
    let good = [item(1, "a"), item(3, "c")];
    let bytes = br#"{"id":"two","name":"b"}"#;
    let message = "id: expected an integer, found the string \"two\"";
    check_json(
        &between(bytes),
        &Bad {
            line: 2,
            offset: 20,
            message,
            bytes,
        },
        &good,
    );
    let message = "id: expected an integer, found \"two\"";
    let text = b"id,name\n1,a\ntwo,b\n3,c\n";
    check_csv(
        text,
        &Bad {
            line: 3,
            offset: 12,
            message,
            bytes: b"two,b",
        },
        &good,
    );
}

#[test]
fn a_missing_column() {
    let good = [item(1, "a"), item(3, "c")];
    let bytes = br#"{"id":2}"#;
    let message = "name: the field is missing and has no default";
    check_json(
        &between(bytes),
        &Bad {
            line: 2,
            offset: 20,
            message,
            bytes,
        },
        &good,
    );
    let message = "the record has 1 cells, and there are 2 columns";
    let text = b"id,name\n1,a\n2\n3,c\n";
    check_csv(
        text,
        &Bad {
            line: 3,
            offset: 12,
            message,
            bytes: b"2",
        },
        &good,
    );
    let message = "name: the field is missing and has no default";
    check_csv(
        b"id,label\n1,a\n",
        &Bad {
            line: 2,
            offset: 9,
            message,
            bytes: b"1,a",
        },
        &[],
    );
}

#[test]
fn text_that_is_not_utf_8() {
    let good = [item(1, "a"), item(3, "c")];
    let bytes = b"{\"id\":2,\"name\":\"b\xff\"}";
    let message = "not UTF-8: byte 0xff at column 18";
    check_json(
        &between(bytes),
        &Bad {
            line: 2,
            offset: 20,
            message,
            bytes,
        },
        &good,
    );
    let message = "not UTF-8: byte 0xe9 at column 3";
    let text = b"id,name\n1,a\n2,\xe9\n3,c\n";
    check_csv(
        text,
        &Bad {
            line: 3,
            offset: 12,
            message,
            bytes: b"2,\xe9",
        },
        &good,
    );
    let folder = TempDir::new().unwrap();
    let (path, source) = file(&folder, "a.txt", RawLines, b"a\n\xffb\nc");
    let bad = Bad {
        line: 2,
        offset: 2,
        message: "not UTF-8: byte 0xff",
        bytes: b"\xffb",
    };
    check(&source, &path, &bad, &["a".to_owned(), "c".to_owned()]);
    let raw: Outcome<Vec<u8>> = read(source, BadRecords::Fail, || {});
    assert_eq!(raw.rows, [b"a".to_vec(), b"\xffb".to_vec(), b"c".to_vec()]);
}

#[test]
fn a_very_long_line() {
    let long = vec![b'x'; 1_000_000];
    let text = [b"a\n", long.as_slice(), b"\nc\n"].concat();
    let folder = TempDir::new().unwrap();
    let (path, source) = file(&folder, "a.txt", RawLines, &text);
    let whole: Outcome<String> = read(source.clone(), BadRecords::Fail, || {});
    assert_eq!(whole.rows[1].len(), 1_000_000);
    let message = "the record is longer than 1000 bytes; raise max_record_bytes";
    let bad = Bad {
        line: 2,
        offset: 2,
        message,
        bytes: &long[..64 * 1024 - 2],
    };
    let good = ["a".to_owned(), "c".to_owned()];
    check_prefix(&source.max_record_bytes(1000), &path, &bad, &good);
}

/// As [`check`]; of the record itself only the start is in the letter, up to 64 KiB.
fn check_prefix(source: &FileSource<RawLines>, path: &Path, bad: &Bad<'_>, good: &[String]) {
    let lettered: Outcome<String> = read(source.clone(), BadRecords::DeadLetter, || {});
    let bytes = &lettered.letters[0].bytes;
    assert!(
        bytes.len() >= bad.bytes.len() && bytes.len() <= 64 * 1024,
        "{}",
        bytes.len()
    );
    check(source, path, &Bad { bytes, ..*bad }, good);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn many_lines() -> Vec<u8> {
    // Hard to compress, so that the cut falls into the data.
    (0..50_000_u64)
        .flat_map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes())
        .collect()
}

#[test]
fn a_truncated_or_damaged_compressed_file() {
    let text = many_lines();
    let zstd = zstd::encode_all(text.as_slice(), 1).unwrap();
    let mut damaged = gzip(&text);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xa5);
    let cut = |bytes: &[u8]| bytes[..bytes.len() * 3 / 4].to_vec();
    for (name, bytes, message) in [
        (
            "cut.txt.gz",
            cut(&gzip(&text)),
            "the compressed file is truncated",
        ),
        (
            "cut.txt.zst",
            cut(&zstd),
            "the compressed file is truncated",
        ),
        ("damaged.txt.gz", damaged, "the compressed file is damaged"),
        (
            "empty.txt.gz",
            Vec::new(),
            "the compressed file is truncated",
        ),
        (
            "plain.txt.gz",
            b"not compressed at all\n".to_vec(),
            "the compressed file is damaged",
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let (path, source) = file(&folder, name, RawLines, &bytes);
        let failed: Outcome<String> = read(source.clone(), BadRecords::Fail, || {});
        let error = failed.result.unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{name}: {error}");
        assert!(error.contains(message), "{name}: {error}");

        for policy in [BadRecords::Skip, BadRecords::DeadLetter] {
            let read: Outcome<String> = read(source.clone(), policy, || {});
            read.result.unwrap();
            assert_eq!(read.errors_counted, 1, "{name}");
            // What came before is read, whole lines only; the letter says where it ends.
            let lines: Vec<String> = String::from_utf8(text.clone())
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect();
            if !name.starts_with("damaged") {
                assert!(lines.starts_with(&read.rows), "{name}");
            }
            if name.starts_with("cut") {
                assert!(read.rows.len() > 1_000, "{name}: {}", read.rows.len());
            }
            if policy == BadRecords::DeadLetter {
                assert_eq!(read.letters[0].line, read.rows.len() as u64 + 1, "{name}");
            }
        }
    }
}

#[test]
fn a_file_that_vanishes() {
    for policy in [BadRecords::Fail, BadRecords::Skip, BadRecords::DeadLetter] {
        let folder = TempDir::new().unwrap();
        let first = folder.path().join("1.txt");
        fs::write(&first, "gone\n").unwrap();
        fs::write(folder.path().join("2.txt"), "there\n").unwrap();
        let source = FileSource::new(RawLines, folder.path());
        let read: Outcome<String> = read(source, policy, || fs::remove_file(&first).unwrap());
        match policy {
            BadRecords::Fail => {
                let error = read.result.unwrap_err().to_string();
                assert!(error.contains("1.txt, line 1"), "{error}");
                assert!(error.contains("has vanished since it was found"), "{error}");
            }
            _ => {
                read.result.unwrap();
                assert_eq!(read.rows, ["there"]);
                assert_eq!(read.errors_counted, 1);
                let letters = usize::from(policy == BadRecords::DeadLetter);
                assert_eq!(read.letters.len(), letters);
            }
        }
    }
}

#[test]
fn what_only_looks_bad_is_read() {
    let folder = TempDir::new().unwrap();
    let rows = |bytes: &[u8]| {
        let (_, source) = file(&folder, "a.jsonl", JsonLines, bytes);
        let read: Outcome<i64> = read(source, BadRecords::Fail, || {});
        read.result.unwrap();
        read.rows
    };
    assert_eq!(rows(b""), [0; 0], "an empty file");
    assert_eq!(rows(b"\xef\xbb\xbf"), [0; 0], "a file of a byte order mark");
    assert_eq!(rows(b"1\n2"), [1, 2], "no line break at the end");
    assert_eq!(rows(b"\xef\xbb\xbf1\n2\n"), [1, 2], "a byte order mark");
    assert_eq!(rows(b"1\r\n2\r\n"), [1, 2], "line breaks of Windows");
    assert_eq!(rows(b"1\n\n  \n2\n"), [1, 2], "empty lines");
    let csv = |bytes: &[u8]| {
        let (_, source) = file(&folder, "a.csv", Csv::new(), bytes);
        let read: Outcome<Item> = read(source, BadRecords::Fail, || {});
        read.result.unwrap();
        read.rows
    };
    let expected = [item(1, "a"), item(2, "")];
    assert_eq!(csv(b"\xef\xbb\xbfid,name\r\n1,a\r\n\r\n2,"), expected);
    assert_eq!(csv(b"name,id\n\"a\",1\n\"\",2"), expected);
    assert_eq!(csv(b"id,name"), [], "a header only");
}

#[test]
fn paths_that_are_not_there_are_told_before_anything_runs() {
    let start = |path: &Path| {
        let read: Outcome<String> = read(FileSource::new(RawLines, path), BadRecords::Skip, || {});
        read.result.unwrap_err().to_string()
    };
    let folder = TempDir::new().unwrap();
    let error = start(&folder.path().join("none.txt"));
    assert!(
        error.contains("looking for the input") && error.contains("none.txt"),
        "{error}"
    );
    let error = start(&folder.path().join("*.txt"));
    assert!(error.contains("no file matches"), "{error}");
}

#[test]
fn dead_letters_that_nobody_reads_are_refused() {
    let folder = TempDir::new().unwrap();
    let (_, source) = file(&folder, "a.txt", RawLines, b"a\n");
    let harness = Harness::new();
    let stream: DataStream<String> = harness.env().from_source(
        source.bad_records(BadRecords::DeadLetter),
        WatermarkStrategy::no_watermarks(),
        "files",
    );
    stream.sink_to(CollectSink::new());
    let error = harness.start().err().unwrap().to_string();
    assert!(error.contains("nobody reads those"), "{error}");
}
