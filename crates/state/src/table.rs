//! One state's cells, by slot.
//!
//! Keyed state is a slab: slot *s* lies at index *s*, one cell a key. Namespaced (window) state
//! has, under each slot, a small map from namespace to cell. The handles don't know which: they ask
//! for the cell at a place. Times of last update lie beside the cells, and only where the state has
//! a TTL on whole cells.
//!
//! The table keeps the slot's reference: filling a slot's first cell retains it, emptying its last
//! one releases it. Every way in goes through [`Table::edit`], [`Table::filled`] or
//! [`Table::edit_slot`], so that holds by construction; and there it is noted, where that is wanted,
//! that the slot's entries change ([`crate::changes`]).

use std::rc::Rc;

use rheos_core::time::Millis;

use crate::changes::ChangeLog;
use crate::key_context::{Namespace, Place};
use crate::namespace_cell::NamespaceCell;
use crate::slab::{Slab, grown};
use crate::slot_refs::SlotRefs;

#[derive(Debug)]
enum Storage<E> {
    Keyed {
        cells: Slab<E>,
        /// As long as `cells` if the table is timed, else empty.
        updated: Vec<Millis>,
    },
    Namespaced(Vec<NamespaceCell<E>>),
}

#[derive(Debug)]
pub(crate) struct Table<E> {
    storage: Storage<E>,
    timed: bool,
    /// Which slots' cells have changed.
    pub(crate) changes: ChangeLog,
    refs: Rc<SlotRefs>,
    live_slots: usize,
    live_cells: usize,
}

impl<E> Table<E> {
    pub(crate) fn new(refs: Rc<SlotRefs>, namespaced: bool, timed: bool) -> Self {
        let storage = if namespaced {
            Storage::Namespaced(Vec::new())
        } else {
            Storage::Keyed {
                cells: Slab::default(),
                updated: Vec::new(),
            }
        };
        Self {
            storage,
            timed,
            changes: ChangeLog::default(),
            refs,
            live_slots: 0,
            live_cells: 0,
        }
    }

    pub(crate) fn is_namespaced(&self) -> bool {
        matches!(self.storage, Storage::Namespaced(_))
    }

    /// Slots with at least one cell.
    pub(crate) fn live_slots(&self) -> usize {
        self.live_slots
    }

    /// Filled cells.
    pub(crate) fn live_cells(&self) -> usize {
        self.live_cells
    }

    /// One more than the greatest slot it may have something under.
    pub(crate) fn slots(&self) -> u32 {
        match &self.storage {
            Storage::Keyed { cells, .. } => cells.len() as u32,
            Storage::Namespaced(cells) => cells.len() as u32,
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: Place) -> Option<&E> {
        match &self.storage {
            Storage::Keyed { cells, .. } => cells.get(at.slot),
            Storage::Namespaced(cells) => cells.get(at.slot as usize)?.find(at.namespace),
        }
    }

    /// Edits the cell at a place, with the time of its last update.
    #[inline]
    pub(crate) fn edit<R>(
        &mut self,
        at: Place,
        edit: impl FnOnce(&mut Option<E>, &mut Millis) -> R,
    ) -> R {
        self.changes.note(at.slot);
        self.put_back(at, edit)
    }

    /// As [`Table::edit`], but what is done is no change: the cell becomes what it is elsewhere.
    #[inline]
    pub(crate) fn put_back<R>(
        &mut self,
        at: Place,
        edit: impl FnOnce(&mut Option<E>, &mut Millis) -> R,
    ) -> R {
        match &mut self.storage {
            Storage::Keyed { cells, updated } => {
                let cell = cells.grown(at.slot);
                let before = cell.is_some();
                let result = if self.timed {
                    edit(cell, grown(updated, at.slot, Millis::default))
                } else {
                    edit(cell, &mut 0)
                };
                match (before, cell.is_some()) {
                    (false, true) => {
                        self.live_slots += 1;
                        self.live_cells += 1;
                        self.refs.retain(at.slot);
                    }
                    (true, false) => {
                        self.live_slots -= 1;
                        self.live_cells -= 1;
                        self.refs.release(at.slot);
                    }
                    _ => {}
                }
                result
            }
            Storage::Namespaced(cells) => {
                let cell = grown(cells, at.slot, NamespaceCell::default);
                let was_empty = cell.is_empty();
                let entry = cell.entry(at.namespace);
                let before = entry.value.is_some();
                let result = edit(&mut entry.value, &mut entry.updated);
                match (before, entry.value.is_some()) {
                    (false, true) => self.live_cells += 1,
                    (true, false) => {
                        self.live_cells -= 1;
                        cell.settle(at.namespace);
                    }
                    (false, false) => cell.settle(at.namespace),
                    (true, true) => {}
                }
                match (was_empty, cell.is_empty()) {
                    (true, false) => {
                        self.live_slots += 1;
                        self.refs.retain(at.slot);
                    }
                    (false, true) => {
                        self.live_slots -= 1;
                        self.refs.release(at.slot);
                    }
                    _ => {}
                }
                result
            }
        }
    }

    /// The cell at a place, edited with `prepare` and filled with `make` if it is then empty.
    #[inline]
    pub(crate) fn filled(
        &mut self,
        at: Place,
        prepare: impl FnOnce(&mut Option<E>, &mut Millis),
        make: impl FnOnce() -> E,
    ) -> &mut E {
        self.changes.note(at.slot);
        match &mut self.storage {
            Storage::Keyed { cells, updated } => {
                let cell = cells.grown(at.slot);
                if cell.is_none() {
                    self.live_slots += 1;
                    self.live_cells += 1;
                    self.refs.retain(at.slot);
                }
                if self.timed {
                    prepare(cell, grown(updated, at.slot, Millis::default));
                } else {
                    prepare(cell, &mut 0);
                }
                cell.get_or_insert_with(make)
            }
            Storage::Namespaced(cells) => {
                let cell = grown(cells, at.slot, NamespaceCell::default);
                if cell.is_empty() {
                    self.live_slots += 1;
                    self.refs.retain(at.slot);
                }
                let entry = cell.entry(at.namespace);
                if entry.value.is_none() {
                    self.live_cells += 1;
                }
                prepare(&mut entry.value, &mut entry.updated);
                entry.value.get_or_insert_with(make)
            }
        }
    }

    /// Empties the cell at a place.
    #[inline]
    pub(crate) fn remove(&mut self, at: Place) -> Option<E> {
        // Without this a removal of nothing would make room for it first.
        self.get(at)?;
        self.edit(at, |cell, _| cell.take())
    }

    /// Edits all cells of a slot; those that end up empty are dropped. `edit` says whether it has
    /// changed something.
    pub(crate) fn edit_slot(
        &mut self,
        slot: u32,
        mut edit: impl FnMut(&mut Option<E>, &mut Millis) -> bool,
    ) {
        let mut changed = false;
        self.put_back_slot(slot, |cell, updated| changed |= edit(cell, updated));
        if changed {
            self.changes.note(slot);
        }
    }

    /// As [`Table::edit_slot`], but what is done is no change.
    pub(crate) fn put_back_slot(
        &mut self,
        slot: u32,
        mut edit: impl FnMut(&mut Option<E>, &mut Millis),
    ) {
        match &mut self.storage {
            Storage::Keyed { cells, .. } => {
                if cells.get(slot).is_some() {
                    self.put_back(Place { slot, namespace: 0 }, edit);
                }
            }
            Storage::Namespaced(cells) => {
                let Some(cell) = cells.get_mut(slot as usize) else {
                    return;
                };
                if cell.is_empty() {
                    return;
                }
                self.live_cells -= cell.edit_all(&mut edit);
                if cell.is_empty() {
                    self.live_slots -= 1;
                    self.refs.release(slot);
                }
            }
        }
    }

    /// Shows all cells of a slot, in ascending order of their namespace.
    pub(crate) fn for_each_in_slot<X>(
        &self,
        slot: u32,
        mut show: impl FnMut(Option<Namespace>, Millis, &E) -> Result<(), X>,
    ) -> Result<(), X> {
        match &self.storage {
            Storage::Keyed { cells, updated } => match cells.get(slot) {
                Some(cell) => show(None, updated.get(slot as usize).copied().unwrap_or(0), cell),
                _ => Ok(()),
            },
            Storage::Namespaced(cells) => {
                let Some(cell) = cells.get(slot as usize) else {
                    return Ok(());
                };
                for entry in cell.iter() {
                    if let Some(value) = &entry.value {
                        show(Some(entry.namespace), entry.updated, value)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads a word of the cell of each slot, so that the cache misses of a batch overlap and the
    /// cells are near when the rows are processed one by one. The result only keeps the reads from
    /// being optimised away.
    #[inline]
    pub(crate) fn touch(&self, slots: &[u32]) -> usize {
        match &self.storage {
            Storage::Keyed { cells, updated } => {
                let mut filled = 0;
                for &slot in slots {
                    filled += usize::from(cells.get(slot).is_some());
                }
                if self.timed {
                    for &slot in slots {
                        filled += updated.get(slot as usize).map_or(0, |&at| at as usize & 1);
                    }
                }
                filled
            }
            Storage::Namespaced(cells) => slots
                .iter()
                .filter(|&&slot| {
                    cells
                        .get(slot as usize)
                        .is_some_and(|cell| !cell.is_empty())
                })
                .count(),
        }
    }

    /// Once the cells of a batch are near: lets `touch` read what lies behind each.
    #[inline]
    pub(crate) fn touch_far(&self, slots: &[u32], touch: impl Fn(&E) -> usize) -> usize {
        let mut read = 0;
        match &self.storage {
            Storage::Keyed { cells, .. } => {
                for &slot in slots {
                    if let Some(cell) = cells.get(slot) {
                        read += touch(cell);
                    }
                }
            }
            Storage::Namespaced(cells) => {
                for &slot in slots {
                    let newest = cells.get(slot as usize).and_then(NamespaceCell::newest);
                    read += newest.map_or(0, &touch);
                }
            }
        }
        read
    }

    /// Bytes of memory it holds; what the cells own is estimated by `heap_bytes` of a sample.
    pub(crate) fn estimated_bytes(&self, heap_bytes: impl Fn(&E) -> usize) -> usize {
        const SAMPLE: usize = 64;
        let slots = self.slots();
        let stride = (slots as usize / SAMPLE).max(1);
        let (mut seen, mut bytes) = (0usize, 0usize);
        let fixed = match &self.storage {
            Storage::Keyed { cells, updated } => {
                cells.fixed_bytes() + updated.capacity() * size_of::<Millis>()
            }
            Storage::Namespaced(cells) => {
                let (mut sampled, mut queues) = (0usize, 0usize);
                for cell in cells.iter().step_by(stride) {
                    sampled += 1;
                    queues += cell.queue_bytes();
                }
                cells.capacity() * size_of::<NamespaceCell<E>>()
                    + queues * cells.len() / sampled.max(1)
            }
        };
        for slot in (0..slots).step_by(stride) {
            let shown: Result<(), std::convert::Infallible> =
                self.for_each_in_slot(slot, |_, _, cell| {
                    seen += 1;
                    bytes += heap_bytes(cell);
                    Ok(())
                });
            match shown {
                Ok(()) => {}
            }
        }
        fixed + bytes * self.live_cells / seen.max(1)
    }
}
