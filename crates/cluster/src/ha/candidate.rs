//! A JobManager that stands by until the lease is to be had.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use rheos_core::clock::SharedClock;

use super::lease::{Holding, Move, Probe, Vacancy, Watch};
use super::record::{Hold, LeaseRecord};
use super::records::{Created, LeaseRecords};
use super::settings::HaSettings;
use super::standing::Standing;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::job_store::random;
use crate::pause::pause;

/// Looks at the lease between two renewals.
const LOOKS: u32 = 4;

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
        records.check()?;
        records.newest()?;
        let mut standby = Standby {
            candidate: self,
            settings,
            records,
            clock,
            watch: Watch::new(settings.micros().0),
            leader: None,
            away: false,
        };
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
            standing.set_leader(standby.watch.newest().map(|(_, record)| record));
            if !standby.probe() {
                pause(settings.renew / LOOKS);
            } else {
                pause(settings.renew / (LOOKS * LOOKS));
            }
        }
    }
}

struct Standby<'a> {
    candidate: &'a Candidate,
    settings: &'a HaSettings,
    records: &'a LeaseRecords,
    clock: &'a SharedClock,
    watch: Watch,
    /// Who has been told to lead.
    leader: Option<String>,
    /// Whether the storage could not be read the last time.
    away: bool,
}

impl Standby<'_> {
    fn now(&self) -> i64 {
        self.clock.monotonic_micros()
    }

    /// Looks at the lease, and takes it if it is to be had.
    fn look(&mut self) -> Option<Campaign> {
        match self.try_to_look() {
            Ok(campaign) => {
                if std::mem::take(&mut self.away) {
                    tracing::info!("{} can be read again", self.records.location());
                }
                campaign
            }
            Err(error) => {
                self.watch.blind();
                if !std::mem::replace(&mut self.away, true) {
                    tracing::warn!("stands by, and can't know who leads: {error}");
                }
                None
            }
        }
    }

    fn try_to_look(&mut self) -> Result<Option<Campaign>, CheckpointError> {
        let asked = self.now();
        let newest = match self.watch.newest() {
            Some((known, record)) => {
                let newer = self.records.behind(known)?;
                Some(newer.unwrap_or_else(|| (known, record.clone())))
            }
            None => self.records.newest()?,
        };
        let answered = self.now();
        if let Some((number, record)) = &newest
            && record.holder == self.candidate.holder
        {
            // It has been written, though there was no answer.
            return Ok(Some(self.leads(*number, asked, record.begun)));
        }
        match self.watch.saw(newest, asked, answered) {
            Move::Wait => {
                self.tell_leader();
                Ok(None)
            }
            Move::End(record) => Ok(Some(Campaign::Over(match &record.hold {
                Hold::Over { how } => format!("{how}, says {record}"),
                _ => record.to_string(),
            }))),
            Move::Take(number, why) => self.take(number, &why),
        }
    }

    fn tell_leader(&mut self) {
        if let Some((number, record)) = self.watch.newest()
            && self.leader.as_ref() != Some(&record.holder)
        {
            tracing::info!(lease = number, "stands by: {record} leads the job");
            self.leader = Some(record.holder.clone());
        }
    }

    fn take(&mut self, number: u64, why: &Vacancy) -> Result<Option<Campaign>, CheckpointError> {
        // The records between the one that is known and the newest may have gone: the place is free
        // then, and is not the last.
        if self.records.greatest()? >= number {
            return self.adopt();
        }
        let began = self.now();
        let at = self.clock.wall_millis();
        let goes_on = why.goes_on();
        let record = self.candidate.record(Hold::Held, goes_on, at);
        match self.records.create(number, &record)? {
            Created::Written if self.records.greatest()? == number => {
                tracing::info!(lease = number, "leads the job from now on: {why}");
                if let Err(error) = self.records.forget(number) {
                    tracing::warn!("old records of the lease stay behind: {error}");
                }
                Ok(Some(self.leads(number, began, goes_on)))
            }
            Created::Written | Created::Taken(_) => self.adopt(),
        }
    }

    fn leads(&self, number: u64, began: i64, goes_on: bool) -> Campaign {
        let times = self.settings.micros();
        let holding = Holding::new(times, &self.candidate.holder, number, began);
        Campaign::Leads(holding, goes_on)
    }

    /// Another was quicker.
    fn adopt(&mut self) -> Result<Option<Campaign>, CheckpointError> {
        let asked = self.now();
        let newest = self.records.newest()?;
        self.watch.saw(newest, asked, self.now());
        self.tell_leader();
        Ok(None)
    }

    /// Finds out whether the holder is still there; whether to look again soon.
    fn probe(&mut self) -> bool {
        let holder = self.watch.newest().map(|(_, record)| record);
        let probe = match holder {
            // Here one would reach oneself.
            Some(record) if record.rpc == self.candidate.rpc => own(&record.rpc),
            Some(record) => reach(&record.rpc),
            None => Probe::Unknown,
        };
        self.watch.probed(probe)
    }
}

/// What it says of the holder that this process listens at its address: it has been started in the holder's
/// place. But every machine has a loopback address, and a holder there may be another machine's.
fn own(address: &str) -> Probe {
    let mut all = address.to_socket_addrs().into_iter().flatten();
    let theirs =
        |address: std::net::SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
    match all.next() {
        Some(address) if !theirs(address) => Probe::Own,
        _ => Probe::Unknown,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_started_at_the_holders_address_replaces_it_unless_it_is_every_machines() {
        assert_eq!(own("10.0.0.7:6123"), Probe::Own);
        assert_eq!(own("[2001:db8::7]:6123"), Probe::Own);
        for every in ["127.0.0.1:6123", "[::1]:6123", "0.0.0.0:6123", "nothing"] {
            assert_eq!(own(every), Probe::Unknown, "{every}");
        }
    }
}
