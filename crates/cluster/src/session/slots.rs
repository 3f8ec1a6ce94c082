//! Who has which slots of a session. Pure.
//!
//! Invariant: a slot belongs to one worker at most, and a worker to one job, until its process has ended.
//! A job gets all that it needs at least, or nothing: two jobs that each hold half of what they need would
//! wait for each other for ever.

use std::collections::BTreeMap;

use rheos_core::id::JobId;

use crate::remote::supply::Needs;

/// Slots of a TaskManager that a process of a job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// Whose it is.
    pub job: JobId,
    /// The TaskManager that runs it.
    pub manager: u64,
    /// How many.
    pub slots: u32,
    /// Whether the job has let go of it: it holds its slots until it has ended.
    pub leaving: bool,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Slots {
    managers: BTreeMap<u64, u32>,
    workers: BTreeMap<u64, Worker>,
    next: u64,
}

impl Slots {
    /// A TaskManager has come, with so many.
    pub fn come(&mut self, manager: u64, slots: u32) {
        self.managers.insert(manager, slots);
    }

    /// A TaskManager is gone, and its workers with it: these.
    pub fn gone(&mut self, manager: u64) -> Vec<(u64, Worker)> {
        self.managers.remove(&manager);
        let here = |worker: &Worker| worker.manager == manager;
        let (gone, left) = std::mem::take(&mut self.workers)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, worker)| here(worker));
        self.workers = left;
        gone.into_iter().collect()
    }

    /// The process of a worker has ended.
    pub fn ended(&mut self, worker: u64) -> Option<Worker> {
        self.workers.remove(&worker)
    }

    /// A job lets go of its workers: these are to be ended.
    pub fn release(&mut self, job: JobId) -> Vec<(u64, Worker)> {
        let mut released = Vec::new();
        for (number, worker) in &mut self.workers {
            if worker.job == job && !worker.leaving {
                worker.leaving = true;
                released.push((*number, *worker));
            }
        }
        released
    }

    /// Those that a job has.
    pub fn of(&self, job: JobId) -> u32 {
        let own = self.workers.values();
        let own = own.filter(|worker| worker.job == job && !worker.leaving);
        own.map(|worker| worker.slots).sum()
    }

    /// The workers of a TaskManager.
    pub fn workers_at(&self, manager: u64) -> impl Iterator<Item = &Worker> {
        let workers = self.workers.values();
        workers.filter(move |worker| worker.manager == manager)
    }

    /// Those of a TaskManager: all, and free ones.
    pub fn at(&self, manager: u64) -> (u32, u32) {
        let all = self.managers.get(&manager).copied().unwrap_or(0);
        let used: u32 = self.workers_at(manager).map(|worker| worker.slots).sum();
        (all, all.saturating_sub(used))
    }

    /// The free ones, by TaskManager.
    fn free(&self) -> BTreeMap<u64, u32> {
        let mut free = self.managers.clone();
        for worker in self.workers.values() {
            if let Some(left) = free.get_mut(&worker.manager) {
                *left = left.saturating_sub(worker.slots);
            }
        }
        free
    }

    /// Those of all TaskManagers: all, and free ones.
    pub fn counts(&self) -> (u32, u32) {
        (self.managers.values().sum(), self.free().values().sum())
    }

    /// Gives a job as many as it needs, or can use, of those that are free: one after the other to the
    /// TaskManager that has most left. The workers that are to be started.
    pub fn allot(&mut self, job: JobId, needs: Needs) -> Vec<(u64, Worker)> {
        let has = self.of(job);
        let (lacks, wants) = (
            needs.least.saturating_sub(has),
            needs.most.saturating_sub(has),
        );
        let mut free = self.free();
        let all: u32 = free.values().sum();
        if all < lacks {
            return Vec::new();
        }
        let mut given: BTreeMap<u64, u32> = BTreeMap::new();
        for _ in 0..wants.min(all) {
            // Of several the first.
            let most = free.iter().rev().max_by_key(|(_, left)| **left);
            let Some(manager) = most.map(|(manager, _)| *manager) else {
                break;
            };
            free.entry(manager).and_modify(|left| *left -= 1);
            *given.entry(manager).or_default() += 1;
        }
        let mut started = Vec::new();
        for (manager, slots) in given {
            let worker = Worker {
                job,
                manager,
                slots,
                leaving: false,
            };
            self.workers.insert(self.next, worker);
            started.push((self.next, worker));
            self.next += 1;
        }
        started
    }
}

#[cfg(test)]
mod tests {
    use rheos_core::rng::Rng;

    use super::*;

    const A: JobId = JobId(1);
    const B: JobId = JobId(2);

    fn needs(least: u32, most: u32) -> Needs {
        Needs { least, most }
    }

    fn given(started: &[(u64, Worker)]) -> Vec<(u64, u32)> {
        let given = started.iter();
        given
            .map(|(_, worker)| (worker.manager, worker.slots))
            .collect()
    }

    #[test]
    fn slots_are_spread_and_taken_once() {
        let mut slots = Slots::default();
        slots.come(1, 2);
        slots.come(2, 4);
        assert_eq!(given(&slots.allot(A, needs(2, 2))), [(2, 2)]);
        assert_eq!(given(&slots.allot(A, needs(2, 2))), []);
        assert_eq!(given(&slots.allot(B, needs(3, 3))), [(1, 2), (2, 1)]);
        assert_eq!((slots.of(A), slots.of(B), slots.counts()), (2, 3, (6, 1)));
    }

    #[test]
    fn a_job_gets_what_it_needs_at_least_or_nothing() {
        let mut slots = Slots::default();
        slots.come(1, 3);
        assert_eq!(given(&slots.allot(A, needs(2, 2))), [(1, 2)]);
        assert_eq!(given(&slots.allot(B, needs(2, 2))), []);
        assert_eq!(given(&slots.allot(B, needs(1, 9))), [(1, 1)]);
        let released = slots.release(A);
        assert_eq!(given(&released), [(1, 2)]);
        assert!(slots.release(A).is_empty() && slots.of(A) == 0);
        assert_eq!(given(&slots.allot(B, needs(1, 9))), [], "it has not ended");
        assert!(slots.ended(released[0].0).is_some());
        // What it can use beyond that it gets when it is there.
        assert_eq!(given(&slots.allot(B, needs(1, 9))), [(1, 2)]);
    }

    #[test]
    fn what_is_lost_with_a_task_manager_is_made_up_for_elsewhere() {
        let mut slots = Slots::default();
        slots.come(1, 2);
        slots.come(2, 2);
        assert_eq!(given(&slots.allot(A, needs(4, 4))), [(1, 2), (2, 2)]);
        assert_eq!(given(&slots.gone(1)), [(1, 2)]);
        assert_eq!(given(&slots.allot(A, needs(4, 4))), []);
        slots.come(3, 2);
        assert_eq!(given(&slots.allot(A, needs(4, 4))), [(3, 2)]);
    }

    #[test]
    fn whatever_happens_no_slot_has_two_owners() {
        let mut rng = Rng::new(7);
        let mut slots = Slots::default();
        for step in 0..5_000u64 {
            let job = JobId(u128::from(rng.below(5)));
            match rng.below(7) {
                0 => {
                    let (manager, all) = (rng.below(20), rng.below(4) as u32);
                    if !slots.managers.contains_key(&manager) {
                        slots.come(manager, all);
                    }
                }
                1 => drop(slots.gone(rng.below(20))),
                2 => drop(slots.release(job)),
                3 => drop(slots.ended(rng.below(slots.next + 1))),
                _ => {
                    let least = rng.below(6) as u32;
                    let most = least + rng.below(3) as u32;
                    let (has, given) = (slots.of(job), slots.allot(job, needs(least, most)));
                    let came: u32 = given.iter().map(|(_, worker)| worker.slots).sum();
                    assert_eq!(slots.of(job), has + came);
                    assert!(came == 0 || has + came >= least && has + came <= most.max(has));
                }
            }
            for (manager, all) in &slots.managers {
                let used: u32 = slots.workers_at(*manager).map(|of| of.slots).sum();
                assert!(used <= *all, "step {step}");
            }
            let workers = slots.workers.values();
            let (all, free) = slots.counts();
            let used: u32 = workers.map(|worker| worker.slots).sum();
            assert_eq!(used + free, all, "step {step}");
        }
    }
}
