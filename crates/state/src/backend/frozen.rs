//! A backend whose keys are written as they were at a barrier while rows go on changing them, and
//! what has changed in which epoch. How it is used: see [`crate::changes`].

use rheos_core::Row;
use rheos_core::time::Millis;

use crate::backend::KeyedBackend;
use crate::changes::{Epoch, FrozenSink};
use crate::error::StateError;
use crate::registered::Scratch;
use crate::slot_set::SlotSet;
use crate::snapshot::Piece;

/// The keys that are being written.
pub(super) struct Freeze<K> {
    /// Expired entries are judged by it.
    now: Millis,
    /// All slots below have been saved.
    cursor: u32,
    scratch: Scratch,
    sink: Box<dyn FrozenSink<K>>,
}

/// A key as it was when it was frozen.
pub struct FrozenKey<'a, K> {
    backend: &'a KeyedBackend<K>,
    slot: u32,
    hash: u64,
    key: &'a K,
    now: Millis,
    scratch: &'a mut Scratch,
}

impl<K: Row> FrozenKey<'_, K> {
    /// Its slot.
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// Its hash.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The key itself.
    pub fn key(&self) -> &K {
        self.key
    }

    /// Shows its entries in the state of this number, in the order of declaration. Expired ones are
    /// left out where the state's TTL says so.
    ///
    /// # Errors
    /// What `show` answers, which ends it.
    pub fn show(
        &mut self,
        state: usize,
        mut show: impl FnMut(Piece<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let Some(state) = self.backend.states.get(state) else {
            return Ok(());
        };
        let state = state.borrow();
        state.show_slot(self.slot, self.now, self.scratch, &mut show)
    }
}

impl<K: Row> KeyedBackend<K> {
    /// From now on each state knows which slots' entries have changed.
    pub fn track_changes(&mut self) {
        self.tracked = true;
        for state in &self.states {
            state.borrow_mut().changes().start();
        }
    }

    /// Ends the epoch; its number. What changes from now on is of the next one.
    pub fn end_epoch(&mut self) -> Epoch {
        self.epoch += 1;
        for state in &self.states {
            state.borrow_mut().changes().end(self.epoch);
        }
        self.epoch
    }

    /// The slots with an entry, of any state, that has changed after an epoch ended: in later ones, and
    /// in the one that has not ended.
    pub fn changed_after(&self, epoch: Epoch) -> SlotSet {
        let mut slots = SlotSet::default();
        for state in &self.states {
            state
                .borrow_mut()
                .changes()
                .changed_after(epoch, &mut slots);
        }
        slots
    }

    /// The same, of the state of this number, in the order of declaration.
    pub fn changed_in_state(&self, state: usize, epoch: Epoch) -> SlotSet {
        let mut slots = SlotSet::default();
        if let Some(state) = self.states.get(state) {
            state
                .borrow_mut()
                .changes()
                .changed_after(epoch, &mut slots);
        }
        slots
    }

    /// Whether the entries of a slot, in the state of this number, have changed after an epoch.
    pub fn is_changed_after(&self, state: usize, epoch: Epoch, slot: u32) -> bool {
        let state = self.states.get(state);
        state.is_some_and(|state| state.borrow_mut().changes().is_changed_after(epoch, slot))
    }

    /// What changed up to the end of an epoch is not asked about any more.
    pub fn forget_changes(&mut self, upto: Epoch) {
        for state in &self.states {
            state.borrow_mut().changes().forget(upto);
        }
    }

    /// What has changed under a slot is written somewhere: it counts as not changed.
    pub fn mark_clean(&self, slot: u32) {
        for state in &self.states {
            state.borrow_mut().changes().clean(slot);
        }
    }

    /// Freezes keys: each of `slots` that has a key is given to the sink once, as it is now. Only
    /// between two rows, and while nothing is frozen.
    ///
    /// # Panics
    /// If something is frozen.
    pub fn freeze(&mut self, slots: SlotSet, sink: Box<dyn FrozenSink<K>>) {
        assert!(!self.hold.is_active(), "the state is frozen already");
        self.hold.begin(slots);
        self.attention.set(true);
        self.frozen.replace(Some(Freeze {
            now: self.context.now(),
            cursor: 0,
            scratch: Scratch::new(),
            sink,
        }));
    }

    /// All slots that may have a key.
    pub fn all_slots(&self) -> SlotSet {
        SlotSet::below(self.directory.slots())
    }

    /// Whether keys are frozen.
    pub fn is_frozen(&self) -> bool {
        self.hold.is_active()
    }

    /// Gives up to `limit` frozen keys to the sink; says whether all have been.
    pub fn save_some(&self, limit: usize) -> bool {
        for _ in 0..limit {
            let cursor = self.frozen.borrow().as_ref().map(|frozen| frozen.cursor);
            let Some(slot) = cursor.and_then(|cursor| self.hold.next(cursor)) else {
                return true;
            };
            if let Some(frozen) = &mut *self.frozen.borrow_mut() {
                frozen.cursor = slot;
            }
            self.save(slot);
        }
        false
    }

    /// Gives a frozen key to the sink, if it has not been.
    pub fn save(&self, slot: u32) {
        if !self.hold.release(slot) {
            return;
        }
        let Some((key, hash)) = self.directory.key(slot).zip(self.directory.hash(slot)) else {
            return;
        };
        if let Some(frozen) = &mut *self.frozen.borrow_mut() {
            let Freeze {
                now, scratch, sink, ..
            } = frozen;
            sink.take(FrozenKey {
                backend: self,
                slot,
                hash,
                key,
                now: *now,
                scratch,
            });
        }
    }

    /// Ends the freeze, whether all has been saved or not, and gives the sink back.
    pub fn thaw(&mut self) -> Option<Box<dyn FrozenSink<K>>> {
        self.hold.end();
        self.attention.set(!self.cleaned_by_record.is_empty());
        self.frozen.take().map(|frozen| frozen.sink)
    }

    /// Takes an entry back under a slot, into the state of this number, without its counting as
    /// changed. For a store that loads a key.
    ///
    /// # Errors
    /// If the entry is not of the state's types, or there is no such state.
    pub fn load(&self, state: usize, slot: u32, piece: &Piece<'_>) -> Result<(), StateError> {
        let Some(state) = self.states.get(state) else {
            return Err(StateError::UnknownState {
                name: format!("number {state}"),
                kind: "keyed state".to_owned(),
            });
        };
        state.borrow_mut().restore(slot, piece, self.context.now())
    }

    /// Drops all entries of a slot without their counting as changed: a store has them. Not where the
    /// slot is frozen; says whether they are dropped. The slot goes at the end of the batch, unless a
    /// timer holds it.
    pub fn evict(&self, slot: u32) -> bool {
        if self.hold.holds(slot) {
            return false;
        }
        for state in &self.states {
            state.borrow_mut().evict(slot);
        }
        true
    }
}
