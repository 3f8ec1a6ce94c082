//! Slots that a job asks somebody for: the session that it runs in. Who starts TaskManagers by hand is
//! not asked.
//!
//! Invariant: an answer is about the question that it names; slots are on their way from the question
//! until its answer, and from then on until as many have come as it says.

use std::sync::{Mutex, MutexGuard};

use rheos_core::job_graph::JobGraph;

use crate::schedule::Requirements;

/// How many slots a job needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// With fewer it does not run.
    pub least: u32,
    /// With more it can do nothing.
    pub most: u32,
}

impl Needs {
    /// Of a job that has ended.
    pub const NONE: Self = Self { least: 0, most: 0 };

    /// Of a job that may be so wide.
    pub fn of(requirements: &Requirements, graph: &JobGraph) -> Self {
        Self {
            least: requirements.needed(graph),
            most: requirements.wanted(graph),
        }
    }
}

#[derive(Default)]
struct State {
    asked: u64,
    needs: Option<Needs>,
    answered: u64,
    supplied: u32,
}

/// See the [module](self).
pub struct Supply {
    state: Mutex<State>,
    ask: Box<dyn Fn(u64, Needs) + Send + Sync>,
}

impl Supply {
    /// Questions go this way, each with its number.
    pub fn new(ask: impl Fn(u64, Needs) + Send + Sync + 'static) -> Self {
        Self {
            state: Mutex::default(),
            ask: Box::new(ask),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The job needs so many from now on.
    pub fn ask(&self, needs: Needs) {
        let mut state = self.lock();
        if state.needs == Some(needs) {
            return;
        }
        state.needs = Some(needs);
        state.asked += 1;
        // Under the lock: questions leave in the order of their numbers.
        (self.ask)(state.asked, needs);
    }

    /// The answer to a question: so many slots are the job's.
    pub fn supplied(&self, asked: u64, slots: u32) {
        let mut state = self.lock();
        state.answered = state.answered.max(asked);
        state.supplied = slots;
    }

    /// Whether there will be more than these.
    pub fn on_their_way(&self, there: u32) -> bool {
        let state = self.lock();
        state.answered < state.asked || state.supplied > there
    }

    /// Of TaskManagers with so many slots, in the order in which they have come, those that the job can
    /// do without.
    pub fn surplus(&self, slots: &[(u64, u32)]) -> Vec<u64> {
        let Some(most) = self.lock().needs.map(|needs| needs.most) else {
            return Vec::new();
        };
        let mut left: u32 = slots.iter().map(|(_, slots)| *slots).sum();
        let newest_first = slots.iter().rev();
        newest_first
            .filter(|(_, slots)| {
                let spare = left.checked_sub(*slots).is_some_and(|left| left >= most);
                if spare {
                    left -= slots;
                }
                spare
            })
            .map(|(number, _)| *number)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn slots_are_on_their_way_until_as_many_have_come_as_were_said() {
        let asked: Arc<Mutex<Vec<(u64, Needs)>>> = Arc::default();
        let kept = asked.clone();
        let supply = Supply::new(move |number, needs| kept.lock().unwrap().push((number, needs)));
        assert!(!supply.on_their_way(0), "nobody has asked");
        let needs = |least, most| Needs { least, most };
        supply.ask(needs(2, 2));
        supply.ask(needs(2, 2));
        assert_eq!(*asked.lock().unwrap(), [(1, needs(2, 2))]);
        assert!(supply.on_their_way(0));
        supply.supplied(1, 2);
        assert!(supply.on_their_way(1) && !supply.on_their_way(2));
        supply.ask(needs(4, 4));
        assert!(supply.on_their_way(2), "it is not answered");
        supply.supplied(1, 2);
        assert!(supply.on_their_way(2), "that was about the question before");
        // There are no more.
        supply.supplied(2, 2);
        assert!(!supply.on_their_way(2));
    }

    #[test]
    fn what_a_job_can_do_without_are_whole_task_managers_the_newest_first() {
        let supply = Supply::new(|_, _| {});
        let slots = [(0, 2), (1, 2), (2, 3)];
        assert!(supply.surplus(&slots).is_empty());
        supply.ask(Needs { least: 2, most: 2 });
        assert_eq!(supply.surplus(&slots), [2, 1]);
        supply.ask(Needs { least: 3, most: 3 });
        assert_eq!(supply.surplus(&slots), [2]);
        supply.ask(Needs { least: 1, most: 6 });
        assert!(supply.surplus(&slots).is_empty());
    }
}
