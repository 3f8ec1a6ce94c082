//! A co-group: all rows of two streams that have a key and a window in common, in two lists.
//!
//! Flink: `planned.coGroup(driven).where(…).equalTo(…).window(…).apply(…)`. Unlike a join it is called
//! where one side has nothing, too: outer joins, and what is missing, are made of it.

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

const HOUR: Millis = 3_600_000;

#[derive(Row, Clone)]
struct Planned {
    line: String,
    hour: i64,
}

#[derive(Row, Clone)]
struct Driven {
    line: String,
    hour: i64,
    late_minutes: i64,
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let planned = [("A", 6), ("A", 6), ("A", 7), ("B", 6)].map(|(line, hour)| Planned {
            line: line.into(),
            hour,
        });
        let driven = [("A", 6, 1), ("A", 6, 12), ("B", 6, 0), ("C", 6, 0)].map(
            |(line, hour, late_minutes)| Driven {
                line: line.into(),
                hour,
                late_minutes,
            },
        );
        let planned = env.from_source(
            CollectionSource::from(planned.to_vec()),
            WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_hours(2))
                .with_timestamp_assigner(|planned: &Planned, _| planned.hour * HOUR),
            "planned",
        );
        let driven = env.from_source(
            CollectionSource::from(driven.to_vec()),
            WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_hours(2))
                .with_timestamp_assigner(|driven: &Driven, _| driven.hour * HOUR),
            "driven",
        );
        planned
            .co_group(&driven)
            .where_key(|planned| (planned.line.clone(), planned.hour))
            .equal_to(|driven| (driven.line.clone(), driven.hour))
            .window(TumblingEventTimeWindows::of(Duration::from_hours(1)))
            .apply(|planned, driven, out| {
                let (line, hour) = match (planned.first(), driven.first()) {
                    (Some(planned), _) => (&planned.line, planned.hour),
                    (None, Some(driven)) => (&driven.line, driven.hour),
                    (None, None) => return Ok(()),
                };
                let in_time = driven
                    .iter()
                    .filter(|driven| driven.late_minutes <= 5)
                    .count();
                let (planned, driven) = (planned.len(), driven.len());
                out.collect(format!(
                    "line {line} at {hour}: {planned} planned, {driven} driven, {in_time} in time"
                ));
                Ok(())
            })
            .name("timetable")
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}
