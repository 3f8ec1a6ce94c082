//! What becomes of a job, decided from what happens to it. Pure: who calls it carries out what it
//! answers, and tells it the time.
//!
//! Life: initializing → deployed → an attempt runs until all of its tasks have ended → [`Verdict`]:
//! ended, or started again after a time, which is another attempt. An attempt may also be
//! [rescaled](Lifecycle::rescale), which is no failure: the next one begins at once.
//!
//! Invariants: the first failure of an attempt is its cause, later ones change nothing; a job that was
//! told to stop or cancelled is not started again; a state that has ended is left no more.

use rheos_core::time::Millis;

use super::status::{JobStatus, Timeline};
use crate::recover::restart_strategy::RestartStrategy;

/// A moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds of the clock that never goes back.
    pub monotonic_micros: i64,
    /// Milliseconds of the wall clock.
    pub wall_millis: Millis,
}

/// How serious a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The restart strategy decides.
    Ordinary,
    /// Another process runs the job now.
    Superseded,
    /// There is no point in, or no way to, another attempt.
    Fatal,
}

/// What follows when all tasks of an attempt have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The job has ended, in this state.
    Ended(JobStatus),
    /// It is to be started again after so many milliseconds.
    Restart(Millis),
    /// It is to be started again at once, with other parallelism.
    Rescale,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Lifecycle<E> {
    timeline: Timeline,
    strategy: RestartStrategy,
    restarts: u32,
    rescales: u32,
    /// The tasks of the attempt end for the next one to be wider or narrower.
    rescaling: bool,
    /// Whether it was told to stop, and whether with draining.
    stop: Option<bool>,
    cause: Option<(E, Severity)>,
    /// When its tasks were told to end.
    cancelled_micros: Option<i64>,
}

impl<E> Lifecycle<E> {
    /// A job that begins.
    pub fn new(strategy: RestartStrategy, now: Millis) -> Self {
        Self {
            timeline: Timeline::new(now),
            strategy,
            restarts: 0,
            rescales: 0,
            rescaling: false,
            stop: None,
            cause: None,
            cancelled_micros: None,
        }
    }

    /// What it is at.
    pub fn status(&self) -> JobStatus {
        self.timeline.status()
    }

    /// When it came into its states.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// How often it was started again after a failure.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// How often it went on with other parallelism.
    pub fn rescales(&self) -> u32 {
        self.rescales
    }

    /// How often it was started before, for whatever reason: the number of the attempt.
    pub fn attempt(&self) -> u32 {
        self.restarts + self.rescales
    }

    /// Whether it was told to stop, and whether with draining.
    pub fn stop_asked(&self) -> Option<bool> {
        self.stop
    }

    /// Why the attempt fails, or the last one did.
    pub fn cause(&self) -> Option<&E> {
        self.cause.as_ref().map(|(cause, _)| cause)
    }

    /// Takes the cause of the last failure.
    pub fn take_cause(&mut self) -> Option<E> {
        self.cause.take().map(|(cause, _)| cause)
    }

    /// Whether its tasks work and nobody has told them to end at once.
    pub fn is_running(&self) -> bool {
        self.status() == JobStatus::Running
    }

    /// When its tasks were told to end at once, in monotonic microseconds, if they were.
    pub fn cancelled_micros(&self) -> Option<i64> {
        self.cancelled_micros
    }

    /// It is sound.
    pub fn created(&mut self, now: Millis) {
        self.timeline.enter(JobStatus::Created, now);
    }

    /// Its tasks are deployed.
    pub fn deployed(&mut self, now: Millis) {
        self.cause = None;
        self.cancelled_micros = None;
        self.rescaling = false;
        self.timeline.enter(JobStatus::Running, now);
    }

    /// It is to go on with other parallelism; whether the tasks have to be cancelled now. They work no
    /// more then: what fails of them meanwhile changes nothing.
    pub fn rescale(&mut self, now: Moment) -> bool {
        if !self.is_running() {
            return false;
        }
        self.rescaling = true;
        self.cancelled_micros = Some(now.monotonic_micros);
        self.timeline.enter(JobStatus::Restarting, now.wall_millis);
        true
    }

    /// Something has failed; whether the tasks have to be cancelled now.
    pub fn failed(&mut self, error: E, severity: Severity, now: Moment) -> bool {
        if !self.is_running() {
            return false;
        }
        self.cause = Some((error, severity));
        self.cancelled_micros = Some(now.monotonic_micros);
        self.timeline.enter(JobStatus::Failing, now.wall_millis);
        true
    }

    /// Another process runs the job from now on, whatever it is at; whether the tasks have to be
    /// cancelled now.
    pub fn superseded(&mut self, error: E, now: Moment) -> bool {
        let status = self.status();
        if status.has_ended() || status == JobStatus::Cancelling {
            return false;
        }
        if self.is_running() {
            return self.failed(error, Severity::Superseded, now);
        }
        self.rescaling = false;
        self.cause = Some((error, Severity::Superseded));
        false
    }

    /// Whether another process runs it.
    pub fn is_superseded(&self) -> bool {
        matches!(self.cause, Some((_, Severity::Superseded)))
    }

    /// The user wants it to end at once; whether the tasks have to be cancelled now.
    pub fn cancel(&mut self, now: Moment) -> bool {
        if self.status().has_ended() {
            return false;
        }
        let running = self.is_running();
        if running {
            self.cancelled_micros = Some(now.monotonic_micros);
        }
        self.rescaling = false;
        self.timeline.enter(JobStatus::Cancelling, now.wall_millis);
        running
    }

    /// The user wants it to end in good order; whether the sources have to be told now.
    pub fn stop(&mut self, drain: bool) -> bool {
        self.stop.get_or_insert(drain);
        self.is_running()
    }

    /// Whether it waits to be started again, and nobody has told it to end meanwhile.
    pub fn may_restart(&self) -> bool {
        self.status() == JobStatus::Restarting && self.stop.is_none() && !self.is_superseded()
    }

    /// All tasks of the attempt have ended, or the one that should have begun could not.
    pub fn attempt_ended(&mut self, now: Moment) -> Verdict {
        let verdict = self.verdict(now);
        let next = match verdict {
            Verdict::Ended(status) => status,
            Verdict::Restart(_) => {
                self.restarts += 1;
                JobStatus::Restarting
            }
            Verdict::Rescale => {
                self.rescales += 1;
                JobStatus::Restarting
            }
        };
        self.timeline.enter(next, now.wall_millis);
        verdict
    }

    fn verdict(&mut self, now: Moment) -> Verdict {
        if self.status() == JobStatus::Cancelling {
            return Verdict::Ended(JobStatus::Canceled);
        }
        if std::mem::take(&mut self.rescaling) {
            return Verdict::Rescale;
        }
        let Some((_, severity)) = &self.cause else {
            return Verdict::Ended(JobStatus::Finished);
        };
        match severity {
            Severity::Superseded => return Verdict::Ended(JobStatus::Suspended),
            Severity::Fatal => return Verdict::Ended(JobStatus::Failed),
            Severity::Ordinary => {}
        }
        let decision = self.strategy.failed(now.monotonic_micros / 1000);
        if decision.can_restart && self.stop.is_none() {
            Verdict::Restart(decision.backoff_ms)
        } else {
            Verdict::Ended(JobStatus::Failed)
        }
    }

    /// What was to be an attempt could not begin, or what should end it in good order failed.
    pub fn refused(&mut self, error: E, severity: Severity) {
        if self.status() != JobStatus::Cancelling {
            self.cause = Some((error, severity));
        }
    }

    /// The tasks don't end: it has failed.
    pub fn given_up(&mut self, error: E, now: Millis) {
        self.cause = Some((error, Severity::Fatal));
        self.timeline.enter(JobStatus::Failed, now);
    }

    /// The pause before a restart was cut short: by a stop, a cancellation, or another process.
    pub fn interrupted(&mut self, now: Millis) -> JobStatus {
        let status = match self.status() {
            JobStatus::Cancelling => JobStatus::Canceled,
            _ if self.is_superseded() => JobStatus::Suspended,
            _ => JobStatus::Failed,
        };
        self.timeline.enter(status, now);
        status
    }
}

#[cfg(test)]
mod tests;
