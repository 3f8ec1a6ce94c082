//! Which keys' entries have changed, epoch by epoch; and what has to be kept as it was.
//!
//! An **epoch** is the time between two barriers. While changes are tracked
//! ([`KeyedBackend::track_changes`](crate::KeyedBackend::track_changes)), each state notes in a set of
//! a bit a slot under which slots an entry was written or dropped since the epoch began. At a barrier
//! [`KeyedBackend::end_epoch`](crate::KeyedBackend::end_epoch) puts that set aside under the epoch's
//! number, in time that depends on the number of states only. Taking entries back from a snapshot or a
//! store is no change, nor is evicting them.
//!
//! A **freeze** keeps keys as they are without stopping the task. The slots that are frozen are given
//! to a [`FrozenSink`], each once: those that are about to be changed before that
//! ([`KeyedBackend::set_current`](crate::KeyedBackend::set_current) does it), the others whenever the
//! task has time ([`KeyedBackend::save_some`](crate::KeyedBackend::save_some)). So at any moment
//!
//! > a slot that has not been given to the sink has, in every state, what it had at the freeze.
//!
//! ```text
//! barrier ─▶ end_epoch ─▶ freeze(slots, sink) ─▶ save_some … save_some ─▶ thaw ─▶ the sink, full
//!                               │ rows go on: set_current(slot) ─▶ sink.take(slot), if it is its turn
//! ```
//!
//! Meanwhile a slot whose key goes keeps its key, so that a timer that was pending at the freeze can be
//! written; the clean-up of expired entries passes over what is frozen.
//!
//! # A store behind the tables
//! A store that keeps more keys than fit into memory uses the tables as its cache:
//!
//! * `track_changes` once. Slots that [`KeyedBackend::resolve_batch`](crate::KeyedBackend::resolve_batch)
//!   opens are not loaded: it keeps a [`SlotSet`](crate::SlotSet) of those that are, fills the others
//!   with [`KeyedBackend::load`](crate::KeyedBackend::load) before rows are processed.
//! * At a barrier: `end_epoch`, then `freeze` with the slots of
//!   [`KeyedBackend::changed_after`](crate::KeyedBackend::changed_after) the epoch that was written last,
//!   and a sink that writes each state of a slot that
//!   [`KeyedBackend::changed_in_state`](crate::KeyedBackend::changed_in_state) names, or, where it is
//!   empty, deletes it. When `save_some` says that all is saved, the store has the state of the barrier.
//!   Until then nothing that is newer may be written to it: no slot is evicted that was changed in the
//!   epoch that has begun.
//! * Under pressure: write what is changed of a slot, [`KeyedBackend::mark_clean`](crate::KeyedBackend::mark_clean),
//!   [`KeyedBackend::evict`](crate::KeyedBackend::evict).
//! * A key whose last entry is dropped goes at the end of the batch:
//!   [`KeyedBackend::end_batch_with`](crate::KeyedBackend::end_batch_with) shows it once more, and
//!   whether a state of it has changed; what the store has of it is to be deleted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::backend::FrozenKey;
use crate::slot_set::SlotSet;

/// The number of an epoch; the first is 1.
pub type Epoch = u64;

/// The slots whose entries have changed, of one state.
#[derive(Debug, Default)]
pub struct ChangeLog {
    on: bool,
    current: SlotSet,
    ended: VecDeque<(Epoch, SlotSet)>,
}

impl ChangeLog {
    /// Tracks from now on.
    pub fn start(&mut self) {
        self.on = true;
    }

    /// An entry under `slot` is about to change.
    #[inline]
    pub fn note(&mut self, slot: u32) {
        if self.on {
            self.current.insert(slot);
        }
    }

    /// What has changed since the last call is of this epoch.
    pub fn end(&mut self, epoch: Epoch) {
        if self.on {
            let changed = std::mem::take(&mut self.current);
            self.ended.push_back((epoch, changed));
        }
    }

    /// Adds what has changed after an epoch to `to`.
    pub fn changed_after(&self, epoch: Epoch, to: &mut SlotSet) {
        for (_, changed) in self.ended.iter().filter(|(ended, _)| *ended > epoch) {
            to.add_all(changed);
        }
        to.add_all(&self.current);
    }

    /// Whether an entry under `slot` has changed after an epoch.
    pub fn is_changed_after(&self, epoch: Epoch, slot: u32) -> bool {
        let mut ended = self.ended.iter();
        self.current.contains(slot)
            || ended.any(|(ended, changed)| *ended > epoch && changed.contains(slot))
    }

    /// What changed up to an epoch is not asked about any more.
    pub fn forget(&mut self, upto: Epoch) {
        self.ended.retain(|(epoch, _)| *epoch > upto);
    }

    /// What has changed under a slot is written.
    pub fn clean(&mut self, slot: u32) {
        self.current.remove(slot);
        for (_, changed) in &mut self.ended {
            changed.remove(slot);
        }
    }
}

/// Takes keys as they were when they were frozen. Implemented by the writers of snapshots and by
/// stores; called on the task's thread while no state is in use, for each key once. It must not use
/// the backend otherwise.
pub trait FrozenSink<K> {
    /// A key, and what it had. What goes wrong is kept until whoever froze the state asks.
    fn take(&mut self, key: FrozenKey<'_, K>);
}

/// The slots that are frozen and not saved yet. One a backend, shared by what has to heed it.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    active: Cell<bool>,
    slots: RefCell<SlotSet>,
}

impl Hold {
    pub(crate) fn begin(&self, slots: SlotSet) {
        self.slots.replace(slots);
        self.active.set(true);
    }

    pub(crate) fn end(&self) {
        self.active.set(false);
        self.slots.take();
    }

    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.active.get()
    }

    /// Whether a slot has to be saved before its entries change.
    #[inline]
    pub(crate) fn holds(&self, slot: u32) -> bool {
        self.active.get() && self.slots.borrow().contains(slot)
    }

    /// The slot is saved now; whether it was to be.
    pub(crate) fn release(&self, slot: u32) -> bool {
        self.slots.borrow_mut().remove(slot)
    }

    /// The slot is a new key's: it had nothing at the freeze.
    pub(crate) fn opened(&self, slot: u32) {
        if self.active.get() {
            self.release(slot);
        }
    }

    /// The first slot that is held, from `slot` on.
    pub(crate) fn next(&self, slot: u32) -> Option<u32> {
        self.slots.borrow().next(slot)
    }
}
