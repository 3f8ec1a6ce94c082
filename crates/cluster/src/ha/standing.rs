//! Whether this JobManager leads, and who does if not: for REST and for TaskManagers that ask here.

use std::sync::{Arc, Mutex, MutexGuard};

use super::record::{Hold, LeaseRecord};

#[derive(Debug, Default)]
struct State {
    leads: bool,
    leader: Option<LeaseRecord>,
}

/// See the [module](self). Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    state: Arc<Mutex<State>>,
}

impl Standing {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether this process leads.
    pub fn leads(&self) -> bool {
        self.lock().leads
    }

    /// Who leads, as far as is known, if it is not this process.
    pub fn leader(&self) -> Option<LeaseRecord> {
        self.lock().leader.clone()
    }

    pub(super) fn set_leads(&self, leads: bool) {
        let mut state = self.lock();
        state.leads = leads;
        state.leader = None;
    }

    pub(super) fn set_leader(&self, newest: Option<&LeaseRecord>) {
        let leader = newest.filter(|record| record.hold == Hold::Held);
        self.lock().leader = leader.cloned();
    }
}
