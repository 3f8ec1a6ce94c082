//! The flags of the job, beside those that every job has.
//!
//! Flags of servers are known to a build without the feature `services` too, and refused by name: a
//! run must not go on without what it was asked for. They are not in its `--help`.

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
    /// Apache Kafka
    #[value(hide = HIDDEN)]
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
    /// The servers that it lives among.
    #[command(flatten)]
    pub services: Services,
}

/// Whether this build has the connectors to servers.
const HIDDEN: bool = !cfg!(feature = "services");

/// Where servers are. A sink without an address is off, once any server is given.
#[derive(Debug, Clone, Default, Args)]
pub struct Services {
    /// Brokers of Kafka, HOST:PORT,…
    #[arg(long, hide = HIDDEN, value_name = "BROKERS")]
    pub kafka: Option<String>,
    /// The topic of events; `events` unless told
    #[arg(long, hide = HIDDEN, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// The group whose offsets show how far the job is; `high-throughput` unless told
    #[arg(long, hide = HIDDEN, value_name = "GROUP")]
    pub group: Option<String>,
    /// Where a job without a checkpoint begins: earliest (unless told), latest, group or timestamp:MS
    #[arg(long, hide = HIDDEN, value_name = "WHERE")]
    pub start: Option<Start>,
    /// The schema registry's URL, with the base path of its interface
    #[arg(long, hide = HIDDEN, value_name = "URL")]
    pub registry: Option<String>,
    /// PostgreSQL, postgres://USER@HOST:PORT/DATABASE
    #[arg(long, hide = HIDDEN, value_name = "URL")]
    pub postgres: Option<String>,
    /// Elasticsearch or OpenSearch
    #[arg(long, hide = HIDDEN, value_name = "URL")]
    pub elasticsearch: Option<String>,
    /// Redis: redis://HOST:PORT, redis-cluster://HOST:PORT,…
    #[arg(long, hide = HIDDEN, value_name = "URL")]
    pub redis: Option<String>,
}

/// Where a job without a checkpoint begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// At the first event there is.
    #[default]
    Earliest,
    /// Behind the last event there is.
    Latest,
    /// Where the group was.
    Group,
    /// At the first event of this time or later, in milliseconds since the epoch.
    Timestamp(i64),
}

impl std::str::FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = text.strip_prefix("timestamp:").map(str::parse);
        match (text, time) {
            ("earliest", _) => Ok(Self::Earliest),
            ("latest", _) => Ok(Self::Latest),
            ("group", _) => Ok(Self::Group),
            (_, Some(Ok(time))) => Ok(Self::Timestamp(time)),
            _ => Err("say earliest, latest, group or timestamp:MS".to_owned()),
        }
    }
}

impl Services {
    /// Each flag that was given.
    fn given(&self) -> Vec<&'static str> {
        [
            ("--kafka", self.kafka.is_some()),
            ("--topic", self.topic.is_some()),
            ("--group", self.group.is_some()),
            ("--start", self.start.is_some()),
            ("--registry", self.registry.is_some()),
            ("--postgres", self.postgres.is_some()),
            ("--elasticsearch", self.elasticsearch.is_some()),
            ("--redis", self.redis.is_some()),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
        .collect()
    }

    /// Whether any server is given.
    pub fn any(&self) -> bool {
        self.kafka.is_some()
            || self.postgres.is_some()
            || self.elasticsearch.is_some()
            || self.redis.is_some()
    }

    /// The topic of events.
    pub fn topic(&self) -> &str {
        self.topic.as_deref().unwrap_or("events")
    }

    /// The group.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or("high-throughput")
    }

    fn problems(&self, source: SourceKind) -> Vec<String> {
        let mut problems = Vec::new();
        if HIDDEN {
            if source == SourceKind::Kafka {
                problems.push(format!("--source kafka: {LEFT_OUT}"));
            }
            let given = self.given().into_iter();
            problems.extend(given.map(|flag| format!("{flag}: {LEFT_OUT}")));
            return problems;
        }
        match (&self.kafka, &self.registry) {
            (None, _) if source == SourceKind::Kafka => {
                problems.push("--source kafka: say where the brokers are, by --kafka".to_owned());
            }
            (None, _) => {
                let given = self.given().into_iter();
                let needy = given
                    .filter(|flag| ["--topic", "--group", "--start", "--registry"].contains(flag));
                problems.extend(needy.map(|flag| format!("{flag}: is for Kafka; say --kafka too")));
            }
            (Some(_), None) => {
                problems.push(
                    "--kafka: events are in Avro; say --registry with its URL too".to_owned(),
                );
            }
            (Some(_), Some(_)) if source != SourceKind::Kafka => {
                let given = self.given().into_iter();
                let needy = given.filter(|flag| ["--group", "--start"].contains(flag));
                problems.extend(
                    needy.map(|flag| format!("{flag}: is for events of Kafka; say --source kafka")),
                );
            }
            (Some(_), Some(_)) => {}
        }
        problems
    }
}

const LEFT_OUT: &str = "this build has no connectors to servers; build with --features services";

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
            services: Services::default(),
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
        let mut problems = self.services.problems(self.source);
        if self.events.is_some() && self.source != SourceKind::Datagen {
            problems.push(
                "--events: is for the generator; the flights and Kafka have as many as they have"
                    .to_owned(),
            );
        }
        if self.input.is_some() && self.source != SourceKind::Flights {
            problems.push("--input: is for the flights; no other source reads a file".to_owned());
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
    #[cfg(not(feature = "services"))]
    fn what_this_build_leaves_out_is_refused_by_name() {
        for line in [
            "--source kafka",
            "--kafka localhost:9092",
            "--topic events",
            "--group g",
            "--start earliest",
            "--registry http://localhost",
            "--postgres postgres://localhost",
            "--elasticsearch http://localhost",
            "--redis redis://localhost",
        ] {
            let error = check(line).unwrap_err();
            let flag = line.split(' ').next().unwrap();
            assert!(error.starts_with(flag), "{error}");
            assert!(error.contains("--features services"), "{error}");
        }
        let both = check("--kafka a --redis b").unwrap_err();
        assert_eq!(both.lines().count(), 2, "{both}");
    }

    #[test]
    #[cfg(feature = "services")]
    fn flags_of_servers_that_do_not_go_together_are_refused() {
        let all = "--source kafka --kafka a:1 --registry http://r --topic t --group g --bounded";
        assert!(check(all).is_ok());
        assert!(check("--postgres postgres://a --redis redis://b").is_ok());
        for (line, flag) in [
            ("--source kafka", "--source kafka"),
            ("--kafka a:1", "--kafka"),
            ("--topic t", "--topic"),
            ("--registry http://r", "--registry"),
            ("--kafka a:1 --registry http://r --start latest", "--start"),
            ("--kafka a:1 --registry http://r --group g", "--group"),
            (
                "--source kafka --kafka a:1 --registry http://r --events 3",
                "--events",
            ),
            (
                "--source kafka --kafka a:1 --registry http://r --input x",
                "--input",
            ),
        ] {
            let error = check(line).unwrap_err();
            assert!(error.starts_with(flag), "{line}: {error}");
        }
    }

    #[test]
    fn where_to_start() {
        let starts = ["earliest", "latest", "group", "timestamp:-5"].map(|text| text.parse());
        let due = [
            Start::Earliest,
            Start::Latest,
            Start::Group,
            Start::Timestamp(-5),
        ];
        assert_eq!(starts, due.map(Ok));
        assert!("timestamp:soon".parse::<Start>().is_err());
        assert!("yesterday".parse::<Start>().is_err());
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
