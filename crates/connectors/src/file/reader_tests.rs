//! Positions: a reader that takes a split up again goes on where another left off.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use proptest::prelude::*;
use rheos_core::clock::ManualClock;
use rheos_runtime::deploy::side_outputs::SideOutputs;
use rheos_runtime::metrics::operator::OperatorMetrics;
use rheos_runtime::source::output::SourceOutput;
use rheos_runtime::source::reader::{ReaderStatus, SourceReader};

use super::reader::{FileReader, ReadOptions};
use super::split::FileSplit;
use crate::bad_records::{BadRecordHandler, BadRecords, Direction};
use crate::format::DecodingFormat;
use crate::format::csv::Csv;
use crate::format::json::JsonLines;

fn reader<T: rheos_core::Row, F: DecodingFormat<T>>(
    format: &F,
    split: FileSplit,
) -> FileReader<F, F::Decoder> {
    let bad_records = BadRecordHandler::new(
        BadRecords::Skip,
        Direction::In,
        &SideOutputs::default(),
        Arc::new(OperatorMetrics::default()),
        ManualClock::at(0),
    )
    .unwrap();
    let mut reader = FileReader::new(format.clone(), ReadOptions::default(), bad_records);
    SourceReader::<T, _>::add_splits(&mut reader, vec![split]);
    reader
}

/// Reads `budget` rows at a time, each time by a new reader from where the last one stood; the
/// number of rows.
fn read_in_pieces<T: rheos_core::Row, F: DecodingFormat<T>>(
    format: &F,
    path: &str,
    budget: usize,
) -> usize {
    let mut split = FileSplit::whole(path);
    let mut rows = 0;
    loop {
        let mut reader = reader::<T, F>(format, split);
        let mut out = SourceOutput::<T>::default();
        let mut status = ReaderStatus::More;
        while out.len() < budget && status == ReaderStatus::More {
            status = reader.poll(&mut out, budget).unwrap();
        }
        rows += out.len();
        match SourceReader::<T, _>::splits(&reader).pop() {
            Some(next) => split = next,
            None => return rows,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_split_goes_on_where_it_was_left(rows in 1usize..60, budget in 1usize..9, mark in any::<bool>()) {
        let folder = tempfile::TempDir::new().unwrap();
        let mark = if mark { "\u{feff}" } else { "" };
        let mut csv = format!("{mark}f0,f1\n");
        let mut json = mark.to_owned();
        for n in 0..rows {
            csv.push_str(&format!("{n},\"line\nbreak {n}\"\n\nbad\n"));
            json.push_str(&format!("[{n},\"x\"]\r\nbad\n"));
        }
        for (name, text) in [("a.csv", &csv), ("a.jsonl", &json)] {
            let plain = folder.path().join(name);
            std::fs::write(&plain, text).unwrap();
            let packed = folder.path().join(format!("{name}.zst"));
            std::fs::write(&packed, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
            for path in [plain, packed] {
                let path = path.to_str().unwrap();
                let read = if name == "a.csv" {
                    read_in_pieces::<(u64, String), _>(&Csv::new(), path, budget)
                } else {
                    read_in_pieces::<(u64, String), _>(&JsonLines, path, budget)
                };
                prop_assert_eq!(read, rows, "{}", path);
            }
        }
    }
}

#[test]
fn lines_are_counted_across_records_of_several() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "f0,f1\n1,\"a\nb\"\n2,c\n3,d\n").unwrap();
    let mut reader =
        reader::<(u64, String), _>(&Csv::new(), FileSplit::whole(path.to_str().unwrap()));
    let mut out = SourceOutput::<(u64, String)>::default();
    reader.poll(&mut out, 2).unwrap();
    let split = SourceReader::<(u64, String), _>::splits(&reader)
        .pop()
        .unwrap();
    assert_eq!((split.line, split.offset), (4, 18));
}

/// A block's rows are handed out a few at a time, and a position may lie among them.
#[cfg(feature = "avro")]
#[test]
fn a_position_within_a_block_of_avro_loses_and_repeats_no_row() {
    use crate::avro::AvroFiles;
    use crate::format::{Encoder, EncodingFormat};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.avro");
    let mut encoder = EncodingFormat::<i64>::encoder(&AvroFiles::new());
    let mut out = Vec::new();
    for row in 0..50_000_i64 {
        encoder.encode(&row, &mut out).unwrap();
    }
    encoder.finish(&mut out).unwrap();
    std::fs::write(&path, out).unwrap();
    for budget in [1, 1_500, 30_000, 100_000] {
        let rows = read_in_pieces::<i64, _>(&AvroFiles::new(), path.to_str().unwrap(), budget);
        assert_eq!(rows, 50_000, "{budget}");
    }
}
