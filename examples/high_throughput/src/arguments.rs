//! The flags of the job, beside those that every job has.
//!
//! Flags of the contract whose connector is not there yet are known, and refused by name:
//! a run must not go on without what it was asked for. They are not in `--help`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rheos::prelude::*;
use rheos_connectors::BadRecords;

/// Where events come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SourceKind {
    /// The departures out of New York in 2013
    #[default]
    Flights,
    /// A generator
    Datagen,
    /// Apache Kafka.
    #[value(hide = true)]
    Kafka,
}

/// Flags of the job.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Where events come from
    #[arg(long, value_enum, default_value_t, value_name = "SOURCE")]
    pub source: SourceKind,
    /// A flights file (CSV; .gz and .zst too) instead of the one that comes with the job
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Events a second at the source
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// How many events the generator makes; without it, it goes on until it is stopped
    #[arg(long, value_name = "N")]
    pub events: Option<u64>,
    /// Insist on an end: the flights have one, the generator needs --events
    #[arg(long)]
    pub bounded: bool,
    /// Where the outputs go; those of an earlier run are removed, unless this one goes on from it
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// What becomes of a message that no event can be read from: fail, skip or dead-letter
    #[arg(long, value_name = "MODE", default_value = "fail")]
    pub bad_record: BadRecords,
    /// What is refused.
    #[command(flatten)]
    pub not_yet: NotYet,
}

/// Flags of what is not there yet: none may be given.
#[derive(Debug, Clone, Default, Args)]
pub struct NotYet {
    #[arg(long, hide = true)]
    kafka: Option<String>,
    #[arg(long, hide = true)]
    topic: Option<String>,
    #[arg(long, hide = true)]
    group: Option<String>,
    #[arg(long, hide = true)]
    start: Option<String>,
    #[arg(long, hide = true)]
    registry: Option<String>,
    #[arg(long, hide = true)]
    postgres: Option<String>,
    #[arg(long, hide = true)]
    elasticsearch: Option<String>,
    #[arg(long, hide = true)]
    redis: Option<String>,
}

const KAFKA: &str = "the Kafka connector";

impl NotYet {
    /// Every flag with what it needs.
    fn flags(&self) -> [(&'static str, &Option<String>, &'static str); 8] {
        [
            ("--kafka", &self.kafka, KAFKA),
            ("--topic", &self.topic, KAFKA),
            ("--group", &self.group, KAFKA),
            ("--start", &self.start, KAFKA),
            ("--registry", &self.registry, "the schema registry's client"),
            ("--postgres", &self.postgres, "the PostgreSQL connector"),
            (
                "--elasticsearch",
                &self.elasticsearch,
                "the Elasticsearch connector",
            ),
            ("--redis", &self.redis, "the Redis connector"),
        ]
    }
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            source: SourceKind::Flights,
            input: None,
            rate: None,
            events: None,
            bounded: false,
            out: PathBuf::from("out"),
            bad_record: BadRecords::Fail,
            not_yet: NotYet::default(),
        }
    }
}

/// The folder of the data that comes with the job.
pub fn data() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data"))
}

impl Arguments {
    /// The flights file.
    pub fn flights(&self) -> PathBuf {
        self.input
            .clone()
            .unwrap_or_else(|| data().join("events.csv.gz"))
    }

    /// Checks that the job can do everything it is asked for.
    ///
    /// # Errors
    /// Each flag that it can't follow, and why.
    pub fn check(&self) -> Result<(), BoxError> {
        let mut problems = Vec::new();
        if self.source == SourceKind::Kafka {
            problems.push(format!("--source kafka: not yet: needs {KAFKA}"));
        }
        for (flag, value, needs) in self.not_yet.flags() {
            if value.is_some() {
                problems.push(format!("{flag}: not yet: needs {needs}"));
            }
        }
        if self.events.is_some() && self.source == SourceKind::Flights {
            problems.push(
                "--events: is for the generator; the flights file has as many as it has".to_owned(),
            );
        }
        if self.input.is_some() && self.source == SourceKind::Datagen {
            problems.push("--input: is for the flights; the generator reads no file".to_owned());
        }
        if self.bounded && self.source == SourceKind::Datagen && self.events.is_none() {
            problems
                .push("--bounded: the generator goes on for ever; say --events N too".to_owned());
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems.join("\n       ").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn check(line: &str) -> Result<(), String> {
        let words = std::iter::once("job").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.arguments.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_there_yet_is_refused_by_name() {
        for (line, needs) in [
            ("--source kafka", "Kafka"),
            ("--kafka localhost:9092", "Kafka"),
            ("--topic events", "Kafka"),
            ("--group g", "Kafka"),
            ("--start earliest", "Kafka"),
            ("--registry http://localhost", "registry"),
            ("--postgres postgres://localhost", "PostgreSQL"),
            ("--elasticsearch http://localhost", "Elasticsearch"),
            ("--redis redis://localhost", "Redis"),
        ] {
            let error = check(line).unwrap_err();
            let flag = line.split(' ').next().unwrap();
            assert!(
                error.starts_with(flag) && error.contains("not yet: needs"),
                "{error}"
            );
            assert!(error.contains(needs), "{error}");
        }
        let both = check("--kafka a --redis b").unwrap_err();
        assert_eq!(both.lines().count(), 2, "{both}");
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused() {
        assert!(check("").is_ok());
        assert!(check("--bounded").is_ok());
        assert!(check("--source datagen --events 10 --bounded --rate 5 --out x").is_ok());
        assert!(check("--events 10").unwrap_err().contains("generator"));
        assert!(
            check("--source datagen --input x.csv")
                .unwrap_err()
                .contains("--input")
        );
        assert!(
            check("--source datagen --bounded")
                .unwrap_err()
                .contains("--events")
        );
        assert!(
            check("--bad-record sometimes")
                .unwrap_err()
                .contains("dead-letter")
        );
    }
}
