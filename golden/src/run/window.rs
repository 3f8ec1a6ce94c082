//! Runner of kind `window`: a job with one window operator, run in the test harness.
//!
//! How often a window has fired (`nth`) is kept in state of the window at parallelism 1, and
//! outside of the job above: so both operators are judged, the one that gathers by pane and the general
//! one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rheos::prelude::*;
use serde_json::{Value, json};

use super::drive::{Event, drive};
use super::{Outcome, RunError, Runner, backend, crash};
use crate::scenario::stream::Time;
use crate::scenario::window as spec;
use crate::scenario::window::{Assigner, Function, WindowSpec};

/// `window`.
pub(super) struct Windows;

pub(super) fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

impl Runner<spec::Window> for Windows {
    fn run(&self, scenario: &spec::Window, parallelism: u32) -> Result<Outcome, RunError> {
        match scenario.spec.assigner {
            Assigner::Tumbling { size, offset } => {
                let windows = TumblingEventTimeWindows::of(millis(size)).offset_millis(offset);
                run(scenario, parallelism, windows)
            }
            Assigner::Sliding {
                size,
                slide,
                offset,
            } => {
                let windows = SlidingEventTimeWindows::of(millis(size), millis(slide));
                run(scenario, parallelism, windows.offset_millis(offset))
            }
            Assigner::Session { gap } => run(
                scenario,
                parallelism,
                EventTimeSessionWindows::with_gap(millis(gap)),
            ),
            Assigner::DynamicSession {
                base,
                modulus,
                step,
            } => {
                let windows = EventTimeSessionWindows::with_dynamic_gap(move |event: &Event| {
                    millis(base + event.1.rem_euclid(modulus) * step)
                });
                run(scenario, parallelism, windows)
            }
            Assigner::Global {} => run(scenario, parallelism, GlobalWindows::create()),
            Assigner::GlobalEndOfStream {} => run(
                scenario,
                parallelism,
                GlobalWindows::create_with_end_of_stream_trigger(),
            ),
        }
    }
}

/// Start and end of a window, if it has them.
trait Bounds: Window + std::hash::Hash {
    fn bounds(&self) -> Option<(Millis, Millis)>;
}

impl Bounds for TimeWindow {
    fn bounds(&self) -> Option<(Millis, Millis)> {
        Some((self.start, self.end))
    }
}

impl Bounds for GlobalWindow {
    fn bounds(&self) -> Option<(Millis, Millis)> {
        None
    }
}

fn run<A>(scenario: &spec::Window, parallelism: u32, assigner: A) -> Result<Outcome, RunError>
where
    A: WindowAssigner<Event>,
    A::Window: Bounds,
{
    let harness = backend::harness();
    let (input, stream) = harness.input::<Event>("input");
    let late = OutputTag::<Event>::new("late");
    let spec = &scenario.spec;
    let merging = matches!(
        spec.assigner,
        Assigner::Session { .. } | Assigner::DynamicSession { .. }
    );
    let running = Running {
        parallelism,
        late: &late,
        merging,
    };
    let made = if spec.keyed {
        let windowed = stream.key_by(|event| event.0.clone()).window(assigner);
        made_of_keyed(described(windowed, spec, &late), spec.function, &running)?
    } else {
        made_of_all(
            described(stream.window_all(assigner), spec, &late),
            spec.function,
            &running,
        )?
    };
    // Windows that do not end by event time have no late rows.
    let late = spec.lateness.map(|_| harness.output(&made.late));
    let output = harness.output(&made.records);
    let take = || output.take_rows();
    let mut output = drive(&harness, input, &scenario.input, spec.final_watermark, take)?;
    if !spec.keyed {
        // Their order is exact, so their records do not say what caused them.
        for fields in output.iter_mut().filter_map(Value::as_object_mut) {
            fields.shift_remove("i");
        }
    }
    let late = late.map_or_else(Vec::new, |late| late.take_rows());
    let late = late
        .into_iter()
        .map(|(key, value, ts)| json!([key, value, Time(ts)]))
        .collect();
    Ok(Outcome {
        output,
        late,
        ..Outcome::default()
    })
}

/// Everything about the windows but what is made of them.
fn described<K: Row, A>(
    mut windowed: WindowedStream<K, Event, A>,
    spec: &WindowSpec,
    late: &OutputTag<Event>,
) -> WindowedStream<K, Event, A>
where
    A: WindowAssigner<Event>,
{
    if let Some(lateness) = spec.lateness {
        windowed = windowed
            .allowed_lateness(millis(lateness))
            .side_output_late_data(late);
    }
    windowed = triggered(windowed, &spec.trigger, false);
    match spec.evictor {
        None => windowed,
        Some(spec::Evictor::Count { n, after }) => {
            let evictor = CountEvictor::of(usize::try_from(n).unwrap_or(usize::MAX));
            windowed.evictor(if after { evictor.after() } else { evictor })
        }
        Some(spec::Evictor::Time { ms, after }) => {
            let evictor = TimeEvictor::of(millis(ms));
            windowed.evictor(if after { evictor.after() } else { evictor })
        }
        Some(spec::Evictor::Delta { threshold, after }) => {
            let evictor = DeltaEvictor::of(threshold as f64, |row: &Event, last: &Event| {
                (last.1 - row.1).unsigned_abs() as f64
            });
            windowed.evictor(if after { evictor.after() } else { evictor })
        }
    }
}

fn triggered<K: Row, A>(
    windowed: WindowedStream<K, Event, A>,
    trigger: &spec::Trigger,
    purging: bool,
) -> WindowedStream<K, Event, A>
where
    A: WindowAssigner<Event>,
{
    fn set<K: Row, A: WindowAssigner<Event>>(
        windowed: WindowedStream<K, Event, A>,
        trigger: impl Trigger<Event, A::Window>,
        purging: bool,
    ) -> WindowedStream<K, Event, A> {
        match purging {
            true => windowed.trigger(PurgingTrigger::of(trigger)),
            false => windowed.trigger(trigger),
        }
    }
    match trigger {
        spec::Trigger::Default {} => windowed,
        spec::Trigger::EventTime {} => set(windowed, EventTimeTrigger, purging),
        spec::Trigger::Count { n } => set(windowed, CountTrigger::of(n.unsigned_abs()), purging),
        spec::Trigger::ContinuousEventTime { interval } => set(
            windowed,
            ContinuousEventTimeTrigger::of(millis(*interval)),
            purging,
        ),
        spec::Trigger::Delta { threshold } => {
            let delta = |old: &Event, new: &Event| (new.1 - old.1).unsigned_abs() as f64;
            set(
                windowed,
                DeltaTrigger::of(*threshold as f64, delta),
                purging,
            )
        }
        spec::Trigger::Purging { inner } => triggered(windowed, inner, true),
    }
}

/// Count, sum, least and greatest value.
type Sums = (i64, i64, i64, i64);

struct Summing;

impl AggregateFunction for Summing {
    type In = Event;
    type Acc = Sums;
    type Out = Sums;

    fn create_accumulator(&self) -> Sums {
        (0, 0, i64::MAX, i64::MIN)
    }

    fn add(&self, sums: &mut Sums, event: Event) {
        self.merge(sums, (1, event.1, event.1, event.1));
    }

    fn get_result(&self, sums: &Sums) -> Sums {
        *sums
    }

    fn merge(&self, into: &mut Sums, from: Sums) {
        into.0 += from.0;
        into.1 += from.1;
        into.2 = into.2.min(from.2);
        into.3 = into.3.max(from.3);
    }
}

fn hashed(into: &mut Event, event: Event) {
    into.1 = (into.1 * 31 + event.1).rem_euclid(1_000_003);
    into.2 = into.2.max(event.2);
}

fn summed(into: &mut Event, event: Event) {
    into.1 += event.1;
    into.2 = into.2.max(event.2);
}

/// Firings by key and window, seen from outside of the job: they outlive its crashes.
type Counts<W> = Arc<Mutex<HashMap<(String, W), i64>>>;

/// Which firing of its window this is.
enum Nth<W> {
    Stated(ValueState<i64>),
    Counted(Counts<W>),
    /// Windows that merge have no state.
    Untold,
}

impl<W: Bounds> Nth<W> {
    fn open(
        merging: bool,
        stated: bool,
        open: &mut WindowOpenContext<'_, String>,
        counts: &Counts<W>,
    ) -> Result<Self, BoxError> {
        Ok(match (merging, stated) {
            (true, _) => Self::Untold,
            (false, true) => Self::Stated(open.window_value_state("nth")?),
            (false, false) => Self::Counted(counts.clone()),
        })
    }

    fn next(&mut self, key: &str, window: &W) -> Option<i64> {
        let mut modified = match self {
            Self::Stated(state) => state.get_or_insert_with(|| 0),
            Self::Counted(counts) => {
                let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                let count = counts.entry((key.to_owned(), *window)).or_default();
                *count += 1;
                return Some(*count);
            }
            Self::Untold => return None,
        };
        *modified += 1;
        Some(*modified)
    }
}

/// A record of a window of a key.
fn record<W: Bounds>(
    key: &str,
    window: &W,
    context: &WindowContext<'_>,
    nth: Option<i64>,
    fields: Value,
) -> String {
    let mut record = json!({ "key": key, "watermark": Time(context.watermark()) });
    if let (Value::Object(record), Value::Object(fields)) = (&mut record, fields) {
        record.extend(fields);
        if let Some((start, end)) = window.bounds() {
            record.insert("start".to_owned(), start.into());
            record.insert("end".to_owned(), end.into());
        }
        if let Some(nth) = nth {
            record.insert("nth".to_owned(), nth.into());
        }
    }
    record.to_string()
}

fn sums((count, sum, min, max): Sums) -> Value {
    json!({ "count": count, "sum": sum, "min": min, "max": max })
}

/// What a window operator gives.
struct Made {
    records: DataStream<String>,
    late: DataStream<Event>,
}

/// How an operator is run.
struct Running<'a> {
    parallelism: u32,
    late: &'a OutputTag<Event>,
    /// Whether windows merge.
    merging: bool,
}

impl Running<'_> {
    fn of_records(&self, stream: DataStream<String>) -> Made {
        let stream = stream.parallelism(self.parallelism);
        Made {
            late: stream.side_output(self.late),
            records: stream,
        }
    }

    /// Of a stream of reduced elements; `of` makes a record of one and its timestamp.
    fn of_elements(
        &self,
        stream: DataStream<Event>,
        of: impl Fn(Event, Option<Millis>) -> Value + Clone + Send + Sync + 'static,
    ) -> Made {
        let stream = stream.parallelism(self.parallelism);
        let late = stream.side_output(self.late);
        let records = stream.process(move |_| {
            let of = of.clone();
            Ok(
                move |row: Event, at: &ProcessContext<'_>, out: &mut Collector<'_, String>| {
                    out.collect(of(row, at.timestamp()).to_string());
                    Ok(())
                },
            )
        });
        Made { records, late }
    }
}

fn wrong_function() -> RunError {
    RunError::Failed("function and keyed contradict each other".to_owned())
}

fn made_of_keyed<A>(
    windowed: WindowedStream<String, Event, A>,
    function: Function,
    running: &Running<'_>,
) -> Result<Made, RunError>
where
    A: WindowAssigner<Event>,
    A::Window: Bounds,
{
    // What a job has counted outside of its state it does not forget when it crashes.
    let stated = running.parallelism == 1 || crash::forgets();
    let merging = running.merging;
    let counts = Counts::<A::Window>::default();
    let records = match function {
        Function::Aggregate => windowed.aggregate_with(Summing, move |open| {
            Ok(Records {
                nth: Nth::open(merging, stated, open, &counts)?,
            })
        }),
        Function::Process => windowed.process(move |open| {
            Ok(Records {
                nth: Nth::open(merging, stated, open, &counts)?,
            })
        }),
        Function::Reduce => windowed.reduce_apply(hashed, |key, window, row, at, out| {
            reduced(key, window, row, at, out)
        }),
        Function::ReduceSum => windowed.reduce_apply(summed, |key, window, row, at, out| {
            reduced(key, window, row, at, out)
        }),
        Function::ReducePlain => {
            return Ok(running.of_elements(windowed.reduce(hashed), |(key, value, ts), time| {
                json!({ "key": key, "value": value, "ts": Time(ts), "recordTimestamp": time })
            }));
        }
        Function::AllAggregate | Function::AllReduce => return Err(wrong_function()),
    };
    Ok(running.of_records(records))
}

fn reduced<W: Bounds>(
    key: &str,
    window: &W,
    row: Event,
    context: &WindowContext<'_>,
    out: &mut Collector<'_, String>,
) -> Result<(), BoxError> {
    let fields = json!({ "value": row.1, "ts": Time(row.2) });
    out.collect(record(key, window, context, None, fields));
    Ok(())
}

/// Makes a record of each firing.
struct Records<W> {
    nth: Nth<W>,
}

impl<W: Bounds> WindowFunction<String, W, Sums, String> for Records<W> {
    fn apply(
        &mut self,
        key: &String,
        window: &W,
        result: Sums,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        let nth = self.nth.next(key, window);
        out.collect(record(key, window, context, nth, sums(result)));
        Ok(())
    }

    fn clears(&self) -> bool {
        false
    }
}

impl<W: Bounds> ProcessWindowFunction<String, W, Event, String> for Records<W> {
    fn process(
        &mut self,
        key: &String,
        window: &W,
        rows: &[Event],
        context: &WindowContext<'_>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        let nth = self.nth.next(key, window);
        let values: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let sum: i64 = values.iter().sum();
        let fields = json!({ "count": values.len(), "sum": sum, "values": values });
        out.collect(record(key, window, context, nth, fields));
        Ok(())
    }
}

fn made_of_all<A>(
    windowed: WindowedStream<(), Event, A>,
    function: Function,
    running: &Running<'_>,
) -> Result<Made, RunError>
where
    A: WindowAssigner<Event>,
    A::Window: Bounds,
{
    Ok(match function {
        Function::AllAggregate => {
            let records = windowed.aggregate_apply(Summing, |_, window, result, _, out| {
                let mut record = sums(result);
                if let (Value::Object(fields), Some((start, end))) = (&mut record, window.bounds())
                {
                    fields.insert("start".to_owned(), start.into());
                    fields.insert("end".to_owned(), end.into());
                }
                out.collect(record.to_string());
                Ok(())
            });
            running.of_records(records)
        }
        Function::AllReduce => {
            running.of_elements(windowed.reduce(hashed), |(key, value, ts), time| {
                json!({
                    "value": value,
                    "ts": Time(ts),
                    "recordTimestamp": time,
                    "firstKey": key,
                })
            })
        }
        _ => return Err(wrong_function()),
    })
}
