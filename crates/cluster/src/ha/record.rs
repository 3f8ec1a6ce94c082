//! What a record of the lease says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What its writer does with the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "snake_case")]
pub enum Hold {
    /// It leads.
    Held,
    /// It led, and another is to go on.
    Released,
    /// It led, and the job has ended: nobody is to go on who has been there by then.
    Over {
        /// How.
        how: String,
    },
}

/// A record of the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Who has written it: drawn by the process, so that no two are alike.
    pub holder: String,
    /// Where that takes TaskManagers, `HOST:PORT`.
    pub rpc: String,
    /// Where its REST is, `https://HOST:PORT` or `http://HOST:PORT`, if it has one.
    pub rest: Option<String>,
    /// What it does with the lease.
    #[serde(flatten)]
    pub hold: Hold,
    /// Whether the job has begun under it, or one before it: who takes over goes on from its latest
    /// checkpoint then, whatever its command line says of how to begin.
    #[serde(default)]
    pub begun: bool,
    /// When it was written by its writer's clock, in milliseconds since the epoch: for people alone.
    pub at: i64,
}

impl fmt::Display for LeaseRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.holder.get(..8).unwrap_or(&self.holder);
        write!(f, "the JobManager at {} ({id})", self.rpc)
    }
}
