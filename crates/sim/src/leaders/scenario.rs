//! What a run is made of: drawn from a seed, or written down.

use rheos_core::rng::Rng;
use serde::{Deserialize, Serialize};

use crate::scenario::Shrinks;

/// A run. Equal scenarios run alike, request for request. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What everything that is not said here is drawn from.
    pub seed: u64,
    /// JobManagers, and
    pub managers: usize,
    /// TaskManagers.
    pub task_managers: usize,
    /// How long there are faults.
    pub duration: u64,
    /// How long a lease holds, and
    pub lease: u64,
    /// how often it is renewed.
    pub renew: u64,
    /// From a checkpoint to the next, about, and
    pub interval: u64,
    /// how many are kept.
    pub retained: usize,
    /// How long a request is on its way, at most, and as long its answer.
    pub latency: u64,
    /// How much clocks differ to begin with, at most, and
    pub skew: u64,
    /// how fast they drift apart: so many microseconds a second.
    pub drift: u64,
    /// By how much a listing may lag behind: less than from a checkpoint to the next, as the log needs it.
    pub stale: u64,
    /// Of a thousand requests so many get no answer, with their effect or without,
    pub unanswered: u64,
    /// of which, in a hundred, so many have their effect later.
    pub late: u64,
    /// At so many of ten thousand requests the JobManager is stopped for a while, or
    pub stops: u64,
    /// dies, before the effect or after it.
    pub deaths: u64,
    /// From a fault that is not a request's to the next, about.
    pub pace: u64,
    /// Whether JobManagers are cut off from the storage, and from each other.
    pub cuts: bool,
    /// Whether JobManagers are killed, and told to end, at any time.
    pub kills: bool,
    /// Whether JobManagers are stopped at any time.
    pub pauses: bool,
    /// Whether tasks fail, so that the leader begins the next generation in place.
    pub restarts: bool,
    /// Whether addresses are on the loopback device, where every machine has the same.
    pub loopback: bool,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut one_of = |choices: &[u64]| {
            let drawn = rng.below(choices.len() as u64) as usize;
            choices.get(drawn).copied().unwrap_or(0)
        };
        let lease = one_of(&[1_000, 3_000]);
        let interval = one_of(&[100, 300, 1_000]);
        Self {
            seed,
            managers: one_of(&[1, 2, 2, 3, 3, 5]) as usize,
            task_managers: one_of(&[0, 0, 3, 10, 100]) as usize,
            duration: one_of(&[20_000, 60_000, 120_000]),
            lease,
            renew: lease / one_of(&[2, 3, 6]),
            interval,
            retained: one_of(&[1, 1, 3]) as usize,
            latency: one_of(&[2, 20, 100]),
            skew: one_of(&[0, 500, 3_600_000]),
            drift: one_of(&[0, 200, 50_000]),
            stale: one_of(&[0, 0, interval / 10, interval / 4]),
            unanswered: one_of(&[0, 5, 30]),
            late: one_of(&[0, 50]),
            stops: one_of(&[0, 5, 30]),
            deaths: one_of(&[0, 5, 30]),
            pace: one_of(&[500, 2_000, 8_000]),
            cuts: one_of(&[0, 1]) == 1,
            kills: one_of(&[0, 1]) == 1,
            pauses: one_of(&[0, 1]) == 1,
            restarts: one_of(&[0, 1]) == 1,
            loopback: one_of(&[0, 0, 0, 1]) == 1,
        }
    }
}

impl Shrinks for Scenario {
    fn with_seed(&self, seed: u64) -> Self {
        Self {
            seed,
            ..self.clone()
        }
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn changes() -> Vec<fn(&mut Self)> {
        vec![
            |s| (s.cuts, s.kills, s.pauses, s.restarts) = (false, false, false, false),
            |s| (s.unanswered, s.stops, s.deaths) = (0, 0, 0),
            |s| s.cuts = false,
            |s| s.kills = false,
            |s| s.pauses = false,
            |s| s.restarts = false,
            |s| s.unanswered = 0,
            |s| s.stops = 0,
            |s| s.deaths = 0,
            |s| s.late = 0,
            |s| s.stale = 0,
            |s| (s.skew, s.drift) = (0, 0),
            |s| s.loopback = false,
            |s| s.managers = (s.managers / 2).max(1),
            |s| s.managers = (s.managers - 1).max(1),
            |s| s.task_managers = 0,
            |s| s.task_managers /= 2,
            |s| s.duration = (s.duration / 2).max(1_000),
            |s| s.duration = (s.duration * 3 / 4).max(1_000),
            |s| s.retained = 1,
            |s| s.latency = 2,
        ]
    }
}
