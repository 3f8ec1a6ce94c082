//! Time, the fibers that wait for it, and the machines that they run on.
//!
//! A fiber is what a thread would be: real code of the engine, on a stack of its own, that goes on until it
//! waits for time to pass. One runs at a time. Invariant: nothing is locked while a fiber waits, and who is
//! dead waits no more, has no effect, and is told nothing but errors: so it comes to its end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rheos_core::clock::Clock;
use rheos_core::rng::{Rng, splitmix64};
use rheos_core::time::Millis;

use super::files::{Files, Write};
use super::oracle::Oracle;
use super::scenario::Scenario;

/// What a fiber does.
pub type Body = Box<dyn FnOnce() + Send>;

/// How much of a way is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing gets through.
    Both,
    /// Requests get there, and no answer comes back.
    Answers,
}

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// A JobManager.
    JobManager,
    /// A TaskManager.
    TaskManager,
}

/// Where processes run, one after the other.
#[derive(Debug)]
pub struct Machine {
    /// What it is for.
    pub runs: Runs,
    /// Its way to the storage is cut until then.
    pub cut: Option<(Cut, i64)>,
    /// How its clock differs from the time, in microseconds at the beginning,
    skew: i64,
    /// and for each million of them.
    drift: i64,
    /// How far its wall clock was set.
    pub set: i64,
    /// For how long its monotonic clock stood still while it was suspended.
    pub suspended: i64,
    /// When a JobManager is started here next.
    pub starts_at: Option<i64>,
    /// Where it will listen.
    pub address: String,
}

/// A process, from its start to its end.
#[derive(Debug)]
pub struct Life {
    /// On which machine.
    pub machine: usize,
    /// Where it listens.
    pub address: String,
    /// Whether it is there.
    pub alive: bool,
    /// It does nothing before then.
    pub stopped_until: i64,
    /// From when to when its machine is suspended, the last time.
    pub suspended: (i64, i64),
    /// Whether it has been told to end.
    pub told_to_end: bool,
    /// Whether a task of it has failed.
    pub task_failed: bool,
    /// Since when it believes to lead, if it does.
    pub leads: Option<i64>,
    /// When it last completed a checkpoint.
    pub completed_at: i64,
    /// The JobManager that it is attached to, of a TaskManager.
    pub attached: Option<usize>,
}

/// What is counted, to know what was reached.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Requests to the storage.
    pub requests: u64,
    /// Those without an answer, and
    pub unanswered: u64,
    /// those that had their effect later.
    pub late: u64,
    /// Processes started,
    pub lives: u64,
    /// times that one came to lead,
    pub leaders: u64,
    /// and while another believed that it did.
    pub rivals: u64,
    /// Times that one was stopped, and
    pub stops: u64,
    /// that one died.
    pub deaths: u64,
    /// Generations begun, and
    pub generations: u64,
    /// checkpoints completed.
    pub checkpoints: u64,
    /// Times that a TaskManager attached to a JobManager.
    pub attached: u64,
}

impl Counts {
    /// Adds what another run reached.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.unanswered += other.unanswered;
        self.late += other.late;
        self.lives += other.lives;
        self.leaders += other.leaders;
        self.rivals += other.rivals;
        self.stops += other.stops;
        self.deaths += other.deaths;
        self.generations += other.generations;
        self.checkpoints += other.checkpoints;
        self.attached += other.attached;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} requests, {} without an answer, {} with a late effect; {} processes started, {} came \
             to lead, {} of them while another thought that it did; {} stopped and woken, {} killed; {} \
             generations, {} checkpoints; TaskManagers attached {} times",
            self.requests,
            self.unanswered,
            self.late,
            self.lives,
            self.leaders,
            self.rivals,
            self.stops,
            self.deaths,
            self.generations,
            self.checkpoints,
            self.attached
        )
    }
}

struct Waiting {
    life: usize,
    until: i64,
}

pub(super) struct State {
    pub scenario: Scenario,
    pub now: i64,
    pub rng: Rng,
    pub files: Files,
    pub machines: Vec<Machine>,
    pub lives: Vec<Life>,
    pub oracle: Oracle,
    pub counts: Counts,
    /// Whether nothing fails any more.
    pub calm: bool,
    /// Between which machines no connection is made, and until when.
    pub apart: BTreeMap<(usize, usize), i64>,
    /// What has its effect later.
    pub late: BTreeMap<(i64, u64), Write>,
    trace: u64,
    fibers: BTreeMap<u64, Waiting>,
    born: VecDeque<(u64, Body)>,
    current: u64,
    last: u64,
}

impl State {
    /// Takes note of something that has happened.
    pub fn note(&mut self, what: u64) {
        self.trace = splitmix64(self.trace ^ what ^ (self.now as u64).rotate_left(20));
    }

    /// A number that was not given yet.
    pub fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub fn apply(&mut self, write: &Write) -> bool {
        let now = self.now;
        if let Write::Delete(name) = write {
            self.oracle.deleted(name);
        }
        let changed = self.files.write(write, now);
        if let (true, Write::PutIfAbsent(name, bytes)) = (changed, write) {
            self.oracle.created(name, bytes);
        }
        changed
    }

    pub fn alive(&self, life: usize) -> bool {
        self.lives.get(life).is_some_and(|life| life.alive)
    }

    /// Lets a JobManager do nothing for a while; its machine may be suspended, and then its clock stands
    /// still.
    pub fn stop(&mut self, life: usize, micros: i64) {
        let (now, suspended) = (self.now, self.rng.below(3) == 0);
        let Some(stopped) = self.lives.get_mut(life) else {
            return;
        };
        let (from, until) = (stopped.stopped_until.max(now), now + micros);
        if until <= from {
            return;
        }
        stopped.stopped_until = until;
        let machine = stopped.machine;
        self.counts.stops += 1;
        if suspended && let Some(machine) = self.machines.get_mut(machine) {
            stopped.suspended = (from, until);
            machine.suspended += until - from;
        }
    }

    /// Who is stopped goes on.
    pub fn wake_all(&mut self) {
        let now = self.now;
        for life in &mut self.lives {
            life.stopped_until = life.stopped_until.min(now);
            let (from, until) = life.suspended;
            let left = until - from.max(now);
            if life.alive
                && left > 0
                && let Some(machine) = self.machines.get_mut(life.machine)
            {
                machine.suspended -= left;
            }
        }
    }

    /// A JobManager is no more. Another is started there after so long, if one is.
    pub fn die(&mut self, life: usize, again: i64) {
        let now = self.now;
        let Some(dead) = self.lives.get_mut(life).filter(|life| life.alive) else {
            return;
        };
        (dead.alive, dead.leads, dead.stopped_until) = (false, None, 0);
        dead.attached = None;
        let machine = dead.machine;
        if let Some(machine) = self.machines.get_mut(machine) {
            machine.starts_at = Some(now + again);
        }
        for waiting in self.fibers.values_mut() {
            if waiting.life == life {
                waiting.until = now;
            }
        }
        self.note(life as u64);
    }

    /// The hash of all that has happened.
    pub fn trace(&self) -> u64 {
        self.trace
    }
}

/// See the [module](self).
pub struct World {
    state: Mutex<State>,
}

impl World {
    /// Of a scenario, before anything has happened.
    pub fn new(scenario: &Scenario) -> Arc<Self> {
        let mut rng = Rng::new(splitmix64(scenario.seed));
        let mut machines = Vec::new();
        for number in 0..scenario.managers + scenario.task_managers {
            let mut around = |most: u64| rng.below(2 * most + 1) as i64 - most as i64;
            machines.push(Machine {
                runs: match number < scenario.managers {
                    true => Runs::JobManager,
                    false => Runs::TaskManager,
                },
                cut: None,
                skew: around(scenario.skew * 1_000),
                drift: around(scenario.drift),
                set: 0,
                suspended: 0,
                starts_at: Some(around(1_000).abs() * 1_000),
                address: address(scenario, number, 0),
            });
        }
        let state = State {
            scenario: scenario.clone(),
            now: 0,
            rng,
            files: Files::default(),
            machines,
            lives: Vec::new(),
            oracle: Oracle::default(),
            counts: Counts::default(),
            calm: false,
            apart: BTreeMap::new(),
            late: BTreeMap::new(),
            trace: 0,
            fibers: BTreeMap::new(),
            born: VecDeque::new(),
            current: 0,
            last: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Begins a fiber of a life.
    pub fn spawn(&self, life: usize, body: Body) {
        let mut state = self.lock();
        let (number, until) = (state.number(), state.now);
        state.fibers.insert(number, Waiting { life, until });
        state.born.push_back((number, body));
    }

    /// The fibers that have begun since this was last asked.
    pub(super) fn born(&self) -> Option<(u64, Body)> {
        self.lock().born.pop_front()
    }

    /// Which fiber goes on next, and when.
    pub(super) fn next(&self) -> Option<(i64, u64)> {
        let state = self.lock();
        let times = state.fibers.iter().map(|(number, waiting)| {
            let stopped = state.lives.get(waiting.life);
            let stopped = stopped.map_or(0, |life| life.stopped_until);
            (waiting.until.max(stopped), *number)
        });
        times.min()
    }

    /// The fiber of this number goes on.
    pub(super) fn enter(&self, number: u64) {
        self.lock().current = number;
    }

    /// The fiber of this number has ended.
    pub(super) fn ended(&self, number: u64) {
        self.lock().fibers.remove(&number);
    }

    /// Lets so much time pass for the fiber that calls; whether its life is still there.
    #[allow(
        deprecated,
        reason = "a storage is called from anywhere in the engine, where no scope can be passed to"
    )]
    pub fn pass(&self, micros: i64) -> bool {
        let mut state = self.lock();
        let (now, current) = (state.now, state.current);
        let Some(waiting) = state.fibers.get_mut(&current) else {
            return false;
        };
        let life = waiting.life;
        waiting.until = now + micros.max(0);
        if !state.alive(life) {
            return false;
        }
        drop(state);
        generator::yield_with(());
        self.lock().alive(life)
    }

    /// Lets so much time pass by a machine's own clock; whether the life is still there.
    pub fn pause(&self, life: usize, pause: Duration) -> bool {
        let micros = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX / 4);
        let drift = {
            let state = self.lock();
            let machine = state.lives.get(life).map(|life| life.machine);
            let machine = machine.and_then(|machine| state.machines.get(machine));
            machine.map_or(0, |machine| machine.drift)
        };
        self.pass(micros - micros * drift / 1_000_000)
    }
}

/// The address that a machine has, the so-manieth.
pub fn address(scenario: &Scenario, machine: usize, nth: u64) -> String {
    match scenario.loopback {
        true => format!("127.0.0.1:{}", 6_000 + 100 * machine as u64 + nth),
        false => format!("10.0.{machine}.{}:6123", 1 + nth),
    }
}

/// A machine's clock.
pub struct MachineClock {
    world: Arc<World>,
    machine: usize,
}

impl MachineClock {
    /// That of this machine.
    pub fn new(world: Arc<World>, machine: usize) -> Self {
        Self { world, machine }
    }

    fn read(&self, of: impl FnOnce(i64, &Machine) -> i64) -> i64 {
        let state = self.world.lock();
        let machine = state.machines.get(self.machine);
        machine.map_or(0, |machine| of(state.now, machine))
    }
}

impl Clock for MachineClock {
    fn monotonic_micros(&self) -> i64 {
        self.read(|now, machine| {
            let own = machine.skew + now + now * machine.drift / 1_000_000;
            own - machine.suspended
        })
    }

    fn wall_millis(&self) -> Millis {
        self.read(|now, machine| {
            let own = machine.skew + now + now * machine.drift / 1_000_000;
            (own + machine.set).div_euclid(1_000) + 1_700_000_000_000
        })
    }

    fn is_real(&self) -> bool {
        false
    }
}
