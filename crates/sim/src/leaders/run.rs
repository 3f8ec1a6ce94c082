//! A run: faults for a while, then calm, in which one JobManager must come to lead and go on.
//!
//! Invariant: nothing but the scenario decides what happens. What happens is hashed, so that two runs of a
//! scenario can be compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use generator::{Generator, Gn};

use super::faults;
use super::manager::JobManager;
use super::scenario::Scenario;
use super::task_manager::TaskManager;
use super::world::{Body, Counts, Life, Runs, World};

/// The stack of a fiber, in words.
const STACK: usize = 32 << 10;
/// Within how many leases after the last fault one must lead, and go on for good.
const SETTLED: u64 = 20;
/// For so many leases it is watched then.
const WATCHED: u64 = 10;

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What did not hold.
    pub violation: Option<String>,
    /// Of all that happened.
    pub trace: u64,
    /// What was reached.
    pub counts: Counts,
}

/// Runs a scenario.
pub fn run(scenario: &Scenario) -> Outcome {
    let world = World::new(scenario);
    let mut fibers = Fibers {
        world: world.clone(),
        running: BTreeMap::new(),
    };
    fibers.run(scenario);
    fibers.end();
    let state = world.lock();
    let (generations, checkpoints) = state.oracle.counts();
    Outcome {
        violation: state.oracle.violation().cloned(),
        trace: state.trace(),
        counts: Counts {
            generations,
            checkpoints,
            ..state.counts.clone()
        },
    }
}

struct Fibers {
    world: Arc<World>,
    running: BTreeMap<u64, Generator<'static, (), ()>>,
}

impl Fibers {
    fn run(&mut self, scenario: &Scenario) {
        let micros = |millis: u64| i64::try_from(millis * 1_000).unwrap_or(i64::MAX);
        let calm = micros(scenario.duration);
        let settled = calm + micros(scenario.lease * SETTLED + scenario.interval * 4);
        let end = settled + micros(scenario.lease * WATCHED + scenario.interval * 8);
        let mut fault = micros(scenario.pace);
        let mut before = None;
        for (until, last) in [(calm, false), (settled, false), (end, true)] {
            while self.step(until, calm, &mut fault) {
                if self.world.lock().oracle.violation().is_some() {
                    return;
                }
            }
            if until == calm {
                self.calm_down();
            } else if !last {
                before = Some(self.leader());
            }
        }
        let violation = match (before, self.leader()) {
            (Some(Ok(before)), Ok(leader)) if before == leader => {
                let stands = self.goes_on(leader, settled);
                stands.or_else(|| self.without(leader))
            }
            (Some(Ok(before)), Ok(leader)) => Some(format!(
                "life {leader} has taken over from life {before}, and there was no fault"
            )),
            (Some(Err(what)), _) | (_, Err(what)) => Some(what),
            (None, _) => None,
        };
        if let Some(violation) = violation {
            self.world.lock().oracle.violate(violation);
        }
    }

    /// Does what is next, if it is due before this time.
    fn step(&mut self, until: i64, calm: i64, fault: &mut i64) -> bool {
        self.adopt();
        let next = self.world.next();
        let start = self.next_start();
        let late = self.world.lock().late.keys().next().copied();
        let times = [
            next.map(|(at, _)| at),
            start.map(|(at, _)| at),
            late.map(|(at, _)| at),
            (*fault < calm).then_some(*fault),
        ];
        let Some(at) = times.into_iter().flatten().min().filter(|at| *at < until) else {
            self.world.lock().now = until;
            return false;
        };
        {
            let mut state = self.world.lock();
            state.now = state.now.max(at);
        }
        if (*fault < calm).then_some(*fault) == Some(at) {
            let state = &mut *self.world.lock();
            faults::happen(state);
            *fault = at + 1 + state.rng.below(2 * state.scenario.pace * 1_000) as i64;
        } else if let Some(late) = late.filter(|(due, _)| *due == at) {
            let state = &mut *self.world.lock();
            if let Some(write) = state.late.remove(&late) {
                state.apply(&write);
            }
        } else if let Some((_, machine)) = start.filter(|(due, _)| *due == at) {
            self.start(machine);
        } else if let Some((_, fiber)) = next {
            self.resume(fiber);
        }
        true
    }

    fn adopt(&mut self) {
        while let Some((number, body)) = self.world.born() {
            self.running.insert(number, fiber(body));
        }
    }

    fn resume(&mut self, number: u64) {
        self.world.enter(number);
        let done = match self.running.get_mut(&number) {
            Some(fiber) => {
                fiber.resume();
                fiber.is_done()
            }
            None => true,
        };
        if done {
            self.running.remove(&number);
            self.world.ended(number);
        }
    }

    /// Where a JobManager is started next, and when.
    fn next_start(&self) -> Option<(i64, usize)> {
        let state = self.world.lock();
        let machines = state.machines.iter().enumerate();
        let starts = machines.filter_map(|(at, machine)| Some((machine.starts_at?, at)));
        starts.min()
    }

    fn start(&mut self, machine: usize) {
        let (life, runs) = {
            let state = &mut *self.world.lock();
            let Some(on) = state.machines.get_mut(machine) else {
                return;
            };
            on.starts_at = None;
            let runs = on.runs;
            let address = on.address.clone();
            state.lives.push(Life {
                machine,
                address,
                alive: true,
                stopped_until: 0,
                suspended: (0, 0),
                told_to_end: false,
                task_failed: false,
                leads: None,
                completed_at: 0,
                attached: None,
            });
            state.counts.lives += 1;
            (state.lives.len() - 1, runs)
        };
        let body: Body = match runs {
            Runs::JobManager => {
                let manager = JobManager::new(&self.world, life, machine);
                Box::new(move || manager.live())
            }
            Runs::TaskManager => {
                let manager = TaskManager::new(&self.world, life);
                Box::new(move || manager.live())
            }
        };
        self.world.spawn(life, body);
    }

    /// Nothing fails any more, who was stopped goes on, and what was cut is whole.
    fn calm_down(&self) {
        let state = &mut *self.world.lock();
        state.calm = true;
        state.apart.clear();
        for machine in &mut state.machines {
            machine.cut = None;
        }
        state.wake_all();
        let now = state.now;
        for machine in &mut state.machines {
            machine.starts_at = machine.starts_at.map(|at| at.min(now));
        }
    }

    /// Who leads.
    fn leader(&self) -> Result<usize, String> {
        let state = self.world.lock();
        let lives = state.lives.iter().enumerate();
        let leading = lives.filter(|(_, life)| life.alive && life.leads.is_some());
        let leading: Vec<usize> = leading.map(|(number, _)| number).collect();
        match leading.as_slice() {
            [one] => Ok(*one),
            [] => Err("nobody leads, long after the last fault".to_owned()),
            all => Err(format!("lives {all:?} lead, long after the last fault")),
        }
    }

    /// What is wrong with a leader that has completed no checkpoint since.
    fn goes_on(&self, leader: usize, since: i64) -> Option<String> {
        let state = self.world.lock();
        let completed = state.lives.get(leader).map(|life| life.completed_at);
        let stands = completed.is_none_or(|at| at < since);
        stands.then(|| {
            format!("life {leader} leads and completes no checkpoint, long after the last fault")
        })
    }

    /// What is wrong with the TaskManagers of a leader.
    fn without(&self, leader: usize) -> Option<String> {
        let state = self.world.lock();
        let managers = state.machines.iter().enumerate();
        let managers = managers.filter(|(_, machine)| machine.runs == Runs::TaskManager);
        let mut lost = managers.filter(|(number, _)| {
            let mut lives = state.lives.iter();
            !lives.any(|life| life.machine == *number && life.attached == Some(leader))
        });
        let (number, _) = lost.next()?;
        Some(format!(
            "the TaskManager of machine {number} has not found life {leader}, long after the last fault"
        ))
    }

    /// Lets everything come to its end.
    fn end(&mut self) {
        self.adopt();
        let lives = self.world.lock().lives.len();
        for life in 0..lives {
            self.world.lock().die(life, i64::MAX / 2);
        }
        while let Some((_, number)) = self.world.next() {
            self.resume(number);
            self.adopt();
        }
    }
}

fn fiber(body: Body) -> Generator<'static, (), ()> {
    Gn::<()>::new_opt(STACK, body)
}
