//! A folder of scenario files, and how its scenarios are run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::judge::judge;
use crate::report::{Report, Verdict};
use crate::run::{Outcome, RunError, run};
use crate::run::{backend, crash};
use crate::scenario::{Program, Scenario, Sealed, parse};

/// A folder that cannot be used: name another one.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A folder or file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There are no scenario files in it.
    #[error("{path} holds no scenario file (*.jsonl)")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

/// The lines of all scenario files of a folder.
#[derive(Debug)]
pub struct Suite {
    /// File, line number from 1, text.
    lines: Vec<(String, usize, String)>,
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Only scenarios whose id or kind starts with it.
    pub prefix: String,
    /// The parallelisms of kinds with keys. The others run once.
    pub parallelism: Vec<u32>,
    /// After every so many items a job takes a checkpoint and crashes, and goes on from it.
    pub crash_every: Option<usize>,
    /// The checkpoint is unaligned, and taken while the item is in flight.
    pub unaligned: bool,
    /// Jobs go on at another parallelism each time, where they have one above 1.
    pub rescale: bool,
    /// Whether jobs keep their state in RocksDB.
    pub rocksdb: bool,
}

impl Selection {
    fn wants(&self, scenario: &Scenario) -> bool {
        scenario.id.starts_with(&self.prefix) || scenario.kind.starts_with(&self.prefix)
    }

    fn parallelism_of(&self, program: &Program) -> &[u32] {
        if program.is_keyed() {
            &self.parallelism
        } else {
            &[1]
        }
    }
}

impl Suite {
    /// Reads every `*.jsonl` of a folder, by name.
    ///
    /// # Errors
    /// If the folder or a file cannot be read, or there is none.
    pub fn read(dir: &Path) -> Result<Self, SuiteError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| SuiteError::Read { path, error }
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(at(dir))? {
            let path = entry.map_err(at(dir))?.path();
            if path.extension().is_some_and(|e| e == "jsonl") {
                files.push(path);
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(SuiteError::Empty {
                path: dir.to_owned(),
            });
        }
        let mut lines = Vec::new();
        for path in files {
            let text = fs::read_to_string(&path).map_err(at(&path))?;
            let name = path
                .file_name()
                .map_or_else(String::new, |n| n.display().to_string());
            let numbered = text
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.trim().is_empty());
            lines.extend(numbered.map(|(at, line)| (name.clone(), at + 1, line.to_owned())));
        }
        Ok(Self { lines })
    }

    /// Runs what is selected. A line that cannot be read fails, whatever is selected.
    pub fn run(&self, selection: &Selection) -> Report {
        let mut report = Report::default();
        crash::set_every(
            selection.crash_every,
            selection.unaligned,
            selection.rescale,
        );
        backend::set_rocksdb(selection.rocksdb);
        for (file, number, line) in &self.lines {
            let place = format!("{file}:{number}");
            match parse(line) {
                Err(error) => report.add("unreadable", &place, Verdict::Failed(error.to_string())),
                Ok((scenario, sealed)) => {
                    if selection.wants(&scenario) {
                        let name = format!("{place} {}", scenario.id);
                        let parallelism = selection.parallelism_of(&scenario.program);
                        let verdict = verdict(&scenario, sealed, parallelism);
                        report.add(&scenario.kind, &name, verdict);
                    }
                }
            }
        }
        report
    }
}

fn verdict(scenario: &Scenario, sealed: Sealed, parallelism: &[u32]) -> Verdict {
    let outcomes: Vec<(u32, Result<Outcome, RunError>)> = parallelism
        .iter()
        .map(|p| (*p, run(&scenario.program, *p)))
        .collect();
    // All of ours is there: from here on, and not before, Flink's may be seen.
    let expected = match sealed.open() {
        Ok(expected) => expected,
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    for (parallelism, outcome) in outcomes {
        let difference = match outcome {
            Err(RunError::NotSupported) => return Verdict::NotSupported,
            Err(RunError::NoRunner) => return Verdict::Failed(RunError::NoRunner.to_string()),
            Err(error) => format!("at parallelism {parallelism}: {error}"),
            Ok(outcome) => match judge(&scenario.program, &outcome, &expected) {
                Ok(()) => continue,
                Err(difference) if scenario.quirk => return Verdict::LeftOut(difference),
                Err(difference) => format!("at parallelism {parallelism}: {difference}"),
            },
        };
        return Verdict::Failed(difference);
    }
    Verdict::Passed
}
