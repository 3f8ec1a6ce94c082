//! Keys go from the tables of a backend with a store: those with nothing left, and, as memory wants,
//! those that have not been used for the longest.

use rheos_core::Row;

use super::KeyedBackend;
use super::stored::Stored;

/// The tables have room for so many keys, however small their share: more than a batch has.
const LEAST_KEYS: usize = 4096;
/// After so many keys that came in, or so many batches, memory is measured again.
const MEASURE_KEYS: usize = 4096;
const MEASURE_BATCHES: u32 = 512;
/// As many keys as may come in until then, and more.
const GROWTH_KEYS: usize = 16 * 1024;
/// Slots that the hand passes over for each key that is to go, and some more.
const STEPS_A_KEY: usize = 16;
const STEPS: usize = 1024;

impl<K: Row> KeyedBackend<K> {
    /// Ends a batch of a backend with a store: keys go, as memory wants, and those with nothing left.
    pub(super) fn end_stored_batch(&mut self) -> usize {
        let Some(mut stored) = self.stored.take() else {
            return 0;
        };
        stored.store.set_now(self.context.now());
        if stored
            .barred
            .as_ref()
            .is_some_and(|ticket| ticket.is_done())
        {
            stored.unbar();
        }
        stored.batches += 1;
        let measures = stored.brought >= MEASURE_KEYS || stored.batches >= MEASURE_BATCHES;
        if measures && !stored.limit_is_set {
            (stored.brought, stored.batches) = (0, 0);
            self.measure(&mut stored);
        }
        if stored.count > stored.limit {
            self.relieve(&mut stored);
        }
        let left = self.sweep_stored(&mut stored);
        if stored.is_writable() {
            stored.saver.borrow_mut().flush();
        }
        self.stored.replace(Some(stored));
        left
    }

    /// Frees the slots of keys that have gone or been evicted.
    fn sweep_stored(&mut self, stored: &mut Stored) -> usize {
        let Stored {
            saver,
            resident,
            used,
            count,
            gone,
            form,
            key: bytes,
            saving,
            barred,
            ..
        } = stored;
        let writable = saving.is_none() && barred.is_none();
        let frozen = self.hold.is_active();
        let states = &self.states;
        let mut saver = saver.borrow_mut();
        self.directory.sweep_with(|slot, hash, key| {
            used.remove(slot);
            let is_stored = saver.stored.remove(slot);
            if !resident.remove(slot) {
                return;
            }
            *count -= 1;
            if !frozen {
                for state in states {
                    state.borrow_mut().changes().clean(slot);
                }
            }
            if is_stored {
                bytes.clear();
                form.put(hash, key, bytes);
                if writable {
                    saver.delete(bytes);
                } else {
                    gone.insert(bytes.clone());
                }
            }
        })
    }

    /// Sets how many keys may be resident.
    fn measure(&self, stored: &mut Stored) {
        let share = stored.opener.table_share().max(1);
        let bytes = self.estimated_bytes();
        let fitting = |keys: usize| {
            let keys = keys as u128 * share as u128 / bytes.max(1) as u128;
            usize::try_from(keys).unwrap_or(usize::MAX)
        };
        if bytes > share {
            stored.limit = fitting(stored.count).min(stored.limit);
        } else if self.directory.spare() < GROWTH_KEYS && bytes.saturating_mul(2) > share {
            // The tables would grow to twice their size.
            stored.limit = stored.count.min(stored.limit);
        } else if stored.limit != usize::MAX && bytes < share / 8 * 7 {
            stored.limit += stored.limit / 16;
        }
        stored.limit = stored.limit.max(LEAST_KEYS);
    }

    /// Lets keys go until no more than the limit are resident, as far as they may.
    fn relieve(&self, stored: &mut Stored) {
        let slots = self.directory.slots();
        if slots == 0 {
            return;
        }
        // What a freeze has saved must be in the store before it goes from the tables.
        stored.saver.borrow_mut().flush();
        let mut over = stored.count.saturating_sub(stored.limit);
        let mut steps = over * STEPS_A_KEY + STEPS;
        let writable = stored.is_writable();
        while over > 0 && steps > 0 {
            steps -= 1;
            let Some(slot) = stored.resident.next(stored.hand).filter(|s| *s < slots) else {
                if stored.hand == 0 {
                    return;
                }
                stored.hand = 0;
                continue;
            };
            stored.hand = slot + 1;
            if stored.used.remove(slot) || self.hold.holds(slot) {
                continue;
            }
            let changed = self.states.iter().any(|state| {
                state
                    .borrow_mut()
                    .changes()
                    .is_changed_after(stored.written, slot)
            });
            if changed {
                // Saved by a freeze and not changed since, it is not among what changed later.
                let later = stored.saving.map(|(_, epoch)| epoch);
                let saved = later.is_some_and(|epoch| {
                    !self
                        .states
                        .iter()
                        .any(|state| state.borrow_mut().changes().is_changed_after(epoch, slot))
                });
                if !saved {
                    if !writable {
                        continue;
                    }
                    self.write_back(stored, slot);
                }
            }
            if self.evict(slot) {
                stored.resident.remove(slot);
                stored.count -= 1;
                over -= 1;
            }
        }
        if writable {
            stored.saver.borrow_mut().flush();
        }
    }

    /// Writes what has changed of a slot.
    fn write_back(&self, stored: &mut Stored, slot: u32) {
        let Some((key, hash)) = self.directory.key(slot).zip(self.directory.hash(slot)) else {
            return;
        };
        let (now, written, scratch) = (self.context.now(), stored.written, &mut stored.scratch);
        stored.saver.borrow_mut().save(
            (slot, hash, key),
            |_, state| self.is_changed_after(state, written, slot),
            |state, show| match self.states.get(state) {
                Some(state) => state.borrow().show_slot(slot, now, scratch, show),
                None => Ok(()),
            },
        );
        self.mark_clean(slot);
    }
}
