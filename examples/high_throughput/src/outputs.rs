//! What a run wrote, read back from its files.
//!
//! Of a window's lines the last counts, in the order of epoch, then line; all lines of a window are in
//! files of one subtask. Files are read line by line, so what is kept is a row a window.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use rheos::prelude::*;
use serde_json::Value;

use crate::recount::{Sums, Windows, add};

/// What the names of outputs begin with.
const WINDOWS: &str = "category_windows-";
const LATE: &str = "late-";
const DEAD_LETTERS: &str = "dead_letter-";

/// What the outputs of a run say.
#[derive(Debug, Default)]
pub struct Outputs {
    /// The row of each window.
    pub windows: Windows,
    /// Lines of windows: a firing each.
    pub firings: u64,
    /// What the late events come to, by the window that they were too late for.
    pub late: Windows,
    /// Late events.
    pub late_events: u64,
    /// Ids of events that are late twice.
    pub late_twice: Vec<String>,
    /// Dead letters.
    pub dead_letters: u64,
}

/// Removes what an earlier run wrote, and nothing else.
///
/// # Errors
/// If the system refuses.
pub fn clear(out: &Path) -> Result<(), BoxError> {
    let Ok(entries) = std::fs::read_dir(out) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let name = name.trim_start_matches('.');
        let is_output = name.ends_with(".jsonl") || name.ends_with(".jsonl.inprogress");
        if is_output
            && [WINDOWS, LATE, DEAD_LETTERS]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        {
            std::fs::remove_file(entry.path())
                .map_err(|error| format!("removing {}: {error}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// The files of a prefix, in the order of epoch, then subtask.
fn files(out: &Path, prefix: &str) -> Result<Vec<PathBuf>, BoxError> {
    let mut files: Vec<(Vec<u64>, PathBuf)> = Vec::new();
    // Without a row there is no file, and maybe no folder.
    let Ok(entries) = std::fs::read_dir(out) else {
        return Ok(Vec::new());
    };
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let numbers = name
            .as_deref()
            .and_then(|name| name.strip_prefix(prefix)?.strip_suffix(".jsonl"))
            .map(|numbers| {
                numbers
                    .split('-')
                    .filter_map(|number| number.parse().ok())
                    .collect()
            });
        files.extend(numbers.map(|numbers| (numbers, path)));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Calls `take` for each line of the outputs of a prefix.
fn each_line(
    out: &Path,
    prefix: &str,
    mut take: impl FnMut(&Value) -> Option<()>,
) -> Result<(), BoxError> {
    for path in files(out, prefix)? {
        let wrong = |line: usize, what: &str| format!("{}, line {line}: {what}", path.display());
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for (number, line) in (1..).zip(BufReader::new(file).lines()) {
            let value =
                serde_json::from_str(&line?).map_err(|error| wrong(number, &error.to_string()))?;
            take(&value).ok_or_else(|| wrong(number, "a field is missing or of another type"))?;
        }
    }
    Ok(())
}

impl Outputs {
    /// Reads the outputs of a run.
    ///
    /// # Errors
    /// If a file can't be read or holds something else.
    pub fn read(out: &Path) -> Result<Self, BoxError> {
        let mut outputs = Self::default();
        each_line(out, WINDOWS, |line| {
            let category = line.get("category")?.as_str()?.to_owned();
            let start = line.get("window_start")?.as_i64()?;
            let sums = Sums {
                events: line.get("events")?.as_i64()?,
                value_sum: line.get("value_sum")?.as_f64()?,
            };
            outputs
                .windows
                .entry(category)
                .or_insert_with(BTreeMap::new)
                .insert(start, sums);
            outputs.firings += 1;
            Some(())
        })?;
        let mut ids = BTreeSet::new();
        each_line(out, LATE, |line| {
            let id = line.get("event_id")?.as_str()?.to_owned();
            let category = line.get("category")?.as_str()?;
            let at = line.get("event_time")?.as_i64()?;
            add(&mut outputs.late, category, at, line.get("value")?.as_f64());
            outputs.late_events += 1;
            if let Some(twice) = ids.replace(id) {
                outputs.late_twice.push(twice);
            }
            Some(())
        })?;
        each_line(out, DEAD_LETTERS, |line| {
            line.get("value_base64")?.as_str()?;
            outputs.dead_letters += 1;
            Some(())
        })?;
        Ok(outputs)
    }

    /// Distinct windows.
    pub fn rows(&self) -> usize {
        self.windows.values().map(BTreeMap::len).sum()
    }

    /// Events that are counted in windows.
    pub fn events_in_windows(&self) -> i64 {
        self.windows
            .values()
            .flat_map(BTreeMap::values)
            .map(|sums| sums.events)
            .sum()
    }
}
