//! Joins and co-groups by window against nested loops, and where their outputs are full.

use proptest::prelude::*;
use rheos::harness::{Harness, HarnessError};
use rheos::prelude::*;

/// Key, value.
type Event = (u8, i64);

/// A row: key, value, time.
type Timed = (u8, i64, Millis);

const SIZE: Millis = 10;

fn window_of(timestamp: Millis) -> Millis {
    timestamp.div_euclid(SIZE) * SIZE
}

fn pairs_of(left: &[Timed], right: &[Timed]) -> Vec<((i64, i64), Millis)> {
    let mut pairs = Vec::new();
    for l in left {
        for r in right
            .iter()
            .filter(|r| r.0 == l.0 && window_of(r.2) == window_of(l.2))
        {
            pairs.push(((l.1, r.1), window_of(l.2) + SIZE - 1));
        }
    }
    pairs.sort();
    pairs
}

fn tumbling() -> TumblingEventTimeWindows {
    TumblingEventTimeWindows::of(Duration::from_millis(SIZE.unsigned_abs()))
}

fn rows() -> impl Strategy<Value = Vec<Timed>> {
    prop::collection::vec((0u8..3, any::<i64>(), -40i64..40), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pairs_and_groups_are_those_of_nested_loops(
        left in rows(),
        right in rows(),
        parallelism in 1u32..4,
    ) {
        let harness = Harness::new();
        let (mut lefts, left_stream) = harness.input::<Event>("left");
        let (mut rights, right_stream) = harness.input::<Event>("right");
        let joined = left_stream
            .join(&right_stream)
            .where_key(|l| l.0)
            .equal_to(|r| r.0)
            .window(tumbling())
            .apply(|l, r| (l.1, r.1))
            .parallelism(parallelism);
        let grouped = left_stream
            .co_group(&right_stream)
            .where_key(|l| l.0)
            .equal_to(|r| r.0)
            .window(tumbling())
            .apply(|l, r, out| {
                let left: Vec<i64> = l.iter().map(|row| row.1).collect();
                let right: Vec<i64> = r.iter().map(|row| row.1).collect();
                out.collect((left, right));
                Ok(())
            })
            .parallelism(parallelism);
        let (pairs, groups) = (harness.output(&joined), harness.output(&grouped));
        let mut job = harness.start().unwrap();
        for (key, value, timestamp) in &left {
            lefts.push((*key, *value), *timestamp);
        }
        for (key, value, timestamp) in &right {
            rights.push((*key, *value), *timestamp);
        }
        lefts.end();
        rights.end();
        job.settle().unwrap();
        let mut pairs = pairs.take();
        pairs.sort();
        prop_assert_eq!(pairs, pairs_of(&left, &right));
        let groups = groups.take();
        let mut windows: Vec<(u8, Millis)> =
            left.iter().chain(&right).map(|row| (row.0, window_of(row.2))).collect();
        windows.sort_unstable();
        windows.dedup();
        prop_assert_eq!(groups.len(), windows.len());
        let of = |rows: &[Timed], (key, start): (u8, Millis)| -> Vec<i64> {
            let inside = rows.iter().filter(|row| row.0 == key && window_of(row.2) == start);
            inside.map(|row| row.1).collect()
        };
        for window in windows {
            let group = (of(&left, window), of(&right, window));
            prop_assert!(groups.contains(&(group, window.1 + SIZE - 1)));
        }
    }
}

#[test]
fn a_window_with_more_pairs_than_fit_gives_all_of_them() -> Result<(), HarnessError> {
    let harness = Harness::new();
    let (mut lefts, left) = harness.input::<Event>("left");
    let (mut rights, right) = harness.input::<Event>("right");
    let joined = left
        .join(&right)
        .where_key(|l| l.0)
        .equal_to(|r| r.0)
        .window(tumbling())
        .apply(|l, r| (l.1, r.1));
    let output = harness.output(&joined.rebalance().map(|pair| pair).parallelism(2));
    let mut job = harness.start()?;
    for key in 0..4 {
        for value in 0..300 {
            lefts.push((key, value), 0);
            rights.push((key, value), 0);
        }
    }
    lefts.watermark(100);
    rights.watermark(100);
    let checkpoint = job.trigger_barrier();
    job.settle()?;
    assert!(!job.passed(checkpoint).is_empty());
    let pairs = output.take_rows();
    assert_eq!(pairs.len(), 4 * 300 * 300);
    assert_eq!(
        pairs.iter().map(|pair| pair.0 + pair.1).sum::<i64>(),
        4 * 300 * 300 * 299
    );
    Ok(())
}

#[test]
fn allowed_lateness_triggers_and_evictors_are_those_of_windows() -> Result<(), HarnessError> {
    let harness = Harness::new();
    let (mut lefts, left) = harness.input::<Event>("left");
    let (mut rights, right) = harness.input::<Event>("right");
    let keyed = || {
        left.join(&right)
            .where_key(|l: &Event| l.0)
            .equal_to(|r: &Event| r.0)
    };
    let late = keyed()
        .window(tumbling())
        .allowed_lateness(Duration::from_millis(5))
        .apply(|l, r| (l.1, r.1));
    let counted = keyed()
        .window(tumbling())
        .trigger(CountTrigger::of(2))
        .apply(|l, r| (l.1, r.1));
    let evicted = keyed()
        .window(tumbling())
        .evictor(CountEvictor::of(2))
        .apply(|l, r| (l.1, r.1));
    let (late, counted, evicted) = (
        harness.output(&late),
        harness.output(&counted),
        harness.output(&evicted),
    );
    let mut job = harness.start()?;
    lefts.push((0, 1), 1);
    job.settle()?;
    rights.push((0, 2), 2);
    job.settle()?;
    assert_eq!(counted.take(), [((1, 2), 9)]);
    lefts.push((0, 3), 3);
    lefts.watermark(9);
    rights.watermark(9);
    job.settle()?;
    assert_eq!(evicted.take(), [((3, 2), 9)]);
    assert_eq!(late.take(), [((1, 2), 9), ((3, 2), 9)]);
    rights.push((0, 4), 4);
    job.settle()?;
    let mut fired = late.take();
    fired.sort();
    assert_eq!(fired, [((1, 2), 9), ((1, 4), 9), ((3, 2), 9), ((3, 4), 9)]);
    lefts.watermark(14);
    rights.watermark(14);
    rights.push((0, 5), 5);
    job.settle()?;
    assert_eq!(late.take(), []);
    Ok(())
}

#[test]
fn windows_that_make_no_sense_are_told_before_the_job_starts() {
    let harness = Harness::new();
    let (_, left) = harness.input::<Event>("left");
    let joined = left
        .join(&left)
        .where_key(|l| l.0)
        .equal_to(|r| r.0)
        .window(TumblingEventTimeWindows::of(Duration::ZERO))
        .apply(|l, r| (l.1, r.1));
    harness.output(&joined);
    let error = harness.start().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("Window Join"), "{error}");
}
