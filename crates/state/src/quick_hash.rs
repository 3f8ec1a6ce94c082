//! Hashes for tables inside a cell, which never leave the process: nothing is routed or stored by
//! them, so they may be cheaper than [`Row::key_hash`] and may change from release to release.

use rheos_core::Row;
use rheos_core::row::KeySink;

const SEED: u64 = 0x243F_6A88_85A3_08D3;
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// A hash of the canonical key bytes, spread over all 64 bits. The same in every run, so that what
/// is iterated by it is, too.
#[inline]
pub(crate) fn quick_hash<K: Row>(key: &K) -> u64 {
    if K::HAS_HEAP {
        // Strings and lists: long enough for the real hash to be the faster one.
        return key.key_hash();
    }
    let mut mix = Mix(SEED);
    key.key_bytes(&mut mix);
    mix.0
}

/// Multiplies and folds eight bytes at a time. Fields have known sizes, so for an integer this is
/// one multiplication.
struct Mix(u64);

impl Mix {
    #[inline]
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLIER);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl KeySink for Mix {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
            self.word(u64::from_be_bytes(bytes));
        } else if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
            self.word(u64::from(u32::from_be_bytes(bytes)));
        } else {
            for chunk in bytes.chunks(8) {
                let word = chunk.iter().fold(0, |word, &b| (word << 8) | u64::from(b));
                self.word(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn near_keys_get_far_hashes_at_both_ends() {
        let low: HashSet<u64> = (0..1000i32).map(|k| quick_hash(&k) & 0xFFFF).collect();
        let high: HashSet<u64> = (0..128i64).map(|k| quick_hash(&k) >> 57).collect();
        assert!(low.len() > 980, "{}", low.len());
        assert!(high.len() > 64, "{}", high.len());
    }

    #[test]
    fn tuples_count_every_field() {
        assert_ne!(quick_hash(&(1i32, 2i32)), quick_hash(&(2i32, 1i32)));
        assert_ne!(quick_hash(&(0u8, 1u16)), quick_hash(&(1u8, 0u16)));
    }
}
