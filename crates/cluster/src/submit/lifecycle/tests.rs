use proptest::prelude::*;
use rheos_core::config::Configuration;
use rheos_core::rng::Rng;

use super::*;

fn at(millis: i64) -> Moment {
    Moment {
        monotonic_micros: millis * 1000,
        wall_millis: millis,
    }
}

fn strategy(attempts: u32) -> RestartStrategy {
    let mut configuration = Configuration::new();
    configuration.set("restart-strategy.type", "fixed-delay");
    let attempts = attempts.to_string();
    configuration.set("restart-strategy.fixed-delay.attempts", &attempts);
    configuration.set("restart-strategy.fixed-delay.delay", "7 ms");
    RestartStrategy::from_configuration(&configuration, true, Rng::new(1)).unwrap()
}

fn running(attempts: u32) -> Lifecycle<&'static str> {
    let mut job = Lifecycle::new(strategy(attempts), 1);
    job.created(2);
    job.deployed(3);
    assert!(job.is_running());
    job
}

#[test]
fn tasks_that_end_by_themselves_finish_a_job() {
    let mut job = running(3);
    assert_eq!(
        job.attempt_ended(at(9)),
        Verdict::Ended(JobStatus::Finished)
    );
    assert_eq!(job.timeline().ended(), Some(9));
    assert_eq!(job.restarts(), 0);
}

#[test]
fn the_first_failure_is_the_cause_and_cancels_once() {
    let mut job = running(1);
    assert!(job.failed("first", Severity::Ordinary, at(4)));
    assert!(!job.failed("second", Severity::Ordinary, at(5)));
    assert_eq!(job.cause(), Some(&"first"));
    assert_eq!(job.cancelled_micros(), Some(4000));
    assert_eq!(job.status(), JobStatus::Failing);
    assert_eq!(job.attempt_ended(at(6)), Verdict::Restart(7));
    assert!(job.may_restart());
    job.deployed(13);
    assert_eq!((job.restarts(), job.cause()), (1, None));
    assert!(job.failed("again", Severity::Ordinary, at(20)));
    assert_eq!(
        job.attempt_ended(at(21)),
        Verdict::Ended(JobStatus::Failed),
        "there was one restart to have"
    );
    assert_eq!(job.cause(), Some(&"again"));
}

#[test]
fn a_stop_takes_no_restart() {
    let mut job = running(9);
    assert!(job.stop(false), "the sources are to be told");
    assert!(!job.failed("x", Severity::Ordinary, at(5)) || !job.stop(true));
    assert_eq!(job.stop_asked(), Some(false), "the first word holds");
    assert_eq!(job.attempt_ended(at(6)), Verdict::Ended(JobStatus::Failed));
}

#[test]
fn a_stop_or_a_cancellation_cuts_the_pause_short() {
    for (cancel, end) in [(true, JobStatus::Canceled), (false, JobStatus::Failed)] {
        let mut job = running(9);
        job.failed("x", Severity::Ordinary, at(5));
        assert_eq!(job.attempt_ended(at(6)), Verdict::Restart(7));
        let told = if cancel {
            job.cancel(at(8))
        } else {
            job.stop(true)
        };
        assert!(!told, "nothing runs that could be told");
        assert!(!job.may_restart());
        assert_eq!(job.interrupted(9), end);
        assert_eq!(job.timeline().ended(), Some(9));
    }
}

#[test]
fn a_job_of_another_process_is_suspended() {
    let mut job = running(9);
    job.failed("newer", Severity::Superseded, at(5));
    assert_eq!(
        job.attempt_ended(at(6)),
        Verdict::Ended(JobStatus::Suspended)
    );
}

#[test]
fn a_failing_job_can_be_cancelled() {
    let mut job = running(9);
    assert!(job.failed("x", Severity::Ordinary, at(5)));
    assert!(!job.cancel(at(6)), "its tasks are told already");
    assert_eq!(job.cancelled_micros(), Some(5000), "since the failure");
    assert_eq!(
        job.attempt_ended(at(7)),
        Verdict::Ended(JobStatus::Canceled)
    );
}

#[test]
fn an_attempt_that_can_t_begin_is_a_failure_like_another() {
    let mut job = running(2);
    job.failed("x", Severity::Ordinary, at(5));
    assert_eq!(job.attempt_ended(at(6)), Verdict::Restart(7));
    job.refused("no thread", Severity::Ordinary);
    assert_eq!(job.attempt_ended(at(14)), Verdict::Restart(7));
    job.refused("no thread", Severity::Ordinary);
    assert_eq!(job.attempt_ended(at(22)), Verdict::Ended(JobStatus::Failed));
    assert_eq!(job.take_cause(), Some("no thread"));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Fail,
    Cancel,
    Stop,
    End,
    Deploy,
}

proptest! {
    /// Whatever happens in whatever order: tasks are cancelled at most once an attempt, no attempt
    /// begins after a cancellation, and an end is an end.
    #[test]
    fn whatever_happens_it_holds_together(steps in proptest::collection::vec(
        prop_oneof![
            Just(Step::Fail), Just(Step::Cancel), Just(Step::Stop), Just(Step::End), Just(Step::Deploy),
        ], 0..40)) {
        let mut job = running(5);
        let (mut cancelled, mut told, mut now) = (false, 0, 10);
        for step in steps {
            now += 1;
            let before = job.status();
            match step {
                Step::Fail => told += u32::from(job.failed("x", Severity::Ordinary, at(now))),
                Step::Cancel => {
                    told += u32::from(job.cancel(at(now)));
                    cancelled |= !before.has_ended();
                }
                Step::Stop => { job.stop(true); }
                Step::End if !before.has_ended() && before != JobStatus::Restarting => {
                    let verdict = job.attempt_ended(at(now));
                    prop_assert!(!cancelled || verdict == Verdict::Ended(JobStatus::Canceled));
                }
                Step::Deploy if job.may_restart() => {
                    prop_assert!(!cancelled);
                    told = 0;
                    job.deployed(now);
                }
                Step::End | Step::Deploy => {}
            }
            prop_assert!(told <= 1);
            prop_assert!(!before.has_ended() || job.status() == before);
        }
    }
}

#[test]
fn a_rescale_is_no_failure() {
    let mut job = running(0);
    assert!(job.rescale(at(4)));
    assert!(!job.rescale(at(5)), "its tasks end already");
    assert_eq!(job.cancelled_micros(), Some(4000));
    assert_eq!(job.status(), JobStatus::Restarting);
    assert!(!job.failed("a task that was told to end", Severity::Ordinary, at(5)));
    assert_eq!(job.attempt_ended(at(6)), Verdict::Rescale);
    job.deployed(7);
    assert_eq!((job.restarts(), job.attempt(), job.cause()), (0, 1, None));
    // No restart is allowed, and none was used up.
    assert!(job.failed("a failure", Severity::Ordinary, at(8)));
    assert_eq!(job.attempt_ended(at(9)), Verdict::Ended(JobStatus::Failed));
}

#[test]
fn a_rescale_gives_way_to_a_cancellation_and_to_a_launch_that_fails() {
    let mut job = running(3);
    job.rescale(at(4));
    assert!(!job.cancel(at(5)), "the tasks have been told already");
    assert_eq!(
        job.attempt_ended(at(6)),
        Verdict::Ended(JobStatus::Canceled)
    );
    let mut job = running(3);
    job.rescale(at(4));
    assert_eq!(job.attempt_ended(at(5)), Verdict::Rescale);
    job.refused("no thread", Severity::Ordinary);
    assert_eq!(job.attempt_ended(at(6)), Verdict::Restart(7));
    assert_eq!((job.restarts(), job.attempt()), (1, 2));
    assert!(job.stop(false) || job.stop_asked() == Some(false));
}

#[test]
fn a_job_that_another_process_runs_is_not_started_again() {
    let mut job = running(9);
    assert!(
        job.superseded("another leads", at(4)),
        "it runs: its tasks are told"
    );
    assert_eq!(
        job.attempt_ended(at(5)),
        Verdict::Ended(JobStatus::Suspended)
    );
    // It fails already, or waits for its next attempt.
    for waits in [false, true] {
        let mut job = running(9);
        job.failed("lost", Severity::Ordinary, at(4));
        if waits {
            assert_eq!(job.attempt_ended(at(5)), Verdict::Restart(7));
        }
        assert!(!job.superseded("another leads", at(6)));
        match waits {
            true => {
                assert!(!job.may_restart());
                assert_eq!(job.interrupted(7), JobStatus::Suspended);
            }
            false => assert_eq!(
                job.attempt_ended(at(7)),
                Verdict::Ended(JobStatus::Suspended)
            ),
        }
        assert_eq!(job.take_cause(), Some("another leads"));
    }
    // What a user has ended stays ended.
    let mut job = running(9);
    job.cancel(at(4));
    assert!(!job.superseded("another leads", at(5)));
    assert_eq!(
        job.attempt_ended(at(6)),
        Verdict::Ended(JobStatus::Canceled)
    );
    // Its tasks end, to be deployed anew, or have ended.
    for ended in [false, true] {
        let mut job = running(9);
        job.rescale(at(4));
        if ended {
            assert_eq!(job.attempt_ended(at(5)), Verdict::Rescale);
        }
        assert!(!job.superseded("another leads", at(6)));
        assert!(job.is_superseded());
        match ended {
            true => assert_eq!(job.interrupted(7), JobStatus::Suspended),
            false => assert_eq!(
                job.attempt_ended(at(7)),
                Verdict::Ended(JobStatus::Suspended)
            ),
        }
    }
}
