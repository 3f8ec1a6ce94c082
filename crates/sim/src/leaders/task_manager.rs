//! A TaskManager: looks for the leader, attaches to it, and looks again when it has lost it. As a process
//! does (`crates/cluster/src/remote/agent.rs`), with the real seeker, and without tasks.

use std::sync::Arc;
use std::time::Duration;

use rheos_cluster::ha::seeker::{Seeker, Sought};
use rheos_cluster::ha::{LeaderAt, LeaseRecords};

use super::link::Link;
use super::scenario::Scenario;
use super::world::World;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(250);
/// How often it looks at its stay.
const LOOK: Duration = Duration::from_millis(250);
/// After how long without an order it is asked whether another JobManager leads, and
const SILENCE: i64 = 1_000_000;
/// after how long it is lost, in microseconds.
const HEARTBEAT_TIMEOUT: i64 = 5_000_000;
/// Until a service manager starts one again that has ended by itself, in microseconds.
const AGAIN: i64 = 1_000_000;

/// A TaskManager's life.
pub struct TaskManager {
    world: Arc<World>,
    life: usize,
    scenario: Scenario,
}

/// What it hears of a JobManager.
enum Heard {
    /// Orders.
    Orders,
    /// Nothing.
    Nothing,
    /// That it is gone, or does not lead.
    Gone,
}

impl TaskManager {
    /// One that has just been started.
    pub fn new(world: &Arc<World>, life: usize) -> Self {
        Self {
            life,
            scenario: world.lock().scenario.clone(),
            world: world.clone(),
        }
    }

    /// Lives.
    pub fn live(self) {
        let timeout = self.scenario.renew as i64 * 1_000;
        let storage = Arc::new(Link::new(self.world.clone(), self.life, timeout));
        let mut seeker = Seeker::new(LeaderAt::Lease(LeaseRecords::new(storage)));
        loop {
            match seeker.look() {
                Sought::At(address) => {
                    self.stay(&address, &seeker);
                    self.attach(None);
                    seeker.lost();
                }
                Sought::Nobody(_) => {}
                Sought::Over(_) => break,
            }
            if !self.world.pause(self.life, PAUSE) {
                return;
            }
        }
        self.world.lock().die(self.life, AGAIN);
    }

    /// Stays with the JobManager that listens there, for as long as it hears of it.
    fn stay(&self, address: &str, seeker: &Seeker) {
        let (jobmanager, latency) = {
            let state = &mut *self.world.lock();
            let lives = state.lives.iter();
            let found = lives.rev().position(|l| l.alive && l.address == address);
            let latency = state.rng.below(state.scenario.latency * 1_000) as i64;
            (found.map(|back| state.lives.len() - 1 - back), latency)
        };
        self.world.pass(1 + latency);
        let Some(jobmanager) = jobmanager else {
            return;
        };
        let mut heard = self.world.lock().now;
        loop {
            let now = self.world.lock().now;
            match self.hear(jobmanager) {
                Heard::Gone => return,
                Heard::Orders => {
                    heard = now;
                    self.attach(Some(jobmanager));
                }
                Heard::Nothing if now - heard >= HEARTBEAT_TIMEOUT => return,
                // It may hang, and another has taken over already.
                Heard::Nothing if now - heard >= SILENCE && seeker.superseded().is_some() => return,
                Heard::Nothing => {}
            }
            if !self.world.pause(self.life, LOOK) {
                return;
            }
        }
    }

    fn hear(&self, jobmanager: usize) -> Heard {
        let state = self.world.lock();
        let machine = state.lives.get(self.life).map_or(0, |life| life.machine);
        let Some(of) = state.lives.get(jobmanager).filter(|life| life.alive) else {
            return Heard::Gone;
        };
        let pair = (of.machine.min(machine), of.machine.max(machine));
        let apart = state.apart.get(&pair);
        let apart = apart.is_some_and(|until| state.now < *until);
        match of.leads {
            _ if apart || of.stopped_until > state.now => Heard::Nothing,
            Some(_) => Heard::Orders,
            None => Heard::Gone,
        }
    }

    fn attach(&self, to: Option<usize>) {
        let state = &mut *self.world.lock();
        if let Some(life) = state.lives.get_mut(self.life).filter(|life| life.alive) {
            state.counts.attached += u64::from(to.is_some() && life.attached != to);
            life.attached = to;
        }
    }
}
