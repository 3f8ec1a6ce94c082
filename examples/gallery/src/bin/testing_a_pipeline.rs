//! Testing a pipeline: rows, watermarks and time by hand, in one thread, the same every time.
//!
//! Flink: `KeyedOneInputStreamOperatorTestHarness` for one operator, a mini cluster for a job. Here
//! one harness does both: the tasks, channels and operators are those of production, and the test
//! steps them. So keep the pipeline in a function from stream to stream, and give it the job's
//! source in `main` and the test's input in a test.
//!
//! ```text
//! cargo test -p gallery --bin testing_a_pipeline
//! ```

use std::process::ExitCode;

use rheos::prelude::*;
use rheos_connectors::{CollectionSource, PrintSink};

#[derive(Row, Clone, Debug, PartialEq)]
struct Visit {
    page: String,
    seconds: i64,
}

fn late() -> OutputTag<Visit> {
    OutputTag::new("late")
}

/// The longest visit of each page and minute.
fn longest_visits(visits: &DataStream<Visit>) -> DataStream<Visit> {
    visits
        .filter(|visit| visit.seconds >= 0)
        .name("sane")
        .key_by(|visit| visit.page.clone())
        .window(TumblingEventTimeWindows::of(Duration::from_mins(1)))
        .side_output_late_data(&late())
        .reduce(|longest, visit| longest.seconds = longest.seconds.max(visit.seconds))
        .name("longest")
}

fn main() -> ExitCode {
    rheos::main(|env| {
        let visits =
            [("home", 3), ("shop", 40), ("home", 7), ("home", -1)].map(|(page, seconds)| {
                (
                    Visit {
                        page: page.into(),
                        seconds,
                    },
                    1_000,
                )
            });
        let source = CollectionSource::with_timestamps(visits);
        let visits = env.from_source(source, WatermarkStrategy::no_watermarks(), "visits");
        longest_visits(&visits)
            .sink_to(PrintSink::new())
            .parallelism(1);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rheos::harness::{Harness, HarnessError};

    fn visit(page: &str, seconds: i64) -> Visit {
        Visit {
            page: page.into(),
            seconds,
        }
    }

    #[test]
    fn a_minute_gives_the_longest_visit_when_the_watermark_has_passed_it()
    -> Result<(), HarnessError> {
        let harness = Harness::new();
        let (mut input, visits) = harness.input("visits");
        let output = harness.output(&longest_visits(&visits));
        let mut job = harness.start()?;

        input.push(visit("home", 3), 1_000);
        input.push(visit("home", 7), 59_999);
        input.push(visit("home", 5), 60_000);
        input.watermark(59_998);
        job.settle()?;
        assert_eq!(output.take(), []);

        input.watermark(59_999);
        job.settle()?;
        assert_eq!(output.take(), [(visit("home", 7), 59_999)]);

        input.end();
        job.settle()?;
        assert_eq!(output.take_rows(), [visit("home", 5)]);
        assert!(job.is_finished());
        Ok(())
    }

    #[test]
    fn what_comes_behind_the_watermark_is_late() -> Result<(), HarnessError> {
        let harness = Harness::new();
        let (mut input, visits) = harness.input("visits");
        let longest = longest_visits(&visits);
        let (output, late) = (
            harness.output(&longest),
            harness.output(&longest.side_output(&late())),
        );
        let mut job = harness.start()?;

        input.watermark(59_999);
        input.push(visit("home", 9), 2_000);
        // Not sane, and so not late either.
        input.push(visit("home", -9), 2_000);
        job.settle()?;
        assert_eq!(output.take_rows(), []);
        assert_eq!(late.take_rows(), [visit("home", 9)]);
        Ok(())
    }

    #[test]
    fn parallelism_changes_nothing() -> Result<(), HarnessError> {
        for parallelism in [1, 3] {
            let harness = Harness::new();
            harness.env().parallelism(parallelism);
            let (mut input, visits) = harness.input("visits");
            let output = harness.output(&longest_visits(&visits));
            let mut job = harness.start()?;
            for page in ["a", "b", "c", "d"] {
                input.push(visit(page, 1), 0);
                input.push(visit(page, 2), 1);
            }
            input.end();
            job.settle()?;
            let mut rows = output.take_rows();
            rows.sort_by(|one, other| one.page.cmp(&other.page));
            assert_eq!(rows, ["a", "b", "c", "d"].map(|page| visit(page, 2)));
        }
        Ok(())
    }
}
