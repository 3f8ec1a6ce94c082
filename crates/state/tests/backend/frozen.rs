//! Keys that are frozen while rows go on: what the sink is given is what there was at the freeze; and
//! a store that is only told of changes has, after each freeze, what the backend had.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use rheos_core::Row;
use rheos_core::row::Writer;
use rheos_state::{
    Epoch, FrozenKey, FrozenSink, KeyedBackend, ListState, ListStateDescriptor, MapState,
    MapStateDescriptor, Piece, SlotSet, StateTtlConfig, TimeDomain, Timers, ValueState,
    ValueStateDescriptor,
};

/// An entry: state, key, namespace, map key, value, time.
type Entry = (
    usize,
    Vec<u8>,
    Option<u64>,
    Option<Vec<u8>>,
    Vec<u8>,
    Option<i64>,
);

fn entry(state: usize, key: &[u8], piece: &Piece<'_>) -> Entry {
    (
        state,
        key.to_vec(),
        piece.namespace,
        piece.map_key.map(<[u8]>::to_vec),
        piece.value.to_vec(),
        piece.updated,
    )
}

fn bytes(key: &i32) -> Vec<u8> {
    let mut out = Writer::new();
    key.encode(&mut out);
    out.as_slice().to_vec()
}

const STATES: usize = 4;
const NAMES: [&str; STATES] = ["value", "list", "map", "window"];

struct Job {
    backend: KeyedBackend<i32>,
    value: ValueState<i64>,
    list: ListState<i32>,
    map: MapState<i32, i64>,
    window: ValueState<i32>,
    timers: Timers,
    now: i64,
}

impl Job {
    fn new(ttl: bool) -> Self {
        let mut backend = KeyedBackend::new();
        let config = StateTtlConfig::new(Duration::from_millis(20)).cleanup_incrementally(3, true);
        let mut value = ValueStateDescriptor::new(NAMES[0]);
        let mut list = ListStateDescriptor::new(NAMES[1]);
        let mut map = MapStateDescriptor::new(NAMES[2]);
        if ttl {
            value = value.ttl(config.clone());
            list = list.ttl(config.clone());
            map = map.ttl(config);
        }
        Self {
            value: backend.value(&value).unwrap(),
            list: backend.list(&list).unwrap(),
            map: backend.map(&map).unwrap(),
            window: backend
                .window_value(&ValueStateDescriptor::new(NAMES[3]))
                .unwrap(),
            timers: backend.timers("timers", TimeDomain::EventTime).unwrap(),
            backend,
            now: 0,
        }
    }

    /// What there is, by the enumeration that looks at everything at once.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let shown = self.backend.snapshot(|e| {
            let state = NAMES.iter().position(|name| *name == e.state).unwrap();
            entries.push(entry(state, e.key, &e.piece));
            Ok(())
        });
        shown.unwrap();
        entries.sort();
        entries
    }

    /// The pending timers, by the enumeration that looks at all of them.
    fn pending(&self) -> Vec<(i64, Vec<u8>, u64)> {
        let mut timers = Vec::new();
        let shown = self.backend.snapshot_timers(|timer| {
            timers.push((timer.timestamp, timer.key.to_vec(), timer.namespace));
            Ok(())
        });
        shown.unwrap();
        timers.sort();
        timers
    }

    fn act(&mut self, action: &Action) {
        let Action { key, what, number } = *action;
        let slot = self.backend.resolve(key.key_hash(), &key);
        self.backend.set_current(slot, key.key_hash());
        self.backend.context().set_namespace(number as u64 % 3);
        match what {
            0 => self.value.update(i64::from(number)),
            1 => self.value.clear(),
            2 => self.list.add(number),
            3 => self.list.clear(),
            4 => self.map.insert(number % 5, i64::from(number)),
            5 => drop(self.map.remove(&(number % 5))),
            6 => self.window.update(number),
            7 => self.window.clear(),
            8 => *self.value.get_or_insert_with(|| 0) += 1,
            // A write within a write.
            9 => self.value.modify(|value| {
                self.list.add(number);
                *value = Some(i64::from(number));
            }),
            10 => self.backend.clear_namespace(number as u64 % 3),
            11 => {
                self.value.clear();
                self.list.clear();
                self.map.clear();
                self.backend.clear_namespace(0);
                self.backend.clear_namespace(1);
                self.backend.clear_namespace(2);
            }
            12 => self.backend.clean_up(4),
            13 | 14 => self
                .timers
                .register(self.timers.now() + i64::from(number % 40)),
            15 => self
                .timers
                .delete(self.timers.now() + i64::from(number % 40)),
            16 => {
                self.timers
                    .advance(self.timers.now().max(0) + i64::from(number % 10));
                // A burst may be interrupted; what fires changes its key.
                for _ in 0..number % 5 {
                    let Some(due) = self.timers.next_due() else {
                        break;
                    };
                    assert!(self.backend.enter(due.slot));
                    self.value.update(due.timestamp);
                    self.list.clear();
                }
            }
            _ => {
                self.now += i64::from(number % 4);
                self.backend.context().set_now(self.now);
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Action {
    key: i32,
    what: u8,
    number: i32,
}

/// Puts all that it is given in one place.
struct Collect(Rc<RefCell<Vec<Entry>>>);

impl FrozenSink<i32> for Collect {
    fn take(&mut self, mut key: FrozenKey<'_, i32>) {
        let bytes = bytes(key.key());
        for state in 0..STATES {
            let shown = key.show(state, |piece| {
                self.0.borrow_mut().push(entry(state, &bytes, &piece));
                Ok(())
            });
            shown.unwrap();
        }
    }
}

type Store = BTreeMap<(Vec<u8>, usize), Vec<Entry>>;

/// Writes what has changed of a key into a store.
struct Write {
    store: Rc<RefCell<Store>>,
    changed: Vec<SlotSet>,
}

impl FrozenSink<i32> for Write {
    fn take(&mut self, mut key: FrozenKey<'_, i32>) {
        let bytes = bytes(key.key());
        for (state, changed) in self.changed.iter().enumerate() {
            if !changed.contains(key.slot()) {
                continue;
            }
            let mut entries = Vec::new();
            let shown = key.show(state, |piece| {
                entries.push(entry(state, &bytes, &piece));
                Ok(())
            });
            shown.unwrap();
            self.store
                .borrow_mut()
                .insert((bytes.clone(), state), entries);
        }
    }
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action =
        (0..12i32, 0..18u8, 0..100i32).prop_map(|(key, what, number)| Action { key, what, number });
    prop::collection::vec(action, 1..40)
}

proptest! {
    #[test]
    fn the_sink_is_given_what_there_was_at_the_freeze(
        rounds in prop::collection::vec((actions(), 0..4usize, 1..7usize), 1..6),
        ttl in any::<bool>(),
    ) {
        let mut job = Job::new(ttl);
        for (before, slice, every) in &rounds {
            for action in before {
                job.act(action);
            }
            job.backend.end_batch();
            let wanted = job.entries();
            let found = Rc::new(RefCell::new(Vec::new()));
            let all = job.backend.all_slots();
            job.backend.freeze(all, Box::new(Collect(found.clone())));
            // Everything changes while it is written.
            for (at, action) in before.iter().rev().enumerate() {
                job.act(action);
                if at % every == 0 {
                    job.backend.end_batch();
                    job.backend.save_some(*slice);
                }
            }
            while !job.backend.save_some(2) {}
            prop_assert!(job.backend.thaw().is_some());
            let mut found = found.take();
            found.sort();
            prop_assert_eq!(found, wanted);
            job.backend.end_batch();
        }
    }

    #[test]
    fn an_image_that_is_written_bit_by_bit_is_of_the_freeze(
        rounds in prop::collection::vec((actions(), 1..4usize, 1..60usize), 1..5),
        ttl in any::<bool>(),
    ) {
        let mut job = Job::new(ttl);
        job.timers.advance(0);
        for (before, every, slice) in &rounds {
            job.backend.set_image_slice(*slice);
            for action in before {
                job.act(action);
            }
            job.backend.end_batch();
            let (entries, timers) = (job.entries(), job.pending());
            let (mut image, ()) = job.backend.freeze_image(|_| Ok(())).unwrap();
            // Everything changes while it is written.
            let mut written = false;
            for (at, action) in before.iter().rev().enumerate() {
                job.act(action);
                if at % every == 0 {
                    job.backend.end_batch();
                    written = written || job.backend.write_image(&mut image.body).unwrap();
                }
            }
            while !written {
                written = job.backend.write_image(&mut image.body).unwrap();
            }
            prop_assert!(!job.backend.is_frozen());
            job.backend.end_batch();
            let mut restored = Job::new(ttl);
            restored.backend.context().set_now(job.now);
            restored.backend.restore_image(&image, &(0..u32::MAX), &[], |_| Ok(())).unwrap();
            prop_assert_eq!(restored.entries(), entries);
            prop_assert_eq!(restored.pending(), timers);
        }
    }

    #[test]
    fn a_store_that_is_told_of_changes_has_what_the_backend_had(
        rounds in prop::collection::vec((actions(), actions(), 0..4usize), 1..6),
        ttl in any::<bool>(),
    ) {
        let mut job = Job::new(ttl);
        job.backend.track_changes();
        let store = Rc::new(RefCell::new(Store::new()));
        let mut written: Epoch = 0;
        for (before, during, slice) in &rounds {
            let mut gone = Vec::new();
            for (at, action) in before.iter().enumerate() {
                job.act(action);
                if at % 3 == 0 {
                    job.backend.end_batch_with(written, |_, _, key, changed| {
                        gone.push((*key, changed));
                    });
                }
            }
            for (key, changed) in gone.drain(..) {
                let had = store.borrow().iter().any(|((k, _), e)| *k == bytes(&key) && !e.is_empty());
                prop_assert!(changed || !had, "what the store has of a key that goes has changed");
                store.borrow_mut().retain(|(k, _), _| *k != bytes(&key));
            }
            let wanted = job.entries();
            let ended = job.backend.end_epoch();
            let changed = (0..STATES).map(|state| job.backend.changed_in_state(state, written));
            let sink = Write { store: store.clone(), changed: changed.collect() };
            let slots = job.backend.changed_after(written);
            job.backend.freeze(slots, Box::new(sink));
            for action in during {
                job.act(action);
                job.backend.end_batch_with(ended, |_, _, key, changed| gone.push((*key, changed)));
                job.backend.save_some(*slice);
            }
            while !job.backend.save_some(1) {}
            job.backend.thaw();
            let mut found: Vec<Entry> = store.borrow().values().flatten().cloned().collect();
            found.sort();
            prop_assert_eq!(found, wanted);
            job.backend.forget_changes(ended);
            written = ended;
            for (key, _) in gone {
                store.borrow_mut().retain(|(k, _), _| *k != bytes(&key));
            }
        }
    }
}

#[test]
fn what_is_evicted_and_loaded_again_has_not_changed() {
    let mut job = Job::new(false);
    job.backend.track_changes();
    for key in 0..5 {
        for what in [0, 2, 2, 4, 6] {
            job.act(&Action {
                key,
                what,
                number: key * 7 + i32::from(what),
            });
        }
    }
    let wanted = job.entries();
    let ended = job.backend.end_epoch();
    let found = Rc::new(RefCell::new(Vec::new()));
    let all = job.backend.all_slots();
    job.backend.freeze(all, Box::new(Collect(found.clone())));
    let slot = job.backend.directory().resolve(3.key_hash(), &3).unwrap();
    assert!(!job.backend.evict(slot), "it is frozen");
    while !job.backend.save_some(9) {}
    job.backend.thaw();
    for key in 0..5i32 {
        let slot = job.backend.directory().resolve(key.key_hash(), &key);
        assert!(job.backend.evict(slot.unwrap()));
    }
    assert_eq!(job.backend.end_batch(), 5, "nothing holds the slots");
    assert!(job.entries().is_empty());
    for (state, key, namespace, map_key, value, updated) in found.take() {
        let key = (0..5).find(|k| bytes(k) == key).unwrap();
        let slot = job.backend.resolve(key.key_hash(), &key);
        let piece = Piece {
            namespace,
            updated,
            map_key: map_key.as_deref(),
            value: &value,
        };
        job.backend.load(state, slot, &piece).unwrap();
    }
    assert_eq!(job.entries(), wanted);
    assert!(job.backend.changed_after(ended).is_empty());
}

#[test]
fn what_rows_have_touched_between_two_calls_comes_in_pieces() {
    let mut job = Job::new(false);
    for key in 0..40_000 {
        let (what, number) = (0, key);
        job.act(&Action { key, what, number });
    }
    job.backend.end_batch();
    let (mut image, ()) = job.backend.freeze_image(|_| Ok(())).unwrap();
    for key in 0..40_000i32 {
        let slot = job.backend.resolve(key.key_hash(), &key);
        job.backend.set_current(slot, key.key_hash());
    }
    job.backend.end_batch();
    let (mut calls, mut longest, mut written) = (0, 0, false);
    while !written {
        let before = image.body.len();
        written = job.backend.write_image(&mut image.body).unwrap();
        longest = longest.max(image.body.len() - before);
        calls += 1;
    }
    assert!(calls > 1 && longest <= 320 * 1024, "{calls} {longest}");
    let mut restored = Job::new(false);
    restored
        .backend
        .restore_image(&image, &(0..rheos_core::key_group::KEY_GROUPS), &[], |_| {
            Ok(())
        })
        .unwrap();
    assert_eq!(restored.entries(), job.entries());
}
