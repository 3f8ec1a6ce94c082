//! The main job: departures in, counts and sums of every carrier and five minutes out.
//!
//! `HighThroughputStreamProcessor.java`, operator for operator: events → validity filter → enrichment →
//! a session a user → five-minute windows a category with late data → asynchronous look-up behind a
//! circuit breaker → sinks. See the README beside it.

mod check;
mod event;
mod job;
mod latest;
mod session;
mod tables;
mod window;

use std::process::ExitCode;

use rheos::cluster::deploy::JobMetrics;
use rheos::command::Finished;
use rheos::prelude::*;

use crate::job::{Arguments, SourceKind, describe};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rheos::main_then(
        |env, arguments: Arguments| {
            describe(env, &arguments)?;
            Ok(arguments)
        },
        |arguments, finished| sum_up(&arguments, finished),
    )
}

/// Adds a counter of an operator up over its subtasks.
fn total(
    metrics: &JobMetrics,
    operator: &str,
    count: impl Fn(&rheos::runtime::metrics::operator::OperatorMetrics) -> u64,
) -> u64 {
    let operators = metrics.tasks.iter().flat_map(|task| &task.operators);
    operators
        .filter(|one| one.name == operator)
        .map(|one| count(&one.metrics))
        .sum()
}

/// Prints the summary, and checks that what must hold holds.
fn sum_up(arguments: &Arguments, finished: &Finished) -> Result<(), BoxError> {
    let metrics = &finished.report.metrics;
    let decoded = total(metrics, "kafka-source", |m| m.records_out());
    let bad = total(metrics, "kafka-source", |m| m.records_in_errors());
    let valid = total(metrics, "event-filter", |m| m.records_out());
    let seconds = finished.report.run_micros as f64 / 1e6;
    let outputs = check::outputs(&arguments.out)?;
    let read = decoded + bad;
    let summary = serde_json::json!({
        "read": read,
        "valid": valid,
        "invalid": decoded - valid,
        "late": outputs.late_events,
        "bad": bad,
        "tombstones": 0,
        "windows": outputs.windows.len(),
        "seconds": seconds,
    });
    let in_windows: i64 = outputs.windows.values().map(|sums| sums.0).sum();
    let mut differences = Vec::new();
    if in_windows + outputs.late_events as i64 != valid as i64 {
        differences.push(format!(
            "{valid} valid events, but {in_windows} in windows and {} late",
            outputs.late_events
        ));
    }
    if arguments.source == SourceKind::Flights && finished.signal.is_none() {
        differences.extend(check::differences(&arguments.flights(), &outputs)?);
    }
    let rate = read as f64 / seconds / 1e6;
    eprintln!();
    eprintln!("  {read} events in {seconds:.2} s ({rate:.2} M events/s)");
    eprintln!(
        "  {} invalid, {bad} bad, {} late",
        decoded - valid,
        outputs.late_events
    );
    eprintln!("  {} windows of {in_windows} events", outputs.windows.len());
    eprintln!("  outputs: {}", arguments.out.display());
    for difference in differences.iter().take(10) {
        eprintln!("  DIFFERS: {difference}");
    }
    if differences.is_empty() {
        eprintln!(
            "  OK: every valid event is in one window or late, and the sums are those of the input"
        );
    }
    println!("{summary}");
    match differences.len() {
        0 => Ok(()),
        n => Err(format!("the outputs differ from the input in {n} places").into()),
    }
}
