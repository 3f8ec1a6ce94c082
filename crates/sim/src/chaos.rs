//! What fails: each operation on something that outlives the job asks here first.
//!
//! A failure comes before the effect or after it: who is told of an error can't know which. A crash is
//! a failure behind which the process does nothing any more; whoever runs the job looks for one after
//! each step.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::rng::Rng;

/// What becomes of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It does what it should.
    Done,
    /// It has no effect, and an error.
    Lost,
    /// It has its effect, and an error.
    Unknown,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    /// Of a thousand operations so many fail,
    errors: u64,
    /// and at so many more the process dies.
    crashes: u64,
    crashes_left: u32,
    /// The place of a crash that nobody has carried out.
    crash: Option<String>,
    points: BTreeSet<String>,
}

/// Shared by all that outlives the job.
#[derive(Debug, Clone)]
pub struct Chaos {
    state: Arc<Mutex<State>>,
}

impl Chaos {
    /// Of a thousand operations `errors` fail and at `crashes` the process dies, so many times at most.
    pub fn new(rng: Rng, errors: u64, crashes: u64, crashes_left: u32) -> Self {
        let state = State {
            rng,
            errors,
            crashes,
            crashes_left,
            crash: None,
            points: BTreeSet::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What becomes of an operation of this name.
    pub fn fate(&self, operation: &str) -> Fate {
        let mut state = self.lock();
        let drawn = state.rng.below(1_000);
        let after = state.rng.below(2) == 1;
        let (errors, crashes) = (state.errors, state.crashes);
        let crashes = if state.crashes_left > 0 { crashes } else { 0 };
        let fate = match (drawn < errors + crashes, after) {
            (false, _) => return Fate::Done,
            (true, false) => Fate::Lost,
            (true, true) => Fate::Unknown,
        };
        if drawn >= errors {
            let when = if after { "after" } else { "before" };
            state.crash_at(format!("{when} {operation}"));
        }
        fate
    }

    /// Lets the process die between two steps, in one of a thousand; `at` names the place.
    pub fn may_crash(&self, of_a_thousand: u64, at: impl FnOnce() -> String) {
        let mut state = self.lock();
        if state.rng.below(1_000) < of_a_thousand && state.crashes_left > 0 {
            state.crash_at(at());
        }
    }

    /// Whether the process has died since this was last asked.
    pub fn take_crash(&self) -> Option<String> {
        self.lock().crash.take()
    }

    /// Nothing fails from now on.
    pub fn end(&self) {
        let mut state = self.lock();
        state.errors = 0;
        state.crashes_left = 0;
    }

    /// The places where the process has died.
    pub fn points(&self) -> BTreeSet<String> {
        self.lock().points.clone()
    }
}

impl State {
    fn crash_at(&mut self, at: String) {
        self.crashes_left -= 1;
        self.points.insert(at.clone());
        self.crash = Some(at);
    }
}
