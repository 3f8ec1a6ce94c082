//! Time-outs, retries, fallbacks, panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rheos::harness::HarnessError;
use rheos::prelude::*;
use rheos::runtime::TaskError;

use crate::desk::{Desk, Scene};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_row_that_is_not_answered_in_time_fails_the_job() {
    let mut scene = Scene::ordered(AsyncOptions::new().timeout(seconds(5)));
    scene.input.push(1, 1);
    scene.settle();
    scene.job.advance(4_999).unwrap();
    let error = scene.job.advance(1).unwrap_err().to_string();
    assert!(
        error.contains("ask (1/1)") && error.contains("5000 ms"),
        "{error}"
    );
}

#[test]
fn an_answer_after_the_time_out_is_dropped() {
    let options = AsyncOptions::new()
        .timeout(seconds(5))
        .fallback(|row: i64, error| {
            assert!(
                matches!(error, AsyncError::TimedOut { attempts: 1, .. }),
                "{error}"
            );
            -row
        });
    let mut scene = Scene::ordered(options);
    scene.input.push(1, 1);
    scene.settle();
    scene.advance(5_000);
    assert_eq!(scene.rows(), [-1]);
    assert!(!scene.desk.answer(1, &[1]), "the future has been dropped");
    assert!(scene.rows().is_empty());
    scene.check(|metrics| {
        assert_eq!(
            (metrics.timeouts(), metrics.fallbacks(), metrics.in_flight()),
            (1, 1, 0)
        );
    });
}

/// Answers from a desk, and rows whose time is up by itself.
struct Polite {
    desk: Desk,
}

impl AsyncFunction<i64, i64> for Polite {
    fn invoke(
        &self,
        row: i64,
    ) -> impl Future<Output = Result<Vec<i64>, BoxError>> + Send + 'static {
        self.desk.ask(row)
    }

    fn timeout(&self, row: i64) -> Result<Vec<i64>, BoxError> {
        Ok(vec![row + 500])
    }
}

#[test]
fn a_function_can_answer_rows_whose_time_is_up() {
    let desk = Desk::default();
    let shared = desk.clone();
    let options = AsyncOptions::new().timeout(seconds(1));
    let mut scene = Scene::of(desk, |stream| {
        stream.async_wait_unordered_with(
            move |context| {
                assert_eq!(context.place.subtask, 0);
                Ok(Polite {
                    desk: shared.clone(),
                })
            },
            options,
        )
    });
    scene.input.push(1, 1);
    scene.input.push(2, 2);
    scene.settle();
    scene.desk.answer(2, &[2]);
    assert_eq!(scene.rows(), [2]);
    scene.advance(1_000);
    assert_eq!(scene.rows(), [501]);
}

#[test]
fn a_row_is_tried_again_after_the_delay() {
    let retry = RetryStrategy::exponential_backoff(3, seconds(1), seconds(10), 2.0);
    let mut scene = Scene::ordered(AsyncOptions::new().retry(retry));
    scene.input.push(1, 1);
    scene.settle();
    for delay in [1_000, 2_000] {
        assert_eq!(scene.desk.take_asked(), [1]);
        scene.desk.refuse(1);
        scene.settle();
        scene.advance(delay - 1);
        assert!(scene.desk.take_asked().is_empty());
        scene.advance(1);
    }
    assert_eq!(scene.desk.take_asked(), [1]);
    scene.desk.answer(1, &[7]);
    assert_eq!(scene.rows(), [7]);
    scene.check(|metrics| assert_eq!((metrics.retries(), metrics.failures()), (2, 2)));
}

#[test]
fn the_last_attempt_s_error_fails_the_job() {
    let retry = RetryStrategy::fixed_delay(1, seconds(1));
    let mut scene = Scene::ordered(AsyncOptions::new().retry(retry));
    scene.input.push(1, 1);
    scene.settle();
    scene.desk.refuse(1);
    scene.settle();
    scene.advance(1_000);
    scene.desk.refuse(1);
    let error = scene.try_settle().unwrap_err().to_string();
    assert!(
        error.contains("ask (1/1): attempt 2 failed: refused"),
        "{error}"
    );
}

#[test]
fn a_result_can_be_a_reason_to_try_again() {
    let retry = RetryStrategy::fixed_delay(2, seconds(1)).if_result(|rows: &[i64]| rows.is_empty());
    let mut scene = Scene::ordered(AsyncOptions::new().retry(retry));
    scene.input.push(1, 1);
    scene.settle();
    scene.desk.answer(1, &[]);
    scene.settle();
    scene.advance(1_000);
    scene.desk.answer(1, &[5]);
    assert_eq!(scene.rows(), [5]);
}

#[test]
fn the_time_out_covers_all_attempts() {
    let options = AsyncOptions::new()
        .timeout(seconds(5))
        .retry(RetryStrategy::fixed_delay(99, seconds(2)))
        .fallback(|row: i64, error| {
            assert!(
                matches!(error, AsyncError::TimedOut { attempts: 3, .. }),
                "{error}"
            );
            -row
        });
    let mut scene = Scene::ordered(options);
    scene.input.push(1, 1);
    scene.settle();
    for _ in 0..3 {
        assert!(scene.rows().is_empty());
        scene.desk.refuse(1);
        scene.settle();
        scene.advance(2_000);
    }
    assert_eq!(scene.rows(), [-1]);
    scene.advance(60_000);
    assert_eq!(scene.desk.take_asked(), [1, 1, 1]);
    assert!(scene.rows().is_empty());
}

#[test]
fn retries_go_on_after_the_end_of_the_input() {
    let retry = RetryStrategy::fixed_delay(3, seconds(1));
    let mut scene = Scene::ordered(AsyncOptions::new().retry(retry));
    scene.input.push(1, 1);
    scene.input.end();
    scene.settle();
    scene.desk.refuse(1);
    scene.settle();
    scene.advance(1_000);
    scene.desk.answer(1, &[1]);
    assert_eq!(scene.rows(), [1]);
    assert!(scene.job.is_finished());
}

#[test]
fn a_fallback_can_drop_rows_or_fail() {
    let options = AsyncOptions::new().try_fallback(|row: i64, error| match row {
        1 => Ok(vec![]),
        _ => Err(format!("no way round: {error}").into()),
    });
    let mut scene = Scene::ordered(options);
    scene.input.push(1, 1);
    scene.input.push(2, 2);
    scene.settle();
    scene.desk.refuse(1);
    assert!(scene.rows().is_empty());
    scene.desk.refuse(2);
    let error = scene.try_settle().unwrap_err().to_string();
    assert!(
        error.contains("ask (1/1): no way round: attempt 1 failed"),
        "{error}"
    );
}

#[test]
fn a_future_that_panics_fails_the_job_by_the_operator_s_name() {
    let mut scene = Scene::of(Desk::default(), |stream| {
        stream.async_wait_unordered(
            |row| async move {
                tokio::task::yield_now().await;
                let room = [1i64];
                Ok([*room.get(row as usize).expect("there is only one")])
            },
            AsyncOptions::new(),
        )
    });
    scene.input.push(7, 1);
    let error = scene.try_settle().unwrap_err();
    let HarnessError::Task(TaskError::Panic {
        place,
        message,
        backtrace,
    }) = error
    else {
        panic!("{error}");
    };
    assert_eq!(place.operator, "ask");
    assert!(
        message.contains("there is only one") && message.contains("retries.rs"),
        "{message}"
    );
    assert!(!backtrace.is_empty());
}

#[test]
fn closing_drops_the_futures() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = dropped.clone();
    let mut scene = Scene::of(Desk::default(), move |stream| {
        stream.async_wait_unordered(
            move |row: i64| {
                let guard = Dropped(flag.clone());
                async move {
                    std::future::pending::<()>().await;
                    drop(guard);
                    Ok([row])
                }
            },
            AsyncOptions::new()
                .timeout(Duration::from_secs(1))
                .fallback(|row, _| row),
        )
    });
    scene.input.push(1, 1);
    scene.settle();
    assert!(!dropped.load(Ordering::SeqCst));
    scene.advance(1_000);
    assert!(dropped.load(Ordering::SeqCst));
}
