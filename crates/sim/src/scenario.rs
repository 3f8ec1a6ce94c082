//! What a run is made of: drawn from a seed, or written down; and made smaller where one fails.

use rheos_core::rng::Rng;
use serde::{Deserialize, Serialize};

/// When barriers overtake rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Barriers {
    /// Never.
    Aligned,
    /// After so many milliseconds of alignment.
    Switching(u64),
    /// Always.
    Unaligned,
}

/// A run. Equal scenarios run alike, step for step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What everything that is not said here is drawn from.
    pub seed: u64,
    /// Splits of the input, and
    pub splits: u32,
    /// events in each.
    pub events: u64,
    /// Different keys.
    pub keys: u32,
    /// How far events are out of order, in milliseconds; the watermarks allow for it.
    pub disorder: u64,
    /// Parallelism of source, keyed operator, windows and sinks, in the first life;
    pub parallelism: [u32; 4],
    /// and whether it is another in each life.
    pub rescales: bool,
    /// Bytes of credit a channel.
    pub credit: usize,
    /// Events that the source gives at a time.
    pub budget: usize,
    /// When barriers overtake rows.
    pub barriers: Barriers,
    /// From a checkpoint to the next, in milliseconds.
    pub interval: u64,
    /// Checkpoints at one time, and
    pub concurrent: usize,
    /// how many are kept.
    pub retained: usize,
    /// How many may fail in a row.
    pub tolerable: u32,
    /// Of a thousand operations on store and tables so many fail.
    pub errors: u64,
    /// In one of so many thousand steps, and of operations, the process dies;
    pub crash_rate: u64,
    /// so many times at most.
    pub crashes: u32,
    /// Of a hundred dead processes so many go on for a while.
    pub zombies: u64,
    /// Whether the process of an attempt that fails starts the next one.
    pub restarts: bool,
    /// How often the job is stopped, to be gone on with.
    pub stops: u32,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut one_of = |choices: &[u64]| {
            let drawn = rng.below(choices.len() as u64) as usize;
            choices.get(drawn).copied().unwrap_or(0)
        };
        let barriers = match one_of(&[0, 1, 2]) {
            0 => Barriers::Aligned,
            1 => Barriers::Switching(one_of(&[1, 10, 50])),
            _ => Barriers::Unaligned,
        };
        Self {
            seed,
            splits: one_of(&[1, 2, 3, 5]) as u32,
            events: one_of(&[3, 20, 60, 120]),
            keys: one_of(&[1, 3, 10, 40]) as u32,
            disorder: one_of(&[0, 5, 30]),
            parallelism: [(); 4].map(|()| one_of(&[1, 2, 3, 4]) as u32),
            rescales: one_of(&[0, 1]) == 1,
            credit: one_of(&[32, 200, 2_000]) as usize,
            budget: one_of(&[1, 4, 64]) as usize,
            barriers,
            interval: one_of(&[10, 30, 100]),
            concurrent: one_of(&[1, 1, 2]) as usize,
            retained: one_of(&[1, 1, 3]) as usize,
            tolerable: one_of(&[0, 2]) as u32,
            errors: one_of(&[0, 5, 30]),
            crash_rate: one_of(&[0, 2, 6]),
            crashes: one_of(&[1, 3, 8]) as u32,
            zombies: one_of(&[0, 40]),
            restarts: one_of(&[0, 1]) == 1,
            stops: one_of(&[0, 0, 1, 3]) as u32,
        }
    }
}

/// A scenario that can be made smaller. Implemented by what is run; called by [`shrink`], on its thread.
pub trait Shrinks: Clone + PartialEq {
    /// The same, drawn from another seed.
    fn with_seed(&self, seed: u64) -> Self;

    /// What it is drawn from.
    fn seed(&self) -> u64;

    /// What makes one smaller, the boldest first. Done often enough, none changes anything.
    fn changes() -> Vec<fn(&mut Self)>;

    /// Scenarios that are this one with something less in it.
    fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        for change in Self::changes() {
            let mut changed = self.clone();
            change(&mut changed);
            if changed != *self && !smaller.contains(&changed) {
                smaller.push(changed);
            }
        }
        smaller
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
            |s| (s.errors, s.crash_rate) = (0, 0),
            |s| s.errors = 0,
            |s| s.crash_rate = 0,
            |s| s.zombies = 0,
            |s| s.rescales = false,
            |s| s.restarts = false,
            |s| s.stops = 0,
            |s| s.crashes = (s.crashes / 2).max(1),
            |s| s.splits = (s.splits / 2).max(1),
            |s| s.events = (s.events / 2).max(1),
            |s| s.events = (s.events * 3 / 4).max(1),
            |s| s.keys = (s.keys / 2).max(1),
            |s| s.disorder = 0,
            |s| s.parallelism = [1; 4],
            |s| s.parallelism = s.parallelism.map(|p| p.min(2)),
            |s| s.barriers = Barriers::Aligned,
            |s| (s.concurrent, s.retained) = (1, 1),
        ]
    }
}

/// The smallest scenario that fails as `fails` says, reached from one that does; with the number of
/// runs it took.
pub fn shrink<S: Shrinks>(scenario: &S, fails: &mut dyn FnMut(&S) -> bool) -> (S, u32) {
    let (mut least, mut runs) = (scenario.clone(), 0);
    'again: loop {
        for candidate in least.smaller() {
            // A change moves everything that is drawn behind it: a few other seeds are tried too.
            for seed in std::iter::once(candidate.seed()).chain(1..8) {
                let tried = candidate.with_seed(seed);
                runs += 1;
                if fails(&tried) {
                    least = tried;
                    continue 'again;
                }
            }
        }
        return (least, runs);
    }
}
