//! How many things refer to each slot of a directory.
//!
//! A table retains a slot when the slot's entry goes from empty to filled and releases it on the
//! reverse; a timer retains it while it is pending. A slot whose count is zero is *idle*: it is
//! noted once, and freed by the directory's next sweep unless it was retained again meanwhile.
//! Counting apart from the keys keeps the hot look-up path out of it: a count changes only when
//! state appears or disappears, not when it is used.

use std::cell::RefCell;

/// Set in a count while the slot is on the idle list, so that it is there once.
const LISTED: u32 = 1 << 31;

#[derive(Debug, Default)]
struct Counts {
    by_slot: Vec<u32>,
    idle: Vec<u32>,
}

/// Reference counts by slot, shared by a directory and all that keeps something under its slots.
#[derive(Debug, Default)]
pub struct SlotRefs {
    counts: RefCell<Counts>,
}

impl SlotRefs {
    /// One more thing refers to `slot`.
    pub fn retain(&self, slot: u32) {
        if let Some(count) = self.counts.borrow_mut().by_slot.get_mut(slot as usize) {
            *count += 1;
        }
    }

    /// One thing less refers to `slot`.
    pub fn release(&self, slot: u32) {
        let counts = &mut *self.counts.borrow_mut();
        if let Some(count) = counts.by_slot.get_mut(slot as usize) {
            debug_assert!(
                *count & !LISTED > 0,
                "slot {slot} released more often than retained"
            );
            *count = (*count & LISTED) | (*count & !LISTED).saturating_sub(1);
            if *count == 0 {
                *count = LISTED;
                counts.idle.push(slot);
            }
        }
    }

    /// How many things refer to `slot`.
    pub fn count(&self, slot: u32) -> u32 {
        self.counts
            .borrow()
            .by_slot
            .get(slot as usize)
            .map_or(0, |count| count & !LISTED)
    }

    /// Makes room for `slot`, which nothing refers to yet: it is idle until something does.
    pub(crate) fn open(&self, slot: u32) {
        let counts = &mut *self.counts.borrow_mut();
        let index = slot as usize;
        if counts.by_slot.len() <= index {
            counts.by_slot.resize(index + 1, 0);
        }
        if let Some(count) = counts.by_slot.get_mut(index) {
            *count = LISTED;
            counts.idle.push(slot);
        }
    }

    /// Whether a sweep would look at any slot.
    pub(crate) fn has_idle(&self) -> bool {
        !self.counts.borrow().idle.is_empty()
    }

    /// Takes slots off the idle list, giving those that are still unreferred to `free`.
    pub(crate) fn drain_idle(&self, mut free: impl FnMut(u32)) {
        let counts = &mut *self.counts.borrow_mut();
        for slot in counts.idle.drain(..) {
            if let Some(count) = counts.by_slot.get_mut(slot as usize) {
                *count &= !LISTED;
                if *count == 0 {
                    free(slot);
                }
            }
        }
    }
}
