//! Asynchronous I/O in a job of real threads, by the machine's clock.
#![allow(
    clippy::disallowed_methods,
    reason = "a job in real time, and what it asks answers late"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rheos::cluster::JobError;
use rheos::execute;
use rheos::harness::Harness;
use rheos::prelude::*;

/// Answers after up to 3 ms, out of order, and fails one row in eight at its first attempt.
async fn late(row: i64, attempts: Arc<AtomicUsize>) -> Result<[i64; 1], BoxError> {
    let attempt = attempts.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis((row * 7 % 4) as u64)).await;
    if attempt.is_multiple_of(8) {
        return Err("try again".into());
    }
    Ok([row])
}

fn run(ordered: bool) -> Vec<i64> {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<i64>("numbers");
    let attempts = Arc::new(AtomicUsize::new(0));
    let options = AsyncOptions::new()
        .capacity(64)
        .retry(RetryStrategy::fixed_delay(20, Duration::from_millis(1)).jitter(0.5));
    let ask = move |row| late(row, attempts.clone());
    let asked = if ordered {
        stream.async_wait_ordered(ask, options)
    } else {
        stream.async_wait_unordered(ask, options)
    };
    let output = harness.output(&asked.name("ask").disable_chaining());
    for row in 0..2_000 {
        input.push(row, row);
        if row % 100 == 99 {
            input.watermark(row);
        }
    }
    input.end();
    harness.env().parallelism(1);
    let program = harness.env().program().unwrap();
    execute::start(&program, Configuration::default())
        .unwrap()
        .wait()
        .unwrap();
    output.take_rows()
}

#[test]
fn all_rows_come_out_in_order() {
    assert_eq!(run(true), (0..2_000).collect::<Vec<_>>());
}

#[test]
fn all_rows_come_out_between_their_watermarks() {
    let rows = run(false);
    assert_ne!(rows, (0..2_000).collect::<Vec<_>>());
    for (index, rows) in rows.chunks(100).enumerate() {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        let first = index as i64 * 100;
        assert_eq!(rows, (first..first + 100).collect::<Vec<_>>());
    }
}

#[test]
fn a_time_out_needs_no_further_row() {
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<i64>("numbers");
    let options = AsyncOptions::new()
        .timeout(Duration::from_millis(50))
        .fallback(|row: i64, _| -row);
    let ask = |row: i64| async move {
        std::future::pending::<()>().await;
        Ok([row])
    };
    let output = harness.output(&stream.async_wait_ordered(ask, options));
    input.push(1, 1);
    input.end();
    harness.env().parallelism(1);
    let program = harness.env().program().unwrap();
    execute::start(&program, Configuration::default())
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(output.take_rows(), [-1]);
}

#[test]
fn a_job_with_rows_in_flight_is_cancelled_at_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let harness = Harness::new();
    let (mut input, stream) = harness.input::<i64>("numbers");
    let alive = Arc::new(AtomicUsize::new(0));
    let counter = alive.clone();
    let asked = stream.async_wait_unordered(
        move |row: i64| {
            counter.fetch_add(1, Ordering::SeqCst);
            let counted = Counted(counter.clone());
            async move {
                std::future::pending::<()>().await;
                drop(counted);
                Ok([row])
            }
        },
        AsyncOptions::new().capacity(10).no_timeout(),
    );
    harness.output(&asked);
    for row in 0..100 {
        input.push(row, row);
    }
    harness.env().parallelism(1);
    let program = harness.env().program().unwrap();
    let job = execute::start(&program, Configuration::default()).unwrap();
    let started = Instant::now();
    while alive.load(Ordering::SeqCst) < 10 {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(1));
    }
    let cancelled = Instant::now();
    job.handle.control().cancel();
    let error = job.wait().err().unwrap();
    assert!(
        matches!(&error, ApiError::Run(error) if matches!(**error, JobError::Cancelled)),
        "{error}"
    );
    assert!(cancelled.elapsed() < Duration::from_secs(1));
    while alive.load(Ordering::SeqCst) > 0 {
        assert!(
            cancelled.elapsed() < Duration::from_secs(5),
            "futures outlive their job"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
