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
use super::keeper::Keeper;
use super::lease::{Holding, Renewed};
use super::records::LeaseRecords;
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
        let mut renewing = Renewing {
            keeper: Keeper::new((candidate, holding), settings, records, clock),
            standing,
            shared: shared.clone(),
            tried_begun: false,
        };
        spawner.spawn("rheos-lease".to_owned(), Box::new(move || renewing.run()))?;
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
struct Renewing {
    keeper: Keeper,
    standing: Standing,
    shared: Arc<Shared>,
    /// Whether the last renewal was to say that the job has begun.
    tried_begun: bool,
}

impl Renewing {
    fn run(&mut self) {
        loop {
            if let Some(word) = self.await_word(self.keeper.wait_micros()) {
                let begun = self.shared.lock().begun;
                self.keeper.say(word, begun);
                break;
            }
            if let Renewed::Lost(why) = self.renew() {
                self.lose(&why);
                break;
            }
        }
        self.shared.lock().done = true;
        self.shared.changed.notify_all();
    }

    fn renew(&mut self) -> Renewed {
        let begun = self.shared.lock().begun;
        self.tried_begun = begun;
        let shared = &self.shared;
        self.keeper.renew(begun, || {
            shared.lock().told_begun = begun;
            shared.changed.notify_all();
        })
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
}
