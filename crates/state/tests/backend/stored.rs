//! A backend with RocksDB behind it does what one on the heap does: under random operations, keys that
//! go and come back, barriers, restores, other parallelism.
#![cfg(feature = "rocksdb")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rheos_core::Row;
use rheos_core::config::Configuration;
use rheos_core::key_group::{KEY_GROUPS, range_of, subtask_of};
use rheos_state::rocks::{RocksBackend, RocksOptions};
use rheos_state::store::{OriginFile, Sealed, StoreBackend, StoreOrigin, StoreOwner};
use rheos_state::{
    KeyedBackend, ListState, ListStateDescriptor, MapState, MapStateDescriptor, PendingSeal,
    ReducingState, ReducingStateDescriptor, StateTtlConfig, TimeDomain, Timers, ValueState,
    ValueStateDescriptor,
};

struct Operator {
    backend: KeyedBackend<(String, i64)>,
    name: ValueState<String>,
    visits: ListState<i64>,
    prices: MapState<i64, f64>,
    total: ReducingState<i64>,
    fresh: ValueState<i64>,
    panes: ValueState<i64>,
    timers: Timers,
}

const TTL: u64 = 40;

fn opener(folder: &Path) -> Arc<dyn StoreBackend> {
    let mut conf = Configuration::new();
    conf.set("state.backend.rocksdb.localdir", folder.display());
    // Small write buffers: flushes and compactions happen.
    conf.set("state.backend.rocksdb.writebuffer.size", "64 kb");
    let options = RocksOptions::from_configuration(&conf, 8 << 20).unwrap();
    Arc::new(RocksBackend::new(options))
}

fn owner(subtask: u32) -> StoreOwner {
    StoreOwner {
        operator: "test operator".to_owned(),
        subtask,
    }
}

impl Operator {
    fn new() -> Self {
        let mut backend = KeyedBackend::new();
        let reduce = ReducingStateDescriptor::new("total", |into: &mut i64, v| *into += v);
        let ttl = StateTtlConfig::new(Duration::from_millis(TTL));
        Self {
            name: backend.value(&ValueStateDescriptor::new("name")).unwrap(),
            visits: backend.list(&ListStateDescriptor::new("visits")).unwrap(),
            prices: backend.map(&MapStateDescriptor::new("prices")).unwrap(),
            total: backend.reducing(&reduce).unwrap(),
            fresh: backend
                .value(&ValueStateDescriptor::new("fresh").ttl(ttl))
                .unwrap(),
            panes: backend
                .window_value(&ValueStateDescriptor::new("panes"))
                .unwrap(),
            timers: backend.timers("user", TimeDomain::EventTime).unwrap(),
            backend,
        }
    }

    fn with_store(opener: &Arc<dyn StoreBackend>, origins: &[StoreOrigin]) -> Self {
        let mut operator = Self::new();
        operator
            .backend
            .attach_store(opener.clone(), &owner(0), origins)
            .unwrap();
        operator.backend.limit_resident_keys(5);
        operator
    }

    fn apply(&mut self, batch: &[(u8, Op)], now: i64) {
        self.backend.context().set_now(now);
        let keys: Vec<_> = batch.iter().map(|(key, _)| key_of(*key)).collect();
        let hashes: Vec<_> = keys.iter().map(Row::key_hash).collect();
        let mut slots = Vec::new();
        self.backend.resolve_batch(&hashes, &keys, &mut slots);
        self.backend.check_store().unwrap();
        for ((slot, hash), (_, op)) in slots.iter().zip(&hashes).zip(batch) {
            self.backend.set_current(*slot, *hash);
            // A timer of the same time in a pane's namespace would be another.
            self.backend.context().set_namespace(0);
            match op {
                Op::Name(name) => self.name.update(name.clone()),
                Op::Clear => {
                    self.name.clear();
                    self.visits.clear();
                    self.prices.clear();
                    self.total.clear();
                    self.fresh.clear();
                    self.backend.clear_namespace(1);
                    self.backend.clear_namespace(2);
                }
                Op::Visit(at) => self.visits.add(*at),
                Op::Price(map_key, price) => self.prices.insert(*map_key, *price),
                Op::Unprice(map_key) => {
                    self.prices.remove(map_key);
                }
                Op::Add(amount) => self.total.add(*amount),
                Op::Fresh(value) => self.fresh.update(*value),
                Op::Pane(namespace, value) => {
                    self.backend.context().set_namespace(*namespace);
                    self.panes.update(*value);
                }
                Op::Timer(at) => self.timers.register(*at),
            }
        }
        self.backend.end_batch();
        self.backend.check_store().unwrap();
    }

    fn fire(&mut self, watermark: i64) -> Vec<(String, i64, Option<String>)> {
        self.timers.advance(watermark);
        let mut fired = Vec::new();
        while let Some(due) = self.timers.next_due() {
            if self.backend.enter(due.slot) {
                let key = self.backend.current_key().unwrap().0.clone();
                fired.push((key, due.timestamp, self.name.get()));
            }
        }
        self.backend.end_batch();
        fired.sort();
        fired
    }

    /// Everything that there is, read as user code reads it.
    fn read(&mut self, now: i64) -> BTreeMap<u8, String> {
        self.backend.context().set_now(now);
        let mut all = BTreeMap::new();
        for number in 0..KEYS {
            let key = key_of(number);
            let hash = key.key_hash();
            let slot = self.backend.resolve(hash, &key);
            self.backend.check_store().unwrap();
            self.backend.set_current(slot, hash);
            let mut prices = self.prices.entries();
            prices.sort_by_key(|(key, _)| *key);
            let panes = [1, 2].map(|namespace| {
                self.backend.context().set_namespace(namespace);
                self.panes.get()
            });
            all.insert(
                number,
                format!(
                    "{:?} {:?} {prices:?} {:?} {:?} {panes:?}",
                    self.name.get(),
                    self.visits.get(),
                    self.total.get(),
                    self.fresh.get()
                ),
            );
            self.backend.end_batch();
        }
        all
    }

    /// What the timers have pending, to be taken over by hand.
    fn pending(&self) -> Vec<((String, i64), i64)> {
        let mut pending = Vec::new();
        let show = |entry: rheos_state::TimerEntry<'_>| {
            let key = rheos_core::row::Reader::new(entry.key);
            let mut key = key;
            pending.push((<(String, i64)>::decode(&mut key).unwrap(), entry.timestamp));
            Ok(())
        };
        self.backend.snapshot_timers(show).unwrap();
        pending
    }

    fn take_timers(&mut self, pending: &[((String, i64), i64)]) {
        for (key, at) in pending {
            let hash = key.key_hash();
            let slot = self.backend.resolve(hash, key);
            self.backend.set_current(slot, hash);
            self.timers.register(*at);
        }
        self.backend.end_batch();
    }
}

const KEYS: u8 = 24;

fn key_of(number: u8) -> (String, i64) {
    (format!("key {number}"), i64::from(number) * 1_000_003)
}

#[derive(Debug, Clone)]
enum Op {
    Name(String),
    Clear,
    Visit(i64),
    Price(i64, f64),
    Unprice(i64),
    Add(i64),
    Fresh(i64),
    Pane(u64, i64),
    Timer(i64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        "[a-z]{0,9}".prop_map(Op::Name),
        Just(Op::Clear),
        (0i64..100).prop_map(Op::Visit),
        (0i64..6, 0u8..9).prop_map(|(key, price)| Op::Price(key, f64::from(price))),
        (0i64..6).prop_map(Op::Unprice),
        (0i64..100).prop_map(Op::Add),
        (0i64..100).prop_map(Op::Fresh),
        (1u64..3, 0i64..100).prop_map(|(namespace, value)| Op::Pane(namespace, value)),
        (0i64..400).prop_map(Op::Timer),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Batch(Vec<(u8, Op)>),
    /// Time passes.
    Wait(i64),
    /// Event time passes.
    Fire(i64),
    Read,
    /// A barrier; so many keys are saved before each batch that follows.
    Barrier(usize),
    /// The seal is taken, and what it holds looked at.
    Seal,
    /// The seal is given up.
    GiveUp,
    /// All goes on from the last checkpoint, at this parallelism, and comes together again.
    Restore(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec((0..KEYS, op()), 1..20).prop_map(Step::Batch),
        1 => (1i64..30).prop_map(Step::Wait),
        1 => (0i64..400).prop_map(Step::Fire),
        2 => Just(Step::Read),
        2 => (1usize..6).prop_map(Step::Barrier),
        2 => Just(Step::Seal),
        1 => Just(Step::GiveUp),
        1 => (1u32..4).prop_map(Step::Restore),
    ]
}

/// A barrier on its way: what there was, and what it will be sealed from.
struct Checkpoint {
    saving: usize,
    timers: Vec<((String, i64), i64)>,
    pending: Option<PendingSeal>,
    /// What there was at the barrier. It is read at the time of the restore, as a job that goes on reads
    /// it: what expires between the two may be gone from the store's files already.
    heap: Operator,
}

fn heap_copy(of: &mut Operator, now: i64) -> Operator {
    let mut copy = Operator::new();
    copy.backend.context().set_now(now);
    let (mut image, ()) = of.backend.freeze_image(|_| Ok(())).unwrap();
    while !of.backend.write_image(&mut image.body).unwrap() {}
    copy.backend
        .restore_image(&image, &(0..KEY_GROUPS), &[], |_| Ok(()))
        .unwrap();
    copy
}

fn origin(sealed: &Sealed, held: Range<u32>, wanted: Range<u32>) -> StoreOrigin {
    let files = sealed.files.iter();
    StoreOrigin {
        files: files
            .map(|file| OriginFile {
                name: file.name.clone(),
                path: file.path.clone(),
                kept: None,
            })
            .collect(),
        held,
        wanted,
    }
}

fn run(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let opener = opener(folder.path());
    let mut heap = Operator::new();
    let mut rocks = Operator::with_store(&opener, &[]);
    let mut now = 0;
    let mut checkpoint: Option<Checkpoint> = None;
    for step in steps {
        if let Some(under_way) = &mut checkpoint
            && under_way.pending.is_none()
        {
            under_way.pending = rocks.backend.save_to_store(under_way.saving);
        }
        match step {
            Step::Batch(batch) => {
                heap.apply(&batch, now);
                rocks.apply(&batch, now);
            }
            Step::Wait(millis) => now += millis,
            Step::Fire(watermark) => assert_eq!(heap.fire(watermark), rocks.fire(watermark)),
            Step::Read => assert_eq!(heap.read(now), rocks.read(now)),
            Step::Barrier(saving) => {
                let copy = heap_copy(&mut heap, now);
                rocks.backend.context().set_now(now);
                // One before that nobody has taken would be waited for.
                drop(checkpoint.take());
                let timers = rocks.pending();
                rocks.backend.freeze_to_store();
                checkpoint = Some(Checkpoint {
                    saving,
                    timers,
                    pending: None,
                    heap: copy,
                });
            }
            Step::Seal => {
                let Some(mut taken) = checkpoint.take() else {
                    continue;
                };
                let pending = taken
                    .pending
                    .take()
                    .or_else(|| rocks.backend.save_to_store(usize::MAX))
                    .unwrap();
                let sealed = pending.seal().unwrap();
                let all = 0..KEY_GROUPS;
                let origins = [origin(&sealed, all.clone(), all)];
                let mut restored = Operator::with_store(&opener, &origins);
                assert_eq!(restored.read(now), taken.heap.read(now));
            }
            Step::GiveUp => drop(checkpoint.take()),
            Step::Restore(parallelism) => {
                let Some(mut taken) = checkpoint.take() else {
                    continue;
                };
                let pending = taken
                    .pending
                    .take()
                    .or_else(|| rocks.backend.save_to_store(usize::MAX))
                    .unwrap();
                let sealed = pending.seal().unwrap();
                // Apart,
                let parts: Vec<_> = (0..parallelism)
                    .map(|subtask| {
                        let groups = range_of(subtask, parallelism);
                        let origins = [origin(&sealed, 0..KEY_GROUPS, groups.clone())];
                        let mut part = Operator::with_store(&opener, &origins);
                        part.backend.context().set_now(now);
                        // Something is written to each before they come together.
                        part.backend.freeze_to_store();
                        let pending = part.backend.save_to_store(usize::MAX).unwrap();
                        (pending.seal().unwrap(), groups, part)
                    })
                    .collect();
                let mut seen = BTreeSet::new();
                for (_, groups, part) in &parts {
                    part.backend
                        .scan_store(0, &(0..KEY_GROUPS), |key, _| {
                            let group =
                                u32::from(rheos_core::key_group::key_group_of(key.key_hash()));
                            assert!(groups.contains(&group));
                            assert_eq!(
                                range_of(subtask_of(key.key_hash(), parallelism), parallelism),
                                *groups
                            );
                            assert!(seen.insert(key.clone()));
                            Ok(())
                        })
                        .unwrap();
                }
                // and together.
                let origins: Vec<_> = parts
                    .iter()
                    .map(|(sealed, groups, _)| origin(sealed, groups.clone(), 0..KEY_GROUPS))
                    .collect();
                rocks = Operator::with_store(&opener, &origins);
                rocks.backend.context().set_now(now);
                rocks.take_timers(&taken.timers);
                heap = taken.heap;
                assert_eq!(rocks.read(now), heap.read(now));
            }
        }
    }
    assert_eq!(heap.read(now), rocks.read(now));
    assert!(rocks.backend.resident_keys().unwrap() <= usize::from(KEYS));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_backend_with_a_store_does_what_one_on_the_heap_does(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        run(steps);
    }
}

#[test]
fn keys_beyond_the_limit_go_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut rocks = Operator::with_store(&opener(folder.path()), &[]);
    rocks.backend.limit_resident_keys(100);
    let key = |number: i64| (format!("k{number}"), number);
    for round in 0..3 {
        for batch in 0..100 {
            let keys: Vec<_> = (0..50).map(|at| key(batch * 50 + at)).collect();
            let hashes: Vec<_> = keys.iter().map(Row::key_hash).collect();
            let mut slots = Vec::new();
            rocks.backend.resolve_batch(&hashes, &keys, &mut slots);
            for (at, (slot, hash)) in slots.iter().zip(&hashes).enumerate() {
                rocks.backend.set_current(*slot, *hash);
                assert_eq!(
                    rocks.total.get().unwrap_or(0),
                    round * (batch * 50 + at as i64)
                );
                rocks.total.add(batch * 50 + at as i64);
            }
            rocks.backend.end_batch();
            rocks.backend.check_store().unwrap();
            assert!(rocks.backend.resident_keys().unwrap() <= 150);
        }
    }
    assert!(rocks.backend.key_count() <= 150);
}

#[test]
fn expired_records_go_in_a_compaction() {
    let folder = tempfile::tempdir().unwrap();
    let opener = opener(folder.path());
    let mut rocks = Operator::with_store(&opener, &[]);
    rocks.backend.limit_resident_keys(0);
    let fresh = |at: i64| {
        (0..KEYS)
            .map(|key| (key, Op::Fresh(at)))
            .collect::<Vec<_>>()
    };
    rocks.apply(&fresh(1), 100);
    rocks.apply(&[], 100);
    let count = |operator: &Operator| {
        let mut keys = 0;
        let show = |_: &(String, i64), _: rheos_state::Piece<'_>| {
            keys += 1;
            Ok(())
        };
        operator
            .backend
            .scan_store(4, &(0..KEY_GROUPS), show)
            .unwrap();
        keys
    };
    assert_eq!(count(&rocks), KEYS as usize);
    rocks.apply(&[(3, Op::Fresh(2))], 100 + TTL as i64 - 1);
    rocks.apply(&[], 100 + TTL as i64);
    rocks.apply(&[], 100 + TTL as i64);
    rocks.backend.compact_store().unwrap();
    assert_eq!(count(&rocks), 1);
}
