//! The coordinator's decisions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use super::*;

fn settings() -> CheckpointSettings {
    CheckpointSettings::of_tests(Duration::from_millis(50))
}

/// Task 0 is a source, task 1 is not.
fn coordinator(settings: &CheckpointSettings) -> Coordinator {
    Coordinator::new(settings, 7, 2, BTreeSet::from([0]), 0)
}

fn part() -> WrittenTask {
    WrittenTask {
        operators: Vec::new(),
        cost: Default::default(),
        bytes: 0,
        written_micros: 0,
    }
}

fn answer(coordinator: &mut Coordinator, checkpoint: u64, task: usize) {
    assert!(coordinator.answered(checkpoint, task));
    coordinator.written(checkpoint, task, part());
}

#[test]
fn one_begins_after_the_interval_and_the_next_not_before_the_pause() {
    let mut c = coordinator(&settings());
    assert!(!c.is_due(99_999));
    assert!(c.is_due(100_000));
    assert_eq!(c.begin(100_000, 0), 7);
    assert!(!c.is_due(250_000), "one at a time");
    answer(&mut c, 7, 0);
    assert!(c.whole().is_none());
    answer(&mut c, 7, 1);
    assert_eq!(c.unfinished().collect::<Vec<_>>(), [7]);
    assert_eq!(c.whole().unwrap().checkpoint, 7);
    assert_eq!(c.unfinished().count(), 0, "it may be complete any moment");
    assert!(c.whole().is_none(), "it is closed once");
    assert_eq!(c.completed(7, 260_000), Vec::<u64>::new());
    assert!(!c.is_due(300_000), "the pause");
    assert!(c.is_due(310_000));
    assert_eq!(c.begin(310_000, 0), 8);
}

#[test]
fn a_task_that_ends_has_no_part_unless_it_has_answered() {
    let mut c = coordinator(&settings());
    c.begin(100_000, 0);
    assert!(c.answered(7, 0));
    c.task_ended(0);
    c.task_ended(1);
    assert!(c.whole().is_none(), "its answer is not written yet");
    c.written(7, 0, part());
    assert_eq!(c.whole().unwrap().written.len(), 1);
    assert!(!c.is_due(10_000_000), "no source runs");
}

#[test]
fn the_last_checkpoint_does_not_wait_for_the_interval() {
    let mut c = coordinator(&settings());
    c.begin(100_000, 0);
    c.end_reached(0);
    assert!(!c.is_due(100_001), "one is under way");
    answer(&mut c, 7, 0);
    answer(&mut c, 7, 1);
    c.whole().unwrap();
    c.completed(7, 110_000);
    assert!(c.is_due(110_000));
    assert_eq!(c.begin(110_000, 0), 8);
    answer(&mut c, 8, 0);
    answer(&mut c, 8, 1);
    c.whole().unwrap();
    c.completed(8, 120_000);
    assert!(!c.is_due(10_000_000), "it has been taken");
}

#[test]
fn failures_in_a_row_are_counted_and_expired_ones_are_failures() {
    let mut c = coordinator(&settings());
    c.begin(100_000, 0);
    assert_eq!(c.expired(1_099_999), None);
    assert_eq!(c.expired(1_100_000), Some((7, vec![0, 1])));
    assert_eq!(c.failed(7, 1_100_000), Consequence::Tolerated);
    assert_eq!(c.failed(7, 1_100_000), Consequence::Tolerated, "it is gone");
    assert!(!c.answered(7, 0), "what comes late is not wanted");
    c.begin(1_200_000, 0);
    assert_eq!(c.failed(8, 1_200_000), Consequence::Fatal);
}

#[test]
fn a_later_one_that_is_complete_ends_those_before_it() {
    let mut c = coordinator(&CheckpointSettings {
        max_concurrent: 2,
        ..settings()
    });
    c.begin(100_000, 0);
    assert!(c.is_due(200_000));
    c.begin(200_000, 0);
    assert!(!c.is_due(300_000));
    answer(&mut c, 8, 0);
    answer(&mut c, 8, 1);
    c.whole().unwrap();
    assert_eq!(c.completed(8, 210_000), [7]);
    assert_eq!(c.unfinished().count(), 0);
}
