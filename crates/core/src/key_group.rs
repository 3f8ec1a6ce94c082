//! Key → hash → key group → subtask.
//!
//! The hash is xxh3-64 with seed 0 over the key's canonical bytes ([`crate::Row::key_bytes`]), so it
//! is the same in every process and every version. Its top 15 bits are the key group; a subtask
//! owns a contiguous range of groups. The number of groups is fixed, so parallelism can always
//! change and users never choose a maximum.

/// Number of key groups.
pub const KEY_GROUPS: u32 = 1 << 15;

/// The key group of a key with this hash.
#[inline]
pub fn key_group_of(hash: u64) -> u16 {
    (hash >> 49) as u16
}

/// The subtask, of `parallelism`, that owns keys with this hash.
///
/// `parallelism` is at least 1 and at most [`KEY_GROUPS`].
#[inline]
pub fn subtask_of(hash: u64, parallelism: u32) -> u32 {
    (u32::from(key_group_of(hash)) * parallelism) >> 15
}

/// The key groups `[start, end)` that a subtask owns; the inverse of [`subtask_of`].
pub fn range_of(subtask: u32, parallelism: u32) -> std::ops::Range<u32> {
    let first = |s: u32| ((u64::from(s) << 15).div_ceil(u64::from(parallelism))) as u32;
    first(subtask)..first(subtask + 1)
}

/// xxh3-64 with seed 0 over canonical key bytes.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_partition_the_groups_and_agree_with_subtask_of() {
        for parallelism in [1u32, 2, 3, 7, 128, 1000] {
            let mut next = 0;
            for subtask in 0..parallelism {
                let range = range_of(subtask, parallelism);
                assert_eq!(range.start, next);
                next = range.end;
                for group in [range.start, range.end - 1] {
                    assert_eq!(subtask_of(u64::from(group) << 49, parallelism), subtask);
                }
            }
            assert_eq!(next, KEY_GROUPS);
        }
    }
}
