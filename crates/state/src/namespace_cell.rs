//! What one key keeps under several namespaces.
//!
//! Windows of one key overlap little: mostly one is live, now and then two, many only where windows
//! slide by small steps. So the newest (greatest) namespace lies in the cell itself, beside the
//! key's slot, and older ones in a queue behind a box, sorted, from which the oldest leaves at the
//! front. The queue is freed when it is empty.

use std::collections::VecDeque;

use rheos_core::time::Millis;

use crate::key_context::Namespace;

#[derive(Debug)]
pub(crate) struct NamespaceEntry<E> {
    pub(crate) namespace: Namespace,
    /// When it was last written; only where the state has a TTL.
    pub(crate) updated: Millis,
    /// Empty only while it is being edited.
    pub(crate) value: Option<E>,
}

#[derive(Debug)]
pub(crate) struct NamespaceCell<E> {
    newest: Option<NamespaceEntry<E>>,
    /// In ascending order, all below `newest`.
    #[allow(
        clippy::box_collection,
        reason = "a cell a key: 8 bytes where mostly there is none"
    )]
    older: Option<Box<VecDeque<NamespaceEntry<E>>>>,
}

impl<E> Default for NamespaceCell<E> {
    fn default() -> Self {
        Self {
            newest: None,
            older: None,
        }
    }
}

impl<E> NamespaceCell<E> {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.newest.is_some()) + self.older.as_ref().map_or(0, |older| older.len())
    }

    /// Bytes of the queue.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.older.as_ref().map_or(0, |older| {
            size_of::<VecDeque<NamespaceEntry<E>>>()
                + older.capacity() * size_of::<NamespaceEntry<E>>()
        })
    }

    /// Entries in ascending order of their namespace.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NamespaceEntry<E>> {
        self.older
            .iter()
            .flat_map(|older| older.iter())
            .chain(&self.newest)
    }

    /// The cell of the greatest namespace.
    #[inline]
    pub(crate) fn newest(&self) -> Option<&E> {
        self.newest.as_ref()?.value.as_ref()
    }

    #[inline]
    pub(crate) fn find(&self, namespace: Namespace) -> Option<&E> {
        let newest = self.newest.as_ref()?;
        if newest.namespace == namespace {
            return newest.value.as_ref();
        }
        let older = self.older.as_ref()?;
        let at = older
            .binary_search_by_key(&namespace, |e| e.namespace)
            .ok()?;
        older.get(at)?.value.as_ref()
    }

    /// The entry of `namespace`, made empty if there is none.
    pub(crate) fn entry(&mut self, namespace: Namespace) -> &mut NamespaceEntry<E> {
        let fresh = || NamespaceEntry {
            namespace,
            updated: 0,
            value: None,
        };
        let newest = match self.newest.as_ref().map(|e| e.namespace) {
            Some(newest) if newest > namespace => {
                let older = self.older.get_or_insert_default();
                let at = match older.binary_search_by_key(&namespace, |e| e.namespace) {
                    Ok(at) => at,
                    Err(at) => {
                        older.insert(at, fresh());
                        at
                    }
                };
                #[allow(clippy::indexing_slicing, reason = "found or inserted just above")]
                return &mut older[at];
            }
            other => other,
        };
        if newest.is_some_and(|newest| newest < namespace)
            && let Some(entry) = self.newest.take()
        {
            self.older.get_or_insert_default().push_back(entry);
        }
        self.newest.get_or_insert_with(fresh)
    }

    /// Drops the entry of `namespace` if it is empty.
    pub(crate) fn settle(&mut self, namespace: Namespace) {
        match &self.newest {
            Some(entry) if entry.namespace == namespace => {
                if entry.value.is_none() {
                    self.newest = self.older.as_mut().and_then(|older| older.pop_back());
                }
            }
            _ => {
                if let Some(older) = &mut self.older
                    && let Ok(at) = older.binary_search_by_key(&namespace, |e| e.namespace)
                    && older.get(at).is_some_and(|e| e.value.is_none())
                {
                    older.remove(at);
                }
            }
        }
        self.trim();
    }

    /// Edits every entry; those that end up empty are dropped. Says how many were.
    pub(crate) fn edit_all(&mut self, mut edit: impl FnMut(&mut Option<E>, &mut Millis)) -> usize {
        let before = self.len();
        if let Some(older) = &mut self.older {
            older.retain_mut(|e| {
                edit(&mut e.value, &mut e.updated);
                e.value.is_some()
            });
        }
        if let Some(newest) = &mut self.newest {
            edit(&mut newest.value, &mut newest.updated);
            if newest.value.is_none() {
                self.newest = self.older.as_mut().and_then(|older| older.pop_back());
            }
        }
        self.trim();
        before - self.len()
    }

    fn trim(&mut self) {
        match &mut self.older {
            Some(older) if older.is_empty() => self.older = None,
            Some(older) if older.capacity() > 64 && older.len() * 8 < older.capacity() => {
                older.shrink_to(older.len() * 2);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_and_stay_sorted_in_whatever_order_they_come_and_go() {
        let mut cell = NamespaceCell::default();
        for namespace in [5u64, 9, 1, 7, 3] {
            cell.entry(namespace).value = Some(namespace * 10);
        }
        let order: Vec<u64> = cell.iter().map(|e| e.namespace).collect();
        assert_eq!(order, [1, 3, 5, 7, 9]);
        assert_eq!(cell.find(7), Some(&70));
        assert_eq!(cell.find(8), None);
        for gone in [9, 1, 5] {
            cell.entry(gone).value = None;
            cell.settle(gone);
        }
        assert_eq!(cell.len(), 2);
        assert_eq!(cell.iter().map(|e| e.namespace).collect::<Vec<_>>(), [3, 7]);
        assert_eq!(cell.edit_all(|value, _| *value = None), 2);
        assert!(cell.is_empty());
        assert_eq!(cell.queue_bytes(), 0);
    }
}
