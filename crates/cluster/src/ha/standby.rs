//! One look of a JobManager that stands by, after the other: what [`Candidate::stand`] repeats.
//!
//! Life: begun, if the storage can be used → looks at the lease, and in between tries the holder → has taken
//! it, or the job is over. Nothing here waits but for the storage: who calls it lets time pass between two
//! looks, and connects to addresses, so that a simulation can do both in its own way.

use std::net::ToSocketAddrs;
use std::time::Duration;

use rheos_core::clock::SharedClock;

use super::candidate::{Campaign, Candidate};
use super::lease::{Holding, Move, Probe, Vacancy, Watch};
use super::record::{Hold, LeaseRecord};
use super::records::{Created, LeaseRecords};
use super::settings::HaSettings;
use crate::checkpoint::error::CheckpointError;

/// Looks at the lease between two renewals.
const LOOKS: u32 = 4;

/// See the [module](self).
pub struct Standby {
    candidate: Candidate,
    settings: HaSettings,
    records: LeaseRecords,
    clock: SharedClock,
    watch: Watch,
    /// Who has been told to lead.
    leader: Option<String>,
    /// Whether the storage could not be read the last time.
    away: bool,
}

impl Standby {
    /// Of this candidate.
    ///
    /// # Errors
    /// If the storage can't be used.
    pub fn begin(
        candidate: Candidate,
        settings: HaSettings,
        records: LeaseRecords,
        clock: SharedClock,
    ) -> Result<Self, CheckpointError> {
        records.check()?;
        records.newest()?;
        Ok(Self {
            candidate,
            settings,
            records,
            clock,
            watch: Watch::new(settings.micros().0),
            leader: None,
            away: false,
        })
    }

    /// The newest record that is known.
    pub fn newest(&self) -> Option<&LeaseRecord> {
        self.watch.newest().map(|(_, record)| record)
    }

    fn now(&self) -> i64 {
        self.clock.monotonic_micros()
    }

    /// Looks at the lease, and takes it if it is to be had.
    pub fn look(&mut self) -> Option<Campaign> {
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
            && record.holder == self.candidate.holder()
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
        let holding = Holding::new(times, self.candidate.holder(), number, began);
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

    /// Finds out whether the holder is still there, with `reach` to connect to an address; after how long
    /// to look again.
    pub fn probe(&mut self, reach: impl FnOnce(&str) -> Probe) -> Duration {
        let probe = match self.newest() {
            // Here one would reach oneself.
            Some(record) if record.rpc == self.candidate.rpc() => own(&record.rpc),
            Some(record) => reach(&record.rpc),
            None => Probe::Unknown,
        };
        match self.watch.probed(probe) {
            true => self.settings.renew / (LOOKS * LOOKS),
            false => self.settings.renew / LOOKS,
        }
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
