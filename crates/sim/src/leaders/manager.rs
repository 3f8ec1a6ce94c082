//! A JobManager: stands by, leads with a fiber that keeps the lease and one that runs the job, and ends. As
//! a process does (`crates/rheos/src/execute.rs`), with everything that decides, and without tasks.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rheos_cluster::checkpoint::job_store::{Begun, Start};
use rheos_cluster::checkpoint::manifest::{FORMAT, Manifest};
use rheos_cluster::checkpoint::storage::CheckpointStorage;
use rheos_cluster::checkpoint::{CheckpointError, CheckpointSettings, JobStore, Resume};
use rheos_cluster::ha::lease::{Holding, Probe, Renewed};
use rheos_cluster::ha::{Campaign, Candidate, HaSettings, Keeper, LastWord, LeaseRecords, Standby};
use rheos_core::clock::SharedClock;
use rheos_core::job_graph::JobGraph;

use super::link::Link;
use super::scenario::Scenario;
use super::world::{MachineClock, World};
use crate::settings::settings;

/// How often a fiber looks whether another has told it something.
const LOOK: Duration = Duration::from_millis(20);
/// How long a connection to the holder may take.
const REACH: i64 = 250_000;
/// Until a service manager starts a JobManager again that has ended by itself, in microseconds.
const AGAIN: i64 = 1_000_000;

/// What the two fibers of a leader tell each other.
#[derive(Default)]
struct Shared {
    begun: bool,
    told_begun: bool,
    lost: bool,
    word: Option<LastWord>,
    done: bool,
}

/// Why a leader leads no more.
enum End {
    /// The job runs elsewhere, or the lease is lost: the process begins anew.
    Superseded,
    /// It was told to, could not go on, or is dead.
    Over,
}

impl From<CheckpointError> for End {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Superseded { .. } => Self::Superseded,
            _ => Self::Over,
        }
    }
}

/// A JobManager's life.
#[derive(Clone)]
pub struct JobManager {
    world: Arc<World>,
    life: usize,
    scenario: Scenario,
    clock: SharedClock,
    shared: Arc<Mutex<Shared>>,
}

impl JobManager {
    /// One that has just been started.
    pub fn new(world: &Arc<World>, life: usize, machine: usize) -> Self {
        Self {
            life,
            scenario: world.lock().scenario.clone(),
            clock: Arc::new(MachineClock::new(world.clone(), machine)),
            shared: Arc::default(),
            world: world.clone(),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn storage(&self, timeout: u64) -> Arc<dyn CheckpointStorage> {
        let timeout = timeout as i64 * 1_000;
        Arc::new(Link::new(self.world.clone(), self.life, timeout))
    }

    fn is_told_to_end(&self) -> bool {
        let state = self.world.lock();
        state
            .lives
            .get(self.life)
            .is_none_or(|life| life.told_to_end || !life.alive)
    }

    /// Lives.
    pub fn live(self) {
        let again = match self.lead() {
            Some(End::Superseded) => 1,
            _ => AGAIN,
        };
        self.world.lock().die(self.life, again);
    }

    fn lead(&self) -> Option<End> {
        let settings = HaSettings {
            lease: Duration::from_millis(self.scenario.lease),
            renew: Duration::from_millis(self.scenario.renew),
        };
        let address = {
            let state = self.world.lock();
            state.lives.get(self.life)?.address.clone()
        };
        let candidate = Candidate::draw(address, None);
        let records = LeaseRecords::new(self.storage(self.scenario.renew));
        let (holding, goes_on) = self.stand(&candidate, settings, &records)?;
        self.believes(true);
        {
            let mut shared = self.shared();
            (shared.begun, shared.told_begun) = (goes_on, goes_on);
        }
        let keeper = Keeper::new((candidate, holding), settings, records, self.clock.clone());
        let keeping = self.clone();
        let keep = Box::new(move || keeping.keep(keeper));
        self.world.spawn(self.life, keep);
        let end = self.run().err().unwrap_or(End::Over);
        self.shared().word = Some(LastWord::Released);
        self.wait_for(settings.lease, |shared| shared.done);
        self.believes(false);
        Some(end)
    }

    /// Stands by until it leads; not so if it ends before.
    fn stand(
        &self,
        candidate: &Candidate,
        settings: HaSettings,
        records: &LeaseRecords,
    ) -> Option<(Holding, bool)> {
        let (own, clock) = (candidate.clone(), self.clock.clone());
        let mut standby = Standby::begin(own, settings, records.clone(), clock).ok()?;
        while !self.is_told_to_end() {
            match standby.look() {
                Some(Campaign::Leads(holding, goes_on)) => return Some((holding, goes_on)),
                Some(_) => return None,
                None => {}
            }
            let pause = standby.probe(|address| self.reach(address));
            self.world.pause(self.life, pause);
        }
        None
    }

    /// Tries to connect to an address. Of who is stopped the system takes connections all the same.
    fn reach(&self, address: &str) -> Probe {
        let (probe, takes) = {
            let state = &mut *self.world.lock();
            let (now, latency) = (state.now, state.scenario.latency * 1_000);
            let there = state.lives.iter().find(|l| l.alive && l.address == address);
            let last = state.lives.iter().rfind(|life| life.address == address);
            let own = state.lives.get(self.life).map_or(0, |life| life.machine);
            let pair = last.map_or((own, own), |last| {
                (own.min(last.machine), own.max(last.machine))
            });
            let apart = state.apart.get(&pair).is_some_and(|until| now < *until);
            match (apart, there) {
                (true, _) => (Probe::Unknown, REACH),
                (false, Some(_)) => (Probe::Taken, 1 + state.rng.below(latency) as i64),
                (false, None) => (Probe::Refused, 1 + state.rng.below(latency) as i64),
            }
        };
        self.world.pass(takes);
        probe
    }

    /// Says that it leads, or that it does no more.
    fn believes(&self, leads: bool) {
        let state = &mut *self.world.lock();
        let now = state.now;
        let others = state.lives.iter().filter(|life| life.leads.is_some());
        let rival = leads && others.count() > 0;
        if let Some(life) = state.lives.get_mut(self.life).filter(|life| life.alive) {
            life.leads = leads.then_some(now);
            state.counts.leaders += u64::from(leads);
            state.counts.rivals += u64::from(rival);
        }
    }

    /// Waits until something holds, for so long at most.
    fn wait_for(&self, patience: Duration, holds: impl Fn(&Shared) -> bool) {
        let mut left = patience;
        while !holds(&self.shared()) && !left.is_zero() {
            if !self.world.pause(self.life, LOOK) {
                return;
            }
            left = left.saturating_sub(LOOK);
        }
    }

    /// Keeps the lease: the fiber that stands for the thread of a tenure.
    fn keep(self, mut keeper: Keeper) {
        let mut tried_begun = false;
        loop {
            let wait = Duration::from_micros(u64::try_from(keeper.wait_micros()).unwrap_or(0));
            self.wait_for(wait, |shared| {
                let hurry = !tried_begun && shared.begun != shared.told_begun;
                shared.word.is_some() || hurry
            });
            let (word, begun) = {
                let shared = self.shared();
                (shared.word.clone(), shared.begun)
            };
            if let Some(word) = word {
                keeper.say(word, begun);
                break;
            }
            tried_begun = begun;
            let renewed = keeper.renew(begun, || self.shared().told_begun = begun);
            if let Renewed::Lost(_) = renewed {
                self.believes(false);
                self.shared().lost = true;
                break;
            }
            if !self.world.lock().alive(self.life) {
                break;
            }
        }
        self.shared().done = true;
    }

    fn settings(&self) -> CheckpointSettings {
        settings(self.scenario.interval, self.scenario.retained)
    }

    /// Runs the job: takes checkpoints until it must not any more.
    fn run(&self) -> Result<(), End> {
        let graph = JobGraph {
            name: "job".to_owned(),
            operators: Vec::new(),
            edges: Vec::new(),
            vertices: Vec::new(),
        };
        let storage = self.storage(4 * self.scenario.renew);
        let clock = self.clock.clone();
        let mut store = JobStore::with_storage(storage, self.settings(), clock)?;
        let Start::Run(begun) = store.begin(&Resume::Latest, &graph)? else {
            return Ok(());
        };
        self.has_begun(&begun);
        let mut begun = *begun;
        self.shared().begun = true;
        let patience = Duration::from_millis(self.scenario.lease);
        self.wait_for(patience, |shared| shared.told_begun || shared.done);
        let mut next = begun.next_checkpoint;
        loop {
            let drawn = self.world.lock().rng.below(self.scenario.interval);
            let interval = Duration::from_millis(self.scenario.interval / 2 + drawn);
            let alive = self.world.pause(self.life, interval);
            if self.shared().lost {
                return Err(End::Superseded);
            }
            if !alive {
                return Err(End::Over);
            }
            if self.has_failed() {
                begun = store.begin_again(&graph, next)?;
                self.has_begun(&begun);
            }
            let last = self.is_told_to_end();
            self.checkpoint(&mut store, &begun, next)?;
            next += 1;
            if last {
                return Ok(());
            }
        }
    }

    /// Whether a task has failed since this was last asked.
    fn has_failed(&self) -> bool {
        let state = &mut *self.world.lock();
        let life = state.lives.get_mut(self.life);
        life.is_some_and(|life| std::mem::take(&mut life.task_failed))
    }

    fn has_begun(&self, begun: &Begun) {
        let state = &mut *self.world.lock();
        if !state.alive(self.life) {
            return;
        }
        let from = begun.restored.as_ref();
        let from = from.map_or(0, |restored| restored.checkpoint.0);
        state.oracle.begun(self.life, begun.generation, from);
        state.note(begun.generation << 32 | from);
    }

    /// Takes a checkpoint; one that fails is nothing more.
    fn checkpoint(&self, store: &mut JobStore, begun: &Begun, number: u64) -> Result<(), End> {
        let manifest = Manifest {
            format: FORMAT,
            job: "job".to_owned(),
            checkpoint: number,
            generation: begun.generation,
            lineage: begun.lineage.clone(),
            triggered_at: self.clock.wall_millis(),
            savepoint: false,
            run_millis: 0,
            width: None,
            operators: Vec::new(),
            tasks: Vec::new(),
        };
        let file = format!("{}/task-000.snap", store.folder(number));
        let written = store.storage().put(&file, b"what a task remembers");
        match written.and_then(|()| store.complete(&manifest)) {
            Ok(()) => self.has_completed(begun.generation, number),
            Err(superseded @ CheckpointError::Superseded { .. }) => return Err(superseded.into()),
            // What can't be discarded stays behind.
            Err(_) => drop(store.discard(number)),
        }
        Ok(())
    }

    fn has_completed(&self, generation: u64, number: u64) {
        let state = &mut *self.world.lock();
        let now = state.now;
        if let Some(life) = state.lives.get_mut(self.life).filter(|life| life.alive) {
            life.completed_at = now;
            state.oracle.completed(self.life, generation, number);
            state.note(number);
        }
    }
}
