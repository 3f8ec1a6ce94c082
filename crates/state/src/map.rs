//! `MapState`: a map a key, whose entries age one by one.

use std::cell::RefMut;
use std::fmt;

use rheos_core::Row;
use rheos_core::time::Millis;

use crate::map_cell::{MapCell, MapEntry};
use crate::registered::{Handle, Registered};
use crate::ttl::Ttl;

/// A map from `MK` to `MV` for the current key (and namespace, for window state). Each entry has
/// its own time to live. Map keys are compared as keys are: by their canonical bytes.
///
/// Entries are shown in an order that is the same in every run and means nothing.
///
/// A closure given to a method must not use the same state again: it is borrowed meanwhile, and the
/// second use panics, as a `RefCell`'s does.
pub struct MapState<MK, MV>(pub(crate) Handle<MapCell<MK, MV>>);

impl<MK, MV> Clone for MapState<MK, MV> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<MK, MV> fmt::Debug for MapState<MK, MV> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapState").finish_non_exhaustive()
    }
}

/// What a read of one entry sees under a TTL.
fn read_aged<MK: Row, MV, R>(
    look: impl FnOnce(Option<&MV>) -> R,
    key: &MK,
    cell: &mut Option<MapCell<MK, MV>>,
    ttl: &Ttl,
    now: Millis,
) -> R {
    let Some(map) = cell else { return look(None) };
    let Some(at) = map.position(key) else {
        return look(None);
    };
    match map.entries_mut().get_mut(at) {
        Some(entry) if !ttl.expired(entry.updated, now) => {
            if ttl.on_read {
                entry.updated = now;
            }
            look(Some(&entry.value))
        }
        _ => {
            let expired = map.remove_at(at).filter(|_| ttl.return_expired);
            if map.is_empty() {
                *cell = None;
            }
            look(expired.as_ref().map(|entry| &entry.value))
        }
    }
}

/// What a read of all entries sees under a TTL.
fn read_all_aged<MK: Row, MV, R>(
    look: impl FnOnce(&[MapEntry<MK, MV>]) -> R,
    cell: &mut Option<MapCell<MK, MV>>,
    _updated: &mut Millis,
    ttl: &Ttl,
    now: Millis,
) -> R {
    let Some(map) = cell else { return look(&[]) };
    if !ttl.return_expired {
        map.drop_expired(ttl, now);
    }
    let result = look(map.entries());
    if ttl.return_expired {
        map.drop_expired(ttl, now);
    }
    if ttl.on_read {
        for entry in map.entries_mut() {
            entry.updated = now;
        }
    }
    if map.is_empty() {
        *cell = None;
    }
    result
}

/// Before a write that goes on from what is there: an expired entry is not.
fn drop_expired<MK: Row, MV>(map: &mut MapCell<MK, MV>, key: &MK, ttl: Option<&Ttl>, now: Millis) {
    if let Some(ttl) = ttl
        && !ttl.return_expired
        && let Some(at) = map.position(key)
        && map
            .entries()
            .get(at)
            .is_some_and(|entry| ttl.expired(entry.updated, now))
    {
        map.remove_at(at);
    }
}

impl<MK: Row, MV: Row> MapState<MK, MV> {
    /// The value under `key`, cloned.
    #[inline]
    pub fn get(&self, key: &MK) -> Option<MV> {
        self.with(key, |value| value.cloned())
    }

    /// Looks at the value under `key` without cloning it.
    #[inline]
    pub fn with<R>(&self, key: &MK, look: impl FnOnce(Option<&MV>) -> R) -> R {
        self.0.read(
            look,
            |look, cell| look(cell.and_then(|map| map.get(key)).map(|entry| &entry.value)),
            |look, cell, _, ttl, now| read_aged(look, key, cell, ttl, now),
        )
    }

    /// Whether there is a value under `key`. A read.
    #[inline]
    pub fn contains(&self, key: &MK) -> bool {
        self.with(key, |value| value.is_some())
    }

    /// Sets the value under `key`.
    #[inline]
    pub fn insert(&self, key: MK, value: MV) {
        self.0.write(|cell, _, _, now| {
            let map = cell.get_or_insert_default();
            match map.get_mut(&key) {
                Some(entry) => {
                    entry.value = value;
                    entry.updated = now;
                }
                None => map.push(key, value, now),
            }
        });
    }

    /// Sets several values.
    pub fn insert_all(&self, entries: impl IntoIterator<Item = (MK, MV)>) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }

    /// Changes the value under `key` in place, set to `default` first if there is none. A write.
    #[inline]
    pub fn upsert<R>(&self, key: MK, default: MV, change: impl FnOnce(&mut MV) -> R) -> R {
        change(&mut self.get_or_insert_with(key, || default))
    }

    /// The value under `key`, to be changed in place, set to `make()` first if there is none. Counts
    /// as a write. The state is borrowed as long as the guard lives.
    pub fn get_or_insert_with(&self, key: MK, make: impl FnOnce() -> MV) -> RefMut<'_, MV> {
        let at = self.0.context.place();
        let now = self.0.context.now();
        let mut state = self.0.state.borrow_mut();
        state.access(now);
        RefMut::map(state, |state| {
            let Registered { ttl, table, .. } = state;
            let map = table.filled(at, |_, _| {}, MapCell::default);
            drop_expired(map, &key, ttl.as_ref(), now);
            let position = map.position(&key).unwrap_or_else(|| {
                map.push(key, make(), now);
                map.len() - 1
            });
            #[allow(clippy::indexing_slicing, reason = "found or pushed just above")]
            let entry = &mut map.entries_mut()[position];
            entry.updated = now;
            &mut entry.value
        })
    }

    /// Changes the value under `key` in place; leaving `None` removes it. Counts as a write.
    pub fn modify<R>(&self, key: MK, change: impl FnOnce(&mut Option<MV>) -> R) -> R {
        self.0.write(|cell, _, ttl, now| {
            let map = cell.get_or_insert_default();
            drop_expired(map, &key, ttl, now);
            let mut value = map.remove(&key).map(|entry| entry.value);
            let result = change(&mut value);
            if let Some(value) = value {
                map.push(key, value, now);
            }
            if map.is_empty() {
                *cell = None;
            }
            result
        })
    }

    /// Removes the value under `key`.
    #[inline]
    pub fn remove(&self, key: &MK) -> Option<MV> {
        self.0.write(|cell, _, ttl, now| {
            let map = cell.as_mut()?;
            let removed = map.remove(key);
            if map.is_empty() {
                *cell = None;
            }
            removed
                .filter(|entry| {
                    ttl.is_none_or(|ttl| ttl.return_expired || !ttl.expired(entry.updated, now))
                })
                .map(|entry| entry.value)
        })
    }

    /// Keeps the entries for which `keep` holds; their age stays what it is.
    pub fn retain(&self, mut keep: impl FnMut(&MK, &mut MV) -> bool) {
        self.0.write(|cell, _, ttl, now| {
            let Some(map) = cell else { return };
            if let Some(ttl) = ttl
                && !ttl.return_expired
            {
                map.drop_expired(ttl, now);
            }
            map.retain(|entry| keep(&entry.key, &mut entry.value));
            if map.is_empty() {
                *cell = None;
            }
        });
    }

    fn with_entries<R>(&self, look: impl FnOnce(&[MapEntry<MK, MV>]) -> R) -> R {
        self.0.read(
            look,
            |look, cell| look(cell.map_or(&[], |map| map.entries())),
            read_all_aged,
        )
    }

    /// Shows each entry. Reads them all.
    pub fn for_each(&self, mut show: impl FnMut(&MK, &MV)) {
        self.with_entries(|entries| entries.iter().for_each(|e| show(&e.key, &e.value)));
    }

    /// The entries, cloned.
    pub fn entries(&self) -> Vec<(MK, MV)> {
        self.with_entries(|all| {
            all.iter()
                .map(|e| (e.key.clone(), e.value.clone()))
                .collect()
        })
    }

    /// The map keys, cloned.
    pub fn keys(&self) -> Vec<MK> {
        self.with_entries(|all| all.iter().map(|e| e.key.clone()).collect())
    }

    /// The values, cloned.
    pub fn values(&self) -> Vec<MV> {
        self.with_entries(|all| all.iter().map(|e| e.value.clone()).collect())
    }

    /// How many entries there are. Expired ones count only where they would be returned; does not
    /// renew them.
    pub fn len(&self) -> usize {
        self.0.read(
            (),
            |(), cell| cell.map_or(0, MapCell::len),
            |(), cell, _, ttl, now| {
                let Some(map) = cell else { return 0 };
                if !ttl.return_expired {
                    map.drop_expired(ttl, now);
                }
                let len = map.len();
                if len == 0 {
                    *cell = None;
                }
                len
            },
        )
    }

    /// Whether there is no entry, as [`MapState::len`] counts them.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the map.
    #[inline]
    pub fn clear(&self) {
        self.0.clear();
    }
}
