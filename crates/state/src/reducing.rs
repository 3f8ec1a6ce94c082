//! `ReducingState`: one value a key, into which others are reduced as they are added.

use std::fmt;

use rheos_core::Row;

use crate::descriptor::Reduce;
use crate::key_context::Namespace;
use crate::registered::Handle;
use crate::value::{drop_expired, read_aged};

/// The reduction of all values that were added for the current key (and namespace).
///
/// The reducing function must not use the same state: it is borrowed meanwhile.
pub struct ReducingState<V> {
    pub(crate) handle: Handle<V>,
    pub(crate) reduce: Reduce<V>,
}

impl<V> Clone for ReducingState<V> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            reduce: self.reduce.clone(),
        }
    }
}

impl<V> fmt::Debug for ReducingState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReducingState").finish_non_exhaustive()
    }
}

impl<V: Row> ReducingState<V> {
    /// Reduces `value` into what is there; the first value is taken as it is.
    #[inline]
    pub fn add(&self, value: V) {
        self.handle.write(|cell, updated, ttl, now| {
            drop_expired(cell, *updated, ttl, now);
            match cell {
                Some(into) => (self.reduce)(into, value),
                None => *cell = Some(value),
            }
            *updated = now;
        });
    }

    /// The reduced value, cloned; none if nothing was added.
    #[inline]
    pub fn get(&self) -> Option<V> {
        self.with(|value| value.cloned())
    }

    /// Looks at the reduced value without cloning it.
    #[inline]
    pub fn with<R>(&self, look: impl FnOnce(Option<&V>) -> R) -> R {
        self.handle.read(look, |look, cell| look(cell), read_aged)
    }

    /// Forgets what was added.
    #[inline]
    pub fn clear(&self) {
        self.handle.clear();
    }

    /// Reduces what the current key has under namespaces `from` into namespace `into`, and leaves
    /// them empty: what a merge of session windows does. For window state.
    pub fn merge_namespaces(&self, into: Namespace, from: &[Namespace]) {
        let parts = self.handle.take_namespaces(from);
        self.handle.write_at(into, |cell, updated| {
            for (part, at) in parts {
                match cell {
                    Some(value) => (self.reduce)(value, part),
                    None => *cell = Some(part),
                }
                *updated = at.max(*updated);
            }
        });
    }
}
