//! Every key that Flink knows, with the answer Rheos gives to it; and those that only Rheos has.
//!
//! One file a family, one line a key: key, old spellings, kind, Flink's default, verdict. The
//! verdict is what a user is told before the job starts; `docs/configuration.md` is written from
//! this table. When the engine begins to use a key, its line here becomes `Honoured` and it gets a
//! constant in [`super::options`] (a test holds the two together).

mod checkpointing;
mod cluster;
mod environment;
mod families;
mod forst;
mod memory;
mod metrics;
mod network;
mod own;
mod pipeline;
mod reason;
mod removed;
mod rest;
mod restart;
mod rocksdb;
mod s3;
mod security;
mod state;
mod table_exec;
mod table_planner;

use std::fmt;

use super::memory_size::MemorySize;
use super::value::ConfigValue;

pub(crate) use families::of as family_of;
pub use families::{FAMILIES, Family};

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A finite number.
    Float,
    /// A duration; a bare number is milliseconds.
    Duration,
    /// A duration, or a negative one for "never".
    Timeout,
    /// A size in bytes; a bare number is bytes.
    MemorySize,
    /// One of these, whatever the case.
    Enum(&'static [&'static str]),
    /// Texts separated by `;`.
    List,
    /// `key:value` pairs separated by `,`, or keys below this one.
    Map,
    /// Any text.
    Str,
}

impl Kind {
    /// Whether `text` is of this kind; otherwise what it should have been.
    pub fn check(self, text: &str) -> Result<(), String> {
        fn check<T: ConfigValue>(text: &str) -> Result<(), String> {
            T::parse_value(text).map(drop).ok_or_else(T::expected)
        }
        match self {
            Self::Bool => check::<bool>(text),
            Self::Int => check::<i64>(text),
            Self::Float => check::<f64>(text),
            Self::Duration => check::<std::time::Duration>(text),
            Self::Timeout => check::<std::time::Duration>(text.strip_prefix('-').unwrap_or(text))
                .map_err(|expected| format!("{expected}, or `-1`")),
            Self::MemorySize => check::<MemorySize>(text),
            Self::List => check::<Vec<String>>(text),
            Self::Map => check::<std::collections::BTreeMap<String, String>>(text),
            Self::Str => Ok(()),
            Self::Enum(choices) if choices.iter().any(|c| c.eq_ignore_ascii_case(text)) => Ok(()),
            Self::Enum(choices) => Err(format!("one of {}", choices.join(", "))),
        }
    }
}

/// A part of the system that does not read its keys yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Checkpoints and savepoints.
    Checkpoints,
    /// Metrics of state access.
    StateMetrics,
    /// Restarting a failed job.
    Recovery,
    /// A cluster of several processes.
    Cluster,
    /// High availability.
    Ha,
    /// REST and the dashboard.
    Rest,
    /// Metric reporters and scopes.
    Metrics,
    /// TLS.
    Security,
    /// SQL.
    Sql,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoints => "checkpoints",
            Self::StateMetrics => "metrics of state access",
            Self::Recovery => "restarts",
            Self::Cluster => "cluster",
            Self::Ha => "high availability",
            Self::Rest => "REST and dashboard",
            Self::Metrics => "metric reporters",
            Self::Security => "TLS",
            Self::Sql => "SQL",
        })
    }
}

/// What Rheos does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The engine uses it.
    Honoured,
    /// It is accepted and checked, and will be used when that part of the system is there.
    Later(Area),
    /// It is accepted, and there is nothing here that it could set. The text says why.
    NoMeaning(&'static str),
}

/// One key of Flink's, or of Rheos alone.
#[derive(Debug, Clone, Copy)]
pub struct KnownOption {
    /// The key in Flink 2's spelling.
    pub key: &'static str,
    /// Older spellings, and misspellings that are common in the wild.
    pub old_keys: &'static [&'static str],
    /// The type of its value.
    pub kind: Kind,
    /// Flink's default as text; empty if there is none.
    pub flink_default: &'static str,
    /// The default of Rheos, where it is another one.
    pub our_default: Option<&'static str>,
    /// The answer.
    pub verdict: Verdict,
}

const fn opt(
    key: &'static str,
    old_keys: &'static [&'static str],
    kind: Kind,
    flink_default: &'static str,
    verdict: Verdict,
) -> KnownOption {
    KnownOption {
        key,
        old_keys,
        kind,
        flink_default,
        our_default: None,
        verdict,
    }
}

impl KnownOption {
    const fn ours(mut self, default: &'static str) -> Self {
        self.our_default = Some(default);
        self
    }

    /// The default that holds here; `None` if there is none.
    pub fn default(&self) -> Option<&'static str> {
        self.our_default
            .or(Some(self.flink_default).filter(|text| !text.is_empty()))
    }

    /// All spellings, the current one first.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.key).chain(self.old_keys.iter().copied())
    }

    /// Whether `key` is a spelling of this option or, for a map, an entry below it.
    fn is(&self, key: &str) -> bool {
        self.spellings()
            .any(|spelling| match key.strip_prefix(spelling) {
                Some("") => true,
                Some(rest) => self.kind == Kind::Map && rest.starts_with('.'),
                None => false,
            })
    }
}

/// A titled part of the table.
#[derive(Debug)]
pub struct Section {
    /// The heading in the documentation.
    pub title: &'static str,
    /// Its keys, sorted.
    pub options: &'static [KnownOption],
}

/// The whole table, in the order of the documentation.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "The job",
        options: pipeline::OPTIONS,
    },
    Section {
        title: "Slots and memory",
        options: memory::OPTIONS,
    },
    Section {
        title: "Network",
        options: network::OPTIONS,
    },
    Section {
        title: "State backends",
        options: state::OPTIONS,
    },
    Section {
        title: "RocksDB",
        options: rocksdb::OPTIONS,
    },
    Section {
        title: "ForSt",
        options: forst::OPTIONS,
    },
    Section {
        title: "Checkpoints and savepoints",
        options: checkpointing::OPTIONS,
    },
    Section {
        title: "S3",
        options: s3::OPTIONS,
    },
    Section {
        title: "Restart strategies",
        options: restart::OPTIONS,
    },
    Section {
        title: "Cluster, scheduler, high availability",
        options: cluster::OPTIONS,
    },
    Section {
        title: "Metrics",
        options: metrics::OPTIONS,
    },
    Section {
        title: "REST and dashboard",
        options: rest::OPTIONS,
    },
    Section {
        title: "Security",
        options: security::OPTIONS,
    },
    Section {
        title: "Environment of the processes",
        options: environment::OPTIONS,
    },
    Section {
        title: "SQL: execution",
        options: table_exec::OPTIONS,
    },
    Section {
        title: "SQL: planner and session",
        options: table_planner::OPTIONS,
    },
    Section {
        title: "Rheos's own",
        options: own::OPTIONS,
    },
    Section {
        title: "Removed in Flink 2, still accepted",
        options: removed::OPTIONS,
    },
];

/// All keys of the table.
pub fn all() -> impl Iterator<Item = &'static KnownOption> {
    SECTIONS.iter().flat_map(|section| section.options)
}

/// The options that `key` is a spelling of: usually one, two where Flink split a key in two.
pub fn find(key: &str) -> impl Iterator<Item = &'static KnownOption> {
    all().filter(move |option| option.is(key))
}
