//! Both incidents in short: with what mends them the job stays well, without it does not.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

use incidents::figures::Figures;
use incidents::rate_limited::{Course, Variant, run};

/// Orders of magnitude apart, so that a loaded machine can't turn it round.
#[test]
fn a_breaker_with_limits_keeps_the_lag_bounded_and_the_job_recovers() {
    let course = Course {
        arriving: 500,
        limit: 1_000,
        ill_limit: 50,
        ill_from: 2.0,
        ill_until: 8.0,
        until: 14.0,
        every: 0.5,
    };
    let (naive, _) = run(Variant::Naive, &course).unwrap();
    let (guarded, _) = run(Variant::Guarded, &course).unwrap();
    let (without, with) = (naive.last("lag"), guarded.last("lag"));
    assert!(without > 1_500.0, "{}", naive.to_csv());
    assert!(with < without / 3.0, "{}", guarded.to_csv());
    assert!(guarded.last("fallbacks") > 0.0, "{}", guarded.to_csv());
    assert!(guarded.most("breaker") > 0.0, "{}", guarded.to_csv());
}

/// Without a time-to-live it ends long before its time is up.
fn growing(variant: &str, seconds: &str) -> (Figures, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_growing_state"))
        .args(["--variant", variant, "--memory", "192m", "--rate", "40000"])
        .args(["--seconds", seconds, "--ttl", "1"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let figures = Figures::of_csv(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    (figures, said)
}

#[test]
fn state_without_a_time_to_live_is_forecast_and_the_job_ends_by_its_name() {
    let (figures, said) = growing("none", "100");
    for part in [
        "state 'session' of 'session-aggregation' holds",
        "it reaches the limit in",
        "it may have (taskmanager.memory.process.size",
        "The largest states: 'session' of 'session-aggregation'",
    ] {
        assert!(said.contains(part), "'{part}' in\n{said}");
    }
    assert!(figures.most("forecast_seconds") > 0.0);
}

#[test]
fn state_with_one_is_bounded() {
    let (figures, said) = growing("ttl", "20");
    assert!(said.contains("ended: by the program"), "{said}");
    let halves = figures.rows.len() / 2;
    let later = figures.series("state_mib").split_off(halves);
    let most = later.iter().fold(0.0, |most: f64, (_, y)| most.max(*y));
    assert!(
        most < figures.most("resident_mib") / 2.0,
        "{}",
        figures.to_csv()
    );
}
