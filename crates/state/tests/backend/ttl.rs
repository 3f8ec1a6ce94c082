//! Values, lists and maps, with every kind of TTL and without, against models that keep the time of
//! the last write beside each entry.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rheos_core::Row;
use rheos_state::{
    KeyedBackend, ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, StateTtlConfig,
    StateVisibility, UpdateType, ValueStateDescriptor,
};

const TTL: i64 = 10;

#[derive(Debug, Clone, Copy)]
struct Mode {
    ttl: bool,
    on_read: bool,
    return_expired: bool,
    incremental: bool,
}

impl Mode {
    fn config(self) -> StateTtlConfig {
        let config = StateTtlConfig::new(Duration::from_millis(TTL as u64))
            .update_type(match (self.ttl, self.on_read) {
                (false, _) => UpdateType::Disabled,
                (true, true) => UpdateType::OnReadAndWrite,
                (true, false) => UpdateType::OnCreateAndWrite,
            })
            .visibility(if self.return_expired {
                StateVisibility::ReturnExpiredIfNotCleanedUp
            } else {
                StateVisibility::NeverReturnExpired
            });
        // What the clean-up takes early is only seen where expired entries are shown.
        if self.incremental && !self.return_expired {
            config.cleanup_incrementally(2, true)
        } else {
            config.disable_cleanup_in_background()
        }
    }

    fn expired(self, updated: i64, now: i64) -> bool {
        self.ttl && updated + TTL <= now
    }
}

fn mode() -> impl Strategy<Value = Mode> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(ttl, on_read, return_expired, incremental)| Mode {
            ttl,
            on_read,
            return_expired,
            incremental,
        },
    )
}

#[derive(Debug, Clone)]
enum Op {
    Key(u64),
    Namespace(u64),
    Wait(i64),
    Read(u32),
    ReadAll,
    Write(u32, i64),
    Change(u32, i64),
    OrInsert(u32, i64),
    Remove(u32),
    Clear,
    EndBatch,
}

fn op() -> impl Strategy<Value = Op> {
    let map_key = || 0u32..24;
    prop_oneof![
        2 => (0u64..4).prop_map(Op::Key),
        2 => (0u64..4).prop_map(Op::Namespace),
        2 => (0i64..8).prop_map(Op::Wait),
        3 => map_key().prop_map(Op::Read),
        1 => Just(Op::ReadAll),
        6 => (map_key(), any::<i64>()).prop_map(|(k, v)| Op::Write(k, v)),
        2 => (map_key(), -9i64..9).prop_map(|(k, v)| Op::Change(k, v)),
        2 => (map_key(), any::<i64>()).prop_map(|(k, v)| Op::OrInsert(k, v)),
        2 => map_key().prop_map(Op::Remove),
        1 => Just(Op::Clear),
        1 => Just(Op::EndBatch),
    ]
}

/// The entries of one key (and namespace), with the time of their last write.
type Entries = BTreeMap<u32, (i64, i64)>;

/// One read of one entry, as Flink's TTL decorators do it.
fn model_read(entries: &mut Entries, key: u32, mode: Mode, now: i64) -> Option<i64> {
    let (value, updated) = entries.get(&key).copied()?;
    if mode.expired(updated, now) {
        entries.remove(&key);
        return mode.return_expired.then_some(value);
    }
    if mode.on_read {
        entries.insert(key, (value, now));
    }
    Some(value)
}

/// What a write that goes on from what is there starts from.
fn model_base(entries: &Entries, key: u32, mode: Mode, now: i64) -> Option<i64> {
    let &(value, updated) = entries.get(&key)?;
    (mode.return_expired || !mode.expired(updated, now)).then_some(value)
}

/// The change that `Op::Change` makes: adds, and drops what becomes a multiple of three.
fn change(value: &mut Option<i64>, by: i64) {
    let sum = value.unwrap_or(0).wrapping_add(by);
    *value = (sum % 3 != 0).then_some(sum);
}

struct World {
    backend: KeyedBackend<u64>,
    key: u64,
    namespace: u64,
    now: i64,
}

impl World {
    fn new() -> Self {
        Self {
            backend: KeyedBackend::new(),
            key: 0,
            namespace: 0,
            now: 1_000,
        }
    }

    fn enter(&mut self) {
        let hash = self.key.key_hash();
        let slot = self.backend.resolve(hash, &self.key);
        self.backend.context().set_now(self.now);
        self.backend.context().set_namespace(self.namespace);
        self.backend.set_current(slot, hash);
    }

    /// Whether the operation only moved key, namespace or time.
    fn moved(&mut self, op: &Op) -> bool {
        match *op {
            Op::Key(key) => self.key = key,
            Op::Namespace(namespace) => self.namespace = namespace,
            Op::Wait(millis) => self.now += millis,
            Op::EndBatch => {
                self.backend.end_batch();
            }
            _ => return false,
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn values_age_as_the_model(
        mode in mode(), namespaced: bool, ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut world = World::new();
        let descriptor = ValueStateDescriptor::<i64>::new("value").ttl(mode.config());
        let state = if namespaced {
            world.backend.window_value(&descriptor).unwrap()
        } else {
            world.backend.value(&descriptor).unwrap()
        };
        let mut model: BTreeMap<(u64, u64), Entries> = BTreeMap::new();
        for op in ops {
            if world.moved(&op) {
                continue;
            }
            world.enter();
            let now = world.now;
            let place = (world.key, if namespaced { world.namespace } else { 0 });
            let entries = model.entry(place).or_default();
            match op {
                Op::Read(_) | Op::ReadAll => {
                    prop_assert_eq!(state.get(), model_read(entries, 0, mode, now));
                }
                Op::Write(_, v) => {
                    state.update(v);
                    entries.insert(0, (v, now));
                }
                Op::Change(_, by) => {
                    let mut expected = model_base(entries, 0, mode, now);
                    change(&mut expected, by);
                    entries.remove(&0);
                    entries.extend(expected.map(|v| (0, (v, now))));
                    state.modify(|value| change(value, by));
                }
                Op::OrInsert(_, v) => {
                    let expected = model_base(entries, 0, mode, now).unwrap_or(v).wrapping_add(1);
                    *state.get_or_insert_with(|| v) += 0;
                    let mut guard = state.get_or_insert_with(|| v);
                    *guard = guard.wrapping_add(1);
                    entries.insert(0, (expected, now));
                }
                Op::Remove(_) => {
                    prop_assert_eq!(state.take(), model_base(entries, 0, mode, now));
                    entries.remove(&0);
                }
                Op::Clear => {
                    state.clear();
                    entries.clear();
                }
                Op::Key(_) | Op::Namespace(_) | Op::Wait(_) | Op::EndBatch => {}
            }
        }
        check_keys(&mut world, &model, mode)?;
    }

    #[test]
    fn maps_age_as_the_model(
        mode in mode(), namespaced: bool, ops in prop::collection::vec(op(), 1..300),
    ) {
        let mut world = World::new();
        let descriptor = MapStateDescriptor::<u32, i64>::new("map").ttl(mode.config());
        let state = if namespaced {
            world.backend.window_map(&descriptor).unwrap()
        } else {
            world.backend.map(&descriptor).unwrap()
        };
        let mut model: BTreeMap<(u64, u64), Entries> = BTreeMap::new();
        for op in ops {
            if world.moved(&op) {
                continue;
            }
            world.enter();
            let now = world.now;
            let place = (world.key, if namespaced { world.namespace } else { 0 });
            let entries = model.entry(place).or_default();
            match op {
                Op::Read(k) => {
                    prop_assert_eq!(state.get(&k), model_read(entries, k, mode, now));
                    let there = model_read(entries, k, mode, now).is_some();
                    prop_assert_eq!(state.contains(&k), there);
                }
                Op::ReadAll => {
                    let mut expected = Vec::new();
                    for k in entries.keys().copied().collect::<Vec<_>>() {
                        expected.extend(model_read(entries, k, mode, now).map(|v| (k, v)));
                    }
                    let mut all = state.entries();
                    all.sort_unstable();
                    prop_assert_eq!(all, expected);
                    prop_assert_eq!(state.len(), entries.len());
                }
                Op::Write(k, v) => {
                    state.insert(k, v);
                    entries.insert(k, (v, now));
                }
                Op::Change(k, by) => {
                    let mut expected = model_base(entries, k, mode, now);
                    change(&mut expected, by);
                    entries.remove(&k);
                    entries.extend(expected.map(|v| (k, (v, now))));
                    state.modify(k, |value| change(value, by));
                }
                Op::OrInsert(k, v) => {
                    let expected = model_base(entries, k, mode, now).unwrap_or(v).wrapping_add(1);
                    state.upsert(k, v, |value| *value = value.wrapping_add(1));
                    entries.insert(k, (expected, now));
                }
                Op::Remove(k) => {
                    prop_assert_eq!(state.remove(&k), model_base(entries, k, mode, now));
                    entries.remove(&k);
                }
                Op::Clear => {
                    state.clear();
                    entries.clear();
                }
                Op::Key(_) | Op::Namespace(_) | Op::Wait(_) | Op::EndBatch => {}
            }
        }
        check_keys(&mut world, &model, mode)?;
    }

    #[test]
    fn lists_age_as_the_model(
        mode in mode(), namespaced: bool, ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut world = World::new();
        let descriptor = ListStateDescriptor::<i64>::new("list").ttl(mode.config());
        let state = if namespaced {
            world.backend.window_list(&descriptor).unwrap()
        } else {
            world.backend.list(&descriptor).unwrap()
        };
        let mut model: BTreeMap<(u64, u64), Vec<(i64, i64)>> = BTreeMap::new();
        for op in ops {
            if world.moved(&op) {
                continue;
            }
            world.enter();
            let now = world.now;
            let place = (world.key, if namespaced { world.namespace } else { 0 });
            let list = model.entry(place).or_default();
            let alive = |&(_, at): &(i64, i64)| !mode.expired(at, now);
            match op {
                Op::Read(_) | Op::ReadAll => {
                    let seen = |e: &&(i64, i64)| mode.return_expired || alive(e);
                    let expected: Vec<i64> = list.iter().filter(seen).map(|e| e.0).collect();
                    prop_assert_eq!(state.get(), expected);
                    if !list.iter().any(alive) {
                        list.clear();
                    } else if mode.on_read && mode.ttl {
                        list.retain(alive);
                        list.iter_mut().for_each(|e| e.1 = now);
                    }
                }
                Op::Write(_, v) => {
                    state.add(v);
                    list.push((v, now));
                }
                Op::OrInsert(n, v) => {
                    let values: Vec<i64> = (0..i64::from(n % 4)).map(|i| v.wrapping_add(i)).collect();
                    *list = values.iter().map(|&v| (v, now)).collect();
                    state.update(values);
                }
                Op::Change(n, _) => {
                    state.add_all((0..i64::from(n % 3)).collect::<Vec<_>>());
                    list.extend((0..i64::from(n % 3)).map(|i| (i, now)));
                }
                Op::Remove(_) => {
                    // Where expired elements are never shown, none is kept by a write either.
                    if !mode.return_expired {
                        list.retain(alive);
                    }
                    state.retain(|v| v % 2 == 0);
                    list.retain(|e| e.0 % 2 == 0);
                }
                Op::Clear => {
                    state.clear();
                    list.clear();
                }
                Op::Key(_) | Op::Namespace(_) | Op::Wait(_) | Op::EndBatch => {}
            }
        }
        let entries = model
            .into_iter()
            .map(|(place, list)| {
                (place, (0..).zip(list).collect::<Entries>())
            })
            .collect();
        check_keys(&mut world, &entries, mode)?;
    }
}

/// The directory holds the keys that have state, and no others.
fn check_keys(
    world: &mut World,
    model: &BTreeMap<(u64, u64), Entries>,
    mode: Mode,
) -> Result<(), TestCaseError> {
    world.backend.context().set_now(world.now);
    world.backend.clean_up(64);
    world.backend.end_batch();
    let mut keys: Vec<u64> = model
        .iter()
        .filter(|(_, entries)| {
            entries
                .values()
                .any(|&(_, at)| !mode.expired(at, world.now))
        })
        .map(|(&(key, _), _)| key)
        .collect();
    keys.dedup();
    prop_assert_eq!(world.backend.key_count(), keys.len());
    prop_assert_eq!(world.backend.states()[0].keys, keys.len());
    Ok(())
}

#[test]
fn a_reduction_starts_anew_when_what_was_there_is_expired() {
    let mut world = World::new();
    let ttl =
        StateTtlConfig::new(Duration::from_millis(TTL as u64)).disable_cleanup_in_background();
    let descriptor = ReducingStateDescriptor::new("sum", |sum: &mut i64, v| *sum += v).ttl(ttl);
    let sum = world.backend.reducing(&descriptor).unwrap();
    world.enter();
    sum.add(1);
    world.now += TTL - 1;
    world.enter();
    sum.add(2);
    assert_eq!(sum.get(), Some(3));
    world.now += TTL;
    world.enter();
    sum.add(4);
    assert_eq!(sum.get(), Some(4));
}

#[test]
fn what_nobody_reads_is_cleaned_up_by_the_accesses_of_others() {
    let mut world = World::new();
    let ttl = StateTtlConfig::new(Duration::from_millis(TTL as u64));
    let value = world
        .backend
        .value(&ValueStateDescriptor::<u64>::new("v").ttl(ttl))
        .unwrap();
    for key in 0..100 {
        world.key = key;
        world.enter();
        value.update(key);
    }
    world.now += TTL;
    world.key = 100;
    for _ in 0..21 {
        world.enter();
        value.update(7);
    }
    world.backend.end_batch();
    assert_eq!(world.backend.key_count(), 1);
}

#[test]
fn a_ttl_of_nothing_and_a_name_used_twice_are_refused_by_name() {
    let mut backend = KeyedBackend::<u64>::new();
    let none = StateTtlConfig::new(Duration::ZERO);
    let error = backend
        .value(&ValueStateDescriptor::<u64>::new("seen").ttl(none))
        .unwrap_err();
    assert!(error.to_string().contains("`seen`"), "{error}");
    backend
        .list(&ListStateDescriptor::<u64>::new("orders"))
        .unwrap();
    let error = backend
        .value(&ValueStateDescriptor::<u64>::new("orders"))
        .unwrap_err();
    assert!(
        error.to_string().contains("`orders` is registered twice"),
        "{error}"
    );
}
