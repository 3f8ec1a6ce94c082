//! The traps of watermarks, one test each, and the fast forms against plain ones.

use std::time::Duration;

use proptest::prelude::*;
use rheos_core::element::{Control, StreamStatus};
use rheos_core::time::{MAX_WATERMARK, MIN_TIMESTAMP, Millis};

use super::combined::{Combination, CombinedWatermarkStatus};
use super::emitter::WatermarkEmitter;
use super::generator::{WatermarkGenerator, WatermarkOutput};
use super::multiplexer::{Mode, WatermarkOutputMultiplexer};
use super::strategy::{StrategyError, WatermarkStrategy};
use super::valve::StatusWatermarkValve;

const IDLE: Control = Control::Status(StreamStatus::Idle);
const ACTIVE: Control = Control::Status(StreamStatus::Active);

fn periodic(generator: &mut dyn WatermarkGenerator<i64>, now: Millis) -> WatermarkOutput {
    let mut out = WatermarkOutput::default();
    generator.on_periodic(now, &mut out);
    out
}

fn event(generator: &mut dyn WatermarkGenerator<i64>, timestamp: Millis) -> WatermarkOutput {
    let mut out = WatermarkOutput::default();
    generator.on_event(&timestamp, timestamp, &mut out);
    out
}

fn watermark(w: Millis) -> WatermarkOutput {
    WatermarkOutput {
        watermark: Some(w),
        status: None,
    }
}

fn idle() -> WatermarkOutput {
    WatermarkOutput {
        watermark: None,
        status: Some(StreamStatus::Idle),
    }
}

#[test]
fn bounded_emits_the_least_before_any_row_and_repeats_itself() {
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(5));
    let mut generator = strategy.generator();
    assert_eq!(periodic(&mut generator, 0), watermark(MIN_TIMESTAMP));
    assert!(event(&mut generator, 100).is_empty());
    assert!(event(&mut generator, 90).is_empty());
    assert_eq!(periodic(&mut generator, 0), watermark(94));
    assert_eq!(periodic(&mut generator, 0), watermark(94));
    let mut endless = WatermarkStrategy::for_bounded_out_of_orderness(Duration::MAX).generator();
    assert!(event(&mut endless, MIN_TIMESTAMP).is_empty());
    assert_eq!(periodic(&mut endless, 0), watermark(MIN_TIMESTAMP));
}

#[test]
fn a_batch_gives_what_its_rows_give_one_by_one() {
    let rows = [7i64, 3, 10, 4, 20];
    let mut bounded = WatermarkStrategy::for_monotonous_timestamps().generator();
    let mut out = WatermarkOutput::default();
    assert_eq!(bounded.on_batch(&rows, &rows, 2, &mut out), 5);
    assert!(out.is_empty());
    assert_eq!(periodic(&mut bounded, 0), watermark(19));

    let strategy = WatermarkStrategy::punctuated(|row: &i64, t| (row % 10 == 0).then_some(t - 1))
        .with_idleness(Duration::from_secs(1));
    let mut punctuated = strategy.generator();
    assert_eq!(punctuated.on_batch(&rows, &rows, 0, &mut out), 3);
    assert_eq!(out.take(), watermark(9));
    assert_eq!(punctuated.on_batch(&rows, &rows, 3, &mut out), 5);
    assert_eq!(out.take(), watermark(19));
    assert_eq!(punctuated.on_batch(&rows, &rows, 5, &mut out), 5);
    assert!(out.is_empty());
}

#[test]
fn idleness_counts_from_the_first_periodic_call_without_rows_and_is_strict() {
    let strategy =
        WatermarkStrategy::for_monotonous_timestamps().with_idleness(Duration::from_millis(10));
    let mut generator = strategy.generator();
    event(&mut generator, 5);
    assert_eq!(periodic(&mut generator, 1000), watermark(4));
    // Silent for long, but this is the first call that finds it out.
    assert_eq!(periodic(&mut generator, 1500), watermark(4));
    assert_eq!(periodic(&mut generator, 1510), watermark(4));
    assert_eq!(periodic(&mut generator, 1511), idle());
    assert!(periodic(&mut generator, 1600).is_empty());
    event(&mut generator, 6);
    assert_eq!(periodic(&mut generator, 1601), watermark(5));
}

#[test]
fn the_idle_clock_stands_still_while_a_split_is_kept_from_giving_rows() {
    let strategy =
        WatermarkStrategy::for_monotonous_timestamps().with_idleness(Duration::from_millis(10));
    let mut generator = strategy.generator();
    periodic(&mut generator, 0);
    generator.pause(4);
    generator.pause(5);
    generator.resume(50);
    assert_eq!(periodic(&mut generator, 60), watermark(MIN_TIMESTAMP));
    generator.resume(104);
    assert_eq!(periodic(&mut generator, 110), watermark(MIN_TIMESTAMP));
    assert_eq!(periodic(&mut generator, 111), idle());
}

#[test]
fn ingestion_time_goes_on_without_rows_and_is_never_late() {
    let strategy = WatermarkStrategy::<i64>::ingestion_time();
    let mut timestamps = [MIN_TIMESTAMP; 3];
    strategy.assigner().assign(&[1, 2, 3], &mut timestamps, 77);
    assert_eq!(timestamps, [77; 3]);
    assert_eq!(periodic(&mut strategy.generator(), 77), watermark(76));
}

#[test]
fn a_strategy_that_cannot_work_says_so() {
    let strategy = WatermarkStrategy::<i64>::no_watermarks();
    let second = Duration::from_secs(1);
    assert_eq!(strategy.validate(), Ok(()));
    assert!(matches!(
        strategy.clone().with_idleness(Duration::ZERO).validate(),
        Err(StrategyError::Idleness(_))
    ));
    assert!(
        strategy
            .clone()
            .with_alignment("", second, second)
            .validate()
            .is_err()
    );
    assert!(
        strategy
            .with_alignment("g", second, Duration::ZERO)
            .validate()
            .is_err()
    );
}

fn valve_watermark(valve: &mut StatusWatermarkValve, channel: usize, w: Millis) -> Vec<Control> {
    let mut out = Vec::new();
    valve.watermark(channel, w, &mut |c| out.push(c));
    out
}

fn valve_status(valve: &mut StatusWatermarkValve, channel: usize, idle: bool) -> Vec<Control> {
    let mut out = Vec::new();
    valve.status(channel, idle, &mut |c| out.push(c));
    out
}

#[test]
fn a_channel_that_was_idle_is_left_out_until_it_has_caught_up() {
    let mut valve = StatusWatermarkValve::new(2);
    assert_eq!(valve_watermark(&mut valve, 0, 5), []);
    assert_eq!(valve_status(&mut valve, 1, true), [Control::Watermark(5)]);
    assert_eq!(
        valve_watermark(&mut valve, 1, 9),
        [],
        "watermarks of idle channels are ignored"
    );
    assert_eq!(valve_status(&mut valve, 1, false), []);
    assert_eq!(valve_watermark(&mut valve, 0, 7), [Control::Watermark(7)]);
    assert_eq!(valve_watermark(&mut valve, 1, 6), []);
    assert_eq!(valve_watermark(&mut valve, 0, 8), [Control::Watermark(8)]);
    assert_eq!(valve_watermark(&mut valve, 1, 8), []);
    assert_eq!(
        valve_watermark(&mut valve, 0, 20),
        [],
        "channel 1 takes part again"
    );
    assert_eq!(
        valve_watermark(&mut valve, 1, MAX_WATERMARK),
        [Control::Watermark(20)]
    );
    assert_eq!(
        valve_watermark(&mut valve, 0, MAX_WATERMARK),
        [Control::Watermark(MAX_WATERMARK)]
    );
}

#[test]
fn the_greatest_is_flushed_only_if_the_last_active_channel_was_at_the_output() {
    let mut valve = StatusWatermarkValve::new(2);
    valve_watermark(&mut valve, 0, 5);
    assert_eq!(valve_watermark(&mut valve, 1, 3), [Control::Watermark(3)]);
    assert_eq!(valve_status(&mut valve, 0, true), []);
    assert_eq!(
        valve_status(&mut valve, 1, true),
        [Control::Watermark(5), IDLE]
    );
    assert_eq!(valve_watermark(&mut valve, 0, 50), []);
    assert_eq!(valve_status(&mut valve, 1, false), [ACTIVE]);
    assert_eq!(
        valve_status(&mut valve, 1, true),
        [IDLE],
        "it was behind the output"
    );
}

#[test]
fn combined_inputs_jump_to_the_greatest_when_all_are_idle() {
    let mut status = CombinedWatermarkStatus::new(2);
    assert_eq!(
        status.watermark(0, 9),
        Combination {
            watermark: None,
            idle: false
        }
    );
    assert_eq!(
        status.watermark(1, 3),
        Combination {
            watermark: Some(3),
            idle: false
        }
    );
    assert_eq!(
        status.status(0, true),
        Combination {
            watermark: None,
            idle: false
        }
    );
    assert_eq!(
        status.status(1, true),
        Combination {
            watermark: Some(9),
            idle: true
        }
    );
    // A lagging input that comes back holds the others back, but nothing falls.
    assert_eq!(
        status.watermark(1, 4),
        Combination {
            watermark: None,
            idle: false
        }
    );
    assert_eq!(
        status.watermark(0, 20),
        Combination {
            watermark: None,
            idle: false
        }
    );
    assert_eq!(
        status.watermark(1, 12),
        Combination {
            watermark: Some(12),
            idle: false
        }
    );
}

#[test]
fn the_multiplexer_emits_the_watermark_and_then_idle() {
    let mut splits = WatermarkOutputMultiplexer::new();
    assert!(splits.on_periodic().is_empty());
    let a = splits.register();
    let b = splits.register();
    assert!(splits.watermark(&a, 10, Mode::Deferred).is_empty());
    assert_eq!(splits.watermark(&b, 20, Mode::Immediate), watermark(10));
    assert!(
        splits
            .status(&a, StreamStatus::Idle, Mode::Deferred)
            .is_empty()
    );
    let both = WatermarkOutput {
        watermark: Some(20),
        status: Some(StreamStatus::Idle),
    };
    splits.status(&b, StreamStatus::Idle, Mode::Deferred);
    assert_eq!(splits.on_periodic(), both);
    assert_eq!(
        splits.on_periodic(),
        idle(),
        "said again on every combination"
    );
    let c = splits.register();
    assert!(
        splits.watermark(&a, 30, Mode::Immediate).is_empty(),
        "held back by the new one"
    );
    splits.unregister(c);
    assert_eq!(splits.on_periodic(), watermark(30));
}

#[test]
fn an_idle_source_is_active_again_before_its_next_watermark() {
    let mut emitter = WatermarkEmitter::default();
    let mut out = Vec::new();
    for output in [
        watermark(5),
        idle(),
        idle(),
        watermark(5),
        watermark(4),
        watermark(6),
    ] {
        emitter.apply(output, &mut |c| out.push(c));
    }
    assert_eq!(
        out,
        [Control::Watermark(5), IDLE, ACTIVE, Control::Watermark(6)]
    );
}

proptest! {
    /// The tree behind the combined status agrees with a minimum over all inputs.
    #[test]
    fn combining_agrees_with_a_scan(
        inputs in 1usize..40,
        steps in prop::collection::vec((0usize..40, -50i64..50, 0u8..4), 0..300),
    ) {
        let mut status = CombinedWatermarkStatus::new(inputs);
        let mut plain = vec![Some((MIN_TIMESTAMP, false)); inputs];
        let mut combined = MIN_TIMESTAMP;
        for (at, w, what) in steps {
            let at = at % plain.len();
            match what {
                0 => {
                    status.set_idle(at, true);
                    plain[at] = plain[at].map(|(old, _)| (old, true));
                }
                1 if plain.iter().flatten().count() > 1 => {
                    status.remove(at);
                    plain[at] = None;
                }
                2 if plain.iter().any(Option::is_none) => {
                    let index = status.add();
                    prop_assert!(plain[index].is_none());
                    plain[index] = Some((MIN_TIMESTAMP, false));
                }
                _ => {
                    status.set_watermark(at, w);
                    plain[at] = plain[at].map(|(old, _)| (old.max(w), false));
                }
            }
            let combination = status.combine();
            let active = plain.iter().flatten().filter(|(_, idle)| !idle).map(|(w, _)| *w).min();
            let greatest = plain.iter().flatten().map(|(w, _)| *w).max().unwrap_or(MIN_TIMESTAMP);
            let candidate = active.unwrap_or(greatest);
            prop_assert_eq!(combination.watermark, (candidate > combined).then_some(candidate));
            combined = combined.max(candidate);
            prop_assert_eq!(status.combined(), combined);
            prop_assert_eq!(combination.idle, active.is_none());
        }
    }
}
