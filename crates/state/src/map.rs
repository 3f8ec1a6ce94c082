//! `MapState`: a map a key, whose entries age one by one.

use std::cell::RefMut;
use std::fmt;

use rheos_core::Row;
use rheos_core::time::Millis;

use crate::map_cell::{MapCell, MapEntry, Stamp};
use crate::registered::{Handle, Registered};
use crate::ttl::Ttl;

/// A map from `MK` to `MV` for the current key (and namespace, for window state). Each entry has
/// its own time to live. Map keys are compared as keys are: by their canonical bytes.
///
/// Entries are shown in an order that is the same in every run and means nothing.
///
/// A closure given to a method must not use the same state again: it is borrowed meanwhile, and the
/// second use panics, as a `RefCell`'s does.
pub struct MapState<MK, MV>(pub(crate) Maps<MK, MV>);

/// The maps of all keys. Only where there is a TTL does an entry carry its time of last update.
pub(crate) enum Maps<MK, MV> {
    Ageless(Handle<MapCell<MK, MV, ()>>),
    Aging(Handle<MapCell<MK, MV, Millis>>),
}

macro_rules! on_maps {
    ($self:ident, $maps:ident => $call:expr) => {
        match &$self.0 {
            Maps::Ageless($maps) => $call,
            Maps::Aging($maps) => $call,
        }
    };
}

impl<MK, MV> Clone for MapState<MK, MV> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Maps::Ageless(maps) => Maps::Ageless(maps.clone()),
            Maps::Aging(maps) => Maps::Aging(maps.clone()),
        })
    }
}

impl<MK, MV> fmt::Debug for MapState<MK, MV> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapState").finish_non_exhaustive()
    }
}

/// What a read of one entry sees under a TTL.
fn read_aged<MK: Row, MV, S: Stamp, R>(
    look: impl FnOnce(Option<&MV>) -> R,
    key: &MK,
    cell: &mut Option<MapCell<MK, MV, S>>,
    ttl: &Ttl,
    now: Millis,
) -> R {
    let Some(map) = cell else { return look(None) };
    match map.get_mut(key) {
        None => look(None),
        Some(entry) if !entry.expired(ttl, now) => {
            if ttl.on_read {
                entry.stamp = S::at(now);
            }
            look(Some(&entry.value))
        }
        Some(_) => {
            let expired = map.remove(key).filter(|_| ttl.return_expired);
            if map.is_empty() {
                *cell = None;
            }
            look(expired.as_ref().map(|entry| &entry.value))
        }
    }
}

/// What a read of all entries sees under a TTL.
fn read_all_aged<MK: Row, MV, S: Stamp>(
    mut show: impl FnMut(&MapEntry<MK, MV, S>),
    cell: &mut Option<MapCell<MK, MV, S>>,
    ttl: &Ttl,
    now: Millis,
) {
    let Some(map) = cell else { return };
    if !ttl.return_expired {
        map.drop_expired(ttl, now);
    }
    map.iter().for_each(&mut show);
    if ttl.return_expired {
        map.drop_expired(ttl, now);
    }
    if ttl.on_read {
        map.renew(now);
    }
    if map.is_empty() {
        *cell = None;
    }
}

impl<MK: Row, MV: Row, S: Stamp> Handle<MapCell<MK, MV, S>> {
    #[inline]
    fn with<R>(&self, key: &MK, look: impl FnOnce(Option<&MV>) -> R) -> R {
        self.read(
            look,
            |look, cell| look(cell.and_then(|map| map.get(key)).map(|entry| &entry.value)),
            |look, cell, _, ttl, now| read_aged(look, key, cell, ttl, now),
        )
    }

    #[inline]
    fn insert(&self, key: MK, value: MV) {
        self.write(|cell, _, _, now| cell.get_or_insert_default().insert(key, value, now));
    }

    #[inline]
    fn get_or_insert_with(&self, key: MK, make: impl FnOnce() -> MV) -> RefMut<'_, MV> {
        let at = self.context.place();
        let now = self.context.now();
        let mut state = self.state.borrow_mut();
        state.access(now);
        RefMut::map(state, |state| {
            let Registered { ttl, table, .. } = state;
            let map = table.filled(at, |_, _| {}, MapCell::default);
            &mut map.entry(key, ttl.as_ref(), now, make).value
        })
    }

    fn modify<R>(&self, key: MK, change: impl FnOnce(&mut Option<MV>) -> R) -> R {
        self.write(|cell, _, ttl, now| {
            let map = cell.get_or_insert_default();
            let before = map.remove(&key).filter(|entry| {
                ttl.is_none_or(|ttl| ttl.return_expired || !entry.expired(ttl, now))
            });
            let mut value = before.map(|entry| entry.value);
            let result = change(&mut value);
            if let Some(value) = value {
                map.insert(key, value, now);
            }
            if map.is_empty() {
                *cell = None;
            }
            result
        })
    }

    fn remove(&self, key: &MK) -> Option<MV> {
        self.write(|cell, _, ttl, now| {
            let map = cell.as_mut()?;
            let removed = map.remove(key);
            if map.is_empty() {
                *cell = None;
            }
            removed
                .filter(|entry| {
                    ttl.is_none_or(|ttl| ttl.return_expired || !entry.expired(ttl, now))
                })
                .map(|entry| entry.value)
        })
    }

    fn retain(&self, mut keep: impl FnMut(&MK, &mut MV) -> bool) {
        self.write(|cell, _, ttl, now| {
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

    fn for_each(&self, show: impl FnMut(&MK, &MV)) {
        self.read(
            show,
            |mut show, cell| {
                if let Some(map) = cell {
                    map.iter().for_each(|entry| show(&entry.key, &entry.value));
                }
            },
            |mut show, cell, _, ttl, now| {
                read_all_aged(|entry| show(&entry.key, &entry.value), cell, ttl, now);
            },
        );
    }

    fn len(&self) -> usize {
        self.read(
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
        on_maps!(self, maps => maps.with(key, look))
    }

    /// Whether there is a value under `key`. A read.
    #[inline]
    pub fn contains(&self, key: &MK) -> bool {
        self.with(key, |value| value.is_some())
    }

    /// Sets the value under `key`.
    #[inline]
    pub fn insert(&self, key: MK, value: MV) {
        on_maps!(self, maps => maps.insert(key, value));
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
    #[inline]
    pub fn get_or_insert_with(&self, key: MK, make: impl FnOnce() -> MV) -> RefMut<'_, MV> {
        on_maps!(self, maps => maps.get_or_insert_with(key, make))
    }

    /// Changes the value under `key` in place; leaving `None` removes it. Counts as a write.
    pub fn modify<R>(&self, key: MK, change: impl FnOnce(&mut Option<MV>) -> R) -> R {
        on_maps!(self, maps => maps.modify(key, change))
    }

    /// Removes the value under `key`.
    #[inline]
    pub fn remove(&self, key: &MK) -> Option<MV> {
        on_maps!(self, maps => maps.remove(key))
    }

    /// Keeps the entries for which `keep` holds; their age stays what it is.
    pub fn retain(&self, keep: impl FnMut(&MK, &mut MV) -> bool) {
        on_maps!(self, maps => maps.retain(keep));
    }

    /// Shows each entry. Reads them all.
    pub fn for_each(&self, show: impl FnMut(&MK, &MV)) {
        on_maps!(self, maps => maps.for_each(show));
    }

    fn collect<T>(&self, mut pick: impl FnMut(&MK, &MV) -> T) -> Vec<T> {
        let mut all = Vec::new();
        self.for_each(|key, value| all.push(pick(key, value)));
        all
    }

    /// The entries, cloned.
    pub fn entries(&self) -> Vec<(MK, MV)> {
        self.collect(|key, value| (key.clone(), value.clone()))
    }

    /// The map keys, cloned.
    pub fn keys(&self) -> Vec<MK> {
        self.collect(|key, _| key.clone())
    }

    /// The values, cloned.
    pub fn values(&self) -> Vec<MV> {
        self.collect(|_, value| value.clone())
    }

    /// How many entries there are. Expired ones count only where they would be returned; does not
    /// renew them.
    pub fn len(&self) -> usize {
        on_maps!(self, maps => maps.len())
    }

    /// Whether there is no entry, as [`MapState::len`] counts them.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the map.
    #[inline]
    pub fn clear(&self) {
        on_maps!(self, maps => maps.clear());
    }
}
