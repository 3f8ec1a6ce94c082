//! A job runs by itself: it takes checkpoints and starts again after failures whether anybody waits
//! for it or not, and any number of handles see what it is at.

use crate::common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use common::{Folder, Kept, Tap, wait_until};
use rheos::ApiError;
use rheos::cluster::JobError;
use rheos::cluster::schedule::ExecutionState;
use rheos::cluster::submit::JobStatus;
use rheos::execute::{RunningJob, start};
use rheos::prelude::*;

/// Fails at the number 500 as often as it is asked to.
fn job(tap: &Tap, kept: &Kept, failures: u32, folder: Option<&Folder>) -> RunningJob {
    let mut configuration = Configuration::new();
    configuration.set("pipeline.name", "by itself");
    configuration.set("restart-strategy.type", "fixed-delay");
    configuration.set("restart-strategy.fixed-delay.attempts", "3");
    configuration.set("restart-strategy.fixed-delay.delay", "1 ms");
    if let Some(folder) = folder {
        configuration.set("execution.checkpointing.interval", "10 ms");
        configuration.set("execution.checkpointing.dir", folder.text());
    }
    let env = StreamEnv::new(configuration);
    env.parallelism(2);
    let left = Arc::new(AtomicU32::new(failures));
    env.from_source(tap.clone(), WatermarkStrategy::no_watermarks(), "numbers")
        .parallelism(1)
        .try_map(move |n: u64| {
            let fails = n == 500
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |l| l.checked_sub(1))
                    .is_ok();
            if fails {
                Err("five hundred".into())
            } else {
                Ok(n)
            }
        })
        .parallelism(1)
        .rebalance()
        .sink_to(kept.clone());
    start(&env.program().unwrap(), env.configuration()).unwrap()
}

#[test]
fn nobody_has_to_wait_for_checkpoints_or_restarts() {
    let (tap, kept, folder) = (Tap::up_to(400), Kept::default(), Folder::of("by-itself"));
    let job = job(&tap, &kept, 2, Some(&folder));
    let completed = || job.handle.metrics().checkpoints.counts().unwrap().completed;
    wait_until("400 rows", || kept.rows().len() == 400);
    let before = completed();
    wait_until("two checkpoints", || completed() >= before + 2);
    tap.open_to(1000);
    wait_until("the last row", || kept.rows().contains(&999));
    wait_until("both restarts", || job.handle.view().restarts == 2);
    let view = job.handle.view();
    assert_eq!(view.timeline.status(), JobStatus::Running);
    for status in [JobStatus::Failing, JobStatus::Restarting] {
        let at = view.timeline.entered(status);
        assert!(at > 0 && at <= view.timeline.changed(), "{status}");
    }
    for task in view.execution.tasks() {
        assert_eq!((task.current.attempt.0, task.before.len()), (2, 2));
        for before in &task.before {
            assert!(before.state().has_ended(), "{before:?}");
        }
    }
    let first_tries = view
        .execution
        .of_vertex(0)
        .map(|task| task.before[0].state());
    assert_eq!(
        first_tries.filter(|s| *s == ExecutionState::Failed).count(),
        1
    );
    tap.close();
    wait_until("its end", || job.handle.status() == JobStatus::Finished);
    // From a checkpoint of at least 400 rows on.
    let mut rows = kept.rows();
    assert_eq!(rows.iter().filter(|row| **row < 400).count(), 400);
    rows.sort_unstable();
    rows.dedup();
    assert_eq!(rows, (0..1000).collect::<Vec<_>>());
    assert_eq!(job.wait().unwrap().restarts, 2);
}

#[test]
fn all_who_wait_are_told_the_same() {
    let (tap, kept) = (Tap::up_to(10), Kept::default());
    let job = job(&tap, &kept, 0, None);
    let waits: Vec<_> = (0..4)
        .map(|_| {
            let job = job.clone();
            std::thread::spawn(move || job.wait().unwrap_err())
        })
        .collect();
    wait_until("rows", || kept.rows().len() == 10);
    assert!(job.handle.wait_for(Duration::ZERO).is_none());
    let ended = Arc::new(AtomicBool::new(false));
    let told = ended.clone();
    job.handle
        .at_end(move || told.store(true, Ordering::SeqCst));
    job.handle.control().cancel();
    for wait in waits {
        let error = wait.join().unwrap();
        let cancelled = matches!(&error, ApiError::Run(e) if matches!(**e, JobError::Cancelled));
        assert!(cancelled, "{error}");
        assert!(
            ended.load(Ordering::SeqCst),
            "what is to be done comes first"
        );
    }
    assert_eq!(job.handle.status(), JobStatus::Canceled);
    let view = job.handle.view();
    for task in view.execution.tasks() {
        assert_eq!(task.current.state(), ExecutionState::Canceled);
        for state in [
            ExecutionState::Created,
            ExecutionState::Scheduled,
            ExecutionState::Deploying,
            ExecutionState::Initializing,
            ExecutionState::Running,
            ExecutionState::Canceling,
        ] {
            assert!(task.current.entered(state) > 0, "{state}");
        }
    }
    assert!(job.wait().is_err(), "and whoever asks later too");
}

#[test]
fn it_goes_on_when_nobody_holds_it_any_more() {
    let (tap, kept) = (Tap::up_to(10), Kept::default());
    drop(job(&tap, &kept, 0, None));
    tap.open_to(5000);
    wait_until("rows", || kept.rows().len() == 5000);
    tap.close();
}

#[test]
fn the_last_failure_is_told_when_no_restart_is_left() {
    let (tap, kept) = (Tap::up_to(1000), Kept::default());
    let job = job(&tap, &kept, 4, None);
    let error = job.wait().unwrap_err().to_string();
    assert!(error.contains("five hundred"), "{error}");
    assert_eq!(job.handle.status(), JobStatus::Failed);
    let timeline = job.handle.view().timeline;
    assert_eq!(timeline.ended(), Some(timeline.entered(JobStatus::Failed)));
    assert_eq!(job.handle.view().restarts, 3);
}

#[test]
fn a_stopped_job_has_finished() {
    let (tap, kept) = (Tap::up_to(50), Kept::default());
    let job = job(&tap, &kept, 0, None);
    wait_until("rows", || kept.rows().len() == 50);
    job.handle.control().stop(true);
    assert_eq!(job.wait().unwrap().restarts, 0);
    assert_eq!(job.handle.status(), JobStatus::Finished);
}

#[test]
fn a_task_that_hangs_is_given_up_after_the_time_that_is_configured() {
    let mut configuration = Configuration::new();
    configuration.set("task.cancellation.timeout", "1 s");
    let env = StreamEnv::new(configuration);
    env.parallelism(1);
    let hangs = Arc::new(AtomicBool::new(false));
    let (told, seen) = (hangs.clone(), hangs);
    env.from_source(Tap::up_to(5), WatermarkStrategy::no_watermarks(), "numbers")
        .map(move |number: u64| {
            told.store(true, Ordering::SeqCst);
            // What a thread that never comes back looks like, for as long as the test may take.
            std::thread::sleep(std::time::Duration::from_secs(20));
            number
        })
        .name("hangs")
        .sink_to(Kept::default());
    let job = start(&env.program().unwrap(), env.configuration()).unwrap();
    wait_until("the task hangs", || seen.load(Ordering::SeqCst));
    let began = std::time::Instant::now();
    job.handle.control().cancel();
    let error = job.wait().unwrap_err().to_string();
    let waited = began.elapsed().as_millis();
    assert!((900..15_000).contains(&waited), "{waited} ms");
    assert!(error.contains("did not end within 1 s"), "{error}");
    assert!(error.contains("the job was cancelled"), "{error}");
}
