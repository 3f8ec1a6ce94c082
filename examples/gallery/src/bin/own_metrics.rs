//! Metrics of one's own: how many rows were dropped, and why.
//!
//! Flink: `getRuntimeContext().getMetricGroup().counter("numInvalidEvents")` in a rich function's
//! `open()`. A factory asks its context; there are counters, gauges, meters and histograms, in groups.
//! They stand beside the operator's own (`numRecordsIn`, `busyTimeMsPerSecond` …) under one name a
//! subtask. `rheos::main_then` looks at them when the job has finished.

use std::process::ExitCode;

use rheos::command::NoArguments;
use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn valid(readings: &DataStream<Reading>) -> DataStream<Reading> {
    readings
        .filter_with(|open| {
            let invalid = open.metrics().group("invalid");
            let (nameless, absurd) = (invalid.counter("nameless"), invalid.counter("absurd"));
            Ok(move |reading: &Reading| {
                if reading.sensor.is_empty() {
                    nameless.inc();
                    return Ok(false);
                }
                // No number, or below absolute zero.
                if reading.celsius.is_nan() || reading.celsius < -273.15 {
                    absurd.inc();
                    return Ok(false);
                }
                Ok(true)
            })
        })
        .name("valid")
}

fn readings() -> Vec<Reading> {
    [
        ("roof", 21.0),
        ("", 20.0),
        ("cellar", -300.0),
        ("cellar", 12.0),
        ("roof", f64::NAN),
    ]
    .map(|(sensor, celsius)| Reading {
        sensor: sensor.into(),
        celsius,
    })
    .to_vec()
}

fn main() -> ExitCode {
    rheos::main_then(
        |env, _: NoArguments| {
            let source = CollectionSource::from(readings());
            let readings = env.from_source(source, WatermarkStrategy::no_watermarks(), "readings");
            valid(&readings).sink_to(PrintSink::new()).parallelism(1);
            Ok(())
        },
        |(), finished| {
            let metrics = &finished.report.metrics;
            for counter in ["invalid.nameless", "invalid.absurd"] {
                println!("{counter}: {}", metrics.counter("valid", counter));
            }
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rheos::harness::Harness;

    #[test]
    fn what_is_dropped_is_counted() {
        let harness = Harness::new();
        let (mut input, stream) = harness.input::<Reading>("readings");
        let output = harness.output(&valid(&stream));
        let mut job = harness.start().unwrap();
        for reading in readings() {
            input.push(reading, 0);
        }
        job.settle().unwrap();
        assert_eq!(output.take_rows().len(), 2);
        assert_eq!(job.metrics().counter("valid", "invalid.absurd"), 2);
    }
}
