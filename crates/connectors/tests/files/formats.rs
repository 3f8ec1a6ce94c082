//! Files in and out: folders, globs, compression, growth, rolling and completeness.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rheos::harness::Harness;
use rheos::prelude::*;
use rheos_connectors::format::EncodingFormat;
use rheos_connectors::{
    BadRecords, CollectSink, Compression, Csv, DeadLetter, FileSink, FileSource, JsonLines,
    RawLines, Rolling, dead_letters,
};
use tempfile::TempDir;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read_all(source: FileSource<RawLines>, parallelism: u32) -> Vec<String> {
    let harness = Harness::new();
    let rows = CollectSink::new();
    harness
        .env()
        .from_source(source, WatermarkStrategy::no_watermarks(), "files")
        .parallelism(parallelism)
        .sink_to(rows.clone());
    let mut job = harness.start().unwrap();
    job.settle().unwrap();
    assert!(job.is_finished());
    let mut rows = rows.take();
    rows.sort_unstable();
    rows
}

#[test]
fn a_folder_is_read_with_all_that_is_below_but_what_is_hidden() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("deep/.git")).unwrap();
    for (name, text) in [
        ("a.txt", "a"),
        ("deep/b.txt", "b"),
        (".hidden", "x"),
        ("_SUCCESS", "x"),
        ("c.txt.inprogress.7", "x"),
        ("deep/.git/d", "x"),
    ] {
        fs::write(at(name), text).unwrap();
    }
    fs::write(at("c.txt.gz"), [gzip(b"c1\n"), gzip(b"c2\n")].concat()).unwrap();
    fs::write(at("d.zst"), zstd::encode_all(&b"d"[..], 1).unwrap()).unwrap();
    for parallelism in [1, 3] {
        let rows = read_all(FileSource::new(RawLines, folder.path()), parallelism);
        assert_eq!(rows, ["a", "b", "c1", "c2", "d"]);
    }
    let rows = read_all(
        FileSource::new(RawLines, at("*.txt")).path(at("_SUCCESS")),
        1,
    );
    assert_eq!(rows, ["a", "x"]);
    let raw = FileSource::new(RawLines, at("a.txt")).compression(Compression::None);
    assert_eq!(read_all(raw.path(at("*/b.*")), 2), ["a", "b"]);
}

#[test]
fn a_folder_that_grows_is_read_file_by_file_once() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join("in").join(name);
    let harness = Harness::new();
    let source = FileSource::new(RawLines, folder.path().join("in"))
        .monitor_continuously(Duration::from_secs(1));
    let rows = CollectSink::<String>::new();
    harness
        .env()
        .from_source(source, WatermarkStrategy::no_watermarks(), "files")
        .parallelism(2)
        .sink_to(rows.clone());
    let mut job = harness.start().unwrap();
    job.settle().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    fs::write(at("1.txt"), "one\n").unwrap();
    job.advance(1_000).unwrap();
    assert_eq!(rows.take(), ["one"]);
    fs::write(at(".2.txt"), "tw").unwrap();
    job.advance(1_000).unwrap();
    assert!(rows.is_empty());
    fs::write(at(".2.txt"), "two\n").unwrap();
    fs::rename(at(".2.txt"), at("2.txt")).unwrap();
    fs::write(at("3.txt"), "three\n").unwrap();
    job.advance(1_000).unwrap();
    job.advance(5_000).unwrap();
    let mut read = rows.take();
    read.sort_unstable();
    assert_eq!(read, ["three", "two"]);
    assert!(!job.is_finished());
    job.stop(true);
    job.advance(200).unwrap();
    assert!(job.is_finished());
}

/// The visible files of a folder with their bytes, in the order of their names.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = entries(folder)
        .into_iter()
        .filter(|path| !name_of(path).starts_with('.'))
        .map(|path| (name_of(&path), fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn texts(folder: &Path) -> Vec<(String, String)> {
    let text = |(name, bytes)| (name, String::from_utf8(bytes).unwrap());
    files(folder).into_iter().map(text).collect()
}

fn write_all<T: Row, F: EncodingFormat<T>>(sink: FileSink<F>, rows: Vec<T>) {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<T>("rows");
    stream.sink_to(sink);
    let mut job = harness.start().unwrap();
    for row in rows {
        input.push(row, 0);
    }
    input.end();
    job.settle().unwrap();
    assert!(job.is_finished());
}

fn pair(name: &str, number: i64) -> (String, i64) {
    (name.to_owned(), number)
}

fn owned(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn formats_name_and_fill_their_files() {
    let folder = TempDir::new().unwrap();
    let rows = || vec![pair("a,b", 1), pair("", 2)];
    write_all(
        FileSink::new(JsonLines, folder.path()).prefix("windows"),
        rows(),
    );
    write_all(FileSink::new(Csv::new(), folder.path().join("csv")), rows());
    write_all(
        FileSink::new(RawLines, folder.path().join("raw"))
            .name(|name| format!("{}@{}{}", name.subtask, name.epoch, name.extension)),
        vec!["x".to_owned(), "y".to_owned()],
    );
    assert_eq!(
        texts(&folder.path().join("csv")),
        [owned("part-0-0.csv", "f0,f1\n\"a,b\",1\n\"\",2\n")]
    );
    assert_eq!(
        texts(&folder.path().join("raw")),
        [owned("0@0.txt", "x\ny\n")]
    );
    fs::remove_dir_all(folder.path().join("csv")).unwrap();
    fs::remove_dir_all(folder.path().join("raw")).unwrap();
    // A second run writes over nothing.
    write_all(
        FileSink::new(JsonLines, folder.path()).prefix("windows"),
        vec![pair("c", 3)],
    );
    assert_eq!(
        texts(folder.path()),
        [
            owned("windows-0-0.jsonl", "[\"a,b\",1]\n[\"\",2]\n"),
            owned("windows-1-0.jsonl", "[\"c\",3]\n"),
        ]
    );
}

#[test]
fn compressed_files_read_back() {
    let folder = TempDir::new().unwrap();
    let rows: Vec<String> = (0..10_000).map(|n| format!("row {n}")).collect();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let sink = FileSink::new(RawLines, folder.path()).compression(compression);
        write_all(sink, rows.clone());
    }
    let names: Vec<String> = files(folder.path())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["part-0-0.txt.gz", "part-0-0.txt.zst"]);
    let mut text = String::new();
    let packed = fs::File::open(folder.path().join("part-0-0.txt.gz")).unwrap();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text.lines().count(), 10_000);
    let mut twice: Vec<String> = [rows.clone(), rows].concat();
    twice.sort_unstable();
    assert_eq!(read_all(FileSource::new(RawLines, folder.path()), 2), twice);
}

#[test]
fn files_roll_by_rows_size_and_age_and_appear_only_when_complete() {
    let folder = TempDir::new().unwrap();
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<String>("rows");
    let rolling = Rolling {
        max_rows: 2,
        max_bytes: 10,
        max_age: Duration::from_secs(5),
    };
    stream.sink_to(FileSink::new(RawLines, folder.path()).rolling(rolling));
    let mut job = harness.start().unwrap();
    assert!(entries(folder.path()).is_empty(), "no file without rows");
    for row in ["a", "b", "c"] {
        input.push(row.to_owned(), 0);
    }
    job.settle().unwrap();
    assert_eq!(texts(folder.path()), [owned("part-0-0.txt", "a\nb\n")]);
    assert_eq!(entries(folder.path()).len(), 2, "the second is hidden");
    job.advance(4_999).unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    job.advance(1).unwrap();
    assert_eq!(texts(folder.path())[1], owned("part-1-0.txt", "c\n"));
    input.push("long enough".to_owned(), 0);
    job.settle().unwrap();
    assert_eq!(
        texts(folder.path())[2],
        owned("part-2-0.txt", "long enough\n")
    );
    input.push("before the barrier".to_owned(), 0);
    input.push("d".to_owned(), 0);
    job.settle().unwrap();
    job.trigger_barrier();
    job.settle().unwrap();
    assert_eq!(texts(folder.path())[4], owned("part-4-0.txt", "d\n"));
    input.end();
    job.settle().unwrap();
    assert_eq!(entries(folder.path()).len(), 5);
}

#[test]
fn a_file_that_a_failure_leaves_incomplete_never_shows() {
    let folder = TempDir::new().unwrap();
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<i64>("rows");
    let checked = stream.try_map(|n| if n < 0 { Err("negative".into()) } else { Ok(n) });
    checked.sink_to(FileSink::new(RawLines, folder.path()));
    let mut job = harness.start().unwrap();
    input.push(1, 0);
    job.settle().unwrap();
    assert_eq!(entries(folder.path()).len(), 1);
    input.push(-1, 0);
    assert!(job.settle().is_err());
    drop(job);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn a_full_disk_is_told_with_file_and_bytes() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let folder = TempDir::new().unwrap();
        let ending = match compression {
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
            _ => "",
        };
        // The device that is always full, in the place of the file.
        let hidden = folder
            .path()
            .join(format!(".part-0-0.txt{ending}.inprogress"));
        std::os::unix::fs::symlink("/dev/full", &hidden).unwrap();
        let harness = Harness::new();
        let (mut input, stream) = harness.input::<String>("rows");
        stream.sink_to(FileSink::new(RawLines, folder.path()).compression(compression));
        let mut job = harness.start().unwrap();
        input.push("row".to_owned(), 0);
        input.end();
        let error = job.settle().unwrap_err().to_string();
        assert!(error.contains("Sink (1/1)"), "{error}");
        assert!(error.contains("4 bytes"), "{error}");
        assert!(error.contains(hidden.to_str().unwrap()), "{error}");
        assert!(error.contains("No space left on device"), "{error}");
        drop(job);
        assert!(
            entries(folder.path()).is_empty(),
            "nothing half-written stays"
        );
    }
}

#[test]
fn a_row_that_the_format_can_not_say_goes_where_it_is_told() {
    for policy in [BadRecords::Fail, BadRecords::Skip, BadRecords::DeadLetter] {
        let folder = TempDir::new().unwrap();
        let harness = Harness::new();
        let (mut input, stream) = harness.input::<(String, f64)>("rows");
        let letters = CollectSink::<DeadLetter>::new();
        let sink = stream.sink_to(FileSink::new(JsonLines, folder.path()).bad_records(policy));
        sink.side_output(&dead_letters())
            .sink_to(letters.clone())
            .name("letters");
        let mut job = harness.start().unwrap();
        input.push(("a".to_owned(), 1.0), 0);
        input.push(("b".to_owned(), f64::NAN), 0);
        input.push(("c".to_owned(), 2.0), 0);
        input.end();
        let result = job.settle();
        if policy == BadRecords::Fail {
            let error = result.unwrap_err().to_string();
            assert!(
                error.contains("row 2: f1: NaN is no number in JSON"),
                "{error}"
            );
            continue;
        }
        result.unwrap();
        assert_eq!(texts(folder.path())[0].1, "[\"a\",1.0]\n[\"c\",2.0]\n");
        let tasks = &job.metrics().tasks;
        let counted: u64 = tasks
            .iter()
            .flat_map(|task| &task.operators)
            .map(|operator| operator.metrics.records_out_errors())
            .sum();
        assert_eq!(counted, 1);
        let letters = letters.take();
        assert_eq!(letters.len(), usize::from(policy == BadRecords::DeadLetter));
        if let [letter] = letters.as_slice() {
            assert_eq!(letter.line, 2);
            let mut bytes = rheos::core::row::Reader::new(&letter.bytes);
            assert_eq!(<(String, f64)>::decode(&mut bytes).unwrap().0, "b");
        }
    }
}

#[test]
fn names_that_would_meet_are_refused() {
    for (name, expected) in [("same", "must hold the epoch"), ("a/", "leave '/' out")] {
        let folder = TempDir::new().unwrap();
        let harness = Harness::new();
        let (_input, stream) = harness.input::<String>("rows");
        let slash = name.contains('/');
        stream.sink_to(FileSink::new(RawLines, folder.path()).name(move |file| {
            if slash {
                format!("{name}{}", file.epoch)
            } else {
                name.to_owned()
            }
        }));
        let error = harness.start().err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
