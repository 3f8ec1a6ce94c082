//! Runners of the kinds `intervalJoin` and `intervalJoinLockstep`: a job with one interval join, run
//! in the test harness.

use rheos::harness::{Harness, HarnessError, TestOutput};
use rheos::prelude::*;
use serde_json::{Value, json};

use super::drive::{Event, drive_both, row};
use super::{Outcome, RunError, Runner, backend, crash};
use crate::scenario::join::{IntervalJoin, IntervalJoinLockstep, IntervalSpec};
use crate::scenario::stream::{LockstepItem, Time};

/// `intervalJoin`.
pub(super) struct Independent;

/// `intervalJoinLockstep`.
pub(super) struct Lockstep;

/// Key; value and timestamp of the left and the right element.
type Pair = (String, (i64, i64), (i64, i64));

/// The outputs of a join.
struct Joined {
    pairs: TestOutput<Pair>,
    late_left: TestOutput<Event>,
    late_right: TestOutput<Event>,
}

fn joined(
    harness: &Harness,
    (left, right): (&DataStream<Event>, &DataStream<Event>),
    spec: &IntervalSpec,
    parallelism: u32,
) -> Joined {
    let (late_left, late_right) = (OutputTag::new("late-left"), OutputTag::new("late-right"));
    let mut join = left
        .key_by(|event| event.0.clone())
        .interval_join(&right.key_by(|event| event.0.clone()))
        .between(spec.lower, spec.upper)
        .side_output_left_late_data(&late_left)
        .side_output_right_late_data(&late_right);
    if !spec.lower_inclusive {
        join = join.lower_bound_exclusive();
    }
    if !spec.upper_inclusive {
        join = join.upper_bound_exclusive();
    }
    let pairs = join
        .process(|left: &Event, right: &Event, _, out| {
            out.collect((left.0.clone(), (left.1, left.2), (right.1, right.2)));
            Ok(())
        })
        .parallelism(parallelism);
    Joined {
        late_left: harness.output(&pairs.side_output(&late_left)),
        late_right: harness.output(&pairs.side_output(&late_right)),
        pairs: harness.output(&pairs),
    }
}

fn record((key, left, right): Pair, ts: Millis) -> Value {
    let side = |(value, ts)| json!([value, Time(ts)]);
    json!({ "key": key, "l": side(left), "r": side(right), "ts": Time(ts) })
}

fn late(output: &TestOutput<Event>) -> Vec<Value> {
    let rows = output.take_rows().into_iter();
    rows.map(|(key, value, ts)| json!([key, value, Time(ts)]))
        .collect()
}

impl Runner<IntervalJoin> for Independent {
    fn run(&self, scenario: &IntervalJoin, parallelism: u32) -> Result<Outcome, RunError> {
        let harness = backend::harness();
        let (left, lefts) = harness.input::<Event>("left");
        let (right, rights) = harness.input::<Event>("right");
        let joined = joined(&harness, (&lefts, &rights), &scenario.spec, parallelism);
        drive_both(&harness, (left, &scenario.left), (right, &scenario.right))?;
        let pairs = joined.pairs.take().into_iter();
        Ok(Outcome {
            output: pairs.map(|(pair, ts)| record(pair, ts)).collect(),
            late_left: late(&joined.late_left),
            late_right: late(&joined.late_right),
            ..Outcome::default()
        })
    }
}

impl Runner<IntervalJoinLockstep> for Lockstep {
    fn run(&self, scenario: &IntervalJoinLockstep, parallelism: u32) -> Result<Outcome, RunError> {
        let harness = backend::harness();
        let (mut left, lefts) = harness.input::<Event>("left");
        let (mut right, rights) = harness.input::<Event>("right");
        let joined = joined(&harness, (&lefts, &rights), &scenario.spec, parallelism);
        let failed = |error: HarnessError| RunError::Failed(error.to_string());
        let mut job = harness.start().map_err(failed)?;
        let mut output = Vec::new();
        for (i, item) in scenario.input.iter().enumerate() {
            match item {
                LockstepItem::Left(element) => left.push(row(element), element.ts),
                LockstepItem::Right(element) => right.push(row(element), element.ts),
                LockstepItem::LeftWatermark(watermark) => left.watermark(watermark.0),
                LockstepItem::RightWatermark(watermark) => right.watermark(watermark.0),
            }
            job = crash::within(i, &harness, job).map_err(failed)?;
            job.settle().map_err(failed)?;
            for (pair, ts) in joined.pairs.take() {
                let mut record = record(pair, ts);
                if let Value::Object(fields) = &mut record {
                    fields.insert("i".to_owned(), i.into());
                }
                output.push(record);
            }
            job = crash::after(i, &harness, job).map_err(failed)?;
        }
        Ok(Outcome {
            output,
            late_left: late(&joined.late_left),
            late_right: late(&joined.late_right),
            ..Outcome::default()
        })
    }
}
