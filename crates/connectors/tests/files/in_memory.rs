//! Datagen, collections, print and blackhole in jobs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rheos::harness::Harness;
use rheos::prelude::*;
use rheos_connectors::{
    BlackholeSink, CollectSink, CollectionSource, DataGeneratorSource, PrintSink,
};

fn generated(source_of: impl Fn() -> DataStream<u64>, run: impl Fn()) -> Vec<u64> {
    let sink = CollectSink::new();
    source_of().sink_to(sink.clone());
    run();
    let mut rows = sink.take();
    rows.sort_unstable();
    rows
}

#[test]
fn a_generator_makes_every_row_once_at_any_parallelism() {
    for parallelism in 1..=3 {
        for strided in [false, true] {
            let harness = Harness::new();
            let rows = generated(
                || {
                    let source = DataGeneratorSource::new(|k| k * 2, 10_000);
                    let source = if strided { source.strided() } else { source };
                    harness
                        .env()
                        .from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
                        .parallelism(parallelism)
                },
                || {
                    let mut job = harness.start().unwrap();
                    job.settle().unwrap();
                    assert!(job.is_finished());
                },
            );
            assert_eq!(rows.len(), 10_000);
            assert!(rows.iter().zip(0..).all(|(row, k)| *row == k * 2));
        }
    }
}

#[test]
fn generated_timestamps_are_the_rows() {
    let harness = Harness::new();
    let source = DataGeneratorSource::with_timestamps(|k| (k, k as i64 * 10), 3);
    let stream: DataStream<u64> =
        harness
            .env()
            .from_source(source, WatermarkStrategy::no_watermarks(), "timed");
    let output = harness.output(&stream);
    harness.start().unwrap().settle().unwrap();
    assert_eq!(output.take(), [(0, 0), (1, 10), (2, 20)]);
}

#[test]
fn a_rate_holds_over_all_subtasks() {
    let harness = Harness::new();
    let source = DataGeneratorSource::unbounded(|k| k);
    let sink = CollectSink::new();
    harness
        .env()
        .from_source_with_rate(source, WatermarkStrategy::no_watermarks(), "paced", 1_000.0)
        .parallelism(2)
        .sink_to(sink.clone());
    let mut job = harness.start().unwrap();
    job.settle().unwrap();
    sink.take();
    for _ in 0..100 {
        job.advance(100).unwrap();
    }
    let made = sink.len();
    assert!((9_800..=10_200).contains(&made), "{made}");
}

#[test]
fn a_collection_keeps_its_order_at_any_parallelism() {
    let harness = Harness::new();
    let source = CollectionSource::with_timestamps((0..5_000_i64).map(|n| (n, n)));
    let stream = harness
        .env()
        .from_source(source, WatermarkStrategy::no_watermarks(), "elements")
        .parallelism(3);
    let output = harness.output(&stream.global());
    let mut job = harness.start().unwrap();
    job.settle().unwrap();
    let rows = output.take();
    assert_eq!(rows.len(), 5_000);
    assert!(rows.iter().zip(0..).all(|(row, n)| *row == (n, n)));
    assert!(job.is_finished());
}

#[test]
fn blackhole_and_print_take_everything() {
    let harness = Harness::new();
    let stream = harness.env().from_source(
        CollectionSource::from(vec![1_i64, 2, 3]),
        WatermarkStrategy::no_watermarks(),
        "elements",
    );
    stream.sink_to(BlackholeSink);
    stream
        .sink_to(PrintSink::new().identifier("rows").to_std_err())
        .name("print");
    let mut job = harness.start().unwrap();
    job.settle().unwrap();
    assert!(job.is_finished());
}
