//! Timers against a set that is searched for its least element.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

type Model = BTreeSet<(Millis, u32, Namespace)>;

fn service(domain: TimeDomain, slots: u32) -> (TimerService, Rc<SlotRefs>) {
    let refs = Rc::new(SlotRefs::default());
    (0..slots).for_each(|slot| refs.open(slot));
    (TimerService::new(domain, Rc::clone(&refs)), refs)
}

fn pending(timers: &mut TimerService) -> Vec<(Millis, u32, Namespace)> {
    let mut all = Vec::new();
    let shown: Result<(), Infallible> = timers.for_each_pending(|due| {
        all.push((due.timestamp, due.slot, due.namespace));
        Ok(())
    });
    let Ok(()) = shown;
    all
}

fn check_pending(timers: &mut TimerService, refs: &SlotRefs, model: &Model, slots: u32) {
    let mut all = pending(timers);
    all.sort_unstable();
    assert_eq!(all, model.iter().copied().collect::<Vec<_>>());
    assert_eq!(timers.num_timers(), model.len());
    let mut by_slot = BTreeMap::new();
    model
        .iter()
        .for_each(|&(_, slot, _)| *by_slot.entry(slot).or_insert(0u32) += 1);
    for slot in 0..slots {
        assert_eq!(
            refs.count(slot),
            by_slot.get(&slot).copied().unwrap_or(0),
            "slot {slot}"
        );
    }
}

#[derive(Debug, Clone)]
enum Op {
    Register(Millis, u32, Namespace),
    Delete(Millis, u32, Namespace),
    Advance(Millis),
    /// Pulls up to so many timers; what each does is taken from the list.
    Pull(usize, Vec<(bool, Millis, u32, Namespace)>),
    Snapshot,
}

const SLOTS: u32 = 12;

fn timer() -> impl Strategy<Value = (Millis, u32, Namespace)> {
    // Few moments, so that buckets grow beyond a chunk.
    (prop_oneof![3 => 0i64..3, 1 => -5i64..20], 0..SLOTS, 0u64..6)
}

fn op() -> impl Strategy<Value = Op> {
    let acts = prop::collection::vec((any::<bool>(), timer()), 0..6);
    let acts = acts.prop_map(|v| v.into_iter().map(|(r, (t, s, n))| (r, t, s, n)).collect());
    prop_oneof![
        12 => timer().prop_map(|(t, s, n)| Op::Register(t, s, n)),
        4 => timer().prop_map(|(t, s, n)| Op::Delete(t, s, n)),
        1 => (-5i64..20).prop_map(Op::Advance),
        2 => (0usize..30, acts).prop_map(|(n, acts)| Op::Pull(n, acts)),
        1 => Just(Op::Snapshot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn timers_behave_as_a_sorted_set(ops in prop::collection::vec(op(), 1..400)) {
        let (mut timers, refs) = service(TimeDomain::EventTime, SLOTS);
        let mut model = Model::new();
        let (mut now, mut in_burst) = (MIN_TIMESTAMP, false);
        for op in ops {
            match op {
                Op::Register(t, s, n) => {
                    timers.register(t, s, n);
                    model.insert((t, s, n));
                }
                Op::Delete(t, s, n) => {
                    timers.delete(t, s, n);
                    model.remove(&(t, s, n));
                }
                Op::Advance(to) => {
                    timers.advance(to);
                    if to > now {
                        (now, in_burst) = (to, true);
                    }
                }
                Op::Pull(count, acts) => {
                    let mut acts = acts.into_iter();
                    for _ in 0..count {
                        let least = model.first().map(|&(t, _, _)| t).filter(|&t| in_burst && t <= now);
                        let due = timers.next_due();
                        prop_assert_eq!(due.map(|d| d.timestamp), least);
                        let Some(due) = due else {
                            in_burst = false;
                            break;
                        };
                        prop_assert!(model.remove(&(due.timestamp, due.slot, due.namespace)));
                        match acts.next() {
                            Some((true, t, s, n)) => {
                                timers.register(t, s, n);
                                model.insert((t, s, n));
                            }
                            Some((false, t, s, n)) => {
                                timers.delete(t, s, n);
                                model.remove(&(t, s, n));
                            }
                            None => {}
                        }
                    }
                }
                Op::Snapshot => check_pending(&mut timers, &refs, &model, SLOTS),
            }
            prop_assert!(timers.num_timers() >= model.len());
            prop_assert!(
                model.first().is_none_or(|&(t, _, _)| timers.next_timestamp().is_some_and(|n| n <= t))
            );
        }
        check_pending(&mut timers, &refs, &model, SLOTS);
    }
}

fn fire(timers: &mut TimerService) -> Vec<(Millis, u32, Namespace)> {
    std::iter::from_fn(|| timers.next_due())
        .map(|d| (d.timestamp, d.slot, d.namespace))
        .collect()
}

#[test]
fn three_registrations_and_one_deletion_leave_no_timer() {
    let (mut timers, refs) = service(TimeDomain::EventTime, 1);
    (0..3).for_each(|_| timers.register(10, 0, 7));
    timers.delete(10, 0, 7);
    assert_eq!(timers.next_timestamp(), None);
    timers.advance(10);
    assert_eq!(fire(&mut timers), []);
    assert_eq!(refs.count(0), 0);
}

#[test]
fn a_timer_in_the_past_waits_for_the_next_advance() {
    let (mut timers, _refs) = service(TimeDomain::EventTime, 1);
    timers.advance(100);
    assert_eq!(fire(&mut timers), []);
    timers.register(50, 0, 0);
    assert_eq!(timers.next_due(), None);
    timers.advance(100);
    assert_eq!(timers.next_due(), None, "an equal watermark is no advance");
    timers.advance(101);
    assert_eq!(fire(&mut timers), [(50, 0, 0)]);
}

#[test]
fn in_processing_time_the_same_moment_may_come_again() {
    let (mut timers, _refs) = service(TimeDomain::ProcessingTime, 1);
    timers.advance(100);
    assert_eq!(fire(&mut timers), []);
    timers.register(100, 0, 0);
    timers.advance(100);
    assert_eq!(fire(&mut timers), [(100, 0, 0)]);
}

#[test]
fn an_earlier_timer_registered_in_a_burst_goes_before_the_rest_of_the_bucket() {
    let (mut timers, _refs) = service(TimeDomain::EventTime, 4);
    (0..4).for_each(|slot| timers.register(10, slot, 0));
    timers.register(11, 0, 0);
    timers.advance(20);
    assert_eq!(
        timers.next_due().map(|d| (d.timestamp, d.slot)),
        Some((10, 0))
    );
    timers.register(5, 3, 0);
    timers.register(10, 0, 0);
    timers.delete(10, 2, 0);
    timers.register(30, 0, 0);
    assert_eq!(
        fire(&mut timers),
        [(5, 3, 0), (10, 1, 0), (10, 3, 0), (10, 0, 0), (11, 0, 0)],
        "the timer registered anew fires anew, after those that were there"
    );
    assert_eq!(pending(&mut timers), [(30, 0, 0)]);
}

#[test]
fn a_timer_added_to_a_later_moment_of_the_burst_takes_its_place_there() {
    let (mut timers, _refs) = service(TimeDomain::EventTime, 4);
    for (at, slot) in [(10, 0), (10, 1), (11, 0), (11, 2)] {
        timers.register(at, slot, 0);
    }
    timers.advance(20);
    assert!(timers.next_due().is_some());
    timers.register(11, 1, 0);
    timers.register(12, 3, 0);
    timers.delete(11, 0, 0);
    assert_eq!(
        fire(&mut timers),
        [(10, 1, 0), (11, 1, 0), (11, 2, 0), (12, 3, 0)]
    );
}

#[test]
fn an_interrupted_burst_goes_on_after_a_restore() {
    let (mut timers, _refs) = service(TimeDomain::EventTime, 100);
    (0..100).for_each(|slot| timers.register(10, slot, 1));
    timers.register(99, 5, 1);
    timers.advance(50);
    (0..40).for_each(|_| assert!(timers.next_due().is_some()));
    let left = pending(&mut timers);
    assert_eq!(left.len(), 61);

    let (mut restored, _refs) = service(TimeDomain::EventTime, 100);
    restored.restore_progress(timers.now(), timers.in_burst());
    left.iter()
        .for_each(|&(t, s, n)| restored.register(t, s, n));
    assert_eq!(fire(&mut restored), fire(&mut timers));
    assert_eq!(pending(&mut restored), [(99, 5, 1)]);
}

#[test]
fn what_is_registered_again_and_again_does_not_pile_up() {
    let (mut timers, refs) = service(TimeDomain::EventTime, 8);
    for round in 0..10_000u64 {
        timers.register(10, (round % 8) as u32, round % 3);
    }
    assert!(
        timers.num_timers() <= 64,
        "{} registrations are held",
        timers.num_timers()
    );
    // A timer that is moved on by every event leaves no bucket behind.
    for at in 0..10_000i64 {
        timers.register(1_000 + at, 0, 0);
        timers.delete(999 + at, 0, 0);
    }
    assert!(timers.rest.len() <= 4);
    // Nor do many that are moved past each other.
    let mut at = [20_000i64; 8];
    for round in 0..10_000usize {
        let (slot, time) = (round % 8, 20_000 + (round * 7919 % 5_000) as i64);
        timers.delete(at[slot], slot as u32, 1);
        timers.register(time, slot as u32, 1);
        at[slot] = time;
        assert!(timers.rest.len() <= 8 && timers.num_timers() <= 128);
    }
    (0..8).for_each(|slot| timers.delete(at[slot], slot as u32, 1));
    let _ = pending(&mut timers);
    assert_eq!(timers.num_timers(), 25);
    assert_eq!((1..8).map(|slot| refs.count(slot)).sum::<u32>(), 21);
}
