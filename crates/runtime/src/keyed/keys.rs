//! The keys of the rows of a slice, resolved to slots of the state before user code runs.
//!
//! The look-ups of a slice stand in loops of their own, each independent of the others, so that
//! their cache misses overlap; then the state's entries are touched, likewise; then rows are
//! processed, and find everything near.

use std::sync::Arc;

use rheos_core::Row;

use crate::chain::inbox::Cursor;

/// Appends the keys of rows, in order.
pub type KeyBatch<K, T> = Arc<dyn Fn(&[T], &mut Vec<K>) + Send + Sync>;

/// Gives rows their keys.
pub struct Keys<K, T> {
    function: KeyBatch<K, T>,
}

impl<K, T> Clone for Keys<K, T> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
        }
    }
}

/// How many rows are resolved at a time: their state should fit the nearest caches.
pub const RESOLVE: usize = 256;

impl<K: Row, T: Row> Keys<K, T> {
    /// Keys by this function over batches.
    pub fn new(function: KeyBatch<K, T>) -> Self {
        Self { function }
    }

    /// The keys and hashes of the next rows of a slice, at most [`RESOLVE`].
    pub fn of_next(&self, input: &Cursor<T>, keys: &mut Vec<K>, hashes: &mut Vec<u64>) {
        keys.clear();
        hashes.clear();
        let wanted = input.allowed().min(RESOLVE);
        let rows = input.rows();
        (self.function)(rows.get(..wanted).unwrap_or(rows), keys);
        match input.hashes().get(..keys.len()) {
            Some(known) if !known.is_empty() => hashes.extend_from_slice(known),
            _ => hashes.extend(keys.iter().map(Row::key_hash)),
        }
    }
}
