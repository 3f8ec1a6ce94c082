//! Order, watermarks, capacity, barriers and the end of the input.

use proptest::prelude::*;
use rheos::harness::Harness;
use rheos::prelude::*;

use crate::desk::{Desk, Scene};

#[test]
fn ordered_results_come_in_the_order_of_the_input() {
    let mut scene = Scene::ordered(AsyncOptions::new());
    for row in 1..=3 {
        scene.input.push(row, row * 100);
    }
    scene.settle();
    assert_eq!(scene.desk.take_asked(), [1, 2, 3]);
    scene.desk.answer(3, &[30]);
    scene.desk.answer(2, &[]);
    assert!(scene.rows().is_empty());
    scene.desk.answer(1, &[10, 11]);
    scene.settle();
    assert_eq!(scene.output.take(), [(10, 100), (11, 100), (30, 300)]);
}

#[test]
fn unordered_results_come_as_they_are() {
    let mut scene = Scene::unordered(AsyncOptions::new());
    for row in 1..=3 {
        scene.input.push(row, row);
    }
    scene.settle();
    for row in [3, 1, 2] {
        scene.desk.answer(row, &[row]);
        assert_eq!(scene.rows(), [row]);
    }
}

#[test]
fn rows_of_one_key_keep_their_order_and_others_do_not_wait_for_them() {
    let options = AsyncOptions::new()
        .in_order_of(|row: &i64| row % 2)
        .timeout(Duration::from_secs(1))
        .fallback(|row, _| -row);
    let mut scene = Scene::unordered(options);
    for row in 1..=5 {
        scene.input.push(row, row);
    }
    scene.settle();
    assert_eq!(
        scene.desk.take_asked(),
        [1, 2, 3, 4, 5],
        "they are asked about at once"
    );
    scene.desk.answer(3, &[3]);
    assert!(scene.rows().is_empty());
    scene.desk.answer(4, &[4]);
    scene.desk.refuse(5);
    assert!(scene.rows().is_empty());
    scene.desk.answer(2, &[2]);
    assert_eq!(scene.rows(), [2, 4]);
    scene.advance(1_000);
    assert_eq!(
        scene.rows(),
        [-1, 3, -5],
        "the fallback of a row whose time is up is in order too"
    );
}

/// Emits each row with the watermark it is seen at.
struct Seen;

impl ProcessFunction<i64, i64> for Seen {
    fn process(
        &mut self,
        row: i64,
        context: &ProcessContext<'_>,
        out: &mut Collector<'_, i64>,
    ) -> Result<(), BoxError> {
        out.collect(row * 1_000 + context.watermark().max(0));
        Ok(())
    }
}

fn seen(ordered: bool, chained: bool, capacity: usize) -> Scene {
    let desk = Desk::default();
    let asked = desk.clone();
    Scene::of(desk, move |stream| {
        let options = AsyncOptions::new().capacity(capacity);
        let ask = move |row| asked.ask(row);
        let asked = if ordered {
            stream.async_wait_ordered(ask, options)
        } else {
            stream.async_wait_unordered(ask, options)
        };
        let asked = if chained {
            asked
        } else {
            asked.disable_chaining()
        };
        asked.name("ask").process(|_| Ok(Seen)).name("seen")
    })
}

#[test]
fn unordered_results_never_pass_a_watermark() {
    let mut scene = seen(false, true, 10);
    scene.input.push(1, 1);
    scene.input.watermark(5);
    scene.input.push(2, 6);
    scene.settle();
    scene.desk.answer(2, &[2]);
    assert!(scene.rows().is_empty());
    scene.desk.answer(1, &[1]);
    assert_eq!(scene.rows(), [1_000, 2_005]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever the order of the answers: every row once, with the watermark that it came in behind,
    /// and in order where order was asked for.
    #[test]
    fn rows_and_watermarks_keep_their_places(
        ordered in any::<bool>(),
        chained in any::<bool>(),
        capacity in 1..12usize,
        watermark_behind in prop::collection::vec(any::<bool>(), 1..30),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 30),
    ) {
        let mut scene = seen(ordered, chained, capacity);
        let mut expected = Vec::new();
        let mut watermark = 0;
        for (row, behind) in (1i64..).zip(&watermark_behind) {
            scene.input.push(row, row);
            expected.push(row * 1_000 + watermark);
            if *behind {
                scene.input.watermark(row);
                watermark = row;
            }
        }
        scene.input.end();
        let mut waiting = Vec::new();
        let mut rows = Vec::new();
        for choice in &choices {
            scene.settle();
            waiting.extend(scene.desk.take_asked());
            scene.check(|metrics| assert!(metrics.in_flight() <= capacity as u64));
            if waiting.is_empty() {
                break;
            }
            let row = waiting.remove(choice.index(waiting.len()));
            prop_assert!(scene.desk.answer(row, &[row]));
            rows.extend(scene.rows());
        }
        prop_assert!(scene.job.is_finished());
        if !ordered {
            rows.sort_unstable();
        }
        prop_assert_eq!(rows, expected);
    }
}

#[test]
fn further_rows_are_held_back_while_the_capacity_is_used_up_and_the_task_counts_as_busy() {
    let mut scene = Scene::unordered(AsyncOptions::new().capacity(2));
    for row in 1..=5 {
        scene.input.push(row, row);
    }
    scene.settle();
    assert_eq!(scene.desk.take_asked(), [1, 2]);
    scene.check(|metrics| assert_eq!(metrics.in_flight(), 2));
    let busy = |scene: &Scene| -> u64 {
        scene
            .job
            .metrics()
            .tasks
            .iter()
            .map(|task| task.times.read().busy)
            .sum()
    };
    let before = busy(&scene);
    scene.advance(1_000);
    assert_eq!(busy(&scene) - before, 1_000_000);
    scene.desk.answer(2, &[2]);
    assert_eq!(scene.rows(), [2]);
    assert_eq!(scene.desk.take_asked(), [3]);
}

#[test]
fn a_barrier_passes_rows_in_flight() {
    let mut scene = Scene::ordered(AsyncOptions::new());
    scene.input.push(1, 1);
    scene.settle();
    let checkpoint = scene.job.trigger_barrier();
    scene.settle();
    assert!(!scene.job.passed(checkpoint).is_empty());
    scene.desk.answer(1, &[1]);
    assert_eq!(scene.rows(), [1]);
}

#[test]
fn the_end_of_the_input_waits_for_rows_in_flight() {
    let mut scene = Scene::unordered(AsyncOptions::new());
    scene.input.push(1, 1);
    scene.input.push(2, 2);
    scene.input.end();
    scene.settle();
    assert!(!scene.job.is_finished());
    scene.desk.answer(1, &[1]);
    assert_eq!(scene.rows(), [1]);
    assert!(!scene.job.is_finished());
    scene.desk.answer(2, &[2]);
    assert_eq!(scene.rows(), [2]);
    assert!(scene.job.is_finished());
}

#[test]
fn without_a_runtime_the_job_does_not_start() {
    let harness = Harness::new();
    let (_input, stream) = harness.input::<i64>("numbers");
    let asked = stream.async_wait_ordered(|row| async move { Ok([row]) }, AsyncOptions::new());
    harness.output(&asked.name("ask"));
    let error = harness.start().err().unwrap().to_string();
    assert!(
        error.contains("ask") && error.contains("Harness::with_io"),
        "{error}"
    );
}

#[test]
fn options_that_make_no_sense_are_named_before_the_job_starts() {
    let options: [AsyncOptions<i64, i64>; 4] = [
        AsyncOptions::new().capacity(0),
        AsyncOptions::new().timeout(Duration::ZERO),
        AsyncOptions::new().retry(RetryStrategy::fixed_delay(1, Duration::ZERO).jitter(2.0)),
        AsyncOptions::new().circuit_breaker(CircuitBreaker::failure_rate(2.0)),
    ];
    for options in options {
        let harness = Harness::new();
        let (_input, stream) = harness.input::<i64>("numbers");
        harness.output(&stream.async_wait_unordered(|row| async move { Ok([row]) }, options));
        let error = harness.start().err().unwrap().to_string();
        assert!(error.contains("operator 'Async Wait' has a"), "{error}");
    }
}
