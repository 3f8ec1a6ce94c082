//! What a run did, and whether that is right: counted by the engine, written to the outputs, and made
//! again from the input without the engine; the three must agree.

use std::fmt::Write as _;

use rheos::command::Finished;
use rheos::prelude::*;
use rheos::runtime::metrics::operator::OperatorMetrics;

use crate::arguments::{Arguments, SourceKind};
use crate::job::{
    CLAMPED, FILTER, INVALID, LATE, LOOK_UP, SOURCE, TOMBSTONES, WINDOWS, WINDOWS_FIRED,
};
use crate::outputs::Outputs;
use crate::recount::Recount;

/// Differences that are told one by one.
const TOLD: usize = 10;

/// What a run did.
#[derive(Debug)]
pub struct Summary {
    /// Messages taken.
    pub read: u64,
    /// Valid events.
    pub valid: u64,
    /// Events that are not valid, and were dropped.
    pub invalid: u64,
    /// Messages that no event can be read from.
    pub bad: u64,
    /// Messages without a value.
    pub tombstones: u64,
    /// Late events.
    pub late: u64,
    /// Windows that fired.
    pub windows: u64,
    /// Times that they did.
    pub firings: u64,
    /// Results whose sum was held to the range of finite numbers.
    pub clamped: u64,
    /// Seconds that it ran.
    pub seconds: f64,
    /// What it wrote to files: empty if it wrote to servers.
    pub outputs: Outputs,
    /// What it was compared with, in words.
    checked: String,
    /// Whether it was stopped, to go on from a checkpoint.
    goes_on: bool,
    /// Whether its tasks ran in other processes, which keep what they count of bad messages, tombstones
    /// and sums; what is dropped and what windows there are follows from the rest.
    apart: bool,
    /// What is not as it must be.
    pub differences: Vec<String>,
    /// What is right if there are no differences.
    right: &'static str,
    /// Where it wrote, in words.
    wrote: String,
}

/// What a run that wrote to files has shown.
const SUMS_AGREE: &str =
    "OK: every valid event is in one window or among the late ones, and all sums agree";
/// What a run that wrote to servers has shown: what is in them can be checked from outside.
const COUNTS_AGREE: &str = "OK: every message is counted, and all counts agree";

/// Adds a counter of an operator up over its subtasks.
fn total(finished: &Finished, operator: &str, count: impl Fn(&OperatorMetrics) -> u64) -> u64 {
    let operators = finished
        .report
        .metrics
        .tasks
        .iter()
        .flat_map(|task| &task.operators);
    operators
        .filter(|one| one.name == operator)
        .map(|one| count(&one.metrics))
        .sum()
}

impl Summary {
    /// Sums a run up, and checks it.
    ///
    /// # Errors
    /// If the outputs or the input can't be read.
    pub fn of(arguments: &Arguments, finished: &Finished) -> Result<Self, BoxError> {
        let counter = |operator: &str, name: &str| {
            u64::try_from(finished.report.metrics.counter(operator, name)).unwrap_or(0)
        };
        let bad = total(finished, SOURCE, OperatorMetrics::records_in_errors);
        let tombstones = counter(SOURCE, TOMBSTONES);
        let mut summary = Self {
            read: total(finished, SOURCE, OperatorMetrics::records_out) + bad + tombstones,
            valid: total(finished, FILTER, OperatorMetrics::records_out),
            invalid: counter(FILTER, INVALID),
            bad,
            tombstones,
            late: total(finished, LATE, OperatorMetrics::records_out),
            windows: counter(WINDOWS, WINDOWS_FIRED),
            firings: total(finished, LOOK_UP, OperatorMetrics::records_out),
            clamped: counter(WINDOWS, CLAMPED),
            seconds: finished.report.run_micros as f64 / 1e6,
            outputs: Outputs::read(&arguments.out)?,
            checked: String::new(),
            goes_on: finished.goes_on,
            apart: finished.apart,
            differences: Vec::new(),
            right: if arguments.services.any() {
                COUNTS_AGREE
            } else {
                SUMS_AGREE
            },
            wrote: String::new(),
        };
        summary.wrote = wrote(arguments, &summary.outputs);
        if summary.apart {
            summary.invalid = summary.read.saturating_sub(summary.valid);
            summary.windows = summary.outputs.rows() as u64;
        }
        if finished.goes_on {
            "nothing yet: what is open is in the checkpoint, and the next run goes on from it"
                .clone_into(&mut summary.checked);
            return Ok(summary);
        }
        if !arguments.services.any() {
            summary.check_outputs(arguments);
        }
        summary.check_counts();
        summary.check_input(arguments, finished.signal.is_some())?;
        Ok(summary)
    }

    fn expect(&mut self, what: &str, got: i128, due: i128) {
        if got != due {
            self.differences
                .push(format!("{what}: {got}, but {due} due"));
        }
    }

    /// What the engine counted against what was written.
    fn check_outputs(&mut self, arguments: &Arguments) {
        let in_windows = i128::from(self.outputs.events_in_windows());
        let written = in_windows + i128::from(self.outputs.late_events);
        self.expect(
            "events in windows and late ones",
            written,
            i128::from(self.valid),
        );
        for (what, counted, written) in [
            ("late events", self.late, self.outputs.late_events),
            ("windows", self.windows, self.outputs.rows() as u64),
            ("firings", self.firings, self.outputs.firings),
        ] {
            self.expect(what, i128::from(counted), i128::from(written));
        }
        if arguments.bad_record == rheos_connectors::BadRecords::DeadLetter && !self.apart {
            let letters = i128::from(self.outputs.dead_letters);
            self.expect("dead letters", letters, i128::from(self.bad));
        }
        let twice = std::mem::take(&mut self.outputs.late_twice);
        self.differences
            .extend(twice.iter().map(|id| format!("late event {id}: twice")));
    }

    /// What the engine counted against itself.
    fn check_counts(&mut self) {
        let parts = [self.valid, self.invalid, self.bad, self.tombstones];
        self.expect(
            "valid, invalid and bad messages and tombstones",
            parts.into_iter().map(i128::from).sum(),
            i128::from(self.read),
        );
    }

    /// The input against both.
    fn check_input(&mut self, arguments: &Arguments, stopped: bool) -> Result<(), BoxError> {
        let recount = match (arguments.source, arguments.events) {
            // One file is one split, read from its start: a run that was stopped has read so many.
            (SourceKind::Flights, _) => {
                let flights = arguments.flights();
                let limit = if stopped { self.read } else { u64::MAX };
                let part = if stopped {
                    "the part of it that was read, "
                } else {
                    ""
                };
                self.checked = format!("against {part}{}", flights.display());
                Recount::of_flights(&flights, limit)?
            }
            (SourceKind::Datagen, Some(events)) if !stopped => {
                self.checked = "against the events of the generator, made again".to_owned();
                Recount::of_generator(events)
            }
            // Which events the subtasks of a stopped generator have come to, nobody has noted.
            _ => {
                self.checked = "against the counters of the job".to_owned();
                return Ok(());
            }
        };
        let counts = [
            ("valid events", self.valid, recount.valid),
            ("invalid events", self.invalid, recount.invalid),
            ("messages read", self.read, recount.read),
            ("bad messages", self.bad, recount.bad),
        ];
        let known = if self.apart { 2 } else { counts.len() };
        for (what, got, due) in counts.into_iter().take(known) {
            self.expect(what, i128::from(got), i128::from(due));
        }
        if !arguments.services.any() {
            let differences = recount.differences(&self.outputs.late, &self.outputs.windows);
            self.differences.extend(differences);
        }
        Ok(())
    }

    /// The line for programs; null for what this process can't know.
    pub fn json(&self) -> serde_json::Value {
        let counted = |count: u64| (!self.apart).then_some(count);
        serde_json::json!({
            "read": self.read,
            "valid": self.valid,
            "invalid": self.invalid,
            "late": self.late,
            "bad": counted(self.bad),
            "tombstones": counted(self.tombstones),
            "windows": self.known_windows(),
            "seconds": self.seconds,
        })
    }

    /// Windows that fired, unless they were counted elsewhere and written to servers.
    fn known_windows(&self) -> Option<u64> {
        (!self.apart || self.right == SUMS_AGREE).then_some(self.windows)
    }

    /// The lines for people.
    pub fn text(&self) -> String {
        let mut text = String::from("\n");
        let rate = self.read as f64 / self.seconds.max(1e-6);
        let lines = [
            (
                "read",
                format!(
                    "{} in {:.2} s, {rate:.0}/s",
                    grouped(self.read),
                    self.seconds
                ),
            ),
            ("valid", grouped(self.valid)),
            ("invalid", format!("{}, dropped", grouped(self.invalid))),
            (
                "bad",
                match self.apart {
                    true => "the TaskManagers have counted them".to_owned(),
                    false => grouped(self.bad),
                },
            ),
            ("late", grouped(self.late)),
            (
                "windows",
                match self.known_windows() {
                    Some(windows) => format!(
                        "{}, fired {} times",
                        grouped(windows),
                        grouped(self.firings)
                    ),
                    None => format!("fired {} times", grouped(self.firings)),
                },
            ),
            ("checked", self.checked.clone()),
            ("outputs", self.wrote.clone()),
        ];
        // Writing to a string can't fail.
        for (name, line) in lines {
            let _ = writeln!(text, "  {name:<9} {line}");
        }
        if self.clamped > 0 {
            let _ = writeln!(
                text,
                "  clamped   {} sums, to a finite number",
                grouped(self.clamped)
            );
        }
        for difference in self.differences.iter().take(TOLD) {
            let _ = writeln!(text, "  differs   {difference}");
        }
        if self.differences.len() > TOLD {
            let _ = writeln!(
                text,
                "  differs   … and {} more",
                self.differences.len() - TOLD
            );
        }
        let verdict = if self.goes_on {
            "STOPPED: start it again with the same --checkpoints to go on"
        } else if self.differences.is_empty() {
            self.right
        } else {
            "NOT OK"
        };
        let _ = writeln!(text, "\n  {verdict}");
        text
    }

    /// Whether all is as it must be.
    ///
    /// # Errors
    /// If it is not.
    pub fn verdict(&self) -> Result<(), BoxError> {
        match self.differences.len() {
            0 => Ok(()),
            count => Err(format!("the run is not right: {count} differences, told above").into()),
        }
    }
}

/// Where a run wrote.
fn wrote(arguments: &Arguments, outputs: &Outputs) -> String {
    let services = &arguments.services;
    let mut places: Vec<String> = [
        (&services.elasticsearch, "the index category-windows"),
        (&services.postgres, "the table category_windows"),
        (&services.redis, "keys category:*:latest"),
        (&services.kafka, "the topic events-late"),
    ]
    .into_iter()
    .filter(|(address, _)| address.is_some())
    .map(|(_, place)| place.to_owned())
    .collect();
    for (name, lines) in [
        ("category_windows", outputs.firings),
        ("late", outputs.late_events),
        ("dead_letter", outputs.dead_letters),
    ] {
        if lines > 0 {
            let file = arguments.out.join(format!("{name}-*.jsonl"));
            places.push(file.display().to_string());
        }
    }
    places.join(", ")
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
