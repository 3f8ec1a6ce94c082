//! The key at hand: what every handle of an operator needs to know about the row that is being
//! processed. One context an operator; the operator sets it before each call of the user's
//! function, the handles read it. Single-threaded, so plain cells do.

use std::cell::Cell;
use std::rc::Rc;

use rheos_core::key_group::key_group_of;
use rheos_core::time::Millis;

use crate::slot_refs::SlotRefs;

/// Which window (or other scope under a key) a namespaced state belongs to. What the number means
/// is the operator's business: the start of a slice, the number of a session.
pub type Namespace = u64;

/// A place in a table: whose entry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) namespace: Namespace,
}

/// The slot while no key is at hand.
pub(crate) const NO_KEY: u32 = u32::MAX;

/// The current key, namespace and processing time of one operator.
#[derive(Debug)]
pub struct KeyContext {
    slot: Cell<u32>,
    hash: Cell<u64>,
    namespace: Cell<Namespace>,
    now: Cell<Millis>,
    refs: Rc<SlotRefs>,
}

impl KeyContext {
    /// A context over the slots whose references `refs` counts; at slot 0, namespace 0, time 0.
    pub fn new(refs: Rc<SlotRefs>) -> Rc<Self> {
        Rc::new(Self {
            slot: Cell::new(0),
            hash: Cell::new(0),
            namespace: Cell::new(0),
            now: Cell::new(0),
            refs,
        })
    }

    /// Makes the key in `slot`, whose hash is `hash`, the current one.
    #[inline]
    pub fn set_key(&self, slot: u32, hash: u64) {
        self.slot.set(slot);
        self.hash.set(hash);
    }

    /// From here on no key is at hand: keyed state reads as empty, and writing to it panics.
    pub fn clear_key(&self) {
        self.set_key(NO_KEY, 0);
    }

    /// Sets the namespace that window state and timers are under.
    #[inline]
    pub fn set_namespace(&self, namespace: Namespace) {
        self.namespace.set(namespace);
    }

    /// Sets the processing time, in milliseconds, by which entries age. Once a batch is enough.
    #[inline]
    pub fn set_now(&self, now: Millis) {
        self.now.set(now);
    }

    /// The current key's slot.
    #[inline]
    pub fn slot(&self) -> u32 {
        self.slot.get()
    }

    /// The current key's hash.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash.get()
    }

    /// The current key's key group.
    #[inline]
    pub fn key_group(&self) -> u16 {
        key_group_of(self.hash.get())
    }

    /// The current namespace.
    #[inline]
    pub fn namespace(&self) -> Namespace {
        self.namespace.get()
    }

    /// The current processing time in milliseconds.
    #[inline]
    pub fn now(&self) -> Millis {
        self.now.get()
    }

    /// The reference counts of the slots.
    pub fn refs(&self) -> &Rc<SlotRefs> {
        &self.refs
    }

    #[inline]
    pub(crate) fn place(&self) -> Place {
        Place {
            slot: self.slot.get(),
            namespace: self.namespace.get(),
        }
    }
}
