//! The accumulators of one pane, by the slot of their key.
//!
//! A pane that many of the operator's keys are in is a plain array over all slots: one access a row.
//! One that few are in, as the thousandth pane of a window that slides by seconds, is a small hash
//! table, so that panes cost memory by their keys and not by all keys. A table becomes an array when
//! it has outgrown a quarter of the slots.

use rheos_core::Row;

/// Below this many slots an array costs next to nothing.
const ALWAYS_DENSE: usize = 1024;

/// Accumulators by slot.
#[derive(Debug)]
pub(crate) enum Cells<A> {
    /// By slot.
    Dense {
        cells: Vec<Option<A>>,
        filled: usize,
    },
    /// In the order of arrival, and an index by hash of the slot.
    Sparse {
        entries: Vec<(u32, A)>,
        index: Vec<u32>,
    },
}

/// No entry, in the index of a table.
const FREE: u32 = u32::MAX;

/// Where the search for a slot begins in an index of this (power of two) length.
#[inline]
fn home(slot: u32, length: usize) -> usize {
    let spread = u64::from(slot).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread >> 32) as usize & (length - 1)
}

impl<A> Cells<A> {
    /// No accumulators, over `slots` slots; `memory` is an array of empty cells to use again.
    pub(crate) fn new(slots: usize, dense: bool, memory: Option<Vec<Option<A>>>) -> Self {
        if dense || slots <= ALWAYS_DENSE {
            Self::Dense {
                cells: memory.unwrap_or_default(),
                filled: 0,
            }
        } else {
            Self::Sparse {
                entries: Vec::new(),
                index: vec![FREE; 16],
            }
        }
    }

    pub(crate) fn is_dense(&self) -> bool {
        matches!(self, Self::Dense { .. })
    }

    /// How many accumulators there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Dense { filled, .. } => *filled,
            Self::Sparse { entries, .. } => entries.len(),
        }
    }

    /// The accumulator of a slot.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&A> {
        match self {
            Self::Dense { cells, .. } => cells.get(slot as usize)?.as_ref(),
            Self::Sparse { entries, index } => {
                let at = find(entries, index, slot)?;
                entries.get(at as usize).map(|(_, accumulator)| accumulator)
            }
        }
    }

    /// The accumulator of a slot, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut A> {
        match self {
            Self::Dense { cells, .. } => cells.get_mut(slot as usize)?.as_mut(),
            Self::Sparse { entries, index } => {
                let at = find(entries, index, slot)?;
                entries
                    .get_mut(at as usize)
                    .map(|(_, accumulator)| accumulator)
            }
        }
    }

    /// Makes an array of a table that has outgrown a quarter of the slots.
    pub(crate) fn adapt(&mut self, slots: usize) {
        if let Self::Sparse { entries, .. } = self
            && entries.len() * 4 >= slots
        {
            let entries = std::mem::take(entries);
            *self = Self::Dense {
                cells: Vec::new(),
                filled: 0,
            };
            for (slot, accumulator) in entries {
                self.insert(slot, accumulator, slots);
            }
        }
    }

    /// Puts an accumulator under a slot that has none. `slots` is how many slots there are.
    pub(crate) fn insert(&mut self, slot: u32, accumulator: A, slots: usize) {
        match self {
            Self::Dense { cells, filled } => {
                let at = slot as usize;
                if cells.len() <= at {
                    cells.resize_with(slots.max(at + 1), || None);
                }
                if let Some(cell) = cells.get_mut(at) {
                    *cell = Some(accumulator);
                    *filled += 1;
                }
            }
            Self::Sparse { entries, index } => {
                entries.push((slot, accumulator));
                if entries.len() * 2 > index.len() {
                    *index = vec![FREE; index.len() * 2];
                    for (at, (slot, _)) in entries.iter().enumerate() {
                        enter(index, *slot, at as u32);
                    }
                } else {
                    enter(index, slot, entries.len() as u32 - 1);
                }
            }
        }
    }

    /// Bytes of memory it holds; what the accumulators own is estimated from a sample.
    pub(crate) fn estimated_bytes(&self) -> usize
    where
        A: Row,
    {
        const SAMPLE: usize = 64;
        let fixed = match self {
            Self::Dense { cells, .. } => cells.capacity() * size_of::<Option<A>>(),
            Self::Sparse { entries, index } => {
                entries.capacity() * size_of::<(u32, A)>() + index.capacity() * size_of::<u32>()
            }
        };
        if !A::HAS_HEAP {
            return fixed;
        }
        let (mut place, mut seen, mut owned) = (0, 0, 0);
        while seen < SAMPLE
            && let Some((slot, next)) = self.next_slot(place)
        {
            place = next;
            seen += 1;
            owned += self.get(slot).map_or(0, Row::heap_bytes);
        }
        fixed + owned * self.len() / seen.max(1)
    }

    /// Reads a word of the accumulator of a slot, so that the misses of many rows overlap.
    #[inline]
    pub(crate) fn touch(&self, slot: u32) -> usize {
        match self {
            Self::Dense { cells, .. } => {
                usize::from(cells.get(slot as usize).is_some_and(Option::is_some))
            }
            Self::Sparse { index, .. } => index
                .get(home(slot, index.len()))
                .map_or(0, |at| *at as usize),
        }
    }

    /// The first filled slot from `place` on, and the place after it.
    #[inline]
    pub(crate) fn next_slot(&self, place: usize) -> Option<(u32, usize)> {
        match self {
            Self::Dense { cells, .. } => {
                let ahead = cells.get(place..)?.iter().position(Option::is_some)?;
                Some(((place + ahead) as u32, place + ahead + 1))
            }
            Self::Sparse { entries, .. } => entries.get(place).map(|(slot, _)| (*slot, place + 1)),
        }
    }

    /// The place after that of a filled slot: what [`Cells::next_slot`] says with it.
    pub(crate) fn place_after(&self, slot: u32) -> usize {
        match self {
            Self::Dense { .. } => slot as usize + 1,
            Self::Sparse { entries, index } => {
                find(entries, index, slot).map_or(usize::MAX, |at| at as usize + 1)
            }
        }
    }

    /// Drops up to `limit` accumulators, the last ones first, and shows their slots. Says whether
    /// all are gone.
    pub(crate) fn drop_some(&mut self, limit: usize, mut gone: impl FnMut(u32)) -> bool {
        match self {
            Self::Dense { cells, filled } => {
                // Empty cells count too: a scan over very many of them is work.
                let mut left = limit;
                let mut scanned = 0;
                while *filled > 0 && left > 0 && scanned < limit * 8 {
                    let Some(cell) = cells.pop() else { break };
                    scanned += 1;
                    if cell.is_some() {
                        gone(cells.len() as u32);
                        *filled -= 1;
                        left -= 1;
                    }
                }
                *filled == 0
            }
            Self::Sparse { entries, .. } => {
                for _ in 0..limit {
                    let Some((slot, _)) = entries.pop() else {
                        return true;
                    };
                    gone(slot);
                }
                entries.is_empty()
            }
        }
    }

    /// The memory of cells that have all been dropped.
    pub(crate) fn into_memory(self) -> Option<Vec<Option<A>>> {
        match self {
            Self::Dense { mut cells, .. } => {
                cells.clear();
                Some(cells)
            }
            Self::Sparse { .. } => None,
        }
    }
}

/// The position of a slot's entry.
#[inline]
fn find<A>(entries: &[(u32, A)], index: &[u32], slot: u32) -> Option<u32> {
    let mut place = home(slot, index.len());
    // At most half of the index is in use, so a free place ends every search.
    loop {
        match index.get(place) {
            None | Some(&FREE) => return None,
            Some(&at)
                if entries
                    .get(at as usize)
                    .is_some_and(|(other, _)| *other == slot) =>
            {
                return Some(at);
            }
            Some(_) => place = (place + 1) & (index.len() - 1),
        }
    }
}

fn enter(index: &mut [u32], slot: u32, at: u32) {
    let length = index.len();
    let mut place = home(slot, length);
    while let Some(cell) = index.get_mut(place) {
        if *cell == FREE {
            *cell = at;
            return;
        }
        place = (place + 1) & (length - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cells: &mut Cells<u32>, slots: usize, keys: &[u32]) {
        for key in keys {
            assert!(cells.get(*key).is_none());
            cells.adapt(slots);
            cells.insert(*key, key * 2, slots);
        }
        for key in keys {
            assert_eq!(cells.get(*key), Some(&(key * 2)));
            assert_eq!(cells.get_mut(*key).copied(), Some(key * 2));
        }
        assert_eq!(cells.len(), keys.len());
        let (mut place, mut seen) = (0, Vec::new());
        while let Some((slot, next)) = cells.next_slot(place) {
            assert_eq!(cells.place_after(slot), next);
            seen.push(slot);
            place = next;
        }
        seen.sort_unstable();
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        assert_eq!(seen, sorted);
        let mut gone = Vec::new();
        while !cells.drop_some(3, |slot| gone.push(slot)) {}
        gone.sort_unstable();
        assert_eq!(gone, sorted);
    }

    #[test]
    fn a_table_finds_what_was_put_in_and_becomes_an_array_when_it_is_large() {
        let keys: Vec<u32> = (0..400).map(|i| i * 7919 % 100_003).collect();
        let mut sparse = Cells::new(100_003, false, None);
        check(&mut sparse, 100_003, &keys);
        let mut small = Cells::new(2_000, false, None);
        let keys: Vec<u32> = (0..1_500).map(|i| i * 7 % 2_000).take(600).collect();
        assert!(!small.is_dense());
        check(&mut small, 2_000, &keys);
        assert!(small.is_dense());
        check(&mut Cells::new(10, false, None), 10, &[3, 9, 0]);
    }
}
