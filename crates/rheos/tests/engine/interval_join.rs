//! The interval join against nested loops over all rows, and where its outputs are full.

use proptest::prelude::*;
use rheos::harness::{Harness, HarnessError};
use rheos::prelude::*;

/// Key, value.
type Event = (u8, i64);

/// Left value and time, right value and time, time of the pair.
type Pair = (i64, Millis, i64, Millis);

#[derive(Debug, Clone, Copy)]
enum Step {
    Row {
        left: bool,
        key: u8,
        timestamp: Millis,
    },
    Watermark {
        left: bool,
        watermark: Millis,
    },
}

#[derive(Debug, Clone, Copy)]
struct Interval {
    lower: Millis,
    upper: Millis,
    lower_exclusive: bool,
    upper_exclusive: bool,
}

impl Interval {
    fn bounds(self) -> (Millis, Millis) {
        (
            self.lower + Millis::from(self.lower_exclusive),
            self.upper - Millis::from(self.upper_exclusive),
        )
    }
}

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// By step.
    pairs: Vec<Vec<(Pair, Millis)>>,
    late_left: Vec<(Event, Millis)>,
    late_right: Vec<(Event, Millis)>,
}

/// Every row is kept for ever, with the last watermark at which it could be joined.
fn model(interval: Interval, steps: &[Step]) -> Outcome {
    struct Kept {
        left: bool,
        key: u8,
        value: i64,
        timestamp: Millis,
        gone: bool,
    }
    let (lower, upper) = interval.bounds();
    let mut kept: Vec<Kept> = Vec::new();
    let (mut watermarks, mut watermark) = ([Millis::MIN; 2], Millis::MIN);
    let mut outcome = Outcome::default();
    for (value, step) in (0i64..).zip(steps) {
        let mut pairs = Vec::new();
        match *step {
            Step::Watermark {
                left,
                watermark: to,
            } => {
                let input = &mut watermarks[usize::from(left)];
                *input = to.max(*input);
                let combined = watermarks[0].min(watermarks[1]);
                if combined > watermark {
                    watermark = combined;
                    for row in &mut kept {
                        let reach = if row.left { upper } else { -lower };
                        row.gone |= watermark >= row.timestamp.max(row.timestamp + reach);
                    }
                }
            }
            Step::Row {
                left,
                key,
                timestamp,
            } if timestamp < watermark => {
                let late = if left {
                    &mut outcome.late_left
                } else {
                    &mut outcome.late_right
                };
                late.push(((key, value), timestamp));
            }
            Step::Row {
                left,
                key,
                timestamp,
            } => {
                for other in kept
                    .iter()
                    .filter(|o| o.left != left && o.key == key && !o.gone)
                {
                    let (l, r) = if left {
                        ((value, timestamp), (other.value, other.timestamp))
                    } else {
                        ((other.value, other.timestamp), (value, timestamp))
                    };
                    if (lower..=upper).contains(&(r.1 - l.1)) {
                        pairs.push(((l.0, l.1, r.0, r.1), l.1.max(r.1)));
                    }
                }
                kept.push(Kept {
                    left,
                    key,
                    value,
                    timestamp,
                    gone: false,
                });
            }
        }
        pairs.sort();
        outcome.pairs.push(pairs);
    }
    outcome
}

fn run(interval: Interval, steps: &[Step], parallelism: u32) -> Result<Outcome, HarnessError> {
    let harness = Harness::new();
    let (mut left, lefts) = harness.input::<Event>("left");
    let (mut right, rights) = harness.input::<Event>("right");
    let (late_left, late_right) = (OutputTag::new("late-left"), OutputTag::new("late-right"));
    let mut join = lefts
        .key_by(|event| event.0)
        .interval_join(&rights.key_by(|event| event.0))
        .between(interval.lower, interval.upper)
        .side_output_left_late_data(&late_left)
        .side_output_right_late_data(&late_right);
    if interval.lower_exclusive {
        join = join.lower_bound_exclusive();
    }
    if interval.upper_exclusive {
        join = join.upper_bound_exclusive();
    }
    let joined = join
        .process(|left, right, context, out| {
            out.collect((
                left.1,
                context.left_timestamp(),
                right.1,
                context.right_timestamp(),
            ));
            Ok(())
        })
        .parallelism(parallelism);
    let output = harness.output(&joined);
    let late_left = harness.output(&joined.side_output(&late_left));
    let late_right = harness.output(&joined.side_output(&late_right));
    let mut job = harness.start()?;
    let mut outcome = Outcome::default();
    for (value, step) in (0i64..).zip(steps) {
        match *step {
            Step::Row {
                left: true,
                key,
                timestamp,
            } => left.push((key, value), timestamp),
            Step::Row {
                left: false,
                key,
                timestamp,
            } => right.push((key, value), timestamp),
            Step::Watermark {
                left: true,
                watermark,
            } => left.watermark(watermark),
            Step::Watermark {
                left: false,
                watermark,
            } => right.watermark(watermark),
        }
        job.settle()?;
        let mut pairs = output.take();
        pairs.sort();
        outcome.pairs.push(pairs);
        outcome.late_left.extend(late_left.take());
        outcome.late_right.extend(late_right.take());
    }
    Ok(outcome)
}

fn step() -> impl Strategy<Value = (u8, bool, u8, Millis)> {
    (0u8..5, any::<bool>(), 0u8..3, -12i64..12)
}

/// Rows and watermarks about a time that moves on.
fn steps(raw: &[(u8, bool, u8, Millis)]) -> Vec<Step> {
    let mut now = 0;
    raw.iter()
        .map(|&(kind, left, key, offset)| {
            now += 2;
            match kind {
                0 => Step::Watermark {
                    left,
                    watermark: now + offset / 2 - 4,
                },
                _ => Step::Row {
                    left,
                    key,
                    timestamp: now + offset,
                },
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_makes_the_pairs_that_nested_loops_make(
        raw in prop::collection::vec(step(), 0..120),
        lower in -15i64..10,
        width in 0i64..20,
        lower_exclusive: bool,
        upper_exclusive: bool,
        parallelism in 1u32..4,
    ) {
        let interval = Interval { lower, upper: lower + width, lower_exclusive, upper_exclusive };
        let steps = steps(&raw);
        let outcome = run(interval, &steps, parallelism).unwrap();
        prop_assert_eq!(outcome, model(interval, &steps));
    }
}

#[test]
fn a_row_with_more_partners_than_fit_is_joined_with_all_of_them() -> Result<(), HarnessError> {
    let harness = Harness::new();
    let (mut left, lefts) = harness.input::<Event>("left");
    let (mut right, rights) = harness.input::<Event>("right");
    let joined = lefts
        .key_by(|event| event.0)
        .interval_join(&rights.key_by(|event| event.0))
        .between(-1_000_000, 1_000_000)
        .process(|left, right, _, out| {
            out.collect((left.1, right.1));
            Ok(())
        });
    let output = harness.output(&joined.rebalance().map(|pair| pair).parallelism(2));
    let mut job = harness.start()?;
    for value in 0..30_000 {
        left.push((0, value), value);
    }
    job.settle()?;
    for value in 0..5 {
        right.push((0, value), value);
    }
    right.push((1, 0), 0);
    let checkpoint = job.trigger_barrier();
    job.settle()?;
    assert!(!job.passed(checkpoint).is_empty());
    let mut pairs = output.take_rows();
    assert_eq!(pairs.len(), 150_000);
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs.len(), 150_000);
    Ok(())
}

#[test]
fn late_rows_that_nobody_takes_are_counted_and_bounds_are_checked() -> Result<(), HarnessError> {
    let harness = Harness::new();
    let (mut left, lefts) = harness.input::<Event>("left");
    let (mut right, rights) = harness.input::<Event>("right");
    let (lefts, rights) = (
        lefts.key_by(|event| event.0),
        rights.key_by(|event| event.0),
    );
    let joined = lefts
        .interval_join(&rights)
        .between(0, 0)
        .process(|left, right, _, out| {
            out.collect((left.1, right.1));
            Ok(())
        });
    let output = harness.output(&joined);
    let mut job = harness.start()?;
    left.watermark(10);
    right.watermark(10);
    job.settle()?;
    left.push((0, 1), 9);
    left.push((0, 2), 10);
    right.push((0, 3), 10);
    right.push((0, 4), 9);
    job.settle()?;
    assert_eq!(output.take(), [((2, 3), 10)]);
    left.push((0, 1), MIN_TIMESTAMP);
    let error = job.settle().unwrap_err().to_string();
    assert!(error.contains("without an event time"), "{error}");

    let harness = Harness::new();
    let (_, lefts) = harness.input::<Event>("left");
    let lefts = lefts.key_by(|event| event.0);
    let joined = lefts
        .interval_join(&lefts)
        .between(1, 0)
        .process(|_, _, _, _| Ok(()));
    let _: &DataStream<()> = &joined;
    harness.output(&joined);
    let error = harness.start().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("between 1 and 0"), "{error}");
    Ok(())
}
