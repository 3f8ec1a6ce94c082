//! A set of slots: a bit each. Ten million slots are 1.25 MB, which caches hold where an entry a slot
//! would be a miss of its own.

const BITS: u32 = u64::BITS;

/// Slots, in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotSet {
    words: Vec<u64>,
}

#[inline]
fn place(slot: u32) -> (usize, u64) {
    ((slot / BITS) as usize, 1 << (slot % BITS))
}

impl SlotSet {
    /// All slots below `end`.
    pub fn below(end: u32) -> Self {
        let (full, rest) = ((end / BITS) as usize, end % BITS);
        let mut words = vec![u64::MAX; full];
        if rest > 0 {
            words.push((1 << rest) - 1);
        }
        Self { words }
    }

    /// Adds a slot.
    #[inline]
    pub fn insert(&mut self, slot: u32) {
        let (at, bit) = place(slot);
        match self.words.get_mut(at) {
            Some(word) => *word |= bit,
            None => self.insert_far(at, bit),
        }
    }

    #[cold]
    fn insert_far(&mut self, at: usize, bit: u64) {
        self.words.resize(at + 1, 0);
        if let Some(word) = self.words.get_mut(at) {
            *word |= bit;
        }
    }

    /// Takes a slot out; says whether it was in.
    #[inline]
    pub fn remove(&mut self, slot: u32) -> bool {
        let (at, bit) = place(slot);
        match self.words.get_mut(at) {
            Some(word) if *word & bit != 0 => {
                *word &= !bit;
                true
            }
            _ => false,
        }
    }

    /// Whether a slot is in.
    #[inline]
    pub fn contains(&self, slot: u32) -> bool {
        let (at, bit) = place(slot);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// The first slot that is in, from `slot` on.
    pub fn next(&self, slot: u32) -> Option<u32> {
        let (at, _) = place(slot);
        let mut word = self.words.get(at)? & (u64::MAX << (slot % BITS));
        let mut base = at;
        while word == 0 {
            base += 1;
            word = *self.words.get(base)?;
        }
        Some(base as u32 * BITS + word.trailing_zeros())
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Adds all of another.
    pub fn add_all(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// The slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut at = Some(0);
        std::iter::from_fn(move || {
            let slot = self.next(at?)?;
            at = slot.checked_add(1);
            Some(slot)
        })
    }

    /// Bytes of memory it holds.
    pub fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_not_taken_out() {
        let mut set = SlotSet::default();
        for slot in [0, 63, 64, 65, 1000, 64] {
            set.insert(slot);
        }
        assert!(set.remove(65) && !set.remove(65) && !set.remove(9999));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 1000]);
        assert_eq!(
            (set.len(), set.next(65), set.next(1001)),
            (4, Some(1000), None)
        );
        let mut all = SlotSet::below(130);
        assert_eq!(
            (all.len(), all.contains(129), all.contains(130)),
            (130, true, false)
        );
        all.add_all(&set);
        assert_eq!(all.len(), 131);
        assert!(SlotSet::below(0).is_empty() && !all.is_empty());
        assert_eq!(SlotSet::below(64).len(), 64);
    }
}
