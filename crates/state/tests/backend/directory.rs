//! The key directory against a hash map.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rheos_core::Row;
use rheos_core::key_group::key_group_of;
use rheos_state::KeyDirectory;

#[derive(Debug, Clone)]
enum Op {
    Insert(String),
    Batch(Vec<String>),
    Retain(String),
    Release(String),
    Sweep,
}

/// Few keys, of which some have a hash in common (see `hash`).
fn key() -> impl Strategy<Value = String> {
    (0u32..60).prop_map(|n| format!("key-{n}"))
}

/// A poor hash: four keys each share a tag, and the tags' home buckets are two apart, so that runs
/// overlap.
fn hash(key: &str) -> u64 {
    let n: u64 = key.trim_start_matches("key-").parse().unwrap();
    (n << 49) | (n / 4 * 2)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => key().prop_map(Op::Insert),
        3 => prop::collection::vec(key(), 0..40).prop_map(Op::Batch),
        5 => key().prop_map(Op::Retain),
        4 => key().prop_map(Op::Release),
        2 => Just(Op::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_directory_behaves_as_a_map_with_counts(ops in prop::collection::vec(op(), 1..120)) {
        let mut directory = KeyDirectory::<String>::new();
        let mut model: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        let mut slots = Vec::new();
        for op in ops {
            match op {
                Op::Insert(key) => {
                    let slot = directory.resolve_or_insert(hash(&key), &key);
                    prop_assert_eq!(model.entry(key).or_insert((slot, 0)).0, slot);
                }
                Op::Batch(keys) => {
                    let hashes: Vec<u64> = keys.iter().map(|key| hash(key)).collect();
                    directory.resolve_batch(&hashes, &keys, &mut slots);
                    prop_assert_eq!(slots.len(), keys.len());
                    for (key, &slot) in keys.into_iter().zip(&slots) {
                        prop_assert_eq!(model.entry(key).or_insert((slot, 0)).0, slot);
                    }
                }
                Op::Retain(key) => {
                    if let Some((slot, count)) = model.get_mut(&key) {
                        directory.refs().retain(*slot);
                        *count += 1;
                    }
                }
                Op::Release(key) => {
                    if let Some((slot, count)) = model.get_mut(&key).filter(|(_, c)| *c > 0) {
                        directory.refs().release(*slot);
                        *count -= 1;
                    }
                }
                Op::Sweep => {
                    let before = model.len();
                    model.retain(|_, (_, count)| *count > 0);
                    prop_assert_eq!(directory.sweep(), before - model.len());
                }
            }
            prop_assert_eq!(directory.len(), model.len());
            let used: BTreeSet<u32> = model.values().map(|&(slot, _)| slot).collect();
            prop_assert_eq!(used.len(), model.len(), "a slot is given out twice");
        }
        for n in 0..60 {
            let key = format!("key-{n}");
            let slot = directory.resolve(hash(&key), &key);
            prop_assert_eq!(slot, model.get(&key).map(|&(slot, _)| slot));
            if let Some(slot) = slot {
                prop_assert_eq!(directory.key(slot), Some(&key));
                prop_assert_eq!(directory.hash(slot), Some(hash(&key)));
            }
        }
        let groups: Vec<u16> = directory
            .slots_by_key_group()
            .into_iter()
            .map(|slot| key_group_of(directory.hash(slot).unwrap()))
            .collect();
        prop_assert_eq!(groups.len(), model.len());
        prop_assert!(groups.is_sorted());
    }
}

#[test]
fn many_keys_are_found_after_growing_and_their_slots_are_dense() {
    let mut directory = KeyDirectory::<u64>::new();
    let keys: Vec<u64> = (0..100_000).collect();
    let hashes: Vec<u64> = keys.iter().map(Row::key_hash).collect();
    let mut slots = Vec::new();
    directory.resolve_batch(&hashes, &keys, &mut slots);
    assert_eq!(slots, (0..100_000).collect::<Vec<u32>>());
    let mut again = Vec::new();
    directory.resolve_batch(&hashes, &keys, &mut again);
    assert_eq!(again, slots);
    let group = key_group_of(hashes[7]);
    assert!(directory.slots_of_key_group(group).contains(&7));
    assert!(directory.heap_bytes() >= 100_000 * 8);
}

#[test]
fn slots_stay_valid_until_the_sweep_and_are_used_again_after_it() {
    let mut directory = KeyDirectory::<u64>::new();
    let hash = |key: u64| key.key_hash();
    let slot = directory.resolve_or_insert(hash(1), &1);
    directory.refs().retain(slot);
    directory.refs().release(slot);
    assert_eq!(directory.resolve_or_insert(hash(2), &2), 1);
    assert_eq!(directory.key(slot), Some(&1));
    assert_eq!(directory.sweep(), 2);
    assert_eq!(directory.key(slot), None);
    assert_eq!(directory.sweep(), 0);
    assert!(directory.resolve_or_insert(hash(3), &3) < 2);
    assert_eq!(directory.len(), 1);
}
