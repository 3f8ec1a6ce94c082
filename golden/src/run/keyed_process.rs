//! Runner of kind `keyedProcess`: the programs as functions of a job, run in the test harness.

use rheos::prelude::*;
use serde_json::{Value, json};

use super::drive::{Event, drive};
use super::{Outcome, RunError, Runner, backend};
use crate::scenario::keyed_process::{KeyedProcess, KeyedProcessSpec, ProcessProgram};
use crate::scenario::stream::Time;

/// `keyedProcess`.
pub(super) struct Programs;

impl Runner<KeyedProcess> for Programs {
    fn run(&self, scenario: &KeyedProcess, parallelism: u32) -> Result<Outcome, RunError> {
        let KeyedProcessSpec {
            program,
            t,
            final_watermark,
        } = scenario.spec;
        let harness = backend::harness();
        let (input, stream) = harness.input::<Event>("input");
        let processed = stream
            .key_by(|event| event.0.clone())
            .process(move |open| Function::open(program, t, open))
            .parallelism(parallelism);
        let output = harness.output(&processed);
        let take = || output.take_rows();
        let output = drive(&harness, input, &scenario.input, final_watermark, take)?;
        Ok(Outcome {
            output,
            ..Outcome::default()
        })
    }
}

/// All programs in one function; each uses some of the states.
struct Function {
    program: ProcessProgram,
    t: Millis,
    count: ValueState<i64>,
    sum: ValueState<i64>,
    timer: ValueState<Millis>,
    left: ValueState<i64>,
    last: ValueState<Millis>,
    buckets: MapState<Millis, i64>,
    values: ListState<(Millis, i64)>,
}

impl Function {
    fn open(
        program: ProcessProgram,
        t: Millis,
        open: &mut OpenContext<'_, String>,
    ) -> Result<Self, BoxError> {
        Ok(Self {
            program,
            t,
            count: open.value_state("count")?,
            sum: open.value_state("sum")?,
            timer: open.value_state("timer")?,
            left: open.value_state("left")?,
            last: open.value_state("last")?,
            buckets: open.map_state("buckets")?,
            values: open.list_state("values")?,
        })
    }

    fn counted(&self) -> i64 {
        let mut count = self.count.get_or_insert_with(|| 0);
        *count += 1;
        *count
    }

    /// What the program emits for an element, if anything.
    fn element(&self, value: i64, ts: Millis, context: &KeyedContext<'_, String>) -> Option<Value> {
        let t = self.t;
        Some(match self.program {
            ProcessProgram::Debounce { .. } => {
                let count = self.counted();
                let sum = self.sum.get().unwrap_or(0) + value;
                self.sum.update(sum);
                if let Some(timer) = self.timer.get() {
                    context.delete_event_time_timer(timer);
                }
                context.register_event_time_timer(ts + t);
                self.timer.update(ts + t);
                json!({ "count": count, "sum": sum, "timer": ts + t })
            }
            ProcessProgram::Past => {
                let count = self.counted();
                context.register_event_time_timer(ts - t);
                if context.watermark() != MIN_TIMESTAMP {
                    context.register_event_time_timer(context.watermark());
                }
                json!({ "count": count })
            }
            ProcessProgram::Chain { n } | ProcessProgram::ChainPast { n } => {
                self.start_chain(n, ts + t, context)
            }
            ProcessProgram::Dedup { delete_even, .. } => {
                let timer = ts.div_euclid(t) * t + t - 1;
                let count = self.counted();
                for _ in 0..3 {
                    context.register_event_time_timer(timer);
                }
                let deleted = delete_even && value % 2 == 0;
                if deleted {
                    context.delete_event_time_timer(timer);
                }
                json!({ "count": count, "timer": timer, "deleted": deleted })
            }
            ProcessProgram::Buckets => {
                let bucket = ts.div_euclid(t) * t;
                let before = self.buckets.get(&bucket);
                self.buckets.insert(bucket, before.unwrap_or(0) + value);
                context.register_event_time_timer(bucket + t - 1);
                json!({ "bucket": bucket, "new": before.is_none() })
            }
            ProcessProgram::Sort => {
                if ts <= context.watermark() {
                    return Some(json!({ "late": true, "value": value }));
                }
                self.values.add((ts, value));
                context.register_event_time_timer(ts);
                return None;
            }
            ProcessProgram::Cancel { .. } => {
                let count = self.counted();
                self.last.update(ts);
                context.register_event_time_timer(ts + t);
                context.register_event_time_timer(ts + 2 * t);
                json!({ "count": count })
            }
            ProcessProgram::Reregister => {
                let count = self.counted();
                context.register_event_time_timer(ts + t);
                context.register_event_time_timer(ts + t);
                context.register_event_time_timer(ts + 2 * t);
                json!({ "count": count })
            }
            ProcessProgram::Flush => {
                self.values.add((ts, value));
                context.register_event_time_timer(MAX_WATERMARK);
                if self.values.len() < 5 {
                    return None;
                }
                json!({ "values": self.take_values() })
            }
        })
    }

    /// What the program emits for a timer.
    fn timer(&self, ts: Millis, context: &KeyedContext<'_, String>) -> Value {
        let t = self.t;
        let count = self.count.get().unwrap_or(0);
        match self.program {
            ProcessProgram::Debounce { clear } => {
                let sum = self.sum.get().unwrap_or(0);
                if clear {
                    self.count.clear();
                    self.sum.clear();
                    self.timer.clear();
                }
                json!({ "count": count, "sum": sum })
            }
            ProcessProgram::Past => json!({ "count": count }),
            ProcessProgram::Chain { .. } => self.go_on(ts + t, context),
            ProcessProgram::ChainPast { .. } => self.go_on(ts - t, context),
            ProcessProgram::Dedup { clear, .. } => {
                if clear {
                    self.count.clear();
                }
                json!({ "count": count })
            }
            ProcessProgram::Buckets => {
                let bucket = ts + 1 - t;
                let sum = self.buckets.get(&bucket);
                let (mut entries, mut total) = (0, 0);
                self.buckets.for_each(|_, value| {
                    entries += 1;
                    total += value;
                });
                self.buckets.remove(&bucket);
                json!({ "bucket": bucket, "sum": sum, "entries": entries, "total": total })
            }
            ProcessProgram::Sort => {
                let all = self.values.take();
                let (mut due, kept): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|(at, _)| *at <= ts);
                due.sort_by_key(|(at, _)| *at);
                let values: Vec<i64> = due.into_iter().map(|(_, value)| value).collect();
                let count = kept.len();
                self.values.update(kept);
                json!({ "values": values, "kept": count })
            }
            ProcessProgram::Cancel { odd } => {
                let last = self.last.get().unwrap_or(0);
                let deleted = ts == last + t && (count % 2 != 0) == odd;
                if deleted {
                    context.delete_event_time_timer(last + 2 * t);
                }
                json!({ "count": count, "deleted": deleted })
            }
            ProcessProgram::Reregister => {
                let again = self.last.get() != Some(ts);
                if again {
                    self.last.update(ts);
                    context.register_event_time_timer(ts);
                }
                json!({ "count": count, "again": again })
            }
            ProcessProgram::Flush => json!({ "values": self.take_values() }),
        }
    }

    fn take_values(&self) -> Vec<i64> {
        self.values
            .take()
            .into_iter()
            .map(|(_, value)| value)
            .collect()
    }

    fn start_chain(&self, n: i64, at: Millis, context: &KeyedContext<'_, String>) -> Value {
        let started = !self.left.is_some();
        if started {
            self.left.update(n);
            context.register_event_time_timer(at);
        }
        json!({ "started": started })
    }

    fn go_on(&self, at: Millis, context: &KeyedContext<'_, String>) -> Value {
        let left = self.left.get();
        match left {
            Some(left) if left > 0 => {
                self.left.update(left - 1);
                context.register_event_time_timer(at);
            }
            _ => self.left.clear(),
        }
        json!({ "left": left })
    }
}

/// The record with what every record has.
fn record(on: &str, ts: Millis, context: &KeyedContext<'_, String>, fields: Value) -> String {
    let mut record = json!({
        "on": on,
        "key": context.key(),
        "ts": Time(ts),
        "watermark": Time(context.watermark()),
    });
    if let (Value::Object(record), Value::Object(fields)) = (&mut record, fields) {
        record.extend(fields);
    }
    record.to_string()
}

impl KeyedProcessFunction<String, Event, String> for Function {
    fn process(
        &mut self,
        event: Event,
        context: &KeyedContext<'_, String>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        if let Some(fields) = self.element(event.1, event.2, context) {
            out.collect(record("e", event.2, context, fields));
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedContext<'_, String>,
        out: &mut Collector<'_, String>,
    ) -> Result<(), BoxError> {
        let fields = self.timer(timestamp, context);
        out.collect(record("t", timestamp, context, fields));
        Ok(())
    }
}
