//! A state as its backend knows it: a table with a name, a kind and a TTL.
//!
//! [`Registered`] is one state; the backend holds it as a [`StateTable`], without its type, and the
//! user's handles as a [`Handle`], with it. What the cells of a kind can do beyond being kept
//! (age, be shown to a snapshot, be taken back) is a [`StateCell`], implemented beside each handle.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::row::{Reader, Resolution, RowError, Schema, Writer};
use rheos_core::time::Millis;

use crate::changes::{ChangeLog, Hold};
use crate::descriptor::StateKind;
use crate::error::StateError;
use crate::evolution::Migrate;
use crate::key_context::{KeyContext, Namespace, Place};
use crate::slot_refs::SlotRefs;
use crate::snapshot::{Piece, PieceError};
use crate::table::Table;
use crate::ttl::{StateTtlConfig, Ttl};

/// Where a snapshot's pieces go.
pub(crate) type PieceSink<'a> = dyn FnMut(Piece<'_>) -> Result<(), StateError> + 'a;

/// Buffers that a snapshot encodes into.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) map_key: Writer,
    pub(crate) value: Writer,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            map_key: Writer::new(),
            value: Writer::new(),
        }
    }
}

/// What a cell is shown with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) namespace: Option<Namespace>,
    /// The cell's own time of last update.
    pub(crate) updated: Millis,
    pub(crate) ttl: Option<&'a Ttl>,
    pub(crate) now: Millis,
}

impl Shown<'_> {
    /// Whether an entry that was updated then is left out of the snapshot.
    pub(crate) fn leaves_out(&self, updated: Millis) -> bool {
        self.ttl
            .is_some_and(|ttl| ttl.full_snapshot && ttl.expired(updated, self.now))
    }

    /// The time to store with an entry that was updated then.
    pub(crate) fn stored(&self, updated: Millis) -> Option<Millis> {
        self.ttl.map(|_| updated)
    }
}

/// What a clean-up has left of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pruned {
    /// All that there was.
    All,
    /// Some of it.
    Some,
    /// Nothing.
    Nothing,
}

impl Pruned {
    /// Of what there was, and what there is.
    pub(crate) fn of(before: usize, after: usize) -> Self {
        match after {
            0 => Self::Nothing,
            after if after == before => Self::All,
            _ => Self::Some,
        }
    }
}

/// What the cells of a kind of state can do.
pub(crate) trait StateCell: Sized + 'static {
    /// Whether the table keeps a time for the whole cell (else its elements have their own).
    const TIMED_AS_A_WHOLE: bool;

    /// Whether an access reads memory behind the cell, which [`StateCell::touch_far`] reads ahead.
    const HAS_FAR: bool = false;

    /// Schemas of the map key, if any, and the value.
    fn schemas() -> (Option<Schema>, Schema);

    /// Removes what is expired; says what is left.
    fn prune(&mut self, updated: Millis, ttl: &Ttl, now: Millis) -> Pruned;

    /// Reads a word of what lies behind the cell, so that the misses of a batch overlap.
    #[inline]
    fn touch_far(&self) -> usize {
        0
    }

    /// Shows its entries to a snapshot.
    fn show(
        &self,
        shown: Shown<'_>,
        scratch: &mut Scratch,
        out: &mut PieceSink<'_>,
    ) -> Result<(), StateError>;

    /// Takes an entry back; `updated` is the time it counts from.
    fn restore(
        cell: &mut Option<Self>,
        piece: &Piece<'_>,
        updated: Millis,
        ttl: Option<&Ttl>,
    ) -> Result<(), PieceError>;

    /// Reads a value that was written under another schema, as one of its own, in the binary form.
    fn resolve(how: &Resolution, value: &[u8]) -> Result<Vec<u8>, RowError>;

    /// Bytes of memory that it owns, estimated if it is large.
    fn owned_bytes(&self) -> usize;
}

/// Reads a whole value.
pub(crate) fn decode<V: Row>(part: &'static str, bytes: &[u8]) -> Result<V, PieceError> {
    let mut reader = Reader::new(bytes);
    let read = |reader: &mut Reader<'_>| -> Result<V, RowError> {
        let value = V::decode(reader)?;
        reader.finish()?;
        Ok(value)
    };
    read(&mut reader).map_err(|source| PieceError::Decode(part, source))
}

/// One state of an operator.
pub(crate) struct Registered<E> {
    pub(crate) name: String,
    kind: StateKind,
    pub(crate) ttl: Option<Ttl>,
    pub(crate) table: Table<E>,
    hold: Rc<Hold>,
    /// The slot where the clean-up goes on.
    cursor: u32,
    /// Reads what was written as another type.
    pub(crate) migrate: Option<Migrate>,
}

impl<E> fmt::Debug for Registered<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl<E: StateCell> Registered<E> {
    pub(crate) fn new(
        name: &str,
        kind: StateKind,
        ttl: Option<&StateTtlConfig>,
        namespaced: bool,
        refs: Rc<SlotRefs>,
        hold: Rc<Hold>,
    ) -> Result<Self, StateError> {
        let ttl = Ttl::from_config(name, ttl)?;
        let timed = E::TIMED_AS_A_WHOLE && ttl.is_some();
        Ok(Self {
            name: name.to_owned(),
            kind,
            ttl,
            table: Table::new(refs, namespaced, timed),
            hold,
            cursor: 0,
            migrate: None,
        })
    }

    /// Called first by every access: the incremental clean-up.
    #[inline]
    pub(crate) fn access(&mut self, now: Millis) {
        if let Some(ttl) = &self.ttl
            && ttl.on_access > 0
        {
            let keys = ttl.on_access;
            self.clean(keys, now);
        }
    }

    fn clean(&mut self, keys: usize, now: Millis) {
        let Some(ttl) = self.ttl else { return };
        let slots = self.table.slots();
        for _ in 0..keys.min(slots as usize) {
            if self.cursor >= slots {
                self.cursor = 0;
            }
            // What is frozen stays as it is until it is saved.
            if !self.hold.holds(self.cursor) {
                self.table.edit_slot(self.cursor, |cell, updated| {
                    let Some(found) = cell else { return false };
                    let pruned = found.prune(*updated, &ttl, now);
                    if pruned == Pruned::Nothing {
                        *cell = None;
                    }
                    pruned != Pruned::All
                });
            }
            self.cursor += 1;
        }
    }
}

/// A state without its type. Implemented by [`Registered`], called by the backend on the task's
/// thread, never while a handle is in use.
pub(crate) trait StateTable {
    fn name(&self) -> &str;
    fn kind(&self) -> StateKind;
    fn schemas(&self) -> (Option<Schema>, Schema);
    fn ttl(&self) -> Option<&Ttl>;
    /// Its hook for what was written as another type.
    fn migrate(&self) -> Option<&Migrate>;
    /// See [`StateCell::resolve`].
    fn resolve(&self, how: &Resolution, value: &[u8]) -> Result<Vec<u8>, RowError>;
    fn is_namespaced(&self) -> bool;
    /// Keys with something in this state.
    fn key_count(&self) -> usize;
    /// Values, lists or maps; more than the keys if there are several namespaces a key.
    fn cell_count(&self) -> usize;
    fn estimated_bytes(&self) -> usize;
    fn touch(&self, slots: &[u32]) -> usize;
    fn touch_near(&self, slots: &[u32]) -> usize;
    /// Looks at the next `keys` slots and removes what is expired.
    fn clean_up(&mut self, keys: usize, now: Millis);
    /// Drops what is at a place.
    fn clear(&mut self, at: Place);
    /// Shows all entries of a slot.
    fn show_slot(
        &self,
        slot: u32,
        now: Millis,
        scratch: &mut Scratch,
        out: &mut PieceSink<'_>,
    ) -> Result<(), StateError>;
    /// What has changed.
    fn changes(&mut self) -> &mut ChangeLog;
    /// Drops all of a slot, which is no change.
    fn evict(&mut self, slot: u32);
    /// Takes an entry back, which is no change.
    fn restore(&mut self, slot: u32, piece: &Piece<'_>, now: Millis) -> Result<(), StateError>;
}

impl<E: StateCell> StateTable for Registered<E> {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> StateKind {
        self.kind
    }

    fn schemas(&self) -> (Option<Schema>, Schema) {
        E::schemas()
    }

    fn ttl(&self) -> Option<&Ttl> {
        self.ttl.as_ref()
    }

    fn migrate(&self) -> Option<&Migrate> {
        self.migrate.as_ref()
    }

    fn resolve(&self, how: &Resolution, value: &[u8]) -> Result<Vec<u8>, RowError> {
        E::resolve(how, value)
    }

    fn is_namespaced(&self) -> bool {
        self.table.is_namespaced()
    }

    fn key_count(&self) -> usize {
        self.table.live_slots()
    }

    fn cell_count(&self) -> usize {
        self.table.live_cells()
    }

    fn estimated_bytes(&self) -> usize {
        self.table.estimated_bytes(E::owned_bytes)
    }

    fn touch(&self, slots: &[u32]) -> usize {
        let near = self.table.touch(slots);
        if E::HAS_FAR {
            near + self.table.touch_far(slots, E::touch_far)
        } else {
            near
        }
    }

    fn touch_near(&self, slots: &[u32]) -> usize {
        self.table.touch(slots)
    }

    fn clean_up(&mut self, keys: usize, now: Millis) {
        self.clean(keys, now);
    }

    fn clear(&mut self, at: Place) {
        self.table.remove(at);
    }

    fn show_slot(
        &self,
        slot: u32,
        now: Millis,
        scratch: &mut Scratch,
        out: &mut PieceSink<'_>,
    ) -> Result<(), StateError> {
        self.table
            .for_each_in_slot(slot, |namespace, updated, cell| {
                let shown = Shown {
                    namespace,
                    updated,
                    ttl: self.ttl.as_ref(),
                    now,
                };
                cell.show(shown, scratch, out)
            })
    }

    fn changes(&mut self) -> &mut ChangeLog {
        &mut self.table.changes
    }

    fn evict(&mut self, slot: u32) {
        self.table.put_back_slot(slot, |cell, _| *cell = None);
    }

    fn restore(&mut self, slot: u32, piece: &Piece<'_>, now: Millis) -> Result<(), StateError> {
        let incomplete = |part| StateError::Incomplete {
            name: self.name.clone(),
            part,
        };
        let namespace = match (self.table.is_namespaced(), piece.namespace) {
            (true, Some(namespace)) => namespace,
            (true, None) => return Err(incomplete("namespace")),
            (false, _) => 0,
        };
        let at = Place { slot, namespace };
        let from = piece.updated.unwrap_or(now);
        let ttl = self.ttl.as_ref();
        let result = self.table.put_back(at, |cell, updated| {
            *updated = from;
            E::restore(cell, piece, from, ttl)
        });
        result.map_err(|error| match error {
            PieceError::Decode(part, source) => StateError::Decode {
                name: self.name.clone(),
                part,
                source,
            },
            PieceError::Missing(part) => StateError::Incomplete {
                name: self.name.clone(),
                part,
            },
        })
    }
}

/// A state seen from the user's side: the table and the key at hand.
#[derive(Debug)]
pub(crate) struct Handle<E> {
    pub(crate) context: Rc<KeyContext>,
    pub(crate) state: Rc<RefCell<Registered<E>>>,
}

impl<E> Clone for Handle<E> {
    fn clone(&self) -> Self {
        Self {
            context: Rc::clone(&self.context),
            state: Rc::clone(&self.state),
        }
    }
}

impl<E: StateCell> Handle<E> {
    /// Writes: edits the cell of the current key.
    #[inline]
    pub(crate) fn write<R>(
        &self,
        edit: impl FnOnce(&mut Option<E>, &mut Millis, Option<&Ttl>, Millis) -> R,
    ) -> R {
        let now = self.context.now();
        let state = &mut *self.state.borrow_mut();
        state.access(now);
        let Registered { ttl, table, .. } = state;
        table.edit(self.context.place(), |cell, updated| {
            edit(cell, updated, ttl.as_ref(), now)
        })
    }

    /// Reads: looks at the cell of the current key as it is, where there is no TTL; else `aged`
    /// looks at it and removes or renews what its age demands.
    #[inline]
    pub(crate) fn read<R, F>(
        &self,
        look: F,
        plain: impl FnOnce(F, Option<&E>) -> R,
        aged: impl FnOnce(F, &mut Option<E>, &mut Millis, &Ttl, Millis) -> R,
    ) -> R {
        let at = self.context.place();
        let state = self.state.borrow();
        if state.ttl.is_none() {
            return plain(look, state.table.get(at));
        }
        drop(state);
        let now = self.context.now();
        let state = &mut *self.state.borrow_mut();
        state.access(now);
        let Registered { ttl, table, .. } = state;
        match ttl {
            // Nothing there: a read must not make room for it.
            Some(ttl) if table.get(at).is_some() => {
                table.edit(at, |cell, updated| aged(look, cell, updated, ttl, now))
            }
            _ => plain(look, None),
        }
    }

    /// Drops the cell of the current key.
    #[inline]
    pub(crate) fn clear(&self) {
        let state = &mut *self.state.borrow_mut();
        state.access(self.context.now());
        state.table.remove(self.context.place());
    }

    /// Edits the cell of the current key under `namespace`, whatever its age.
    pub(crate) fn write_at(
        &self,
        namespace: Namespace,
        edit: impl FnOnce(&mut Option<E>, &mut Millis),
    ) {
        let at = Place {
            slot: self.context.slot(),
            namespace,
        };
        self.state.borrow_mut().table.edit(at, edit);
    }

    /// The cells of namespaces `from` of the current key, taken out, in that order.
    pub(crate) fn take_namespaces(&self, from: &[Namespace]) -> Vec<(E, Millis)> {
        let slot = self.context.slot();
        let state = &mut *self.state.borrow_mut();
        let mut taken = Vec::with_capacity(from.len());
        for &namespace in from {
            let at = Place { slot, namespace };
            if state.table.get(at).is_some() {
                taken.extend(state.table.edit(at, |cell, updated| {
                    let updated = *updated;
                    cell.take().map(|cell| (cell, updated))
                }));
            }
        }
        taken
    }
}
