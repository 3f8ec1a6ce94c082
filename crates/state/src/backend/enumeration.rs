//! A backend's state as a sequence of entries, out and in.
//!
//! Going out borrows each state while its entries are shown, so it is for the moments between two
//! rows. Coming in opens keys as it meets them; an entry of a state that is not declared is refused
//! by name, as is one whose bytes are of another type.

use std::cell::RefCell;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::row::Writer;

use crate::backend::KeyedBackend;
use crate::error::StateError;
use crate::registered::{Scratch, StateTable, decode};
use crate::snapshot::{PieceError, SnapshotEntry, TimerEntry};
use crate::timers::Timers;

impl<K: Row> KeyedBackend<K> {
    /// Shows every entry of every state once: by key group, then by key, then by state. Entries that
    /// are expired are left out where the state's TTL says so. To be called between two rows.
    ///
    /// # Errors
    /// What `show` answers, which ends it.
    pub fn snapshot(
        &self,
        mut show: impl FnMut(SnapshotEntry<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let now = self.context.now();
        let mut scratch = Scratch::new();
        let mut key_bytes = Writer::new();
        for slot in self.directory.slots_by_key_group() {
            let (Some(key), Some(key_hash)) = (self.directory.key(slot), self.directory.hash(slot))
            else {
                continue;
            };
            key_bytes.clear();
            key.encode(&mut key_bytes);
            for state in &self.states {
                let state = state.borrow();
                state.show_slot(slot, now, &mut scratch, &mut |piece| {
                    show(SnapshotEntry {
                        state: state.name(),
                        kind: state.kind(),
                        key_hash,
                        key: key_bytes.as_slice(),
                        piece,
                    })
                })?;
            }
        }
        Ok(())
    }

    /// Shows every pending timer of every service once, by service and time.
    ///
    /// # Errors
    /// What `show` answers, which ends it.
    pub fn snapshot_timers(
        &self,
        mut show: impl FnMut(TimerEntry<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut key_bytes = Writer::new();
        for (service, timers) in &self.timers {
            let domain = timers.domain();
            timers.service().borrow_mut().for_each_pending(|due| {
                let (Some(key), Some(key_hash)) =
                    (self.directory.key(due.slot), self.directory.hash(due.slot))
                else {
                    return Ok(());
                };
                key_bytes.clear();
                key.encode(&mut key_bytes);
                show(TimerEntry {
                    service,
                    domain,
                    key_hash,
                    key: key_bytes.as_slice(),
                    namespace: due.namespace,
                    timestamp: due.timestamp,
                })
            })?;
        }
        Ok(())
    }

    /// Takes back an entry that [`KeyedBackend::snapshot`] showed. Elements of a list are appended in
    /// the order in which they are taken back.
    ///
    /// # Errors
    /// Where no such state is declared, or the entry is not of its types.
    pub fn restore_entry(&mut self, entry: &SnapshotEntry<'_>) -> Result<(), StateError> {
        let of_entry = |state: &&Rc<RefCell<dyn StateTable>>| {
            let state = state.borrow();
            state.name() == entry.state && state.kind() == entry.kind
        };
        let Some(state) = self.states.iter().find(of_entry).map(Rc::clone) else {
            return Err(StateError::UnknownState {
                name: entry.state.to_owned(),
                kind: entry.kind.to_string(),
            });
        };
        let slot = self.restore_key(entry.state, entry.key)?;
        state
            .borrow_mut()
            .restore(slot, &entry.piece, self.context.now())
    }

    /// Takes back a timer that [`KeyedBackend::snapshot_timers`] showed. The progress of the service
    /// is set apart: see [`crate::TimerService::restore_progress`].
    ///
    /// # Errors
    /// Where no such service is declared, or the key is not of the backend's type.
    pub fn restore_timer(&mut self, entry: &TimerEntry<'_>) -> Result<(), StateError> {
        let of_entry = |(name, timers): &&(String, Timers)| {
            name == entry.service && timers.domain() == entry.domain
        };
        let Some((_, timers)) = self.timers.iter().find(of_entry).cloned() else {
            return Err(StateError::UnknownState {
                name: entry.service.to_owned(),
                kind: format!("{} timers", entry.domain),
            });
        };
        let slot = self.restore_key(entry.service, entry.key)?;
        timers
            .service()
            .borrow_mut()
            .register(entry.timestamp, slot, entry.namespace);
        Ok(())
    }

    fn restore_key(&mut self, of: &str, bytes: &[u8]) -> Result<u32, StateError> {
        let key: K = decode("key", bytes).map_err(|error| match error {
            PieceError::Decode(part, source) => StateError::Decode {
                name: of.to_owned(),
                part,
                source,
            },
            PieceError::Missing(part) => StateError::Incomplete {
                name: of.to_owned(),
                part,
            },
        })?;
        Ok(self.directory.resolve_or_insert(key.key_hash(), &key))
    }
}
