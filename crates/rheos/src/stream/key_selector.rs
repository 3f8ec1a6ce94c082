//! The key of a row, as the exchange and the operator behind it need it: a batch at a time, in loops
//! that are compiled together with the user's function.

use std::sync::Arc;

use rheos_core::Row;
use rheos_runtime::exchange::partitioner::HashBatch;
use rheos_runtime::keyed::keys::Keys;

/// How a stream is keyed.
pub struct KeySelector<K, T> {
    keys: Keys<K, T>,
    hashes: HashBatch<T>,
}

impl<K, T> Clone for KeySelector<K, T> {
    fn clone(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            hashes: self.hashes.clone(),
        }
    }
}

impl<K: Row, T: Row> KeySelector<K, T> {
    /// Keys by this function.
    pub fn new<F>(key: F) -> Self
    where
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        let key = Arc::new(key);
        let of_rows = key.clone();
        Self {
            keys: Keys::new(Arc::new(move |rows: &[T], keys: &mut Vec<K>| {
                keys.extend(rows.iter().map(|row| of_rows(row)));
            })),
            hashes: Arc::new(move |rows: &[T], hashes: &mut Vec<u64>| {
                hashes.extend(rows.iter().map(|row| key(row).key_hash()));
            }),
        }
    }

    /// The keys of rows.
    pub fn keys(&self) -> Keys<K, T> {
        self.keys.clone()
    }

    /// The key hashes of rows.
    pub fn hashes(&self) -> HashBatch<T> {
        self.hashes.clone()
    }
}
