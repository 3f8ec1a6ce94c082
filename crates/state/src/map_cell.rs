//! The map of one key.
//!
//! Entries lie in a `Vec`, in the order in which they came, but that a removal moves the last one
//! into the gap. Up to sixteen are searched from the front, which for such few beats hashing; from
//! then on an index finds them. Iterating is a walk over the `Vec` either way, in an order that is
//! the same in every run.

use rheos_core::Row;
use rheos_core::row::Schema;
use rheos_core::time::Millis;

use crate::error::StateError;
use crate::probe_index::{ProbeIndex, tag_of};
use crate::registered::{PieceSink, Scratch, Shown, StateCell, decode};
use crate::snapshot::{Piece, PieceError};
use crate::ttl::Ttl;

/// Above this many entries there is an index,
const INDEX_ABOVE: usize = 16;
/// which is dropped at this many.
const NO_INDEX_AT: usize = 8;

#[derive(Debug)]
pub(crate) struct MapEntry<MK, MV> {
    pub(crate) key: MK,
    /// When it was last written; only where the state has a TTL.
    pub(crate) updated: Millis,
    pub(crate) value: MV,
}

/// A map of a key; never empty between two calls.
#[derive(Debug)]
pub(crate) struct MapCell<MK, MV> {
    entries: Vec<MapEntry<MK, MV>>,
    index: Option<Box<ProbeIndex>>,
}

impl<MK, MV> Default for MapCell<MK, MV> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            index: None,
        }
    }
}

impl<MK: Row, MV> MapCell<MK, MV> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn entries(&self) -> &[MapEntry<MK, MV>] {
        &self.entries
    }

    /// Whoever holds the entries must leave their keys as they are.
    pub(crate) fn entries_mut(&mut self) -> &mut [MapEntry<MK, MV>] {
        &mut self.entries
    }

    #[inline]
    pub(crate) fn position(&self, key: &MK) -> Option<usize> {
        match &self.index {
            None => self.entries.iter().position(|entry| entry.key.key_eq(key)),
            Some(index) => index
                .find(tag_of(key.key_hash()), |at| {
                    self.entries
                        .get(at as usize)
                        .is_some_and(|entry| entry.key.key_eq(key))
                })
                .map(|at| at as usize),
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: &MK) -> Option<&MapEntry<MK, MV>> {
        self.entries.get(self.position(key)?)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &MK) -> Option<&mut MapEntry<MK, MV>> {
        let at = self.position(key)?;
        self.entries.get_mut(at)
    }

    /// Adds an entry whose key is not there.
    pub(crate) fn push(&mut self, key: MK, value: MV, updated: Millis) {
        let at = self.entries.len();
        if let Some(index) = &mut self.index {
            index.insert(tag_of(key.key_hash()), at as u32);
        }
        self.entries.push(MapEntry {
            key,
            updated,
            value,
        });
        if self.index.is_none() && self.entries.len() > INDEX_ABOVE {
            let mut index = Box::<ProbeIndex>::default();
            for (at, entry) in self.entries.iter().enumerate() {
                index.insert(tag_of(entry.key.key_hash()), at as u32);
            }
            self.index = Some(index);
        }
    }

    /// Takes out the entry at a position; the last one moves there.
    pub(crate) fn remove_at(&mut self, at: usize) -> Option<MapEntry<MK, MV>> {
        let last = self
            .entries
            .len()
            .checked_sub(1)
            .filter(|&last| at <= last)?;
        if let Some(index) = &mut self.index {
            if let Some(gone) = self.entries.get(at) {
                index.remove(tag_of(gone.key.key_hash()), at as u32);
            }
            if at != last
                && let Some(moved) = self.entries.get(last)
            {
                index.moved(tag_of(moved.key.key_hash()), last as u32, at as u32);
            }
        }
        let entry = self.entries.swap_remove(at);
        if last <= NO_INDEX_AT && self.index.is_some() {
            self.index = None;
            self.entries.shrink_to(INDEX_ABOVE);
        }
        Some(entry)
    }

    pub(crate) fn remove(&mut self, key: &MK) -> Option<MapEntry<MK, MV>> {
        self.remove_at(self.position(key)?)
    }

    /// Keeps the entries for which `keep` holds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut MapEntry<MK, MV>) -> bool) {
        // From the end, so that what moves into a gap has been looked at.
        for at in (0..self.entries.len()).rev() {
            if self.entries.get_mut(at).is_some_and(|entry| !keep(entry)) {
                self.remove_at(at);
            }
        }
    }

    pub(crate) fn drop_expired(&mut self, ttl: &Ttl, now: Millis) {
        self.retain(|entry| !ttl.expired(entry.updated, now));
    }
}

impl<MK: Row, MV: Row> StateCell for MapCell<MK, MV> {
    const TIMED_AS_A_WHOLE: bool = false;

    fn schemas() -> (Option<Schema>, Schema) {
        (Some(MK::schema()), MV::schema())
    }

    fn prune(&mut self, _updated: Millis, ttl: &Ttl, now: Millis) -> bool {
        self.drop_expired(ttl, now);
        self.entries.is_empty()
    }

    fn show(
        &self,
        shown: Shown<'_>,
        scratch: &mut Scratch,
        out: &mut PieceSink<'_>,
    ) -> Result<(), StateError> {
        for entry in &self.entries {
            if shown.leaves_out(entry.updated) {
                continue;
            }
            scratch.map_key.clear();
            scratch.value.clear();
            entry.key.encode(&mut scratch.map_key);
            entry.value.encode(&mut scratch.value);
            out(Piece {
                namespace: shown.namespace,
                updated: shown.stored(entry.updated),
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
        let map = cell.get_or_insert_default();
        match map.get_mut(&key) {
            Some(entry) => {
                entry.value = value;
                entry.updated = updated;
            }
            None => map.push(key, value, updated),
        }
        Ok(())
    }

    fn owned_bytes(&self) -> usize {
        let fixed = self.entries.capacity() * size_of::<MapEntry<MK, MV>>()
            + self
                .index
                .as_ref()
                .map_or(0, |i| size_of::<ProbeIndex>() + i.heap_bytes());
        if !MK::HAS_HEAP && !MV::HAS_HEAP {
            return fixed;
        }
        let sample = self.entries.iter().take(64);
        let seen = sample.len().max(1);
        let owned: usize = sample
            .map(|entry| entry.key.heap_bytes() + entry.value.heap_bytes())
            .sum();
        fixed + owned * self.entries.len() / seen
    }
}
