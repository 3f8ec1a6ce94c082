//! A JobManager's way to the storage: each request is a wait, an effect, and another wait; any of them may
//! be where its JobManager is stopped or dies, and any may not come to be.

use std::io;
use std::sync::Arc;

use rheos_cluster::checkpoint::CheckpointError;
use rheos_cluster::checkpoint::storage::CheckpointStorage;
use rheos_core::key_group::hash_bytes;

use super::files::Write;
use super::world::{Cut, State, World};

/// See the [module](self).
pub struct Link {
    world: Arc<World>,
    life: usize,
    /// After how long without an answer a request is given up, in microseconds.
    timeout: i64,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// It never gets there.
    Lost,
    /// It has its effect, and the answer is lost.
    Unanswered,
    /// It is given up, and has its effect after so many microseconds.
    Late(i64),
}

/// A request's way, drawn.
struct Way {
    fate: Fate,
    there: i64,
    back: i64,
    /// How much older than the time a listing is.
    lag: i64,
}

/// What comes of a wait: nothing, of who is dead.
type Alive = Option<()>;

impl Link {
    /// Of this JobManager.
    pub fn new(world: Arc<World>, life: usize, timeout: i64) -> Self {
        Self {
            world,
            life,
            timeout,
        }
    }

    fn draw(&self, what: &str, name: &str, changes: bool) -> Way {
        let state = &mut *self.world.lock();
        state.counts.requests += 1;
        state.note(hash_bytes(what.as_bytes()) ^ hash_bytes(name.as_bytes()));
        let scenario = state.scenario.clone();
        let latency = scenario.latency * 1_000;
        let mut way = Way {
            fate: Fate::Done,
            there: 1 + state.rng.below(latency) as i64,
            back: 1 + state.rng.below(latency) as i64,
            lag: state.rng.below(scenario.stale * 1_000 + 1) as i64,
        };
        if state.calm {
            return way;
        }
        let now = state.now;
        let machine = state.lives.get(self.life).map(|life| life.machine);
        let machine = machine.and_then(|machine| state.machines.get(machine));
        let cut = machine.and_then(|machine| machine.cut);
        way.fate = match cut.filter(|(_, until)| now < *until) {
            Some((Cut::Both, _)) => Fate::Lost,
            Some((Cut::Answers, _)) => Fate::Unanswered,
            None if state.rng.below(1_000) < scenario.unanswered => {
                match (state.rng.below(100) < scenario.late, state.rng.below(2)) {
                    (true, _) if changes => {
                        Fate::Late(state.rng.below(4 * scenario.lease * 1_000) as i64)
                    }
                    (_, 0) => Fate::Lost,
                    _ => Fate::Unanswered,
                }
            }
            None => Fate::Done,
        };
        state.counts.unanswered += u64::from(way.fate != Fate::Done);
        way
    }

    /// Waits on the way; the JobManager may be stopped there, or die.
    fn pass(&self, micros: i64) -> Alive {
        {
            let state = &mut *self.world.lock();
            let (stops, deaths) = (state.scenario.stops, state.scenario.deaths);
            let drawn = state.rng.below(10_000);
            if !state.calm && state.alive(self.life) && drawn < stops + deaths {
                let most = 3 * state.scenario.lease * 1_000;
                let long = 1_000 + state.rng.below(most) as i64;
                if drawn < stops {
                    state.stop(self.life, long);
                } else {
                    state.counts.deaths += 1;
                    state.die(self.life, long);
                }
            }
        }
        self.world.pass(micros).then_some(())
    }

    fn ask<T>(
        &self,
        (what, name): (&'static str, &str),
        write: Option<&Write>,
        effect: impl FnOnce(&mut State, i64) -> T,
    ) -> Result<T, CheckpointError> {
        let error = || CheckpointError::Storage {
            location: self.location(),
            what,
            name: name.to_owned(),
            error: io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        };
        if !self.world.lock().alive(self.life) {
            return Err(error());
        }
        let way = self.draw(what, name, write.is_some());
        match (way.fate, write) {
            (Fate::Lost, _) => {
                self.pass(self.timeout);
                return Err(error());
            }
            (Fate::Late(after), Some(write)) => {
                let state = &mut *self.world.lock();
                state.counts.late += 1;
                let at = (state.now + self.timeout + after, state.number());
                state.late.insert(at, write.clone());
            }
            _ => {
                if self.pass(way.there).is_none() {
                    // It may have been on its way when who had sent it died.
                    let state = &mut *self.world.lock();
                    if let Some(write) = write.filter(|_| state.rng.below(2) == 0) {
                        state.apply(write);
                    }
                    return Err(error());
                }
                let answer = {
                    let state = &mut *self.world.lock();
                    let seen = state.now - way.lag;
                    effect(state, seen)
                };
                if way.fate == Fate::Done {
                    return self.pass(way.back).map(|()| answer).ok_or_else(error);
                }
            }
        }
        self.pass(self.timeout);
        Err(error())
    }

    fn change(&self, what: &'static str, write: Write) -> Result<bool, CheckpointError> {
        let name = match &write {
            Write::Put(name, _) | Write::PutIfAbsent(name, _) | Write::Delete(name) => name.clone(),
        };
        self.ask((what, &name), Some(&write), |state, _| state.apply(&write))
    }
}

impl CheckpointStorage for Link {
    fn location(&self) -> String {
        "simulated".to_owned()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        let write = Write::Put(name.to_owned(), bytes.to_vec());
        self.change("writing", write).map(drop)
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<bool, CheckpointError> {
        let write = Write::PutIfAbsent(name.to_owned(), bytes.to_vec());
        self.change("claiming", write)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, CheckpointError> {
        self.ask(("reading", name), None, |state, _| state.files.get(name))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, CheckpointError> {
        self.ask(("listing", folder), None, |state, seen| {
            state.files.list(folder, seen)
        })
    }

    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        let write = Write::Delete(name.to_owned());
        self.change("deleting", write).map(drop)
    }
}
