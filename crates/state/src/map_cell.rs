//! The map of one key.
//!
//! Entries lie in a `Vec`, in the order in which they came, but that a removal moves the last one
//! into the gap; so iterating shows an order that is the same in every run and after every restore.
//! A few are searched from the front. Up to some hundred, a scan of their tags finds them: a line or
//! two of memory, which [`StateCell::touch_far`] reads ahead, and nothing to rebuild as the map
//! grows. From then on an index does.
//!
//! An entry has room for the time of its last update only where the state has a TTL: the stamp's
//! type is `Millis` there and `()` elsewhere.

use rheos_core::Row;
use rheos_core::row::{Resolution, RowError, Schema};
use rheos_core::time::Millis;

use crate::error::StateError;
use crate::evolution;
use crate::probe_index::{ProbeIndex, tag_of};
use crate::quick_hash::quick_hash;
use crate::registered::{PieceSink, Pruned, Scratch, Shown, StateCell, decode};
use crate::snapshot::{Piece, PieceError};
use crate::tag_scan::TagScan;
use crate::ttl::Ttl;

/// When an entry was last written, or nothing where nobody asks.
pub(crate) trait Stamp: Copy + 'static {
    fn at(now: Millis) -> Self;
    fn updated(self) -> Millis;
}

impl Stamp for () {
    #[inline]
    fn at(_now: Millis) -> Self {}

    #[inline]
    fn updated(self) -> Millis {
        0
    }
}

impl Stamp for Millis {
    #[inline]
    fn at(now: Millis) -> Self {
        now
    }

    #[inline]
    fn updated(self) -> Millis {
        self
    }
}

#[derive(Debug)]
pub(crate) struct MapEntry<MK, MV, S> {
    pub(crate) key: MK,
    pub(crate) stamp: S,
    pub(crate) value: MV,
}

impl<MK, MV, S: Stamp> MapEntry<MK, MV, S> {
    #[inline]
    pub(crate) fn expired(&self, ttl: &Ttl, now: Millis) -> bool {
        ttl.expired(self.stamp.updated(), now)
    }
}

/// Above this many entries their tags are scanned,
const TAGS_ABOVE: usize = 8;
/// above this many there is an index,
const INDEX_ABOVE: usize = 128;
/// which is dropped at this many.
const NO_INDEX_AT: usize = 64;
/// Entries that a new map has room for.
const FIRST_ROOM: usize = 4;
/// Room of fewer entries is doubled when it is used up.
const DOUBLES_BELOW: usize = 16;

/// How entries are found.
#[derive(Debug, Default)]
enum Finder {
    /// By looking at each.
    #[default]
    Scan,
    Tags(TagScan),
    Index(Box<ProbeIndex>),
}

/// A map of a key; never empty between two calls.
#[derive(Debug)]
pub(crate) struct MapCell<MK, MV, S> {
    entries: Vec<MapEntry<MK, MV, S>>,
    finder: Finder,
}

impl<MK, MV, S> Default for MapCell<MK, MV, S> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            finder: Finder::Scan,
        }
    }
}

impl<MK: Row, MV, S: Stamp> MapCell<MK, MV, S> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &MapEntry<MK, MV, S>> {
        self.entries.iter()
    }

    /// `hash` is the key's [`quick_hash`].
    #[inline]
    fn position(&self, key: &MK, hash: u64) -> Option<usize> {
        let same = |at: usize| {
            let entry = self.entries.get(at);
            entry.is_some_and(|entry| entry.key.key_eq(key))
        };
        match &self.finder {
            Finder::Scan => self.entries.iter().position(|e| e.key.key_eq(key)),
            Finder::Tags(tags) => tags.find(hash, same),
            Finder::Index(index) => index
                .find(tag_of(hash), |at| same(at as usize))
                .map(|at| at as usize),
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: &MK) -> Option<&MapEntry<MK, MV, S>> {
        self.entries.get(self.position(key, quick_hash(key))?)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &MK) -> Option<&mut MapEntry<MK, MV, S>> {
        let at = self.position(key, quick_hash(key))?;
        self.entries.get_mut(at)
    }

    /// The entry of `key` for a write at `now`, made with `make` if there is none, or one that is
    /// no longer shown.
    #[inline]
    pub(crate) fn entry(
        &mut self,
        key: MK,
        ttl: Option<&Ttl>,
        now: Millis,
        make: impl FnOnce() -> MV,
    ) -> &mut MapEntry<MK, MV, S> {
        let hash = quick_hash(&key);
        let stamp = S::at(now);
        let at = match self.position(&key, hash) {
            Some(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    if ttl.is_some_and(|ttl| !ttl.return_expired && entry.expired(ttl, now)) {
                        entry.value = make();
                    }
                    entry.stamp = stamp;
                }
                at
            }
            None => {
                let value = make();
                self.push(MapEntry { key, stamp, value }, hash)
            }
        };
        #[allow(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.entries[at]
    }

    /// Sets a value, written at `at`.
    #[inline]
    pub(crate) fn insert(&mut self, key: MK, value: MV, at: Millis) {
        let hash = quick_hash(&key);
        let stamp = S::at(at);
        let place = self.position(&key, hash);
        match place.and_then(|place| self.entries.get_mut(place)) {
            Some(entry) => {
                entry.value = value;
                entry.stamp = stamp;
            }
            None => {
                self.push(MapEntry { key, stamp, value }, hash);
            }
        }
    }

    /// Adds an entry whose key is not there; says where.
    #[inline]
    fn push(&mut self, entry: MapEntry<MK, MV, S>, hash: u64) -> usize {
        let at = self.entries.len();
        if at == self.entries.capacity() {
            // There are as many maps as keys, and most of them stop growing somewhere: beyond a few
            // lines only by a half.
            let more = if at < DOUBLES_BELOW { at } else { at / 2 };
            self.entries.reserve_exact(more.max(FIRST_ROOM));
        }
        self.entries.push(entry);
        match &mut self.finder {
            Finder::Scan if at < TAGS_ABOVE => {}
            Finder::Tags(tags) if at < INDEX_ABOVE => tags.set(at, hash),
            Finder::Index(index) => index.insert(tag_of(hash), at as u32),
            Finder::Scan | Finder::Tags(_) => self.find_anew(),
        }
        at
    }

    /// Makes the finder that fits the number of entries.
    #[cold]
    fn find_anew(&mut self) {
        let hashes = self.entries.iter().map(|entry| quick_hash(&entry.key));
        self.finder = match self.entries.len() {
            0..=TAGS_ABOVE => Finder::Scan,
            len if len <= INDEX_ABOVE => {
                let mut tags = TagScan::default();
                hashes.enumerate().for_each(|(at, hash)| tags.set(at, hash));
                Finder::Tags(tags)
            }
            _ => {
                let mut index = Box::<ProbeIndex>::default();
                for (at, hash) in hashes.enumerate() {
                    index.insert(tag_of(hash), at as u32);
                }
                Finder::Index(index)
            }
        };
    }

    /// Takes out the entry at a position; the last one moves there.
    fn remove_at(&mut self, at: usize) -> Option<MapEntry<MK, MV, S>> {
        let last = self
            .entries
            .len()
            .checked_sub(1)
            .filter(|&last| at <= last)?;
        let moved = self.entries.get(last).map(|e| quick_hash(&e.key));
        match &mut self.finder {
            Finder::Scan => {}
            Finder::Tags(tags) => {
                if let Some(moved) = moved {
                    tags.set(at, moved);
                }
            }
            Finder::Index(index) => {
                if let Some(gone) = self.entries.get(at) {
                    index.remove(tag_of(quick_hash(&gone.key)), at as u32);
                }
                if at != last
                    && let Some(moved) = moved
                {
                    index.moved(tag_of(moved), last as u32, at as u32);
                }
            }
        }
        let entry = self.entries.swap_remove(at);
        let shrinks = match self.finder {
            Finder::Scan => false,
            Finder::Tags(_) => last <= TAGS_ABOVE / 2,
            Finder::Index(_) => last <= NO_INDEX_AT,
        };
        if shrinks {
            self.entries.shrink_to_fit();
            self.find_anew();
        }
        Some(entry)
    }

    pub(crate) fn remove(&mut self, key: &MK) -> Option<MapEntry<MK, MV, S>> {
        self.remove_at(self.position(key, quick_hash(key))?)
    }

    /// Keeps the entries for which `keep` holds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut MapEntry<MK, MV, S>) -> bool) {
        // From the end, so that what moves into a gap has been looked at.
        for at in (0..self.entries.len()).rev() {
            if self.entries.get_mut(at).is_some_and(|entry| !keep(entry)) {
                self.remove_at(at);
            }
        }
    }

    pub(crate) fn drop_expired(&mut self, ttl: &Ttl, now: Millis) {
        self.retain(|entry| !entry.expired(ttl, now));
    }

    /// Renews every entry.
    pub(crate) fn renew(&mut self, now: Millis) {
        for entry in &mut self.entries {
            entry.stamp = S::at(now);
        }
    }
}

impl<MK: Row, MV: Row, S: Stamp> StateCell for MapCell<MK, MV, S> {
    const TIMED_AS_A_WHOLE: bool = false;
    const HAS_FAR: bool = true;

    fn schemas() -> (Option<Schema>, Schema) {
        (Some(MK::schema()), MV::schema())
    }

    fn resolve(how: &Resolution, value: &[u8]) -> Result<Vec<u8>, RowError> {
        evolution::resolve::<MV>(how, value)
    }

    fn prune(&mut self, _updated: Millis, ttl: &Ttl, now: Millis) -> Pruned {
        let before = self.len();
        self.drop_expired(ttl, now);
        Pruned::of(before, self.len())
    }

    #[inline]
    fn touch_far(&self) -> usize {
        match &self.finder {
            Finder::Tags(tags) => tags.touch(),
            Finder::Scan | Finder::Index(_) => 0,
        }
    }

    fn show(
        &self,
        shown: Shown<'_>,
        scratch: &mut Scratch,
        out: &mut PieceSink<'_>,
    ) -> Result<(), StateError> {
        for entry in &self.entries {
            let updated = entry.stamp.updated();
            if shown.leaves_out(updated) {
                continue;
            }
            scratch.map_key.clear();
            scratch.value.clear();
            entry.key.encode(&mut scratch.map_key);
            entry.value.encode(&mut scratch.value);
            out(Piece {
                namespace: shown.namespace,
                updated: shown.stored(updated),
                map_key: Some(scratch.map_key.as_slice()),
                value: scratch.value.as_slice(),
            })?;
        }
        Ok(())
    }

    fn restore(
        cell: &mut Option<Self>,
        piece: &Piece<'_>,
        updated: Millis,
        _ttl: Option<&Ttl>,
    ) -> Result<(), PieceError> {
        let key: MK = decode(
            "map key",
            piece.map_key.ok_or(PieceError::Missing("map key"))?,
        )?;
        let value = decode("value", piece.value)?;
        cell.get_or_insert_default().insert(key, value, updated);
        Ok(())
    }

    fn owned_bytes(&self) -> usize {
        let finder = match &self.finder {
            Finder::Scan => 0,
            Finder::Tags(tags) => tags.heap_bytes(),
            Finder::Index(index) => size_of::<ProbeIndex>() + index.heap_bytes(),
        };
        let fixed = self.entries.capacity() * size_of::<MapEntry<MK, MV, S>>() + finder;
        if !MK::HAS_HEAP && !MV::HAS_HEAP {
            return fixed;
        }
        const SAMPLE: usize = 64;
        let seen = self.len().clamp(1, SAMPLE);
        let owned: usize = self
            .iter()
            .take(SAMPLE)
            .map(|entry| entry.key.heap_bytes() + entry.value.heap_bytes())
            .sum();
        fixed + owned * self.len() / seen
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;

    fn check(cell: &MapCell<i32, i64, Millis>, model: &BTreeMap<i32, i64>) {
        assert_eq!(cell.len(), model.len());
        for (key, value) in model {
            assert_eq!(cell.get(key).unwrap().value, *value);
        }
        assert!(cell.get(&-1).is_none());
    }

    #[test]
    fn a_map_behaves_as_one_through_all_ways_of_finding() {
        let mut cell = MapCell::<i32, i64, Millis>::default();
        let mut model = BTreeMap::new();
        let mut random = 7u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005) + 1;
            ((random >> 33) % below) as i32
        };
        // Up past the index, down past it and the tags, and up again.
        for (rounds, grow) in [(900, 9), (1200, 1), (300, 8)] {
            for round in 0..rounds {
                let key = next(400);
                if next(10) < grow {
                    *model.entry(key).or_insert(0) += 1;
                    cell.entry(key, None, round, || 0).value += 1;
                } else {
                    let key = model.range(key..).next().map_or(key, |(&key, _)| key);
                    let removed = cell.remove(&key).map(|entry| entry.value);
                    assert_eq!(removed, model.remove(&key));
                }
                check(&cell, &model);
            }
            match grow {
                9 => assert!(matches!(cell.finder, Finder::Index(_)), "{}", cell.len()),
                1 => assert!(matches!(cell.finder, Finder::Scan), "{}", cell.len()),
                _ => assert!(!matches!(cell.finder, Finder::Scan), "{}", cell.len()),
            }
        }
    }

    #[test]
    fn what_is_kept_is_found_and_nothing_else() {
        let mut cell = MapCell::<i32, i64, ()>::default();
        for key in 0..200 {
            cell.insert(key, i64::from(key), 0);
        }
        cell.retain(|entry| entry.key % 3 == 0);
        assert_eq!(cell.len(), 67);
        assert!((0..200).all(|key| cell.get(&key).is_some() == (key % 3 == 0)));
    }
}
