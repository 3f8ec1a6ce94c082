//! What a run did, and whether that is right: counted by the engine, written to the outputs, and made
//! again from the input without the engine; the three must agree.

use std::fmt::Write as _;
use std::path::PathBuf;

use rheos::command::Finished;
use rheos::prelude::*;
use rheos::runtime::metrics::operator::OperatorMetrics;

use crate::arguments::{Arguments, SourceKind};
use crate::job::{CLAMPED, FILTER, INVALID, SOURCE, WINDOWS};
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
    /// Results whose sum was held to the range of finite numbers.
    pub clamped: u64,
    /// Seconds that it ran.
    pub seconds: f64,
    /// What it wrote.
    pub outputs: Outputs,
    /// What it was compared with, in words.
    checked: String,
    /// Whether it was stopped, to go on from a checkpoint.
    goes_on: bool,
    /// What is not as it must be.
    pub differences: Vec<String>,
    out: PathBuf,
}

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
        let mut summary = Self {
            read: total(finished, SOURCE, OperatorMetrics::records_out) + bad,
            valid: total(finished, FILTER, OperatorMetrics::records_out),
            invalid: counter(FILTER, INVALID),
            bad,
            clamped: counter(WINDOWS, CLAMPED),
            seconds: finished.report.run_micros as f64 / 1e6,
            outputs: Outputs::read(&arguments.out)?,
            checked: String::new(),
            goes_on: finished.goes_on,
            differences: Vec::new(),
            out: arguments.out.clone(),
        };
        if finished.goes_on {
            "nothing yet: what is open is in the checkpoint, and the next run goes on from it"
                .clone_into(&mut summary.checked);
            return Ok(summary);
        }
        summary.check_outputs(arguments);
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
        self.expect(
            "valid, invalid and bad messages",
            i128::from(self.valid) + i128::from(self.invalid) + i128::from(self.bad),
            i128::from(self.read),
        );
        if arguments.bad_record == rheos_connectors::BadRecords::DeadLetter {
            let letters = i128::from(self.outputs.dead_letters);
            self.expect("dead letters", letters, i128::from(self.bad));
        }
        let twice = std::mem::take(&mut self.outputs.late_twice);
        self.differences
            .extend(twice.iter().map(|id| format!("late event {id}: twice")));
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
        for (what, got, due) in [
            ("messages read", self.read, recount.read),
            ("valid events", self.valid, recount.valid),
            ("invalid events", self.invalid, recount.invalid),
            ("bad messages", self.bad, recount.bad),
        ] {
            self.expect(what, i128::from(got), i128::from(due));
        }
        let differences = recount.differences(&self.outputs.late, &self.outputs.windows);
        self.differences.extend(differences);
        Ok(())
    }

    /// The line for programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "read": self.read,
            "valid": self.valid,
            "invalid": self.invalid,
            "late": self.outputs.late_events,
            "bad": self.bad,
            "tombstones": 0,
            "windows": self.outputs.rows(),
            "seconds": self.seconds,
        })
    }

    /// The lines for people.
    pub fn text(&self) -> String {
        let mut text = String::from("\n");
        let outputs = &self.outputs;
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
            ("bad", grouped(self.bad)),
            ("late", grouped(outputs.late_events)),
            (
                "windows",
                format!(
                    "{}, fired {} times",
                    grouped(outputs.rows() as u64),
                    grouped(outputs.firings)
                ),
            ),
            ("checked", self.checked.clone()),
            ("outputs", self.files()),
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
            "OK: every valid event is in one window or among the late ones, and all sums agree"
        } else {
            "NOT OK"
        };
        let _ = writeln!(text, "\n  {verdict}");
        text
    }

    fn files(&self) -> String {
        let mut files = self
            .out
            .join("category_windows-*.jsonl")
            .display()
            .to_string();
        for (name, lines) in [
            ("late", self.outputs.late_events),
            ("dead_letter", self.outputs.dead_letters),
        ] {
            if lines > 0 {
                let _ = write!(files, ", {name}-*.jsonl");
            }
        }
        files
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
