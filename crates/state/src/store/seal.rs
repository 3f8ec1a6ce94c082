//! A store that waits to be sealed: the task's thread has written what belongs to a barrier, and another
//! makes files of it.
//!
//! Made at the end of a freeze → sealed by whoever writes the checkpoint, or dropped, which gives it up
//! → the task writes to the store again. It keeps the store, and its files, as long as it lives.

use std::sync::{Arc, Condvar, Mutex};

use rheos_core::time::Millis;

use super::export::Export;
use super::saver::StateForm;
use super::{Sealed, StateStore};
use crate::error::StateError;

/// Says when a seal has been taken, or given up.
#[derive(Default)]
pub(crate) struct Ticket {
    done: Mutex<bool>,
    changed: Condvar,
}

impl Ticket {
    pub(crate) fn is_done(&self) -> bool {
        *self
            .done
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn settle(&self) {
        *self
            .done
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
        self.changed.notify_all();
    }

    pub(crate) fn wait(&self) {
        let mut done = self
            .done
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        while !*done {
            done = self
                .changed
                .wait(done)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}

/// A store that has the state of a barrier and is to be sealed: by another thread than the task's,
/// which writes nothing to it meanwhile. Dropping it gives the checkpoint up.
pub struct PendingSeal {
    store: Arc<dyn StateStore>,
    number: u64,
    states: Vec<StateForm>,
    now: Millis,
    ticket: Arc<Ticket>,
    sealed: Mutex<Option<Arc<Sealed>>>,
}

impl std::fmt::Debug for PendingSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingSeal")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl PendingSeal {
    /// A store of these states that has all that belongs to a barrier, the one of this number, whose
    /// entries without a time count from `now`; and what tells the task.
    pub(crate) fn new(
        store: Arc<dyn StateStore>,
        number: u64,
        states: Vec<StateForm>,
        now: Millis,
    ) -> (Self, Arc<Ticket>) {
        let ticket = Arc::<Ticket>::default();
        let pending = Self {
            store,
            number,
            states,
            now,
            ticket: ticket.clone(),
            sealed: Mutex::new(None),
        };
        (pending, ticket)
    }

    /// Seals the store, if that has not been done. The task may write to it again afterwards.
    ///
    /// # Errors
    /// What the store says.
    pub fn seal(&self) -> Result<Arc<Sealed>, StateError> {
        let mut place = self
            .sealed
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(sealed) = &*place {
            return Ok(sealed.clone());
        }
        let sealed = self.store.seal(self.number);
        self.ticket.settle();
        let sealed = Arc::new(sealed?);
        *place = Some(sealed.clone());
        Ok(sealed)
    }
}

impl PendingSeal {
    /// Gives all that the store holds as frames of a canonical image, instead of sealing it. The task
    /// may write to it again as soon as this has begun. Once: what has been written since would be in a
    /// second one.
    ///
    /// # Errors
    /// What the store says, or `give`.
    pub fn export(
        &self,
        give: &mut dyn FnMut(Vec<u8>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut export = Export::new(&self.states, self.now, give);
        let exported = self
            .store
            .export(&|| self.ticket.settle(), &mut |state, key, value| {
                export.row(state, key, value)
            });
        self.ticket.settle();
        exported?;
        export.flush()
    }
}

impl Drop for PendingSeal {
    fn drop(&mut self) {
        self.ticket.settle();
    }
}
