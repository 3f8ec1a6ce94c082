//! A process function with state and timers: an alarm for each sensor that falls silent.
//!
//! Flink: `KeyedProcessFunction` with `registerEventTimeTimer` and `onTimer`. The function is made by
//! a factory, once a subtask, which hands it its state: there is no `open()` and no field that is not
//! yet set. A handle always means the state of the key at hand.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const SILENCE: Millis = 60_000;

#[derive(Row, Clone)]
struct Reading {
    sensor: String,
    second: i64,
}

#[derive(Row, Clone)]
struct Alarm {
    sensor: String,
    silent_since_second: i64,
}

impl Alarm {
    fn of(sensor: &str, last: Millis) -> Self {
        Self {
            sensor: sensor.to_owned(),
            silent_since_second: last / 1_000,
        }
    }
}

struct SilenceAlarm {
    last: ValueState<Millis>,
}

impl KeyedProcessFunction<String, Reading, Alarm> for SilenceAlarm {
    fn process(
        &mut self,
        _reading: Reading,
        context: &KeyedContext<'_, String>,
        out: &mut Collector<'_, Alarm>,
    ) -> Result<(), BoxError> {
        let now = context.timestamp().ok_or("a reading without a timestamp")?;
        let last = self.last.get();
        if last.is_some_and(|last| last >= now) {
            return Ok(());
        }
        // One timer a sensor, moved forward: a timer for each reading would have to be looked at
        // when it is due, to find that the sensor has spoken since.
        if let Some(last) = last {
            context.delete_event_time_timer(last + SILENCE);
            if now - last > SILENCE {
                // The sensor speaks again, and the watermark has not got so far as to tell.
                out.collect(Alarm::of(context.key(), last));
            }
        }
        context.register_event_time_timer(now + SILENCE);
        self.last.update(now);
        Ok(())
    }

    fn on_timer(
        &mut self,
        timestamp: Millis,
        _domain: TimeDomain,
        context: &KeyedContext<'_, String>,
        out: &mut Collector<'_, Alarm>,
    ) -> Result<(), BoxError> {
        self.last.clear();
        out.collect(Alarm::of(context.key(), timestamp - SILENCE));
        Ok(())
    }
}

fn readings() -> Vec<Reading> {
    [
        ("roof", 0),
        ("cellar", 10),
        ("roof", 50),
        ("roof", 80),
        ("cellar", 90),
        ("roof", 200),
    ]
    .map(|(sensor, second)| Reading {
        sensor: sensor.into(),
        second,
    })
    .to_vec()
}

fn main() -> ExitCode {
    rheos::main(|env| {
        // A watermark behind each row: see `late_data`.
        let time = WatermarkStrategy::punctuated(|_: &Reading, at| Some(at))
            .with_timestamp_assigner(|reading: &Reading, _| reading.second * 1_000);
        env.from_source(CollectionSource::from(readings()), time, "readings")
            .parallelism(1)
            .key_by(|reading| reading.sensor.clone())
            .process(|open| {
                Ok(SilenceAlarm {
                    last: open.value_state("last-reading")?,
                })
            })
            .name("silence")
            .sink_to(PrintSink::new())
            .parallelism(1);
        // The end of the input is the end of time: every timer that is left is due.
        Ok(())
    })
}
