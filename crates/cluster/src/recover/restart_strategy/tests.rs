//! Scenarios recorded from Flink 2.3.0, jitter, and what a configuration may ask for.

use serde_json::Value;

use super::*;

/// A few scenarios of each kind; the `golden` program runs them all.
const RECORDED: &str = include_str!("../../../tests/fixtures/restart.jsonl");

/// The time at which the recorded clock starts.
const START: Millis = 1_000_000;

fn strategy(kind: &str, spec: &Value) -> RestartStrategy {
    let whole = |name: &str| spec[name].as_i64().unwrap();
    let count = |name: &str| u32::try_from(whole(name)).unwrap();
    match kind {
        "fixedDelay" => RestartStrategy::fixed_delay(count("attempts"), whole("delay")),
        "failureRate" => RestartStrategy::failure_rate(
            count("maxFailuresPerInterval"),
            whole("failureRateInterval"),
            whole("delay"),
        ),
        "exponentialDelay" => RestartStrategy::exponential_delay(
            Backoff {
                initial_ms: whole("initialBackoff"),
                max_ms: whole("maxBackoff"),
                multiplier: spec["backoffMultiplier"].as_f64().unwrap(),
                reset_threshold_ms: whole("resetBackoffThreshold"),
                jitter_factor: spec["jitterFactor"].as_f64().unwrap(),
                attempts_before_reset: Some(count("attemptsBeforeResetBackoff")),
            },
            Rng::new(1),
        ),
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn recorded_scenarios_come_out_the_same() {
    for line in RECORDED.lines() {
        let scenario: Value = serde_json::from_str(line).unwrap();
        let mut strategy = strategy(scenario["kind"].as_str().unwrap(), &scenario["spec"]);
        let mut now = START;
        let steps = scenario["input"].as_array().unwrap();
        for (i, (step, expected)) in steps
            .iter()
            .zip(scenario["output"].as_array().unwrap())
            .enumerate()
        {
            let place = format!("{} step {i}", scenario["id"]);
            let decision = if let Some(by) = step["advance"].as_i64() {
                now += by;
                continue;
            } else if step["fail"].as_bool().is_some() {
                let decision = strategy.failed(now);
                assert_eq!(
                    Some(decision.new_attempt),
                    expected["newAttempt"].as_bool(),
                    "{place}"
                );
                decision
            } else {
                strategy.query(now)
            };
            assert_eq!(
                Some(decision.can_restart),
                expected["canRestart"].as_bool(),
                "{place}"
            );
            assert_eq!(
                Some(decision.backoff_ms),
                expected["backoff"].as_i64(),
                "{place}"
            );
        }
    }
}

#[test]
fn jitter_stays_within_its_share_and_the_bounds_and_can_be_replayed() {
    let backoff = Backoff {
        initial_ms: 1_000,
        max_ms: 60_000,
        multiplier: 2.0,
        reset_threshold_ms: 3_600_000,
        jitter_factor: 0.1,
        attempts_before_reset: None,
    };
    let delays = |seed| {
        let mut strategy = RestartStrategy::exponential_delay(backoff, Rng::new(seed));
        let mut now = START;
        let mut delays = Vec::new();
        for _ in 0..10 {
            let decision = strategy.failed(now);
            assert!(decision.new_attempt && decision.can_restart);
            delays.push(decision.backoff_ms);
            now += decision.backoff_ms + 1;
        }
        delays
    };
    let mut differing = 0;
    for seed in 0..50 {
        let got = delays(seed);
        assert_eq!(got, delays(seed));
        differing += usize::from(got != delays(seed + 1));
        for (attempt, delay) in (0..).zip(&got) {
            let grown = 1_000.0 * 2.0f64.powi(attempt);
            let (least, most) = (grown * 0.9, (grown * 1.1).min(60_000.0));
            assert!((1_000..=60_000).contains(delay), "{attempt} {delay}");
            assert!(
                *delay as f64 >= least.min(60_000.0 * 0.9).floor(),
                "{attempt} {delay}"
            );
            assert!(*delay as f64 <= most, "{attempt} {delay}");
        }
    }
    assert!(differing > 40, "{differing}");
}

#[test]
fn a_backoff_too_large_for_the_clock_is_bounded() {
    let backoff = Backoff {
        initial_ms: 1,
        max_ms: Millis::MAX,
        multiplier: 1e300,
        reset_threshold_ms: 1,
        jitter_factor: 1.0,
        attempts_before_reset: None,
    };
    let mut strategy = RestartStrategy::exponential_delay(backoff, Rng::new(3));
    strategy.failed(0);
    assert!(strategy.failed(3).can_restart);
    strategy.failed(Millis::MAX);
    assert!(strategy.query(Millis::MIN).backoff_ms >= 0);
}

fn from(text: &str, checkpoints: bool) -> Result<RestartStrategy, ConfigError> {
    let conf = Configuration::parse("flink-conf.yaml", text)?;
    RestartStrategy::from_configuration(&conf, checkpoints, Rng::new(1))
}

#[test]
fn a_configuration_chooses_by_either_spelling() {
    assert!(matches!(from("", false), Ok(RestartStrategy::None)));
    assert!(matches!(
        from("restart-strategy: off", true),
        Ok(RestartStrategy::None)
    ));
    let rate = "restart-strategy.type: failureRate";
    assert!(matches!(
        from(rate, true),
        Ok(RestartStrategy::FailureRate(_))
    ));

    let mut fixed = from(
        "restart-strategy: Fixed-Delay\nrestart-strategy.fixed-delay.delay: 5 s",
        true,
    )
    .unwrap();
    let first = Decision {
        new_attempt: true,
        can_restart: true,
        backoff_ms: 5_000,
    };
    assert_eq!(fixed.failed(0), first);
    assert_eq!(
        fixed.failed(0),
        Decision {
            can_restart: false,
            ..first
        }
    );

    let Ok(RestartStrategy::ExponentialDelay(delay)) = from("", true) else {
        panic!("with checkpoints it is exponential delay");
    };
    let flink = Backoff {
        initial_ms: 1_000,
        max_ms: 60_000,
        multiplier: 1.5,
        reset_threshold_ms: 3_600_000,
        jitter_factor: 0.1,
        attempts_before_reset: None,
    };
    assert_eq!(delay.backoff, flink);
}

#[test]
fn without_a_strategy_the_first_failure_is_the_last() {
    let decision = RestartStrategy::None.failed(0);
    assert_eq!(
        decision,
        Decision {
            new_attempt: true,
            can_restart: false,
            backoff_ms: 0
        }
    );
}

#[test]
fn what_cannot_be_is_refused_by_its_key() {
    let exponential = "restart-strategy.exponential-delay";
    let rate = "restart-strategy.failure-rate";
    let cases = [
        (
            "restart-strategy: sometimes".to_owned(),
            "restart-strategy: sometimes",
        ),
        (
            format!("restart-strategy: failure-rate\n{rate}.max-failures-per-interval: 0"),
            "at least",
        ),
        (
            format!("restart-strategy: failure-rate\n{rate}.failure-rate-interval: 0"),
            "at least 1 ms",
        ),
        (
            format!("{exponential}.backoff-multiplier: 0.5"),
            "at least 1.0",
        ),
        (
            format!("{exponential}.jitter-factor: 1.5"),
            "from 0.0 to 1.0",
        ),
        (format!("{exponential}.initial-backoff: 2 min"), "is above"),
        (
            format!("{exponential}.reset-backoff-threshold: 0"),
            "at least 1 ms",
        ),
        (
            format!("{exponential}.attempts-before-reset-backoff: 0"),
            "at least 1",
        ),
        (
            format!("{exponential}.max-backoff: soon"),
            "is not a duration",
        ),
    ];
    for (text, expected) in cases {
        let error = from(&text, true).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
