//! Key → slot.
//!
//! The directory gives each key it meets a slot, a dense number under which all tables of the
//! operator keep what belongs to the key. It owns the keys; the hash (xxh3-64 of the canonical key
//! bytes) is the caller's, who needed it to route the row.
//!
//! A key's life: `resolve_or_insert` opens a slot that nothing refers to; state or a timer retains
//! it; when the last of them is gone the slot is idle; [`KeyDirectory::sweep`] drops the keys of
//! idle slots and gives their numbers out again. Slots that were resolved stay valid until the next
//! sweep, referred to or not.
//!
//! While keys are frozen ([`crate::changes`]) the slot of a key that goes is not given out again and
//! keeps its key, though the index finds it no more; afterwards such slots are freed, some a batch.
//!
//! A look-up costs two cache misses on a large directory: the bucket and the key. In a batch they
//! overlap: [`KeyDirectory::resolve_batch`] first probes the index for every row, then compares the
//! keys of every row, and no row's work waits for another's. Memory grows with the greatest number
//! of keys at one time and is used again, not given back.

use std::rc::Rc;

use rheos_core::Row;
use rheos_core::key_group::key_group_of;

use crate::changes::Hold;
use crate::probe_index::{NONE, ProbeIndex, tag_of};
use crate::slot_refs::SlotRefs;

/// How many slots that were kept are freed at a time: more than a batch can open.
const FREED_A_SWEEP: usize = 1024;

/// Keys by slot, and the index that finds them.
#[derive(Debug)]
pub struct KeyDirectory<K> {
    index: ProbeIndex,
    keys: Vec<Option<K>>,
    hashes: Vec<u64>,
    free: Vec<u32>,
    /// Slots whose keys have gone while keys were frozen.
    kept: Vec<u32>,
    hold: Rc<Hold>,
    refs: Rc<SlotRefs>,
    /// Rows of the batch at hand that the fast passes did not place.
    unplaced: Vec<u32>,
}

impl<K: Row> Default for KeyDirectory<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Row> KeyDirectory<K> {
    /// An empty directory.
    pub fn new() -> Self {
        Self {
            index: ProbeIndex::default(),
            keys: Vec::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            kept: Vec::new(),
            hold: Rc::default(),
            refs: Rc::new(SlotRefs::default()),
            unplaced: Vec::new(),
        }
    }

    /// The reference counts of its slots.
    pub fn refs(&self) -> &Rc<SlotRefs> {
        &self.refs
    }

    pub(crate) fn hold(&self) -> &Rc<Hold> {
        &self.hold
    }

    /// How many keys it holds, those included that the next sweep will drop.
    pub fn len(&self) -> usize {
        self.keys.len() - self.free.len() - self.kept.len()
    }

    /// One more than the greatest slot.
    pub(crate) fn slots(&self) -> u32 {
        self.keys.len() as u32
    }

    /// How many keys it can take in before its tables grow.
    pub(crate) fn spare(&self) -> usize {
        self.free.len() + self.keys.capacity() - self.keys.len()
    }

    /// Whether it holds no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of a slot.
    #[inline]
    pub fn key(&self, slot: u32) -> Option<&K> {
        self.keys.get(slot as usize)?.as_ref()
    }

    /// Reads a word of each key and hash, so that the cache misses of a batch overlap.
    pub(crate) fn touch(&self, slots: &[u32]) -> usize {
        let mut read = 0;
        for &slot in slots {
            read += usize::from(matches!(self.keys.get(slot as usize), Some(Some(_))));
            read += self
                .hashes
                .get(slot as usize)
                .map_or(0, |&hash| hash as usize & 1);
        }
        read
    }

    /// The hash of a slot's key.
    #[inline]
    pub fn hash(&self, slot: u32) -> Option<u64> {
        self.key(slot)?;
        self.hashes.get(slot as usize).copied()
    }

    /// The slot of `key`, if it has one. `hash` is [`Row::key_hash`] of the key.
    #[inline]
    pub fn resolve(&self, hash: u64, key: &K) -> Option<u32> {
        self.find(hash, |other| other.key_eq(key))
    }

    #[inline]
    fn find(&self, hash: u64, same: impl Fn(&K) -> bool) -> Option<u32> {
        self.index
            .find(tag_of(hash), |slot| self.key(slot).is_some_and(&same))
    }

    /// The slot of `key`, opened now if it has none; the key is cloned only then.
    ///
    /// # Panics
    /// At more than 2³²−2 keys at one time.
    #[inline]
    pub fn resolve_or_insert(&mut self, hash: u64, key: &K) -> u32 {
        self.resolve_or_insert_with(hash, |other| other.key_eq(key), || key.clone())
    }

    /// The slot of the key for which `same` holds, opened with `make` if there is none.
    ///
    /// # Panics
    /// At more than 2³²−2 keys at one time.
    #[inline]
    pub fn resolve_or_insert_with(
        &mut self,
        hash: u64,
        same: impl Fn(&K) -> bool,
        make: impl FnOnce() -> K,
    ) -> u32 {
        match self.find(hash, same) {
            Some(slot) => slot,
            None => self.open(hash, make()),
        }
    }

    fn open(&mut self, hash: u64, key: K) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(place) = self.keys.get_mut(slot as usize) {
                    *place = Some(key);
                }
                if let Some(place) = self.hashes.get_mut(slot as usize) {
                    *place = hash;
                }
                slot
            }
            None => {
                let slot = self.keys.len() as u32;
                assert!(
                    self.keys.len() < NONE as usize,
                    "one subtask holds 2^32 - 2 keys: raise the operator's parallelism"
                );
                self.keys.push(Some(key));
                self.hashes.push(hash);
                slot
            }
        };
        self.index.insert(tag_of(hash), slot);
        self.refs.open(slot);
        self.hold.opened(slot);
        slot
    }

    /// The slots of a batch of keys, in order, into `out`, which is cleared first. New keys are
    /// opened; keys are cloned only then. `hashes` and `keys` are of one length.
    pub fn resolve_batch(&mut self, hashes: &[u64], keys: &[K], out: &mut Vec<u32>) {
        self.resolve_batch_with(
            hashes,
            |row, other| keys.get(row).is_some_and(|key| key.key_eq(other)),
            |row| keys.get(row).cloned(),
            out,
        );
    }

    /// [`KeyDirectory::resolve_batch`] where the keys are inside the rows: `same(row, key)` compares
    /// the row's key, `make(row)` makes it, or gives `None` where there is no such row (whose slot
    /// is then missing from `out`, as is every later one).
    pub fn resolve_batch_with(
        &mut self,
        hashes: &[u64],
        same: impl Fn(usize, &K) -> bool,
        make: impl Fn(usize) -> Option<K>,
        out: &mut Vec<u32>,
    ) {
        out.clear();
        // Two loops without a chain from row to row: the processor has the misses of many rows
        // under way at once, first those of the index, then those of the keys.
        out.extend(
            hashes
                .iter()
                .map(|&hash| self.index.candidate(tag_of(hash))),
        );
        self.unplaced.clear();
        for (row, &slot) in out.iter().enumerate() {
            let placed = matches!(self.keys.get(slot as usize), Some(Some(key)) if same(row, key));
            if !placed {
                self.unplaced.push(row as u32);
            }
        }
        if self.unplaced.is_empty() {
            return;
        }
        let unplaced = std::mem::take(&mut self.unplaced);
        for &row in &unplaced {
            let row = row as usize;
            let Some(&hash) = hashes.get(row) else {
                continue;
            };
            let slot = match self.find(hash, |key| same(row, key)) {
                Some(slot) => slot,
                None => match make(row) {
                    Some(key) => self.open(hash, key),
                    None => {
                        out.truncate(row);
                        break;
                    }
                },
            };
            if let Some(place) = out.get_mut(row) {
                *place = slot;
            }
        }
        self.unplaced = unplaced;
    }

    /// Drops the keys that nothing refers to; their slots will be given out again. Slots resolved
    /// before are no longer valid. Returns how many keys went. Costs nothing where nothing is idle.
    pub fn sweep(&mut self) -> usize {
        self.sweep_with(|_, _, _| {})
    }

    /// As [`KeyDirectory::sweep`], and shows each key that goes, with its slot and hash.
    pub fn sweep_with(&mut self, mut leaves: impl FnMut(u32, u64, &K)) -> usize {
        let frozen = self.hold.is_active();
        if !frozen && !self.kept.is_empty() {
            self.free_kept();
        }
        if !self.refs.has_idle() {
            return 0;
        }
        let mut gone = 0;
        let refs = Rc::clone(&self.refs);
        refs.drain_idle(|slot| {
            let Some(place) = self.keys.get_mut(slot as usize) else {
                return;
            };
            let Some(key) = place else { return };
            if let Some(&hash) = self.hashes.get(slot as usize) {
                leaves(slot, hash, key);
                self.index.remove(tag_of(hash), slot);
            }
            gone += 1;
            if frozen {
                self.kept.push(slot);
            } else {
                *place = None;
                self.free.push(slot);
            }
        });
        gone
    }

    /// Frees some of the slots that were kept.
    #[cold]
    fn free_kept(&mut self) {
        let from = self.kept.len().saturating_sub(FREED_A_SWEEP);
        for slot in self.kept.drain(from..) {
            if let Some(place) = self.keys.get_mut(slot as usize) {
                *place = None;
            }
            self.free.push(slot);
        }
    }

    /// The slots in use, by key group and, within one, by hash: the order of a snapshot.
    pub fn slots_by_key_group(&self) -> Vec<u32> {
        let mut slots: Vec<(u64, u32)> = self
            .keys
            .iter()
            .zip(&self.hashes)
            .enumerate()
            .filter(|(_, (key, _))| key.is_some())
            .map(|(slot, (_, &hash))| (hash, slot as u32))
            .collect();
        slots.sort_unstable();
        slots.into_iter().map(|(_, slot)| slot).collect()
    }

    /// The slots in use of the keys of one key group.
    pub fn slots_of_key_group(&self, group: u16) -> Vec<u32> {
        let mut slots = self.slots_by_key_group();
        slots.retain(|&slot| {
            self.hash(slot)
                .is_some_and(|hash| key_group_of(hash) == group)
        });
        slots
    }

    /// Bytes of memory that it holds; the heap memory of the keys is estimated from a sample.
    pub fn heap_bytes(&self) -> usize {
        let fixed = self.index.heap_bytes()
            + self.keys.capacity() * size_of::<Option<K>>()
            + self.hashes.capacity() * size_of::<u64>()
            + self.free.capacity() * size_of::<u32>();
        if !K::HAS_HEAP {
            return fixed;
        }
        let stride = (self.keys.len() / 64).max(1);
        let (mut seen, mut bytes) = (0usize, 0usize);
        for key in self.keys.iter().step_by(stride).flatten() {
            seen += 1;
            bytes += key.heap_bytes();
        }
        fixed + bytes * self.len() / seen.max(1)
    }
}
