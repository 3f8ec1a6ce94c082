use super::*;
use BreakerState::{Closed, HalfOpen, Open};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Makes a call at once; the change it led to.
fn call(machine: &mut BreakerMachine, failed: bool, now: Millis) -> Option<Transition> {
    let (permit, before) = machine.acquire(now);
    let after = permit.and_then(|permit| machine.record(permit, failed, 0, now));
    before.or(after)
}

#[test]
fn failures_in_a_row_open_it() {
    let mut machine = BreakerMachine::new(CircuitBreaker::consecutive_failures(3));
    for failed in [true, true, false, true, true] {
        assert_eq!(call(&mut machine, failed, 0), None);
    }
    let change = call(&mut machine, true, 0).unwrap();
    assert_eq!((change.from, change.to), (Closed, Open));
    assert_eq!(change.reason, "3 failures in a row");
    assert_eq!(machine.acquire(29_999), (None, None));
}

#[test]
fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
    let settings = CircuitBreaker::failure_rate(0.5)
        .over_last_calls(4)
        .minimum_calls(4);
    let mut machine = BreakerMachine::new(settings);
    for failed in [true, true, false] {
        assert_eq!(call(&mut machine, failed, 0), None);
    }
    assert_eq!(
        call(&mut machine, false, 0).unwrap().reason,
        "2 of 4 calls failed"
    );
}

#[test]
fn slow_calls_open_it() {
    let settings = CircuitBreaker::failure_rate(1.0)
        .minimum_calls(2)
        .slow_calls(seconds(1), 0.5);
    let mut machine = BreakerMachine::new(settings);
    for (took, opens) in [(1_000, false), (1_001, true)] {
        let permit = machine.acquire(0).0.unwrap();
        assert_eq!(machine.record(permit, false, took, 0).is_some(), opens);
    }
}

#[test]
fn a_trial_decides_between_closed_and_open() {
    let settings = CircuitBreaker::failure_rate(0.6)
        .minimum_calls(1)
        .open_for(seconds(5))
        .half_open_permits(2);
    let mut machine = BreakerMachine::new(settings);
    assert_eq!(call(&mut machine, true, 0).unwrap().to, Open);
    assert_eq!(call(&mut machine, true, 5_000).unwrap().to, HalfOpen);
    assert_eq!(call(&mut machine, true, 5_000).unwrap().to, Open);
    // The time open begins anew.
    assert_eq!(machine.acquire(9_999).0, None);
    let (first, change) = machine.acquire(10_000);
    assert_eq!(change.unwrap().to, HalfOpen);
    let second = machine.acquire(10_000).0.unwrap();
    assert_eq!(
        machine.acquire(10_000).0,
        None,
        "the permits are given away"
    );
    assert_eq!(machine.record(first.unwrap(), true, 0, 10_001), None);
    let change = machine.record(second, false, 0, 10_002).unwrap();
    assert_eq!(
        (change.to, change.reason.as_str()),
        (Closed, "the trial: 1 of 2 calls succeeded")
    );
}

#[test]
fn one_failure_of_a_trial_opens_a_breaker_of_failures_in_a_row() {
    let settings = CircuitBreaker::consecutive_failures(1)
        .open_for(seconds(1))
        .half_open_permits(2);
    let mut machine = BreakerMachine::new(settings);
    call(&mut machine, true, 0);
    let permit = machine.acquire(1_000).0.unwrap();
    assert_eq!(machine.record(permit, true, 0, 1_000).unwrap().to, Open);
}

#[test]
fn outcomes_of_an_earlier_state_are_ignored() {
    let settings = CircuitBreaker::consecutive_failures(1)
        .open_for(seconds(1))
        .half_open_permits(1);
    let mut machine = BreakerMachine::new(settings);
    let early = machine.acquire(0).0.unwrap();
    call(&mut machine, true, 0);
    let trial = machine.acquire(1_000).0.unwrap();
    assert_eq!(machine.record(early, true, 0, 1_000), None);
    assert_eq!(machine.state(), HalfOpen);
    assert_eq!(machine.record(trial, false, 0, 1_000).unwrap().to, Closed);
    assert_eq!(machine.record(trial, true, 0, 1_000), None);
    assert_eq!(machine.state(), Closed);
}

#[test]
fn a_trial_without_an_outcome_is_made_anew() {
    let settings = CircuitBreaker::consecutive_failures(1)
        .open_for(seconds(1))
        .half_open_permits(1);
    let mut machine = BreakerMachine::new(settings);
    call(&mut machine, true, 0);
    let lost = machine.acquire(1_000).0.unwrap();
    assert_eq!(machine.acquire(1_999).0, None);
    let second = machine.acquire(2_000).0.unwrap();
    assert_eq!(machine.record(lost, false, 0, 2_000), None);
    assert_eq!(machine.record(second, false, 0, 2_000).unwrap().to, Closed);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    assert_eq!(CircuitBreaker::consecutive_failures(5).problem(), None);
    assert_eq!(CircuitBreaker::failure_rate(1.0).problem(), None);
    for settings in [
        CircuitBreaker::failure_rate(0.0),
        CircuitBreaker::failure_rate(f64::NAN),
        CircuitBreaker::failure_rate(0.5).over_last_calls(5),
        CircuitBreaker::failure_rate(0.5).half_open_permits(0),
        CircuitBreaker::failure_rate(0.5).slow_calls(seconds(1), 1.5),
        CircuitBreaker::consecutive_failures(0),
        CircuitBreaker::consecutive_failures(1).open_for(Duration::ZERO),
    ] {
        assert!(settings.problem().is_some(), "{settings:?}");
    }
}
