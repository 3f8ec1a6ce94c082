//! What a backend enumerates, another takes back; window state under its namespaces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::row::Str;
use rheos_state::{
    AggregateFunction, AggregatingState, AggregatingStateDescriptor, KeyedBackend, ListState,
    ListStateDescriptor, MapState, MapStateDescriptor, Piece, ReducingState,
    ReducingStateDescriptor, SnapshotEntry, StateError, StateKind, StateTtlConfig, TimeDomain,
    Timers, ValueState, ValueStateDescriptor,
};

/// The mean, kept as sum and count.
struct Mean;

impl AggregateFunction for Mean {
    type In = i64;
    type Acc = (i64, i64);
    type Out = f64;

    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }

    fn add(&self, (sum, count): &mut (i64, i64), value: i64) {
        *sum += value;
        *count += 1;
    }

    fn get_result(&self, &(sum, count): &(i64, i64)) -> f64 {
        sum as f64 / count as f64
    }

    fn merge(&self, into: &mut (i64, i64), from: (i64, i64)) {
        into.0 += from.0;
        into.1 += from.1;
    }
}

struct Operator {
    backend: KeyedBackend<Str>,
    name: ValueState<String>,
    visits: ListState<i64>,
    prices: MapState<Str, f64>,
    total: ReducingState<i64>,
    mean: AggregatingState<i64, (i64, i64), f64>,
    timers: Timers,
}

fn ttl(millis: u64) -> StateTtlConfig {
    StateTtlConfig::new(Duration::from_millis(millis)).cleanup_full_snapshot()
}

impl Operator {
    fn new() -> Self {
        let mut backend = KeyedBackend::new();
        let reduce = ReducingStateDescriptor::new("total", |into: &mut i64, v| *into += v);
        Self {
            name: backend.value(&ValueStateDescriptor::new("name")).unwrap(),
            visits: backend
                .list(&ListStateDescriptor::new("visits").ttl(ttl(100)))
                .unwrap(),
            prices: backend
                .map(&MapStateDescriptor::new("prices").ttl(ttl(50)))
                .unwrap(),
            total: backend.window_reducing(&reduce).unwrap(),
            mean: backend
                .window_aggregating(&AggregatingStateDescriptor::new("mean", Mean))
                .unwrap(),
            timers: backend.timers("user", TimeDomain::EventTime).unwrap(),
            backend,
        }
    }

    fn enter(&mut self, key: &str, now: i64) {
        let key = Str::from(key);
        let hash = key.key_hash();
        let slot = self.backend.resolve(hash, &key);
        self.backend.context().set_now(now);
        self.backend.set_current(slot, hash);
    }

    fn filled() -> Self {
        let mut operator = Self::new();
        for n in 0..200i64 {
            operator.enter(&format!("key-{n}"), 1_000 + n);
            if n % 2 == 0 {
                operator.name.update(format!("name {n}"));
            }
            for v in 0..n % 5 {
                operator.visits.add(v);
                operator
                    .prices
                    .insert(Str::from(format!("p{v}").as_str()), v as f64 / 2.0);
            }
            for window in 0..(n % 3) as u64 {
                operator.backend.context().set_namespace(window * 10);
                operator.total.add(n);
                operator.mean.add(n);
                operator.mean.add(0);
                operator.timers.register(window as i64 * 10 + 9);
            }
        }
        operator
    }

    /// Every entry, as text, so that they can be compared whatever their order.
    fn entries(&self) -> Vec<String> {
        let mut entries = Vec::new();
        let mut last = 0;
        self.backend
            .snapshot(|entry| {
                assert!(entry.key_group() >= last, "not in the order of key groups");
                last = entry.key_group();
                entries.push(format!("{entry:?}"));
                Ok(())
            })
            .unwrap();
        entries
    }

    fn timers(&self) -> Vec<String> {
        let mut timers = Vec::new();
        let shown = self.backend.snapshot_timers(|timer| {
            timers.push(format!("{timer:?}"));
            Ok(())
        });
        shown.unwrap();
        timers.sort_unstable();
        timers
    }
}

#[test]
fn what_one_backend_shows_another_takes_back() {
    let operator = Operator::filled();
    let mut restored = Operator::new();
    restored.backend.context().set_now(5_000);
    operator
        .backend
        .snapshot(|entry| restored.backend.restore_entry(&entry))
        .unwrap();
    operator
        .backend
        .snapshot_timers(|timer| restored.backend.restore_timer(&timer))
        .unwrap();
    restored
        .backend
        .context()
        .set_now(operator.backend.context().now());

    let entries = operator.entries();
    assert_eq!(entries, restored.entries());
    assert_eq!(entries.len(), entries.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(operator.timers(), restored.timers());
    // Without state and timer there is no key.
    let mut keys = BTreeSet::new();
    let collected = operator.backend.snapshot(|entry| {
        keys.insert(entry.key_hash);
        Ok(())
    });
    collected.unwrap();
    restored.backend.end_batch();
    assert_eq!(restored.backend.key_count(), keys.len());

    restored.enter("key-8", 1_199);
    assert_eq!(restored.name.get().as_deref(), Some("name 8"));
    restored.backend.context().set_namespace(10);
    assert_eq!(restored.mean.get(), Some(4.0));
    assert_eq!(restored.total.get(), Some(8));
}

#[test]
fn a_full_snapshot_leaves_out_what_is_expired() {
    let operator = Operator::filled();
    let (mut visits, mut prices) = (0, 0);
    operator
        .backend
        .snapshot(|entry| {
            match entry.state {
                "visits" => visits += 1,
                "prices" => prices += 1,
                _ => return Ok(()),
            }
            let limit = if entry.state == "visits" { 100 } else { 50 };
            assert!(entry.piece.updated.unwrap() + limit > 1_199);
            Ok(())
        })
        .unwrap();
    // The last hundred, and the last fifty, keys, with 0 to 4 entries each in turn.
    assert_eq!((visits, prices), (200, 100));
}

#[test]
fn a_snapshot_of_other_types_or_states_is_refused_by_name() {
    let mut operator = Operator::new();
    let mut key = rheos_core::row::Writer::new();
    Str::from("k").encode(&mut key);
    let entry = |state, kind, value| SnapshotEntry {
        state,
        kind,
        key_hash: 0,
        key: key.as_slice(),
        piece: Piece {
            namespace: None,
            updated: None,
            map_key: None,
            value,
        },
    };
    let mut refused = |entry| operator.backend.restore_entry(&entry).unwrap_err();

    let error = refused(entry("gone", StateKind::Value, &[]));
    assert!(
        matches!(&error, StateError::UnknownState { name, .. } if name == "gone"),
        "{error}"
    );
    let error = refused(entry("name", StateKind::List, &[]));
    assert!(
        matches!(&error, StateError::UnknownState { name, .. } if name == "name"),
        "{error}"
    );
    let error = refused(entry("name", StateKind::Value, &[0xff]));
    assert!(
        matches!(&error, StateError::Decode { part: "value", .. }),
        "{error}"
    );
    let error = refused(entry("prices", StateKind::Map, &[0; 8]));
    assert!(
        matches!(
            &error,
            StateError::Incomplete {
                part: "map key",
                ..
            }
        ),
        "{error}"
    );
    let error = refused(entry("total", StateKind::Reducing, &[0]));
    assert!(
        matches!(
            &error,
            StateError::Incomplete {
                part: "namespace",
                ..
            }
        ),
        "{error}"
    );
    // What was refused has left no key behind.
    operator.backend.end_batch();
    assert_eq!(operator.backend.key_count(), 0);
}

#[test]
fn a_window_that_is_cleared_takes_its_state_and_leaves_the_others() {
    let mut operator = Operator::new();
    operator.enter("k", 0);
    operator.name.update("k".to_owned());
    for window in [10, 20, 30] {
        operator.backend.context().set_namespace(window);
        operator.total.add(window as i64);
        operator.mean.add(window as i64);
    }
    operator.backend.clear_namespace(20);
    let seen: Vec<Option<i64>> = [10, 20, 30]
        .into_iter()
        .map(|window| {
            operator.backend.context().set_namespace(window);
            operator.total.get()
        })
        .collect();
    assert_eq!(seen, [Some(10), None, Some(30)]);
    operator.backend.context().set_namespace(20);
    assert_eq!(operator.mean.get(), None);
    assert_eq!(operator.name.get().as_deref(), Some("k"));
    operator.name.clear();
    operator.backend.clear_namespace(10);
    operator.backend.clear_namespace(30);
    assert_eq!(operator.backend.end_batch(), 1);
}

#[test]
fn sessions_merge_their_state() {
    let mut operator = Operator::new();
    operator.enter("k", 0);
    for window in [1, 2, 3] {
        operator.backend.context().set_namespace(window);
        operator.total.add(window as i64);
        operator.mean.add(window as i64);
    }
    operator.total.merge_namespaces(2, &[3, 1]);
    operator.mean.merge_namespaces(1, &[2, 3]);
    operator.backend.context().set_namespace(2);
    assert_eq!((operator.total.get(), operator.mean.get()), (Some(6), None));
    operator.backend.context().set_namespace(1);
    assert_eq!(
        (operator.total.get(), operator.mean.get()),
        (None, Some(2.0))
    );
}

#[test]
fn sizes_and_counts_are_told_by_state() {
    let mut operator = Operator::filled();
    operator.backend.end_batch();
    operator.backend.touch(&[0, 1, 2, 150]);
    let states = operator.backend.states();
    let keys: Vec<usize> = states.iter().map(|state| state.keys).collect();
    // Old entries of the states with a TTL are partly cleaned up by the accesses to others.
    assert_eq!((keys[0], keys[3], keys[4]), (100, 133, 133));
    assert_eq!(states[3].cells, 199);
    assert!(states[0].estimated_bytes > 100 * "name 100".len());
    assert!(operator.backend.estimated_bytes() > states.iter().map(|s| s.estimated_bytes).sum());
    assert_eq!(operator.backend.timer_services().count(), 1);
}
