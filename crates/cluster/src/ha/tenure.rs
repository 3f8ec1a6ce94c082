//! A JobManager's time as the leader: a thread that renews the lease, and finds out that it is lost.
//!
//! Life: started with the record that was created → renewed → ended with a last word, or lost. A storage
//! that does not answer takes nothing away: nobody can take over then, and the job runs on, without
//! completing checkpoints.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rheos_core::clock::SharedClock;
use rheos_core::spawn::SharedSpawner;

use super::candidate::Candidate;
use super::lease::{Holding, Renewed};
use super::record::Hold;
use super::records::{Created, LeaseRecords};
use super::settings::HaSettings;
use super::standing::Standing;

/// What a leader leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastWord {
    /// Another is to go on.
    Released,
    /// The job has ended: how.
    Over(String),
}

type OnLost = Box<dyn FnOnce(&str) + Send>;

#[derive(Default)]
struct State {
    lost: Option<String>,
    on_lost: Option<OnLost>,
    last_word: Option<LastWord>,
    /// Whether the job has begun,
    begun: bool,
    /// and whether a record says so.
    told_begun: bool,
    done: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// See the [module](self). Dropped, it lets go.
pub struct Tenure {
    shared: Arc<Shared>,
    /// How long the last word is waited for.
    patience: Duration,
}

impl Tenure {
    /// Renews the lease from now on.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(
        (candidate, holding, goes_on): (Candidate, Holding, bool),
        settings: HaSettings,
        (records, standing): (LeaseRecords, Standing),
        clock: SharedClock,
        spawner: &SharedSpawner,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        {
            let mut state = shared.lock();
            (state.begun, state.told_begun) = (goes_on, goes_on);
        }
        let mut keeper = Keeper {
            candidate,
            holding,
            settings,
            records,
            standing,
            clock,
            shared: shared.clone(),
            doubtful: false,
            tried_begun: false,
            told: false,
        };
        spawner.spawn("rheos-lease".to_owned(), Box::new(move || keeper.run()))?;
        Ok(Self {
            shared,
            patience: settings.lease,
        })
    }

    /// What is to be done when the lease is lost, in place of what was said before; at once if it is. It
    /// is told why, on the lease's thread.
    pub fn on_lost(&self, act: impl FnOnce(&str) + Send + 'static) {
        let mut state = self.shared.lock();
        match state.lost.clone() {
            Some(why) => {
                drop(state);
                act(&why);
            }
            None => state.on_lost = Some(Box::new(act)),
        }
    }

    /// Why the lease is lost, if it is.
    pub fn lost(&self) -> Option<String> {
        self.shared.lock().lost.clone()
    }

    /// The job has begun: who takes over goes on with it. Waits until that is written; not for longer than
    /// the lease.
    pub fn begun(&self) {
        let mut state = self.shared.lock();
        state.begun = true;
        self.shared.changed.notify_all();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, self.patience, |state| {
                !state.told_begun && !state.done
            });
        drop(waited);
    }

    /// Ends it, if it is not over yet, and waits until that is written; not for longer than the lease.
    pub fn end(&self, word: LastWord) {
        let mut state = self.shared.lock();
        state.last_word.get_or_insert(word);
        self.shared.changed.notify_all();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, self.patience, |state| !state.done);
        drop(waited);
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.end(LastWord::Released);
    }
}

/// The thread.
struct Keeper {
    candidate: Candidate,
    holding: Holding,
    settings: HaSettings,
    records: LeaseRecords,
    standing: Standing,
    clock: SharedClock,
    shared: Arc<Shared>,
    /// Whether it is to be found out if others have gone on.
    doubtful: bool,
    /// Whether the last renewal was to say that the job has begun.
    tried_begun: bool,
    /// Whether it was told that renewals fail.
    told: bool,
}

impl Keeper {
    fn now(&self) -> i64 {
        self.clock.monotonic_micros()
    }

    fn run(&mut self) {
        let mut wait = self.holding.due_in(self.now());
        loop {
            if let Some(word) = self.await_word(wait) {
                self.say(word);
                break;
            }
            let began = self.now();
            if let Renewed::Lost(why) = self.renew(began) {
                self.lose(&why);
                break;
            }
            // After a failure it is tried again after a while, not at once.
            let since = self.now() - began;
            let tried = self.settings.micros().1 - since;
            wait = self
                .holding
                .due_in(self.now())
                .max(tried.min(100_000))
                .max(0);
        }
        self.shared.lock().done = true;
        self.shared.changed.notify_all();
    }

    /// Waits so long for the last word.
    fn await_word(&self, micros: i64) -> Option<LastWord> {
        let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        let state = self.shared.lock();
        // That the job has begun is told at once, unless that has just failed.
        let hurry = self.tried_begun;
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, wait, |state| {
                state.last_word.is_none() && (hurry || state.begun == state.told_begun)
            });
        let (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.last_word.clone()
    }

    fn renew(&mut self, began: i64) -> Renewed {
        let number = self.holding.number() + 1;
        let at = self.clock.wall_millis();
        let begun = self.shared.lock().begun;
        self.tried_begun = begun;
        let record = self.candidate.record(Hold::Held, begun, at);
        let renewed = match self.records.create(number, &record) {
            Ok(Created::Written) => {
                self.shared.lock().told_begun = begun;
                self.shared.changed.notify_all();
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

    fn lose(&self, why: &str) {
        tracing::error!("leads the job no more: {why}");
        self.standing.set_leads(false);
        let mut state = self.shared.lock();
        state.lost = Some(why.to_owned());
        let act = state.on_lost.take();
        drop(state);
        if let Some(act) = act {
            act(why);
        }
    }

    fn say(&self, word: LastWord) {
        let (hold, told) = match word {
            LastWord::Released => (Hold::Released, "lets go of the lease: another may lead"),
            LastWord::Over(how) => (Hold::Over { how }, "the lease ends with the job"),
        };
        let begun = self.shared.lock().begun;
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
