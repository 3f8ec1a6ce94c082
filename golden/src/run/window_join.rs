//! Runners of the kinds `windowJoin` and `coGroup`: a job with one join by window, run in the test
//! harness.

use rheos::prelude::*;
use serde_json::{Value, json};

use super::drive::{Event, drive_both};
use super::window::millis;
use super::{Outcome, RunError, Runner, backend};
use crate::scenario::join::WindowJoin;
use crate::scenario::stream::Time;
use crate::scenario::window::Assigner;

/// `windowJoin`.
pub(super) struct Join;

/// `coGroup`.
pub(super) struct CoGroup;

/// Value and timestamp.
type Sample = (i64, i64);

type Streams<'a> = (&'a DataStream<Event>, &'a DataStream<Event>);

/// A job over two streams in windows.
trait Job {
    type Record: Row;

    fn job<A>(&self, streams: Streams<'_>, windows: A) -> DataStream<Self::Record>
    where
        A: WindowAssigner<Tagged<Event, Event>, Window = TimeWindow>;

    /// What a record says beside its timestamp.
    fn value(&self, record: Self::Record) -> Value;
}

fn sample(event: &Event) -> Sample {
    (event.1, event.2)
}

fn sample_value((value, ts): Sample) -> Value {
    json!([value, Time(ts)])
}

impl Job for Join {
    type Record = (String, Sample, Sample);

    fn job<A>(&self, (left, right): Streams<'_>, windows: A) -> DataStream<Self::Record>
    where
        A: WindowAssigner<Tagged<Event, Event>, Window = TimeWindow>,
    {
        left.join(right)
            .where_key(|event| event.0.clone())
            .equal_to(|event| event.0.clone())
            .window(windows)
            .apply(|left, right| (left.0.clone(), sample(left), sample(right)))
    }

    fn value(&self, (key, left, right): Self::Record) -> Value {
        json!({ "key": key, "l": sample_value(left), "r": sample_value(right) })
    }
}

impl Job for CoGroup {
    type Record = (String, Vec<Sample>, Vec<Sample>);

    fn job<A>(&self, (left, right): Streams<'_>, windows: A) -> DataStream<Self::Record>
    where
        A: WindowAssigner<Tagged<Event, Event>, Window = TimeWindow>,
    {
        left.co_group(right)
            .where_key(|event| event.0.clone())
            .equal_to(|event| event.0.clone())
            .window(windows)
            .apply(|left, right, out| {
                if let Some(first) = left.first().or(right.first()) {
                    let samples = |events: &[Event]| events.iter().map(sample).collect();
                    out.collect((first.0.clone(), samples(left), samples(right)));
                }
                Ok(())
            })
    }

    fn value(&self, (key, left, right): Self::Record) -> Value {
        let list =
            |samples: Vec<Sample>| -> Value { samples.into_iter().map(sample_value).collect() };
        json!({ "key": key, "l": list(left), "r": list(right) })
    }
}

fn run<J: Job>(job: &J, scenario: &WindowJoin, parallelism: u32) -> Result<Outcome, RunError> {
    let harness = backend::harness();
    let (left, lefts) = harness.input::<Event>("left");
    let (right, rights) = harness.input::<Event>("right");
    let streams = (&lefts, &rights);
    let records = match scenario.assigner {
        Assigner::Tumbling { size, offset } => {
            let windows = TumblingEventTimeWindows::of(millis(size)).offset_millis(offset);
            job.job(streams, windows)
        }
        Assigner::Sliding {
            size,
            slide,
            offset,
        } => {
            let windows = SlidingEventTimeWindows::of(millis(size), millis(slide));
            job.job(streams, windows.offset_millis(offset))
        }
        Assigner::Session { gap } => {
            job.job(streams, EventTimeSessionWindows::with_gap(millis(gap)))
        }
        Assigner::DynamicSession {
            base,
            modulus,
            step,
        } => {
            let gap = move |row: &Tagged<Event, Event>| {
                let (Tagged::Left(event) | Tagged::Right(event)) = row;
                millis(base + event.1.rem_euclid(modulus) * step)
            };
            job.job(streams, EventTimeSessionWindows::with_dynamic_gap(gap))
        }
        Assigner::Global {} | Assigner::GlobalEndOfStream {} => {
            let error = "a join in global windows has no timestamps to compare";
            return Err(RunError::Failed(error.to_owned()));
        }
    };
    let output = harness.output(&records.parallelism(parallelism));
    drive_both(&harness, (left, &scenario.left), (right, &scenario.right))?;
    let records = output.take().into_iter().map(|(record, ts)| {
        let mut value = job.value(record);
        if let Value::Object(fields) = &mut value {
            fields.insert("ts".to_owned(), json!(Time(ts)));
        }
        value
    });
    Ok(Outcome {
        output: records.collect(),
        ..Outcome::default()
    })
}

impl Runner<WindowJoin> for Join {
    fn run(&self, scenario: &WindowJoin, parallelism: u32) -> Result<Outcome, RunError> {
        run(self, scenario, parallelism)
    }
}

impl Runner<WindowJoin> for CoGroup {
    fn run(&self, scenario: &WindowJoin, parallelism: u32) -> Result<Outcome, RunError> {
        run(self, scenario, parallelism)
    }
}
