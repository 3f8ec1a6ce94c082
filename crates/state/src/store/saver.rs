//! Writes keys to a store: at a barrier as they were then, and when they are evicted.
//!
//! Invariant: what is in `writes` is not in the store yet; whoever reads from the store flushes first.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::row::Writer;
use rheos_core::time::Millis;

use super::record::{self, EntryForm, KeyForm};
use super::{StateStore, StoreBackend, Writes};
use crate::backend::FrozenKey;
use crate::changes::FrozenSink;
use crate::error::StateError;
use crate::slot_set::SlotSet;
use crate::snapshot::Piece;

/// A state as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StateForm {
    pub(crate) name: String,
    pub(crate) entries: EntryForm,
    pub(crate) timed: bool,
}

/// Writes keys to the store. Shared by the backend and the sink of a freeze.
pub(crate) struct Saver {
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) form: KeyForm,
    pub(crate) states: Rc<[StateForm]>,
    /// Slots of whose keys the store has something.
    pub(crate) stored: SlotSet,
    /// What had changed at the freeze, by state.
    pub(crate) changed: Vec<SlotSet>,
    pub(crate) writes: Writes,
    pub(crate) batch_bytes: usize,
    pub(crate) record: Writer,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// Whether the store has ever had anything.
    pub(crate) has_rows: bool,
    pub(crate) failure: Option<StateError>,
}

impl Saver {
    /// Nothing written, to a store that may have rows already.
    pub(crate) fn new(
        store: Arc<dyn StateStore>,
        opener: &dyn StoreBackend,
        (form, states): (KeyForm, Rc<[StateForm]>),
        has_rows: bool,
    ) -> Self {
        Self {
            store,
            form,
            states,
            stored: SlotSet::default(),
            changed: Vec::new(),
            writes: Writes::default(),
            batch_bytes: opener.write_batch_bytes(),
            record: Writer::new(),
            key: Vec::new(),
            value: Vec::new(),
            has_rows,
            failure: None,
        }
    }

    pub(crate) fn fail(&mut self, error: StateError) {
        self.failure.get_or_insert(error);
    }

    /// Writes what `show` shows of the states of a key for which `which` holds.
    pub(crate) fn save<K: Row>(
        &mut self,
        (slot, hash, key): (u32, u64, &K),
        which: impl Fn(&Self, usize) -> bool,
        mut show: impl FnMut(
            usize,
            &mut dyn FnMut(Piece<'_>) -> Result<(), StateError>,
        ) -> Result<(), StateError>,
    ) {
        self.key.clear();
        self.form.put(hash, key, &mut self.key);
        let states = Rc::clone(&self.states);
        let mut put = false;
        for (number, state) in states.iter().enumerate() {
            if !which(self, number) {
                continue;
            }
            self.form.begin(key, state.timed, &mut self.record);
            let head = self.record.len();
            let (mut newest, record) = (Millis::MIN, &mut self.record);
            let shown = show(number, &mut |piece| {
                record::put_entry(&piece, &mut newest, record);
                Ok(())
            });
            if let Err(error) = shown.and_then(|()| self.checked(&state.name)) {
                self.fail(error);
                return;
            }
            if self.record.len() > head {
                self.value.clear();
                record::end(&self.record, newest, &mut self.value);
                self.writes.put(number, &self.key, &self.value);
                put = true;
            } else if self.stored.contains(slot) {
                self.writes.delete(number, &self.key);
            }
        }
        if put {
            self.stored.insert(slot);
        }
        if self.writes.byte_len() >= self.batch_bytes {
            self.flush();
        }
    }

    pub(crate) fn checked(&self, state: &str) -> Result<(), StateError> {
        self.record.check().map_err(|source| StateError::Decode {
            name: state.to_owned(),
            part: "value",
            source,
        })
    }

    /// Deletes all that the store has under a key.
    pub(crate) fn delete(&mut self, key: &[u8]) {
        for number in 0..self.states.len() {
            self.writes.delete(number, key);
        }
        if self.writes.byte_len() >= self.batch_bytes {
            self.flush();
        }
    }

    pub(crate) fn flush(&mut self) {
        if self.writes.is_empty() {
            return;
        }
        self.has_rows = true;
        if let Err(error) = self.store.write(&self.writes) {
            self.fail(error);
        }
        self.writes.clear();
    }
}

/// Writes frozen keys.
pub(crate) struct SaverSink(pub(crate) Rc<RefCell<Saver>>);

impl<K: Row> FrozenSink<K> for SaverSink {
    fn take(&mut self, mut key: FrozenKey<'_, K>) {
        let slot = key.slot();
        let row = key.key().clone();
        self.0.borrow_mut().save(
            (slot, key.hash(), &row),
            |saver, state| {
                saver
                    .changed
                    .get(state)
                    .is_some_and(|changed| changed.contains(slot))
            },
            |state, show| key.show(state, show),
        );
    }
}
