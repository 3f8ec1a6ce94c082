//! Sums of numbers in windows of a second over a row a millisecond, and whether files hold each once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rheos::prelude::*;
use rheos_connectors::{DataGeneratorSource, FileSink, JsonLines};

use super::shown::lines_shown;

#[derive(Row, Clone, Debug, PartialEq)]
struct Sum {
    key: u64,
    start: i64,
    rows: u64,
    sum: u64,
}

struct Adding;

impl AggregateFunction for Adding {
    type In = u64;
    type Acc = (u64, u64);
    type Out = (u64, u64);

    fn create_accumulator(&self) -> (u64, u64) {
        (0, 0)
    }

    fn add(&self, sum: &mut (u64, u64), row: u64) {
        sum.0 += 1;
        sum.1 += row;
    }

    fn get_result(&self, sum: &(u64, u64)) -> (u64, u64) {
        *sum
    }

    fn merge(&self, into: &mut (u64, u64), from: (u64, u64)) {
        into.0 += from.0;
        into.1 += from.1;
    }
}

const KEYS: u64 = 13;

/// The numbers below `count`, each at its own millisecond.
pub fn numbers(env: &StreamEnv, count: u64, rate: f64) -> DataStream<u64> {
    let source = DataGeneratorSource::with_timestamps(|k| (k, k as i64), count).strided();
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(500));
    env.from_source_with_rate(source, strategy, "numbers", rate)
}

/// Sums them up a key and a second, into files.
pub fn sum_up(numbers: DataStream<u64>, out: &Path) {
    numbers
        .key_by(|k: &u64| k % KEYS)
        .window(TumblingEventTimeWindows::of(Duration::from_secs(1)))
        .aggregate_apply(
            Adding,
            |key: &u64,
             window: &TimeWindow,
             (rows, sum): (u64, u64),
             _: &WindowContext<'_>,
             out: &mut Collector<'_, Sum>| {
                out.collect(Sum {
                    key: *key,
                    start: window.start,
                    rows,
                    sum,
                });
                Ok(())
            },
        )
        .sink_to(FileSink::new(JsonLines, out));
}

/// Every line of the files that show; each window once, and the sums right.
pub fn check_sums(out: &Path, count: u64) {
    let mut found: BTreeMap<(u64, i64), (u64, u64)> = BTreeMap::new();
    for (name, row) in lines_shown(out) {
        let number = |field: &str| row[field].as_u64().unwrap();
        let window = (number("key"), row["start"].as_i64().unwrap());
        let before = found.insert(window, (number("rows"), number("sum")));
        assert_eq!(before, None, "{window:?} twice, the second time in {name}");
    }
    let mut expected: BTreeMap<(u64, i64), (u64, u64)> = BTreeMap::new();
    for k in 0..count {
        let sum = expected
            .entry((k % KEYS, (k - k % 1000) as i64))
            .or_default();
        sum.0 += 1;
        sum.1 += k;
    }
    let wrong: Vec<String> = expected
        .keys()
        .chain(found.keys())
        .filter(|window| found.get(*window) != expected.get(*window))
        .map(|window| {
            let (found, expected) = (found.get(window), expected.get(window));
            format!("{window:?}: {found:?} instead of {expected:?}")
        })
        .take(8)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
