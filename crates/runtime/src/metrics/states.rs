//! The sizes of an operator's states, told by its thread about once a second.

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::{KeyedBackend, StateInfo};

use super::operator::OperatorMetrics;

/// How often sizes are told: they are estimated from samples, which is not free.
const PERIOD_MILLIS: Millis = 1_000;

/// How much is in one state of an operator, in one subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSize {
    /// The state's name.
    pub name: String,
    /// Keys with something in it.
    pub keys: usize,
    /// Bytes of memory it holds, estimated.
    pub estimated_bytes: usize,
    /// Whether it has a hook for what was written as another type.
    pub migrates: bool,
}

impl From<StateInfo> for StateSize {
    fn from(info: StateInfo) -> Self {
        Self {
            name: info.name,
            keys: info.keys,
            estimated_bytes: info.estimated_bytes,
            migrates: info.migrates,
        }
    }
}

/// Tells sizes when it is time to.
#[derive(Debug, Default)]
pub struct StateReporter {
    next: Millis,
}

impl StateReporter {
    /// Tells what `states` gives, unless it did so within the last second.
    #[inline]
    pub fn report(
        &mut self,
        metrics: &OperatorMetrics,
        now_millis: Millis,
        states: impl FnOnce() -> Vec<StateSize>,
    ) {
        if now_millis >= self.next {
            self.next = now_millis + PERIOD_MILLIS;
            metrics.set_states(states());
        }
    }
}

/// The sizes of an operator's keyed states.
pub fn sizes_of<K: Row>(backend: &KeyedBackend<K>) -> Vec<StateSize> {
    backend.states().into_iter().map(StateSize::from).collect()
}
