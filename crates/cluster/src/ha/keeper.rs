//! What a leader does with its lease, one renewal after the other: what the thread of [`super::tenure`]
//! repeats. Nothing here waits but for the storage: who calls it lets time pass between two renewals.
//!
//! Life: made with the record that was created → renews → says a last word, or finds that it has lost.

use rheos_core::clock::SharedClock;

use super::candidate::Candidate;
use super::lease::{Holding, Renewed};
use super::record::Hold;
use super::records::{Created, LeaseRecords};
use super::settings::HaSettings;
use super::tenure::LastWord;

/// After a renewal that failed it is tried again after this at the earliest, in microseconds.
const AGAIN: i64 = 100_000;

/// See the [module](self).
pub struct Keeper {
    candidate: Candidate,
    holding: Holding,
    settings: HaSettings,
    records: LeaseRecords,
    clock: SharedClock,
    /// Whether it is to be found out if others have gone on.
    doubtful: bool,
    /// Whether it was told that renewals fail.
    told: bool,
    /// How long to wait before the next renewal.
    wait: i64,
}

impl Keeper {
    /// Of who has created the record that is held.
    pub fn new(
        (candidate, holding): (Candidate, Holding),
        settings: HaSettings,
        records: LeaseRecords,
        clock: SharedClock,
    ) -> Self {
        let wait = holding.due_in(clock.monotonic_micros());
        Self {
            candidate,
            holding,
            settings,
            records,
            clock,
            doubtful: false,
            told: false,
            wait,
        }
    }

    fn now(&self) -> i64 {
        self.clock.monotonic_micros()
    }

    /// How long to wait before the next renewal, in microseconds from the end of the last one.
    pub fn wait_micros(&self) -> i64 {
        self.wait
    }

    /// Renews; the record says whether the job has begun, and `written` is called as soon as it is there.
    pub fn renew(&mut self, begun: bool, written: impl FnOnce()) -> Renewed {
        let began = self.now();
        let renewed = self.try_to_renew(began, begun, written);
        // After a failure it is tried again after a while, not at once.
        let since = self.now() - began;
        let tried = self.settings.micros().1 - since;
        let due = self.holding.due_in(self.now());
        self.wait = due.max(tried.min(AGAIN)).max(0);
        renewed
    }

    fn try_to_renew(&mut self, began: i64, begun: bool, written: impl FnOnce()) -> Renewed {
        let number = self.holding.number() + 1;
        let at = self.clock.wall_millis();
        let record = self.candidate.record(Hold::Held, begun, at);
        let renewed = match self.records.create(number, &record) {
            Ok(Created::Written) => {
                written();
                self.holding.written(began, self.now())
            }
            Ok(Created::Taken(there)) => self.holding.taken(there.as_ref(), began),
            Err(error) => {
                self.complain(&error.to_string());
                return Renewed::Kept;
            }
        };
        if std::mem::take(&mut self.told) {
            tracing::info!(lease = number, "the lease is renewed again");
        }
        self.doubtful |= renewed == Renewed::Doubtful;
        if self.doubtful
            && let Ok(greatest) = self.records.greatest()
        {
            self.doubtful = false;
            let settled = self.holding.greatest(greatest, self.now());
            if let Renewed::Lost(_) = &settled {
                return settled;
            }
        }
        if renewed == Renewed::Kept
            && let Err(error) = self.records.forget_one(self.holding.number())
        {
            tracing::debug!("an old record of the lease stays behind: {error}");
        }
        renewed
    }

    /// Tells once that renewals fail, when that could be noticed.
    fn complain(&mut self, error: &str) {
        let silent = self.holding.silent(self.now());
        if silent >= self.settings.micros().0 && !std::mem::replace(&mut self.told, true) {
            let seconds = silent as f64 / 1e6;
            tracing::warn!(
                "the lease can't be renewed for {seconds:.1} s: the job runs on, and completes no \
                 checkpoint until the storage answers: {error}"
            );
        }
    }

    /// Says a last word, if nobody else has said anything.
    pub fn say(&self, word: LastWord, begun: bool) {
        let (hold, told) = match word {
            LastWord::Released => (Hold::Released, "lets go of the lease: another may lead"),
            LastWord::Over(how) => (Hold::Over { how }, "the lease ends with the job"),
        };
        let record = self.candidate.record(hold, begun, self.clock.wall_millis());
        let mut number = self.holding.number() + 1;
        loop {
            match self.records.create(number, &record) {
                Ok(Created::Written) => {
                    tracing::info!(lease = number, "{told}");
                    return;
                }
                // A renewal that had no answer.
                Ok(Created::Taken(Some(there)))
                    if there.holder == self.candidate.holder() && there.hold == Hold::Held =>
                {
                    number += 1;
                }
                Ok(Created::Taken(_)) => return,
                Err(error) => {
                    tracing::warn!("the lease runs out by itself: {error}");
                    return;
                }
            }
        }
    }
}
