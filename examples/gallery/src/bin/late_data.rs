//! Late rows: some make their window fire again, later ones go to a side output.
//!
//! Flink: `.allowedLateness(Time.seconds(5)).sideOutputLateData(tag)` and `getSideOutput(tag)`. A
//! window of 10 s fires when the watermark reaches its end, and again for each row that comes in
//! during the 5 s after that; then its state is dropped, and what still comes is *late*. Without the
//! side output late rows are dropped and counted in `numLateRecordsDropped`.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const SECOND: Millis = 1_000;

#[derive(Row, Clone)]
struct Reading {
    sensor: String,
    second: i64,
}

#[derive(Row, Clone)]
struct Window10s {
    sensor: String,
    from: i64,
    readings: u64,
}

fn reading(second: i64) -> Reading {
    Reading {
        sensor: "roof".into(),
        second,
    }
}

struct Count;

impl AggregateFunction for Count {
    type In = Reading;
    type Acc = u64;
    type Out = u64;

    fn create_accumulator(&self) -> u64 {
        0
    }

    fn add(&self, count: &mut u64, _reading: Reading) {
        *count += 1;
    }

    fn get_result(&self, count: &u64) -> u64 {
        *count
    }

    fn merge(&self, into: &mut u64, from: u64) {
        *into += from;
    }
}

fn main() -> ExitCode {
    rheos::main(|env| {
        // 12 closes the first window; 7 is allowed and makes it fire again; after 16, 8 is late.
        let readings = CollectionSource::from([1, 4, 12, 7, 16, 8, 21].map(reading).to_vec());
        // A watermark behind each row makes the example do the same every time. A job would take
        // `for_bounded_out_of_orderness`, which is asked for a watermark every 200 ms.
        let time = WatermarkStrategy::punctuated(|_: &Reading, at| Some(at))
            .with_timestamp_assigner(|reading: &Reading, _| reading.second * SECOND);
        let late = OutputTag::<Reading>::new("late");
        let counts = env
            .from_source(readings, time, "readings")
            .parallelism(1)
            .key_by(|reading| reading.sensor.clone())
            .window(TumblingEventTimeWindows::of(Duration::from_secs(10)))
            .allowed_lateness(Duration::from_secs(5))
            .side_output_late_data(&late)
            .aggregate_apply(Count, |sensor, window, readings, _context, out| {
                let from = window.start / SECOND;
                out.collect(Window10s {
                    sensor: sensor.clone(),
                    from,
                    readings,
                });
                Ok(())
            })
            .name("count");
        counts
            .side_output(&late)
            .sink_to(PrintSink::new().identifier("late"))
            .parallelism(1);
        counts
            .sink_to(PrintSink::new().identifier("count"))
            .parallelism(1);
        Ok(())
    })
}
