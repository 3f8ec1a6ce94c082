//! The answer to every key of a configuration, said once, before the job starts.

use std::collections::BTreeMap;
use std::fmt;

use super::budget::MemoryBudget;
use super::configuration::{Configuration, shown};
use super::error::ConfigError;
use super::known::{self, Area, KnownOption, Verdict};
use super::nearest::{Work, nearest};

/// A key outside Flink's families that differs from a known one by no more than this many letters
/// is taken for a slip of the pen, not for a user's own.
const SLIP: usize = 2;

/// Keys that a part of the system will read when it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYet {
    /// That part.
    pub area: Area,
    /// The keys, as they were written.
    pub keys: Vec<String>,
}

/// Keys that have no meaning here, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The reason, in a line.
    pub reason: &'static str,
    /// The keys, as they were written.
    pub keys: Vec<String>,
}

/// How loud a line of the review is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the record.
    Info,
    /// Something may not be as its author thinks.
    Warn,
    /// The job must not start.
    Error,
}

/// Every key of a configuration, in one of five places. Its [`fmt::Display`] is a line each for a
/// log; [`Review::lines`] gives them with their levels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Review {
    /// `key: value` of what the engine uses.
    pub honoured: Vec<String>,
    /// Accepted, not yet in effect.
    pub later: Vec<NotYet>,
    /// Accepted, with the reason why there is nothing to set.
    pub no_meaning: Vec<Explained>,
    /// Keys of nobody here: handed on as they are.
    pub foreign: Vec<String>,
    /// Old and new spellings set together, lines that the parser skipped.
    pub warnings: Vec<String>,
    /// What must be mended.
    pub errors: Vec<ConfigError>,
}

impl Review {
    pub(super) fn of(conf: &Configuration) -> Self {
        let mut review = Self {
            warnings: conf.notes().to_vec(),
            ..Self::default()
        };
        let mut later: BTreeMap<Area, Vec<String>> = BTreeMap::new();
        let mut no_meaning: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for (key, entry) in conf.entries() {
            let options: Vec<&KnownOption> = known::find(key).collect();
            let Some(option) = options.first() else {
                match known::family_of(key).map(|family| family.verdict) {
                    Some(Some(Verdict::Later(area))) => {
                        later.entry(area).or_default().push(key.clone());
                    }
                    Some(Some(Verdict::NoMeaning(reason))) => {
                        no_meaning.entry(reason).or_default().push(key.clone());
                    }
                    // No family is honoured as a whole.
                    Some(Some(Verdict::Honoured) | None) => review.unknown(key, &entry.origin),
                    None if nearest(key, SLIP, &mut Work::default()).is_some() => {
                        review.unknown(key, &entry.origin);
                    }
                    None => review.foreign.push(key.clone()),
                }
                continue;
            };
            if let Some(winner) = winner(conf, key, option) {
                review.warnings.push(format!(
                    "`{key}` ({}) is the old spelling of `{winner}`, which is set too and wins",
                    entry.origin
                ));
                continue;
            }
            let below = !option.spellings().any(|spelling| spelling == key);
            if option.verdict_needs_value()
                && !below
                && let Err(expected) = option.kind.check(entry.value.trim())
            {
                review.errors.push(conf.bad_value(key, expected));
                continue;
            }
            match option.verdict {
                Verdict::Honoured => {
                    review
                        .honoured
                        .push(format!("{key}: {}", shown(key, &entry.value)));
                }
                Verdict::Later(area) => later.entry(area).or_default().push(key.clone()),
                Verdict::NoMeaning(reason) => {
                    no_meaning.entry(reason).or_default().push(key.clone());
                }
            }
        }
        review.later = later
            .into_iter()
            .map(|(area, keys)| NotYet { area, keys })
            .collect();
        review.no_meaning = no_meaning
            .into_iter()
            .map(|(reason, keys)| Explained { reason, keys })
            .collect();
        if review.errors.is_empty() {
            review.errors.extend(conf.contradictions());
        }
        review
    }

    fn unknown(&mut self, key: &str, origin: &str) {
        let nearest = nearest(key, usize::MAX, &mut Work::default());
        let nearest = nearest.map_or("parallelism.default", |(known, _)| known);
        self.errors.push(ConfigError::UnknownKey {
            key: key.into(),
            origin: origin.into(),
            nearest,
        });
    }

    /// The review as lines for a log, the gravest last.
    pub fn lines(&self) -> Vec<(Level, String)> {
        let mut lines = Vec::new();
        let mut info = |line: String| lines.push((Level::Info, line));
        if !self.honoured.is_empty() {
            info(format!("configuration: {}", self.honoured.join(", ")));
        }
        for NotYet { area, keys } in &self.later {
            info(format!(
                "accepted, not yet in effect ({area}): {}",
                keys.join(", ")
            ));
        }
        for Explained { reason, keys } in &self.no_meaning {
            info(format!(
                "accepted, without meaning here: {}: {reason}",
                keys.join(", ")
            ));
        }
        if !self.foreign.is_empty() {
            info(format!(
                "not Flink's, handed on as they are: {}",
                self.foreign.join(", ")
            ));
        }
        lines.extend(
            self.warnings
                .iter()
                .map(|warning| (Level::Warn, warning.clone())),
        );
        lines.extend(
            self.errors
                .iter()
                .map(|error| (Level::Error, error.to_string())),
        );
        lines
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, line) in self.lines() {
            match level {
                Level::Info => writeln!(f, "{line}")?,
                Level::Warn => writeln!(f, "warning: {line}")?,
                Level::Error => writeln!(f, "error: {line}")?,
            }
        }
        Ok(())
    }
}

impl KnownOption {
    /// Whether a wrong value matters: not where the key sets nothing.
    fn verdict_needs_value(&self) -> bool {
        !matches!(self.verdict, Verdict::NoMeaning(_))
    }
}

impl Configuration {
    /// What is wrong between values that are each of their type.
    fn contradictions(&self) -> Vec<ConfigError> {
        let ranges = [
            self.parallelism().err(),
            self.max_parallelism().err(),
            self.task_slots().err(),
            self.buffer_timeout().err(),
            MemoryBudget::configured(self).err(),
        ];
        let mut errors: Vec<ConfigError> = Vec::new();
        for error in ranges.into_iter().flatten() {
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        errors
    }
}

/// The spelling that wins over `key`, if one is set.
fn winner(conf: &Configuration, key: &str, option: &KnownOption) -> Option<&'static str> {
    option
        .spellings()
        .take_while(|spelling| *spelling != key)
        .find(|s| conf.raw(s).is_some())
}
