//! `ListState`: a list a key, whose elements age one by one.

use std::fmt;

use rheos_core::Row;
use rheos_core::row::{Resolution, RowError, Schema};
use rheos_core::time::Millis;

use crate::error::StateError;
use crate::evolution;
use crate::key_context::Namespace;
use crate::registered::{Handle, PieceSink, Pruned, Scratch, Shown, StateCell, decode};
use crate::snapshot::{Piece, PieceError};
use crate::ttl::Ttl;

/// A list of a key; never empty between two calls.
#[derive(Debug)]
pub(crate) struct ListCell<V> {
    items: Vec<V>,
    /// When each was written: as long as `items` where the state has a TTL, else empty.
    updated: Vec<Millis>,
}

impl<V> Default for ListCell<V> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            updated: Vec::new(),
        }
    }
}

impl<V> ListCell<V> {
    fn drop_expired(&mut self, ttl: &Ttl, now: Millis) {
        if !self.updated.iter().any(|&at| ttl.expired(at, now)) {
            return;
        }
        let mut times = self.updated.iter();
        self.items
            .retain(|_| times.next().is_some_and(|&at| !ttl.expired(at, now)));
        self.updated.retain(|&at| !ttl.expired(at, now));
    }

    fn renew(&mut self, now: Millis) {
        self.updated.clear();
        self.updated.resize(self.items.len(), now);
    }

    fn push(&mut self, value: V, ttl: Option<&Ttl>, now: Millis) {
        self.items.push(value);
        if ttl.is_some() {
            self.updated.push(now);
        }
    }
}

impl<V: Row> StateCell for ListCell<V> {
    const TIMED_AS_A_WHOLE: bool = false;

    fn schemas() -> (Option<Schema>, Schema) {
        (None, V::schema())
    }

    fn resolve(how: &Resolution, value: &[u8]) -> Result<Vec<u8>, RowError> {
        evolution::resolve::<V>(how, value)
    }

    fn prune(&mut self, _updated: Millis, ttl: &Ttl, now: Millis) -> Pruned {
        let before = self.items.len();
        self.drop_expired(ttl, now);
        Pruned::of(before, self.items.len())
    }

    fn show(
        &self,
        shown: Shown<'_>,
        scratch: &mut Scratch,
        out: &mut PieceSink<'_>,
    ) -> Result<(), StateError> {
        for (index, item) in self.items.iter().enumerate() {
            let updated = self.updated.get(index).copied().unwrap_or(0);
            if shown.leaves_out(updated) {
                continue;
            }
            scratch.value.clear();
            item.encode(&mut scratch.value);
            out(Piece {
                namespace: shown.namespace,
                updated: shown.stored(updated),
                map_key: None,
                value: scratch.value.as_slice(),
            })?;
        }
        Ok(())
    }

    fn restore(
        cell: &mut Option<Self>,
        piece: &Piece<'_>,
        updated: Millis,
        ttl: Option<&Ttl>,
    ) -> Result<(), PieceError> {
        let item = decode("element", piece.value)?;
        cell.get_or_insert_default().push(item, ttl, updated);
        Ok(())
    }

    fn owned_bytes(&self) -> usize {
        let fixed =
            self.items.capacity() * size_of::<V>() + self.updated.capacity() * size_of::<Millis>();
        if !V::HAS_HEAP {
            return fixed;
        }
        let sample = self.items.iter().take(64);
        let seen = sample.len().max(1);
        fixed + sample.map(Row::heap_bytes).sum::<usize>() * self.items.len() / seen
    }
}

/// What a read sees under a TTL; afterwards nothing expired is left, or all is, or nothing.
fn read_aged<V, R>(
    look: impl FnOnce(&[V]) -> R,
    cell: &mut Option<ListCell<V>>,
    _updated: &mut Millis,
    ttl: &Ttl,
    now: Millis,
) -> R {
    let Some(list) = cell else { return look(&[]) };
    if !ttl.return_expired {
        list.drop_expired(ttl, now);
        if list.items.is_empty() {
            *cell = None;
            return look(&[]);
        }
    }
    let result = look(&list.items);
    let all_expired = list.updated.iter().all(|&at| ttl.expired(at, now));
    if all_expired {
        *cell = None;
    } else if ttl.on_read {
        list.drop_expired(ttl, now);
        list.renew(now);
    }
    result
}

/// A list of `V` for the current key (and namespace, for window state). Each element has its own
/// time to live.
///
/// A closure given to a method must not use the same state again: it is borrowed meanwhile, and the
/// second use panics, as a `RefCell`'s does.
pub struct ListState<V>(pub(crate) Handle<ListCell<V>>);

impl<V> Clone for ListState<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> fmt::Debug for ListState<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListState").finish_non_exhaustive()
    }
}

impl<V: Row> ListState<V> {
    /// Appends an element.
    #[inline]
    pub fn add(&self, value: V) {
        self.0
            .write(|cell, _, ttl, now| cell.get_or_insert_default().push(value, ttl, now));
    }

    /// Appends elements.
    pub fn add_all(&self, values: impl IntoIterator<Item = V>) {
        self.0.write(|cell, _, ttl, now| {
            let list = cell.get_or_insert_default();
            for value in values {
                list.push(value, ttl, now);
            }
            if list.items.is_empty() {
                *cell = None;
            }
        });
    }

    /// Replaces the list; an empty one clears it.
    pub fn update(&self, values: Vec<V>) {
        self.modify(|items| *items = values);
    }

    /// Changes the list in place; leaving it empty clears it. All that is left counts as written.
    pub fn modify<R>(&self, change: impl FnOnce(&mut Vec<V>) -> R) -> R {
        self.0.write(|cell, _, ttl, now| {
            let list = cell.get_or_insert_default();
            if let Some(ttl) = ttl
                && !ttl.return_expired
            {
                list.drop_expired(ttl, now);
            }
            let result = change(&mut list.items);
            if list.items.is_empty() {
                *cell = None;
            } else if ttl.is_some() {
                list.renew(now);
            }
            result
        })
    }

    /// Keeps the elements for which `keep` holds; their age stays what it is.
    pub fn retain(&self, mut keep: impl FnMut(&V) -> bool) {
        self.0.write(|cell, _, ttl, now| {
            let Some(list) = cell else { return };
            match ttl {
                None => list.items.retain(&mut keep),
                Some(ttl) => {
                    if !ttl.return_expired {
                        list.drop_expired(ttl, now);
                    }
                    let kept: Vec<bool> = list.items.iter().map(&mut keep).collect();
                    let mut of_items = kept.iter();
                    list.items
                        .retain(|_| of_items.next().is_some_and(|&kept| kept));
                    let mut of_times = kept.iter();
                    list.updated
                        .retain(|_| of_times.next().is_some_and(|&kept| kept));
                }
            }
            if list.items.is_empty() {
                *cell = None;
            }
        });
    }

    /// The list, cloned; empty if there is none.
    pub fn get(&self) -> Vec<V> {
        self.with(<[V]>::to_vec)
    }

    /// Looks at the list without cloning it; empty if there is none.
    #[inline]
    pub fn with<R>(&self, look: impl FnOnce(&[V]) -> R) -> R {
        self.0.read(
            look,
            |look, cell| look(cell.map_or(&[], |list| list.items.as_slice())),
            read_aged,
        )
    }

    /// Shows each element.
    pub fn for_each(&self, show: impl FnMut(&V)) {
        self.with(|items| items.iter().for_each(show));
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.with(<[V]>::len)
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.with(<[V]>::is_empty)
    }

    /// Takes the whole list out.
    pub fn take(&self) -> Vec<V> {
        self.0.write(|cell, _, ttl, now| {
            let Some(mut list) = cell.take() else {
                return Vec::new();
            };
            if let Some(ttl) = ttl
                && !ttl.return_expired
            {
                list.drop_expired(ttl, now);
            }
            list.items
        })
    }

    /// Drops the list.
    #[inline]
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Appends what the current key has under namespaces `from` to namespace `into`, and leaves
    /// them empty: what a merge of session windows does. For window state.
    pub fn merge_namespaces(&self, into: Namespace, from: &[Namespace]) {
        let parts = self.0.take_namespaces(from);
        self.0.write_at(into, |cell, _| {
            for (part, _) in parts {
                match cell {
                    Some(list) => {
                        list.items.extend(part.items);
                        list.updated.extend(part.updated);
                    }
                    None => *cell = Some(part),
                }
            }
        });
    }
}
