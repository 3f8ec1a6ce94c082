//! An open-addressing index from a 32-bit tag to a position: the part of a hash table that says
//! *where*, kept apart from what lies there.
//!
//! A bucket is one `u64`: the tag in the upper half, the position plus one in the lower, zero if
//! empty; eight buckets a cache line. Linear probing at a load of at most one half, deletion by
//! shifting back, so there are no tombstones and a probe ends at the first empty bucket. A tag is
//! the low half of a key's hash and its low bits are the home bucket: growing needs the buckets
//! alone and never looks at a key. (The hash's top bits chose the subtask, so only the low ones
//! are evenly spread here.)

/// What [`ProbeIndex::candidate`] answers where no bucket has the tag.
pub(crate) const NONE: u32 = u32::MAX;

/// The tag of a hash.
#[inline]
pub(crate) fn tag_of(hash: u64) -> u32 {
    hash as u32
}

const MIN_BUCKETS: usize = 16;

#[derive(Debug, Default, Clone)]
pub(crate) struct ProbeIndex {
    /// Empty, or a power of two.
    buckets: Vec<u64>,
    len: usize,
}

#[inline]
fn bucket(tag: u32, position: u32) -> u64 {
    (u64::from(tag) << 32) | (u64::from(position) + 1)
}

#[inline]
fn tag_in(bucket: u64) -> u32 {
    (bucket >> 32) as u32
}

#[inline]
fn position_in(bucket: u64) -> u32 {
    (bucket as u32).wrapping_sub(1)
}

impl ProbeIndex {
    /// How many positions it holds.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<u64>()
    }

    #[inline]
    fn mask(&self) -> usize {
        self.buckets.len().wrapping_sub(1)
    }

    /// The first position with this tag, or [`NONE`]. Which key lies there is not looked at.
    #[inline]
    pub(crate) fn candidate(&self, tag: u32) -> u32 {
        let mask = self.mask();
        let mut at = tag as usize & mask;
        while let Some(&bucket) = self.buckets.get(at) {
            if bucket == 0 {
                break;
            }
            if tag_in(bucket) == tag {
                return position_in(bucket);
            }
            at = (at + 1) & mask;
        }
        NONE
    }

    /// The position with this tag for which `same` holds.
    #[inline]
    pub(crate) fn find(&self, tag: u32, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.mask();
        let mut at = tag as usize & mask;
        while let Some(&bucket) = self.buckets.get(at) {
            if bucket == 0 {
                break;
            }
            if tag_in(bucket) == tag && same(position_in(bucket)) {
                return Some(position_in(bucket));
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Adds a position that is not there yet.
    pub(crate) fn insert(&mut self, tag: u32, position: u32) {
        if (self.len + 1) * 2 > self.buckets.len() {
            self.grow();
        }
        self.place(bucket(tag, position));
        self.len += 1;
    }

    fn place(&mut self, entry: u64) {
        let mask = self.mask();
        let mut at = tag_in(entry) as usize & mask;
        while let Some(bucket) = self.buckets.get_mut(at) {
            if *bucket == 0 {
                *bucket = entry;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let size = (self.buckets.len() * 2).max(MIN_BUCKETS);
        let old = std::mem::replace(&mut self.buckets, vec![0; size]);
        for entry in old {
            if entry != 0 {
                self.place(entry);
            }
        }
    }

    /// Takes a position out; the buckets behind it shift back.
    pub(crate) fn remove(&mut self, tag: u32, position: u32) {
        let wanted = bucket(tag, position);
        let mask = self.mask();
        let mut hole = tag as usize & mask;
        loop {
            match self.buckets.get(hole) {
                None | Some(0) => return,
                Some(&entry) if entry == wanted => break,
                Some(_) => hole = (hole + 1) & mask,
            }
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(&entry) = self.buckets.get(at) else {
                break;
            };
            if entry == 0 {
                break;
            }
            // It may move into the hole unless its home lies behind the hole.
            let home = tag_in(entry) as usize & mask;
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                if let Some(bucket) = self.buckets.get_mut(hole) {
                    *bucket = entry;
                }
                hole = at;
            }
        }
        if let Some(bucket) = self.buckets.get_mut(hole) {
            *bucket = 0;
        }
        self.len -= 1;
    }

    /// The entry at position `from` now lies at `to`.
    pub(crate) fn moved(&mut self, tag: u32, from: u32, to: u32) {
        let wanted = bucket(tag, from);
        let mask = self.mask();
        let mut at = tag as usize & mask;
        while let Some(entry) = self.buckets.get_mut(at) {
            if *entry == 0 {
                return;
            }
            if *entry == wanted {
                *entry = bucket(tag, to);
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_entry_leaves_no_gap_in_the_runs_around_it() {
        let mut index = ProbeIndex::default();
        // All at home in the last bucket of sixteen, so the run wraps around.
        for position in 0..7 {
            index.insert(15 + 16 * position, position);
        }
        index.insert(0, 7);
        for gone in [3, 0, 5] {
            index.remove(15 + 16 * gone, gone);
            assert_eq!(index.find(15 + 16 * gone, |_| true), None);
        }
        for left in [1, 2, 4, 6] {
            assert_eq!(index.find(15 + 16 * left, |_| true), Some(left));
        }
        assert_eq!(index.candidate(0), 7);
        assert_eq!(index.len(), 5);
    }

    #[test]
    fn an_entry_at_home_stays_when_the_run_before_it_shrinks() {
        let mut index = ProbeIndex::default();
        index.insert(3, 0);
        index.insert(3 + 16, 1);
        index.insert(5, 2);
        index.remove(3, 0);
        assert_eq!(index.find(5, |_| true), Some(2));
        assert_eq!(index.find(3 + 16, |_| true), Some(1));
    }

    #[test]
    fn equal_tags_are_told_apart_by_the_key() {
        let mut index = ProbeIndex::default();
        for position in 0..100 {
            index.insert(42, position);
        }
        assert_eq!(index.find(42, |p| p == 77), Some(77));
        index.moved(42, 77, 1000);
        assert_eq!(index.find(42, |p| p == 77), None);
        assert_eq!(index.find(42, |p| p == 1000), Some(1000));
        index.remove(42, 5);
        assert_eq!(index.find(42, |p| p == 99), Some(99));
    }
}
