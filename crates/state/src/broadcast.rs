//! `BroadcastState`: a map that is the same in every subtask.
//!
//! The broadcast side of an operator writes it, and must do so by what it received alone, so that
//! all subtasks do the same; the keyed side sees it through a [`ReadOnlyBroadcastState`]. Entries
//! are in the order of their keys' canonical bytes, so that they are walked in the same order
//! everywhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::row::Writer;

use crate::descriptor::BroadcastStateDescriptor;
use crate::error::StateError;
use crate::image::text_of;
use crate::registered::decode;
use crate::snapshot::PieceError;

#[derive(Debug)]
struct Entries<K, V> {
    name: String,
    by_key: BTreeMap<Box<[u8]>, (K, V)>,
    /// Where a key's bytes are made for a look-up.
    scratch: RefCell<Vec<u8>>,
}

impl<K: Row, V> Entries<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        let bytes = &mut *self.scratch.borrow_mut();
        bytes.clear();
        key.key_bytes(bytes);
        self.by_key.get(bytes.as_slice()).map(|(_, value)| value)
    }
}

/// A broadcast state without its types. Implemented by [`BroadcastState`], called by the operator's
/// backend on the task's thread.
pub(crate) trait BroadcastEntries {
    /// The schema of a record of `key` and `value`, as Avro's JSON.
    fn schema(&self) -> Result<String, StateError>;

    fn show(
        &self,
        out: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError>;
    fn restore(&self, key: &[u8], value: &[u8]) -> Result<(), StateError>;
}

/// The state as the broadcast side has it.
pub struct BroadcastState<K, V>(Rc<RefCell<Entries<K, V>>>);

impl<K, V> Clone for BroadcastState<K, V> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<K, V> fmt::Debug for BroadcastState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastState").finish_non_exhaustive()
    }
}

impl<K: Row, V: Row> BroadcastState<K, V> {
    /// An empty state. Operators declare theirs with [`crate::OperatorBackend::broadcast`].
    pub fn new(descriptor: &BroadcastStateDescriptor<K, V>) -> Self {
        Self(Rc::new(RefCell::new(Entries {
            name: descriptor.name.clone(),
            by_key: BTreeMap::new(),
            scratch: RefCell::new(Vec::new()),
        })))
    }

    /// What the keyed side may see of it.
    pub fn read_only(&self) -> ReadOnlyBroadcastState<K, V> {
        ReadOnlyBroadcastState(self.clone())
    }

    /// The value under `key`, cloned.
    pub fn get(&self, key: &K) -> Option<V> {
        self.0.borrow().get(key).cloned()
    }

    /// Looks at the value under `key` without cloning it.
    pub fn with<R>(&self, key: &K, look: impl FnOnce(Option<&V>) -> R) -> R {
        look(self.0.borrow().get(key))
    }

    /// Whether there is a value under `key`.
    pub fn contains(&self, key: &K) -> bool {
        self.0.borrow().get(key).is_some()
    }

    /// Sets the value under `key`; returns what was there.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        let mut bytes = Vec::new();
        key.key_bytes(&mut bytes);
        let old = self
            .0
            .borrow_mut()
            .by_key
            .insert(bytes.into(), (key, value));
        old.map(|(_, value)| value)
    }

    /// Changes the value under `key` in place, set to `default` first if there is none.
    pub fn upsert<R>(&self, key: K, default: V, change: impl FnOnce(&mut V) -> R) -> R {
        let mut bytes = Vec::new();
        key.key_bytes(&mut bytes);
        let entries = &mut *self.0.borrow_mut();
        change(
            &mut entries
                .by_key
                .entry(bytes.into())
                .or_insert((key, default))
                .1,
        )
    }

    /// Removes the value under `key`.
    pub fn remove(&self, key: &K) -> Option<V> {
        let mut bytes = Vec::new();
        key.key_bytes(&mut bytes);
        self.0
            .borrow_mut()
            .by_key
            .remove(bytes.as_slice())
            .map(|(_, value)| value)
    }

    /// Shows each entry, in the order of the keys.
    pub fn for_each(&self, mut show: impl FnMut(&K, &V)) {
        for (key, value) in self.0.borrow().by_key.values() {
            show(key, value);
        }
    }

    /// The entries, cloned, in the order of the keys.
    pub fn entries(&self) -> Vec<(K, V)> {
        self.0.borrow().by_key.values().cloned().collect()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.borrow().by_key.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all entries.
    pub fn clear(&self) {
        self.0.borrow_mut().by_key.clear();
    }
}

impl<K: Row, V: Row> BroadcastEntries for BroadcastState<K, V> {
    fn schema(&self) -> Result<String, StateError> {
        text_of(&self.0.borrow().name, "entry", &<(K, V)>::schema())
    }

    fn show(
        &self,
        out: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let (mut key_bytes, mut value_bytes) = (Writer::new(), Writer::new());
        for (key, value) in self.0.borrow().by_key.values() {
            key_bytes.clear();
            value_bytes.clear();
            key.encode(&mut key_bytes);
            value.encode(&mut value_bytes);
            out(key_bytes.as_slice(), value_bytes.as_slice())?;
        }
        Ok(())
    }

    fn restore(&self, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        let read = || -> Result<(K, V), PieceError> {
            Ok((decode("map key", key)?, decode("value", value)?))
        };
        let name = || self.0.borrow().name.clone();
        let (key, value) = read().map_err(|error| match error {
            PieceError::Decode(part, source) => StateError::Decode {
                name: name(),
                part,
                source,
            },
            PieceError::Missing(part) => StateError::Incomplete { name: name(), part },
        })?;
        self.insert(key, value);
        Ok(())
    }
}

/// The state as the keyed side has it.
pub struct ReadOnlyBroadcastState<K, V>(BroadcastState<K, V>);

impl<K, V> Clone for ReadOnlyBroadcastState<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> fmt::Debug for ReadOnlyBroadcastState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOnlyBroadcastState")
            .finish_non_exhaustive()
    }
}

impl<K: Row, V: Row> ReadOnlyBroadcastState<K, V> {
    /// The value under `key`, cloned.
    pub fn get(&self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    /// Looks at the value under `key` without cloning it.
    pub fn with<R>(&self, key: &K, look: impl FnOnce(Option<&V>) -> R) -> R {
        self.0.with(key, look)
    }

    /// Whether there is a value under `key`.
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains(key)
    }

    /// Shows each entry, in the order of the keys.
    pub fn for_each(&self, show: impl FnMut(&K, &V)) {
        self.0.for_each(show);
    }

    /// The entries, cloned, in the order of the keys.
    pub fn entries(&self) -> Vec<(K, V)> {
        self.0.entries()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
