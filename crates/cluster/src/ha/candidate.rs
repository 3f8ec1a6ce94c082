//! A JobManager that stands by until the lease is to be had.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rheos_core::clock::SharedClock;

use super::lease::{Holding, Probe};
use super::record::{Hold, LeaseRecord};
use super::records::LeaseRecords;
use super::settings::HaSettings;
use super::standby::Standby;
use super::standing::Standing;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::job_store::random;
use crate::pause::pause;

/// How long a connection to the holder may take.
const REACH: Duration = Duration::from_millis(250);

/// A JobManager that can lead.
#[derive(Debug, Clone)]
pub struct Candidate {
    holder: String,
    rpc: String,
    rest: Option<String>,
}

/// What came of standing by.
#[derive(Debug)]
pub enum Campaign {
    /// It leads; with whether it goes on with a job that has begun: then from its latest checkpoint.
    Leads(Holding, bool),
    /// The job has ended while it stood by: how, and where.
    Over(String),
    /// It was told to end.
    Interrupted,
}

impl Candidate {
    /// One that takes TaskManagers here, and answers REST there, each `HOST:PORT`.
    pub fn draw(rpc: String, rest: Option<String>) -> Self {
        Self {
            holder: random(),
            rpc,
            rest,
        }
    }

    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    pub(super) fn rpc(&self) -> &str {
        &self.rpc
    }

    pub(super) fn record(&self, hold: Hold, begun: bool, at: i64) -> LeaseRecord {
        LeaseRecord {
            holder: self.holder.clone(),
            rpc: self.rpc.clone(),
            rest: self.rest.clone(),
            hold,
            begun,
            at,
        }
    }

    /// Stands by until it leads, the job is over, or `interrupted` says so.
    ///
    /// # Errors
    /// If the storage can't be used to begin with. Later it is waited for.
    pub fn stand(
        &self,
        settings: &HaSettings,
        records: &LeaseRecords,
        clock: &SharedClock,
        standing: &Standing,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Campaign, CheckpointError> {
        let (own, records) = (self.clone(), records.clone());
        let mut standby = Standby::begin(own, *settings, records, clock.clone())?;
        loop {
            if interrupted() {
                return Ok(Campaign::Interrupted);
            }
            if let Some(campaign) = standby.look() {
                if let Campaign::Leads(..) = &campaign {
                    standing.set_leads(true);
                }
                return Ok(campaign);
            }
            standing.set_leader(standby.newest());
            pause(standby.probe(reach));
        }
    }
}

fn reach(address: &str) -> Probe {
    let address = address
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next());
    let Some(address) = address else {
        return Probe::Unknown;
    };
    match TcpStream::connect_timeout(&address, REACH) {
        Ok(_) => Probe::Taken,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Probe::Refused,
        Err(_) => Probe::Unknown,
    }
}
