//! The least of many values that change one at a time.
//!
//! Invariant: a node holds the least value below it. A change walks up from its leaf and stops at
//! the first node that does not change, so the usual one is cheap and the worst is logarithmic:
//! a channel that ticks far ahead of the others touches its leaf alone.

use rheos_core::time::Millis;

/// A tournament over a number of slots. A slot without a value counts as [`Millis::MAX`]; whoever
/// needs to tell it from a value that is `MAX` counts the slots that have one.
#[derive(Debug, Clone)]
pub(super) struct MinTree {
    /// The root at 1, the children of `n` at `2n` and `2n + 1`, the leaves in the upper half.
    nodes: Vec<Millis>,
    leaves: usize,
}

impl MinTree {
    /// A tree of `slots` slots, all with `value`.
    pub(super) fn new(slots: usize, value: Millis) -> Self {
        let leaves = slots.next_power_of_two();
        let mut tree = Self {
            nodes: vec![Millis::MAX; leaves * 2],
            leaves,
        };
        for slot in 0..slots {
            tree.set(slot, value);
        }
        tree
    }

    /// The least value; [`Millis::MAX`] if no slot has one.
    pub(super) fn min(&self) -> Millis {
        self.node(1)
    }

    /// Gives a slot a value. A slot beyond the tree is ignored.
    pub(super) fn set(&mut self, slot: usize, value: Millis) {
        if slot >= self.leaves {
            return;
        }
        let mut at = self.leaves + slot;
        self.put(at, value);
        while at > 1 {
            let least = self.node(at).min(self.node(at ^ 1));
            at /= 2;
            if self.node(at) == least {
                return;
            }
            self.put(at, least);
        }
    }

    /// Takes a slot's value away.
    pub(super) fn clear(&mut self, slot: usize) {
        self.set(slot, Millis::MAX);
    }

    /// Makes room for `slots` slots; new ones have no value.
    pub(super) fn grow(&mut self, slots: usize) {
        if slots <= self.leaves {
            return;
        }
        let values: Vec<Millis> = self.nodes.iter().skip(self.leaves).copied().collect();
        *self = Self::new(slots, Millis::MAX);
        for (slot, value) in values.into_iter().enumerate() {
            self.set(slot, value);
        }
    }

    fn node(&self, at: usize) -> Millis {
        self.nodes.get(at).copied().unwrap_or(Millis::MAX)
    }

    fn put(&mut self, at: usize, value: Millis) {
        if let Some(node) = self.nodes.get_mut(at) {
            *node = value;
        }
    }
}
