//! The circuit breaker at work.

use rheos::prelude::*;

use crate::desk::Scene;

fn breaker() -> CircuitBreaker {
    CircuitBreaker::consecutive_failures(2)
        .open_for(Duration::from_secs(10))
        .half_open_permits(1)
}

#[test]
fn it_opens_tries_and_closes_again() {
    let options = AsyncOptions::new()
        .circuit_breaker(breaker())
        .fallback(|row: i64, _| -row);
    let mut scene = Scene::ordered(options);
    for row in [1, 2] {
        scene.input.push(row, row);
        scene.settle();
        scene.desk.refuse(row);
        assert_eq!(scene.rows(), [-row]);
    }
    scene.check(|metrics| {
        assert_eq!(
            (metrics.breaker_state(), metrics.breaker_transitions()),
            (1, 1)
        );
    });

    // Open: nothing is asked.
    scene.desk.take_asked();
    scene.advance(9_999);
    scene.input.push(3, 3);
    assert_eq!(scene.rows(), [-3]);
    assert!(scene.desk.take_asked().is_empty());
    scene.check(|metrics| assert_eq!((metrics.breaker_rejected(), metrics.fallbacks()), (1, 3)));

    // Half-open: one row is asked about, and the next one rejected.
    scene.advance(1);
    scene.input.push(4, 4);
    scene.input.push(5, 5);
    scene.settle();
    assert_eq!(scene.desk.take_asked(), [4]);
    scene.check(|metrics| assert_eq!(metrics.breaker_state(), 2));
    scene.desk.refuse(4);
    assert_eq!(scene.rows(), [-4, -5]);
    scene.check(|metrics| assert_eq!(metrics.breaker_state(), 1));

    // The next trial succeeds.
    scene.advance(10_000);
    scene.input.push(6, 6);
    scene.settle();
    scene.desk.answer(6, &[60]);
    assert_eq!(scene.rows(), [60]);
    scene.input.push(7, 7);
    scene.settle();
    scene.desk.answer(7, &[70]);
    assert_eq!(scene.rows(), [70]);
    scene.check(|metrics| {
        assert_eq!(
            (metrics.breaker_state(), metrics.breaker_transitions()),
            (0, 5)
        );
        assert_eq!(metrics.breaker_rejected(), 2);
    });
}

#[test]
fn each_attempt_is_a_call_and_a_rejected_one_ends_the_row() {
    let options = AsyncOptions::new()
        .retry(RetryStrategy::fixed_delay(9, Duration::from_secs(1)))
        .circuit_breaker(breaker())
        .fallback(|row: i64, error| {
            assert!(
                matches!(error, AsyncError::Rejected { attempts: 2, .. }),
                "{error}"
            );
            -row
        });
    let mut scene = Scene::ordered(options);
    scene.input.push(1, 1);
    scene.settle();
    for _ in 0..2 {
        assert!(scene.rows().is_empty());
        scene.desk.refuse(1);
        scene.settle();
        scene.advance(1_000);
    }
    assert_eq!(scene.rows(), [-1]);
    assert_eq!(scene.desk.take_asked(), [1, 1]);
}

#[test]
fn a_time_out_is_a_failure() {
    let options = AsyncOptions::new()
        .timeout(Duration::from_secs(1))
        .circuit_breaker(breaker())
        .fallback(|row: i64, _| -row);
    let mut scene = Scene::ordered(options);
    scene.input.push(1, 1);
    scene.input.push(2, 2);
    scene.settle();
    scene.advance(1_000);
    assert_eq!(scene.rows(), [-1, -2]);
    scene.check(|metrics| assert_eq!((metrics.breaker_state(), metrics.timeouts()), (1, 2)));
}

#[test]
fn without_a_fallback_an_open_breaker_fails_the_job() {
    let options = AsyncOptions::new()
        .retry(RetryStrategy::fixed_delay(9, Duration::from_secs(1)))
        .circuit_breaker(CircuitBreaker::consecutive_failures(1));
    let mut scene = Scene::ordered(options);
    scene.input.push(1, 1);
    scene.settle();
    scene.desk.refuse(1);
    scene.settle();
    let error = scene.job.advance(1_000).unwrap_err().to_string();
    assert!(
        error.contains("ask (1/1): rejected: the circuit breaker is open"),
        "{error}"
    );
}
