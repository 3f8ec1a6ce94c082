//! Checks the outputs against the input, by sums that are made without the engine.
//!
//! What must hold: each valid event is counted in exactly one window row or is in the late output
//! once. So for every category and window, `events` and `value_sum` are those of the input's valid
//! events less the late ones, and there are no other rows.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use rheos::prelude::*;

use crate::event::Event;

/// Events and their sum.
type Sums = (i64, f64);
/// By category and start of the window.
type Windows = BTreeMap<(String, i64), Sums>;

const WINDOW: i64 = 300_000;

/// What the outputs say.
#[derive(Debug, Default)]
pub struct Outputs {
    pub windows: Windows,
    pub late: Windows,
    pub late_events: u64,
    pub dead_letters: u64,
}

fn add(windows: &mut Windows, category: String, at: i64, value: f64) {
    let sums = windows
        .entry((category, at.div_euclid(WINDOW) * WINDOW))
        .or_default();
    sums.0 += 1;
    sums.1 += value;
}

/// The lines of the outputs of one prefix, in the order of epoch and line.
fn lines(out: &Path, prefix: &str) -> Result<Vec<serde_json::Value>, BoxError> {
    let mut files: Vec<(Vec<u64>, PathBuf)> = Vec::new();
    if let Ok(entries) = std::fs::read_dir(out) {
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            if let Some(rest) = name.strip_prefix(prefix)
                && let Some(numbers) = rest.strip_suffix(".jsonl")
            {
                let epoch = numbers
                    .split('-')
                    .filter_map(|number| number.parse().ok())
                    .collect();
                files.push((epoch, path));
            }
        }
    }
    files.sort();
    let mut values = Vec::new();
    for (_, path) in files {
        for line in BufReader::new(std::fs::File::open(&path)?).lines() {
            let value = serde_json::from_str(&line?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            values.push(value);
        }
    }
    Ok(values)
}

fn field<'a>(line: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    line.get(name).unwrap_or(&serde_json::Value::Null)
}

/// Reads the outputs of a run.
///
/// # Errors
/// If a file can't be read or holds something else.
pub fn outputs(out: &Path) -> Result<Outputs, BoxError> {
    let mut outputs = Outputs::default();
    for line in lines(out, "category_windows-")? {
        let category = field(&line, "category")
            .as_str()
            .ok_or("a window without a category")?;
        let start = field(&line, "window_start")
            .as_i64()
            .ok_or("a window without a start")?;
        let events = field(&line, "events")
            .as_i64()
            .ok_or("a window without a count")?;
        let sum = field(&line, "value_sum")
            .as_f64()
            .ok_or("a window without a sum")?;
        // Of a window's lines the last counts.
        outputs
            .windows
            .insert((category.to_owned(), start), (events, sum));
    }
    for line in lines(out, "late-")? {
        let category = field(&line, "category")
            .as_str()
            .ok_or("a late event without a category")?;
        let at = field(&line, "event_time")
            .as_i64()
            .ok_or("a late event without a time")?;
        let value = field(&line, "value").as_f64().unwrap_or(0.0);
        add(&mut outputs.late, category.to_owned(), at, value);
        outputs.late_events += 1;
    }
    outputs.dead_letters = lines(out, "dead_letter-")?.len() as u64;
    Ok(outputs)
}

/// The windows that the valid events of a flights file come to.
fn expected(flights: &Path) -> Result<Windows, BoxError> {
    let file =
        std::fs::File::open(flights).map_err(|error| format!("{}: {error}", flights.display()))?;
    let reader: Box<dyn Read> = if flights.extension().is_some_and(|end| end == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let mut windows = Windows::new();
    for record in reader.byte_records() {
        let Ok(record) = record else { continue };
        let Ok(record) = csv::StringRecord::from_byte_record(record) else {
            continue;
        };
        let field = |index: usize| record.get(index).unwrap_or_default();
        let value = match field(5) {
            "" => None,
            text => match text.parse() {
                Ok(value) => Some(value),
                Err(_) => continue,
            },
        };
        let Ok(event_time) = field(4).parse() else {
            continue;
        };
        let event = Event {
            event_id: field(0).into(),
            user_id: field(1).into(),
            category: field(2).into(),
            event_type: field(3).into(),
            event_time,
            value,
        };
        if event.is_valid() {
            add(
                &mut windows,
                field(2).to_owned(),
                event_time,
                value.unwrap_or(0.0),
            );
        }
    }
    Ok(windows)
}

/// Everything in which the outputs differ from what the flights file comes to.
///
/// # Errors
/// If the file can't be read.
pub fn differences(flights: &Path, outputs: &Outputs) -> Result<Vec<String>, BoxError> {
    let mut due = expected(flights)?;
    let mut differences = Vec::new();
    for (window, (events, sum)) in &outputs.late {
        let left = due.entry(window.clone()).or_default();
        left.0 -= events;
        left.1 -= sum;
    }
    due.retain(|_, sums| sums.0 != 0);
    for (window, (events, sum)) in &outputs.windows {
        match due.remove(window) {
            Some((due_events, due_sum)) if due_events == *events && close(due_sum, *sum) => {}
            Some((due_events, due_sum)) => differences.push(format!(
                "{window:?}: {events} events and {sum}, but {due_events} and {due_sum} are due"
            )),
            None => differences.push(format!("{window:?}: {events} events, but none are due")),
        }
    }
    for (window, (events, _)) in due {
        differences.push(format!("{window:?}: no row, but {events} events are due"));
    }
    Ok(differences)
}

/// Whether two sums are the same but for the order of their additions.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}
