//! A run: lives of a job one after the other, with the zombies of earlier ones beside it, each step
//! drawn.
//!
//! Invariant: nothing but the scenario decides what happens. What the run has come to is hashed, step
//! by step, so that two runs of a scenario can be compared.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rheos::prelude::Configuration;
use rheos_cluster::checkpoint::job_store::Start;
use rheos_cluster::checkpoint::storage::CheckpointStorage;
use rheos_cluster::checkpoint::{CheckpointSettings, JobStore, Resume};
use rheos_cluster::embedded::SteppedJob;
use rheos_core::clock::{Clock, ManualClock};
use rheos_core::id::JobId;
use rheos_core::rng::{Rng, splitmix64};
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::exchange::debloat::WindowLimits;
use rheos_runtime::exchange::writer::BatchLimits;
use rheos_runtime::task::task::NoListener;

use crate::chaos::Chaos;
use crate::job::{Suspicions, Tables, program};
use crate::oracle;
use crate::scenario::{Barriers, Scenario};
use crate::settings::settings;
use crate::source::{Event, Splits};
use crate::storage::FailingStorage;

/// Steps after which nothing fails any more, and
const CALM: u64 = 20_000;
/// steps within which the job must have come to its end.
const LIMIT: u64 = 400_000;
/// Times in a row that a life may fail to begin.
const STARTS: u32 = 300;

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What did not hold.
    pub violation: Option<String>,
    /// Of all that happened.
    pub trace: u64,
    /// Where the process died.
    pub points: BTreeSet<String>,
    /// Steps.
    pub steps: u64,
    /// Lives of the job.
    pub lives: u64,
    /// Lives that began from a checkpoint,
    pub restored: u64,
    /// of them at another parallelism.
    pub rescaled: u64,
    /// Dead processes that went on.
    pub zombies: u64,
    /// Attempts that ended by an error,
    pub failures: u64,
    /// those of them that their process began again.
    pub restarts: u64,
    /// Times that the job was stopped.
    pub stops: u64,
    /// Events late for their window.
    pub late: u64,
}

struct World {
    scenario: Scenario,
    rng: Rng,
    clock: Arc<ManualClock>,
    chaos: Chaos,
    storage: Arc<dyn CheckpointStorage>,
    input: Splits,
    rules: Splits,
    tables: Tables,
    suspicions: Suspicions,
    parallelism: [u32; 4],
    stops_left: u32,
    outcome: Outcome,
}

/// Runs a scenario.
pub fn run(scenario: &Scenario) -> Outcome {
    let mut world = World::new(scenario);
    let violation = world.live().err();
    world.outcome.points = world.chaos.points();
    if violation.is_some() {
        world.outcome.violation = violation;
        return world.outcome;
    }
    let events: Vec<&Event> = world.input.events.iter().flatten().collect();
    let rules: Vec<&Event> = world.rules.events.iter().flatten().collect();
    match oracle::check(&events, &rules, &world.tables) {
        Ok(late) => world.outcome.late = late,
        Err(violation) => world.outcome.violation = Some(violation),
    }
    let suspicion = world.suspicions.first();
    world.outcome.violation = world.outcome.violation.or(suspicion);
    world.outcome
}

/// Events in splits, a millisecond apart, each moved by some disorder.
fn input(scenario: &Scenario, rng: &mut Rng) -> Vec<Vec<Event>> {
    let mut splits = Vec::new();
    for split in 0..scenario.splits {
        let events = (0..scenario.events).map(|number| {
            let moved = rng.below(scenario.disorder + 1) as i64;
            Event {
                split,
                number,
                key: rng.below(u64::from(scenario.keys)) as u32,
                at: 1_000 + 2 * number as i64 - moved,
            }
        });
        splits.push(events.collect());
    }
    splits
}

/// One each few milliseconds.
fn rules(scenario: &Scenario) -> Vec<Event> {
    let rules = 0..scenario.events / 6;
    rules
        .map(|number| Event {
            split: 0,
            number,
            key: 0,
            at: 1_000 + 11 * number as i64,
        })
        .collect()
}

/// What is next to a job in its life.
enum Next {
    /// It goes on.
    On,
    /// It has come to its end.
    Finished,
    /// It is dead.
    Dead,
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let mut rng = Rng::new(splitmix64(scenario.seed));
        let events = input(scenario, &mut rng);
        let chaos = Chaos::new(
            Rng::new(rng.next_u64()),
            scenario.errors,
            scenario.crash_rate,
            scenario.crashes,
        );
        Self {
            clock: ManualClock::at(1_000_000),
            storage: Arc::new(FailingStorage::new(chaos.clone())),
            input: Splits {
                events: Arc::new(events),
                budget: scenario.budget,
            },
            rules: Splits {
                events: Arc::new(vec![rules(scenario)]),
                budget: 1,
            },
            tables: Tables::new(&chaos),
            suspicions: Suspicions::default(),
            parallelism: scenario.parallelism,
            stops_left: scenario.stops,
            outcome: Outcome::default(),
            scenario: scenario.clone(),
            chaos,
            rng,
        }
    }

    fn trace(&mut self, what: u64) {
        self.outcome.trace = splitmix64(self.outcome.trace ^ what);
    }

    fn settings(&self) -> CheckpointSettings {
        let scenario = &self.scenario;
        CheckpointSettings {
            timeout: Duration::from_secs(5),
            max_concurrent: scenario.concurrent,
            aligned_timeout: match scenario.barriers {
                Barriers::Aligned => None,
                Barriers::Switching(millis) => Some(Duration::from_millis(millis)),
                Barriers::Unaligned => Some(Duration::ZERO),
            },
            tolerable_failures: scenario.tolerable,
            ..settings(scenario.interval, scenario.retained)
        }
    }

    fn environment(&self) -> TaskEnvironment {
        let credit = self.scenario.credit;
        TaskEnvironment {
            clock: self.clock.clone(),
            io: None,
            configuration: Arc::new(Configuration::default()),
            batches: BatchLimits::default(),
            windows: WindowLimits {
                initial: credit,
                min: credit,
                max: credit,
                ..WindowLimits::default()
            },
            listener: Arc::new(NoListener),
            checkpointing: None,
            stores: None,
            seed: self.scenario.seed,
            attempt: 0,
        }
    }

    fn program(&self, parallelism: [u32; 4]) -> Result<Program, String> {
        let (scenario, input, tables) = (&self.scenario, (&self.input, &self.rules), &self.tables);
        let program = program(scenario, parallelism, input, tables, &self.suspicions);
        program.map_err(|error| error.to_string())
    }

    /// Lets the process of an attempt that has failed begin the next one; whether it could.
    fn begin_again(&mut self, job: &mut SteppedJob) -> Result<bool, String> {
        let program = self.program(self.parallelism)?;
        let began = job.start_again(&program, self.environment());
        self.outcome.restarts += u64::from(began.is_ok());
        Ok(began.is_ok() && self.chaos.take_crash().is_none())
    }

    /// Begins a life; none if the job had finished.
    ///
    /// # Errors
    /// What keeps it from beginning, whether it was to be or not.
    fn begin(&mut self) -> Result<Option<SteppedJob>, String> {
        let mut parallelism = self.parallelism;
        if self.scenario.rescales && self.outcome.lives > 0 {
            parallelism = [(); 4].map(|()| 1 + self.rng.below(4) as u32);
        }
        let says = |error: &dyn std::fmt::Display| error.to_string();
        let program = self.program(parallelism)?;
        let clock = self.clock.clone();
        let store = JobStore::with_storage(self.storage.clone(), self.settings(), clock);
        let mut store = store.map_err(|error| says(&error))?;
        let begun = store.begin(&Resume::Latest, &program.graph);
        let begun = match begun.map_err(|error| says(&error))? {
            Start::Finished => return Ok(None),
            Start::Run(begun) => begun,
        };
        let job = SteppedJob::start(JobId(1), &program, self.environment(), (store, &begun));
        let job = job.map_err(|error| says(&error))?;
        self.outcome.lives += 1;
        if begun.restored.is_some() {
            self.outcome.restored += 1;
            self.outcome.rescaled += u64::from(parallelism != self.parallelism);
        }
        self.parallelism = parallelism;
        Ok(Some(job))
    }

    /// Begins a life, however often it takes.
    fn begin_at_last(&mut self) -> Result<Option<SteppedJob>, String> {
        for tried in 0.. {
            let begun = self.begin();
            self.chaos.take_crash();
            self.clock.advance(10);
            match begun {
                Ok(begun) => return Ok(begun),
                Err(error) if tried >= STARTS => {
                    return Err(format!("the job can't be started: {error}"));
                }
                Err(_) if tried == STARTS / 2 => self.chaos.end(),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Lives until the job has finished.
    fn live(&mut self) -> Result<(), String> {
        let mut zombies: Vec<SteppedJob> = Vec::new();
        while let Some(mut job) = self.begin_at_last()? {
            loop {
                match self.step(&mut job, &mut zombies)? {
                    Next::On => {}
                    Next::Finished => return Ok(()),
                    Next::Dead => break,
                }
            }
            if self.rng.below(100) < self.scenario.zombies {
                self.outcome.zombies += 1;
                zombies.push(job);
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        job: &mut SteppedJob,
        zombies: &mut Vec<SteppedJob>,
    ) -> Result<Next, String> {
        self.outcome.steps += 1;
        if self.outcome.steps == CALM {
            self.chaos.end();
        }
        if self.outcome.steps > LIMIT {
            return Err(format!("the job has not ended after {LIMIT} steps"));
        }
        let drawn = self.rng.below(100);
        self.trace(drawn);
        if drawn < 3 {
            self.clock.advance(1 + self.rng.below(6) as i64);
            return Ok(Next::On);
        }
        if drawn < 12 && !zombies.is_empty() {
            let which = self.rng.below(zombies.len() as u64) as usize;
            let gone = self.rng.below(200) == 0;
            let ended = zombies
                .get_mut(which)
                .is_none_or(|zombie| self.step_job(zombie).is_err() || zombie.is_finished());
            // A zombie can't die a second time; what fails it ends it.
            if ended || gone || self.chaos.take_crash().is_some() {
                zombies.swap_remove(which);
            }
            return Ok(Next::On);
        }
        let result = self.step_job(job);
        if self.scenario.crash_rate > 0 {
            let scenario = &self.scenario;
            let parts = (scenario.crash_rate / 2, job.next_look() == i64::MAX);
            self.chaos.may_crash(parts.0.min(1), || {
                format!("between steps, idle {}", parts.1)
            });
        }
        if self.chaos.take_crash().is_some() {
            return Ok(Next::Dead);
        }
        if let Err(error) = result {
            self.trace(error.len() as u64);
            self.outcome.failures += 1;
            let goes_on = self.scenario.restarts && self.begin_again(job)?;
            return Ok(if goes_on { Next::On } else { Next::Dead });
        }
        if job.is_finished() {
            // What it can't write down is found out by the next life.
            let ended = job.end();
            let died = self.chaos.take_crash().is_some();
            return Ok(match ended {
                Ok(true) if !died => Next::Finished,
                _ => Next::Dead,
            });
        }
        if self.stops_left > 0 && self.rng.below(300) == 0 {
            self.stops_left -= 1;
            self.outcome.stops += 1;
            job.stop();
        }
        Ok(Next::On)
    }

    /// One step of one part of a job.
    fn step_job(&mut self, job: &mut SteppedJob) -> Result<(), String> {
        let drawn = self.rng.below(10);
        let result = match drawn {
            0 => {
                job.step_writer();
                Ok(())
            }
            1 | 2 => job.step_master().map(drop),
            _ => {
                let task = self.rng.below(job.tasks() as u64) as usize;
                let worked = job.step_task(task);
                self.trace(u64::from(*worked.as_ref().unwrap_or(&false)));
                worked.map(drop)
            }
        };
        self.trace(self.clock.wall_millis() as u64);
        result.map_err(|error| error.to_string())
    }
}
