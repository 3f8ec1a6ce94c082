//! A backend in front of a store: keys come when they are needed, and go when memory is short.
//!
//! A key is *resident* once its entries are in the tables: all of them, in all states. Whoever brings a
//! slot to hand brings it in first ([`KeyedBackend::resolve_batch`](super::KeyedBackend::resolve_batch)
//! for a batch, [`KeyedBackend::enter`](super::KeyedBackend::enter) for one), so that user code finds
//! what there is. At the end of a batch, as many keys as memory wants go: the hand of a clock passes
//! over the slots and takes those that were not used since it last came by; what has changed of them
//! is written first.
//!
//! Invariants: what the store has of a resident key is that key's entries but for the states that have
//! changed since the epoch that was written last; what it has of another key is that key's entries,
//! unless the key is among those that are gone, of which it may have old ones. From a barrier until
//! the store is sealed nothing newer than the barrier is written to it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;

use super::KeyedBackend;
use crate::changes::Epoch;
use crate::error::StateError;
use crate::registered::Scratch;
use crate::slot_set::SlotSet;
use crate::snapshot::Piece;
use crate::store::record::{self, Entries, EntryForm, KeyForm};
use crate::store::saver::{Saver, SaverSink, StateForm};
use crate::store::seal::{PendingSeal, Ticket};
use crate::store::{Family, Keys, StateStore, StoreBackend, StoreOrigin, StoreOwner};

/// What a backend keeps of its store.
pub(super) struct Stored {
    pub(super) opener: Arc<dyn StoreBackend>,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) form: KeyForm,
    pub(super) states: Rc<[StateForm]>,
    pub(super) saver: Rc<RefCell<Saver>>,
    pub(super) resident: SlotSet,
    /// How many that are.
    pub(super) count: usize,
    /// Slots used since the hand came by.
    pub(super) used: SlotSet,
    pub(super) hand: u32,
    /// How many keys may be resident.
    pub(super) limit: usize,
    /// Whether that is set by hand.
    pub(super) limit_is_set: bool,
    pub(super) brought: usize,
    pub(super) batches: u32,
    pub(super) missing: Vec<u32>,
    pub(super) keys: Keys,
    pub(super) key: Vec<u8>,
    pub(super) scratch: Scratch,
    /// Up to which epoch the store has what changed.
    pub(super) written: Epoch,
    /// The number of the checkpoint whose keys are being saved, and the epoch that ended with it.
    pub(super) saving: Option<(u64, Epoch)>,
    /// A seal that has not been taken.
    pub(super) barred: Option<Arc<Ticket>>,
    /// What is to be sealed, until the operator's stage asks for it.
    pub(super) pending: Option<Arc<PendingSeal>>,
    /// Barriers so far.
    pub(super) barriers: u64,
    pub(super) owner: StoreOwner,
    /// Keys that went while nothing could be written.
    pub(super) gone: HashSet<Vec<u8>>,
}

impl Stored {
    pub(super) fn is_writable(&self) -> bool {
        self.saving.is_none() && self.barred.is_none()
    }

    /// Once the seal is taken, what went meanwhile is deleted.
    pub(super) fn unbar(&mut self) {
        self.barred = None;
        let mut saver = self.saver.borrow_mut();
        for key in self.gone.drain() {
            saver.delete(&key);
        }
        saver.flush();
    }
}

impl<K: Row> KeyedBackend<K> {
    /// Puts a store behind the states, which are all declared by now; it goes on from `origins`. Keys
    /// that are in the tables already are to be written at the next barrier.
    ///
    /// # Errors
    /// If the store can't be opened.
    pub fn attach_store(
        &mut self,
        opener: Arc<dyn StoreBackend>,
        owner: &StoreOwner,
        origins: &[StoreOrigin],
    ) -> Result<(), StateError> {
        let mut families = Vec::new();
        let mut states = Vec::new();
        for state in &self.states {
            let state = state.borrow();
            families.push(Family {
                name: state.name().to_owned(),
                ttl: state.ttl().map(|ttl| ttl.millis),
            });
            states.push(StateForm {
                name: state.name().to_owned(),
                entries: EntryForm {
                    namespaced: state.is_namespaced(),
                    mapped: state.schemas().0.is_some(),
                },
                timed: state.ttl().is_some(),
            });
        }
        let store = opener.open(owner, &families, origins)?;
        let bound = opener.resident_keys();
        let states: Rc<[StateForm]> = states.into();
        let form = KeyForm::of::<K>();
        let shape = (form, states.clone());
        let saver = Saver::new(store.clone(), opener.as_ref(), shape, !origins.is_empty());
        self.track_changes();
        self.has_store = true;
        self.stored.replace(Some(Box::new(Stored {
            opener,
            store,
            form,
            states,
            saver: Rc::new(RefCell::new(saver)),
            resident: SlotSet::default(),
            count: 0,
            used: SlotSet::default(),
            hand: 0,
            limit: bound.unwrap_or(usize::MAX),
            limit_is_set: bound.is_some(),
            brought: 0,
            batches: 0,
            missing: Vec::new(),
            keys: Keys::default(),
            key: Vec::new(),
            scratch: Scratch::new(),
            written: self.epoch,
            saving: None,
            barred: None,
            pending: None,
            barriers: 0,
            owner: owner.clone(),
            gone: HashSet::new(),
        })));
        Ok(())
    }

    /// Lets the store, which has nothing yet, go on from what former subtasks left.
    ///
    /// # Errors
    /// If there is no store, or it can't be opened.
    pub fn restore_store(&mut self, origins: &[StoreOrigin]) -> Result<(), StateError> {
        if origins.is_empty() {
            return Ok(());
        }
        let stored = self.stored.take();
        let Some(stored) = stored else {
            return Err(StateError::Store {
                location: "a checkpoint".to_owned(),
                what: "restoring",
                reason: "its state was kept in RocksDB, and the job keeps it on the heap: set \
                         `state.backend.type: rocksdb`"
                    .to_owned(),
            });
        };
        let (opener, owner) = (stored.opener.clone(), stored.owner.clone());
        drop(stored);
        self.attach_store(opener, &owner, origins)
    }

    /// What is to be sealed since the last barrier; none if that has been asked for.
    pub fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        self.stored.borrow_mut().as_mut()?.pending.take()
    }

    /// Whether there is a store behind the states.
    pub fn has_store(&self) -> bool {
        self.has_store
    }

    /// What has gone wrong with the store since it was last asked. Asked by operators before they give
    /// rows to user code, which would otherwise see keys as empty that are not.
    ///
    /// # Errors
    /// It.
    pub fn check_store(&self) -> Result<(), StateError> {
        let stored = self.stored.borrow();
        let Some(stored) = &*stored else {
            return Ok(());
        };
        match stored.saver.borrow_mut().failure.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Lets so many keys be resident, whatever memory there is: for tests and simulations.
    pub fn limit_resident_keys(&self, keys: usize) {
        if let Some(stored) = &mut *self.stored.borrow_mut() {
            (stored.limit, stored.limit_is_set) = (keys, true);
        }
    }

    /// Keys whose entries are in the tables; none without a store.
    pub fn resident_keys(&self) -> Option<usize> {
        self.stored.borrow().as_ref().map(|stored| stored.count)
    }

    /// Rewrites the store's files without what is deleted or expired.
    ///
    /// # Errors
    /// What the store says.
    pub fn compact_store(&self) -> Result<(), StateError> {
        let stored = self.stored.borrow();
        stored
            .as_ref()
            .map_or(Ok(()), |stored| stored.store.compact())
    }

    /// Bytes of the store's files.
    pub fn store_bytes(&self) -> u64 {
        let stored = self.stored.borrow();
        stored.as_ref().map_or(0, |stored| stored.store.bytes())
    }

    /// Brings what the store has under these slots into the tables.
    pub(crate) fn bring(&self, slots: &[u32]) {
        let Some(mut stored) = self.stored.take() else {
            return;
        };
        stored.missing.clear();
        for &slot in slots {
            stored.used.insert(slot);
            if !stored.resident.contains(slot) {
                stored.resident.insert(slot);
                stored.missing.push(slot);
            }
        }
        if !stored.missing.is_empty() {
            stored.count += stored.missing.len();
            stored.brought += stored.missing.len();
            let loaded = self.load_missing(&mut stored);
            if let Err(error) = loaded {
                stored.saver.borrow_mut().fail(error);
            }
        }
        self.stored.replace(Some(stored));
    }

    fn load_missing(&self, stored: &mut Stored) -> Result<(), StateError> {
        let mut saver = stored.saver.borrow_mut();
        if !saver.has_rows && saver.writes.is_empty() {
            return Ok(());
        }
        // What a freeze has saved must be seen.
        saver.flush();
        stored.keys.clear();
        let (directory, gone, keys) = (&self.directory, &stored.gone, &mut stored.keys);
        let (form, key_bytes) = (stored.form, &mut stored.key);
        stored.missing.retain(|&slot| {
            let Some((key, hash)) = directory.key(slot).zip(directory.hash(slot)) else {
                return false;
            };
            key_bytes.clear();
            form.put(hash, key, key_bytes);
            if !gone.is_empty() && gone.contains(key_bytes.as_slice()) {
                // What the store has of it is out of date, and is to be deleted.
                saver.stored.insert(slot);
                return false;
            }
            keys.push(|bytes| bytes.extend_from_slice(key_bytes));
            true
        });
        if keys.is_empty() {
            return Ok(());
        }
        let now = self.context.now();
        for (number, (state, table)) in stored.states.iter().zip(&self.states).enumerate() {
            let mut table = table.borrow_mut();
            stored.store.get(number, keys, &mut |at, bytes| {
                let Some(&slot) = stored.missing.get(at) else {
                    return Ok(());
                };
                saver.stored.insert(slot);
                let entries = Entries::of(&state.name, bytes)?;
                entries.show(&state.name, state.entries, |piece| {
                    table.restore(slot, &piece, now)
                })
            })?;
        }
        Ok(())
    }

    /// A barrier has passed: what has changed since the last one is written, as it is now, while rows
    /// go on, by [`KeyedBackend::save_to_store`]. Waits for the seal of the one before, if that has
    /// not been taken.
    pub fn freeze_to_store(&mut self) {
        if self.stored.borrow().is_none() {
            return;
        }
        // One that was given up is saved to the end.
        if self.is_saving() {
            while !self.save_some(usize::MAX) {}
            drop(self.finish_saving());
        }
        let Some(mut stored) = self.stored.take() else {
            return;
        };
        // What nobody has asked for would be waited for in vain.
        stored.pending = None;
        if let Some(ticket) = &stored.barred {
            ticket.wait();
            stored.unbar();
        }
        stored.barriers += 1;
        let number = stored.barriers;
        let epoch = self.end_epoch();
        let slots = self.changed_after(stored.written);
        {
            let mut saver = stored.saver.borrow_mut();
            saver.flush();
            saver.changed = (0..self.states.len())
                .map(|state| self.changed_in_state(state, stored.written))
                .collect();
        }
        let sink = SaverSink(Rc::clone(&stored.saver));
        stored.saving = Some((number, epoch));
        self.stored.replace(Some(stored));
        self.freeze(slots, Box::new(sink));
    }

    /// Writes up to `limit` keys as they were at the barrier; once all are written, what is to be
    /// sealed.
    pub fn save_to_store(&mut self, limit: usize) -> Option<PendingSeal> {
        self.stored.borrow().as_ref()?.saving?;
        match self.save_some(limit) {
            true => self.finish_saving(),
            false => None,
        }
    }

    /// Whether keys are frozen that are to be written to the store.
    pub(crate) fn is_saving(&self) -> bool {
        let stored = self.stored.borrow();
        stored
            .as_ref()
            .is_some_and(|stored| stored.saving.is_some())
    }

    /// All keys are written as they were at the barrier: what is to be sealed. They are frozen no
    /// longer.
    pub(crate) fn finish_saving(&mut self) -> Option<PendingSeal> {
        self.stored.borrow().as_ref()?.saving?;
        drop(self.thaw());
        let mut stored = self.stored.take()?;
        let pending = stored.saving.take().map(|(number, epoch)| {
            let mut saver = stored.saver.borrow_mut();
            saver.flush();
            saver.changed.clear();
            drop(saver);
            self.forget_changes(epoch);
            stored.written = epoch;
            let (store, now) = (stored.store.clone(), self.context.now());
            let (pending, ticket) = PendingSeal::new(store, number, stored.states.to_vec(), now);
            stored.barred = Some(ticket);
            pending
        });
        self.stored.replace(Some(stored));
        pending
    }

    /// The same, for the operator's stage to ask for with [`KeyedBackend::take_seal`].
    pub(crate) fn end_saving(&mut self) {
        let pending = self.finish_saving();
        if let Some(stored) = &mut *self.stored.borrow_mut()
            && pending.is_some()
        {
            stored.pending = pending.map(Arc::new);
        }
    }

    /// Shows every key that the store has of these key groups in the state of this number, with its
    /// entries: what a savepoint reads, of a store that has been saved to.
    ///
    /// # Errors
    /// What the store says, or `show`.
    pub fn scan_store(
        &self,
        state: usize,
        groups: &Range<u32>,
        mut show: impl FnMut(&K, Piece<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let stored = self.stored.borrow();
        let Some(stored) = &*stored else {
            return Ok(());
        };
        let Some(form) = stored.states.get(state) else {
            return Ok(());
        };
        stored.store.scan(state, groups, &mut |key, value| {
            let key: K = record::key_of(&form.name, key, value)?;
            let entries = Entries::of(&form.name, value)?;
            entries.show(&form.name, form.entries, |piece| show(&key, piece))
        })
    }
}
