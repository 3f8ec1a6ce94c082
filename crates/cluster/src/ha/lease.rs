//! What to do about the lease, decided from what has been read of it. Pure: who calls it reads and
//! writes, and tells it the time in microseconds of its own monotonic clock.

use super::record::{Hold, LeaseRecord};

/// Why a standby may create the next record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vacancy {
    /// Nobody has led yet.
    Never,
    /// The one that led has let go.
    Released(LeaseRecord),
    /// The job had ended before this process came.
    Over(LeaseRecord),
    /// The holder has not renewed for so many microseconds.
    Expired(LeaseRecord, i64),
    /// No process listens where the holder did.
    Refused(LeaseRecord),
    /// This process listens where the holder did.
    Replaced(LeaseRecord),
}

impl Vacancy {
    /// Whether a job goes on that has begun, and has not ended.
    pub fn goes_on(&self) -> bool {
        match self {
            Self::Never | Self::Over(_) => false,
            Self::Released(record)
            | Self::Expired(record, _)
            | Self::Refused(record)
            | Self::Replaced(record) => record.begun,
        }
    }
}

impl std::fmt::Display for Vacancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Never => f.write_str("nobody has led the job yet"),
            Self::Released(record) => write!(f, "{record} has let go"),
            Self::Over(record) => write!(f, "the job had ended at {record}"),
            Self::Expired(record, micros) => {
                let seconds = *micros as f64 / 1e6;
                write!(f, "{record} has not renewed its lease for {seconds:.1} s")
            }
            Self::Refused(record) => {
                write!(f, "{record} is gone: it takes no connections any more")
            }
            Self::Replaced(record) => {
                write!(f, "{record} is gone: this process has its address now")
            }
        }
    }
}

/// What a standby does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// It looks again after a while.
    Wait,
    /// It tries to create the record of this number.
    Take(u64, Vacancy),
    /// The job has ended while it stood by, and so does it.
    End(LeaseRecord),
}

/// What came of a connection to where the holder takes TaskManagers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// It was taken.
    Taken,
    /// It was refused: no process listens there.
    Refused,
    /// None was made: this process itself listens there, which the holder would keep it from.
    Own,
    /// Neither: it says nothing of the holder.
    Unknown,
}

/// So many refusals, one after the other, are a process that is gone.
const REFUSALS: u32 = 2;

#[derive(Debug)]
struct Seen {
    number: u64,
    record: LeaseRecord,
    /// Since when it has been the newest, if the storage could be read all the while.
    since: Option<i64>,
}

/// A standby's view of the lease.
///
/// Invariants: a record counts as not renewed only from when it was first seen, and only while every
/// look at the storage was answered: who can't read can't know that the holder could write. A refused
/// connection counts only where one was taken before: else it may be the way that is blocked.
#[derive(Debug)]
pub struct Watch {
    lease_micros: i64,
    seen: Option<Seen>,
    /// Whether somebody has led since this one watches.
    held: bool,
    /// Whether the holder's address has been reached,
    reached: bool,
    /// and how often in a row it was refused since.
    refusals: u32,
    /// Whether it is this process's own address.
    own: bool,
}

impl Watch {
    /// With a lease of this duration.
    pub fn new(lease_micros: i64) -> Self {
        Self {
            lease_micros,
            seen: None,
            held: false,
            reached: false,
            refusals: 0,
            own: false,
        }
    }

    /// The newest record that is known.
    pub fn newest(&self) -> Option<(u64, &LeaseRecord)> {
        self.seen.as_ref().map(|seen| (seen.number, &seen.record))
    }

    /// The newest record has been read: the question was sent `asked` and answered `answered`.
    pub fn saw(&mut self, newest: Option<(u64, LeaseRecord)>, asked: i64, answered: i64) -> Move {
        let Some((number, record)) = newest else {
            self.seen = None;
            return Move::Take(1, Vacancy::Never);
        };
        let before = self.seen.take();
        let same_holder = before
            .as_ref()
            .is_some_and(|seen| seen.record.holder == record.holder);
        if !same_holder {
            (self.reached, self.refusals, self.own) = (false, 0, false);
        }
        let since = before
            .filter(|seen| seen.number == number)
            .and_then(|seen| seen.since)
            .unwrap_or(answered);
        self.seen = Some(Seen {
            number,
            record: record.clone(),
            since: Some(since),
        });
        let silent = asked - since;
        match &record.hold {
            Hold::Over { .. } if self.held => Move::End(record),
            Hold::Over { .. } => Move::Take(number + 1, Vacancy::Over(record)),
            Hold::Released => Move::Take(number + 1, Vacancy::Released(record)),
            Hold::Held => {
                self.held = true;
                if silent >= self.lease_micros {
                    Move::Take(number + 1, Vacancy::Expired(record, silent))
                } else if self.refusals >= REFUSALS {
                    Move::Take(number + 1, Vacancy::Refused(record))
                } else if self.own {
                    Move::Take(number + 1, Vacancy::Replaced(record))
                } else {
                    Move::Wait
                }
            }
        }
    }

    /// The storage can't be read: how long the newest record is the newest is not known any more.
    pub fn blind(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.since = None;
        }
    }

    /// The holder's address has been tried; whether it should be at once again.
    pub fn probed(&mut self, probe: Probe) -> bool {
        match probe {
            Probe::Taken => (self.reached, self.refusals) = (true, 0),
            Probe::Refused if self.reached => self.refusals += 1,
            Probe::Own => self.own = true,
            Probe::Refused | Probe::Unknown => self.refusals = 0,
        }
        self.refusals > 0 || self.own
    }
}

/// What a holder does after a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// It leads on.
    Kept,
    /// It was late: it leads on if there is no record greater than its own.
    Doubtful,
    /// Another has taken the lease, and this one has lost it.
    Lost(String),
}

/// A holder's side of the lease.
///
/// Invariant: what it creates next is the record behind its last one. If that is there already, it is
/// its own, of a renewal that got no answer, or another's, who has taken over. If it is created late, so
/// many records may have come and gone since that its place was free again: then it is doubtful.
#[derive(Debug)]
pub struct Holding {
    lease_micros: i64,
    renew_micros: i64,
    holder: String,
    number: u64,
    /// When the last renewal that was answered began.
    renewed: i64,
}

impl Holding {
    /// Of who has created this record.
    pub fn new(
        (lease_micros, renew_micros): (i64, i64),
        holder: &str,
        number: u64,
        now: i64,
    ) -> Self {
        Self {
            lease_micros,
            renew_micros,
            holder: holder.to_owned(),
            number,
            renewed: now,
        }
    }

    /// The number of its record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// For how long it has not renewed.
    pub fn silent(&self, now: i64) -> i64 {
        now - self.renewed
    }

    /// How long to wait before the next renewal.
    pub fn due_in(&self, now: i64) -> i64 {
        (self.renewed + self.renew_micros - now).max(0)
    }

    /// The next record is written, by a renewal that was begun and answered at these times.
    pub fn written(&mut self, began: i64, answered: i64) -> Renewed {
        let late = answered - self.renewed >= self.lease_micros;
        self.number += 1;
        self.renewed = began;
        match late {
            true => Renewed::Doubtful,
            false => Renewed::Kept,
        }
    }

    /// The next record is there already; none if it has gone again.
    pub fn taken(&mut self, there: Option<&LeaseRecord>, began: i64) -> Renewed {
        match there {
            Some(record) if record.holder == self.holder => {
                self.number += 1;
                self.renewed = began;
                Renewed::Kept
            }
            Some(record) => Renewed::Lost(self.lost_to(&record.to_string(), began)),
            None => Renewed::Lost(self.lost_to("another JobManager", began)),
        }
    }

    /// After a renewal that was late the greatest number is this.
    pub fn greatest(&self, number: u64, now: i64) -> Renewed {
        match number > self.number {
            true => Renewed::Lost(self.lost_to("another JobManager", now)),
            false => Renewed::Kept,
        }
    }

    fn lost_to(&self, whom: &str, now: i64) -> String {
        let seconds = self.silent(now) as f64 / 1e6;
        format!("{whom} has taken the lease, which was not renewed here for {seconds:.1} s")
    }
}

#[cfg(test)]
mod tests;
