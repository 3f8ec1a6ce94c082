//! A running job, as the one who started it sees it.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_runtime::TaskError;
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::metrics::status::JobStatus;
use rheos_runtime::task::mailbox::Mail;

use super::attempt::Attempt;
use super::checkpoints::Checkpoints;
use super::events::{Event, Events};
use super::launch::Launcher;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::log::Ending;
use crate::checkpoint::writer::Written;
use crate::deploy::JobMetrics;
use crate::error::JobError;
use crate::memory::MemoryWatch;
use crate::recover::restart_strategy::RestartStrategy;

/// What a job did.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// How long it ran, in microseconds of the job's clock: of a job that goes on from a checkpoint,
    /// with what it had run until then.
    pub run_micros: i64,
    /// The counters as they were at the end.
    pub metrics: JobMetrics,
    /// How often it was started again after a failure.
    pub restarts: u32,
}

/// Tells a running job to end; can be kept by a signal handler.
#[derive(Clone)]
pub struct JobControl {
    events: Arc<Events>,
    checkpointed: bool,
}

impl JobControl {
    /// Ends the sources; what they have emitted is processed. With `drain` open windows fire. Where
    /// the job takes checkpoints a last one is taken: without `drain`, to go on from.
    pub fn stop(&self, drain: bool) {
        self.events.push(Event::Stop { drain });
    }

    /// Ends all tasks at once.
    pub fn cancel(&self) {
        self.events.push(Event::Cancel);
    }

    /// Whether the job takes checkpoints, and can go on from where it was stopped.
    pub fn takes_checkpoints(&self) -> bool {
        self.checkpointed
    }
}

/// A running job.
pub struct JobHandle {
    pub(super) clock: SharedClock,
    pub(super) events: Arc<Events>,
    pub(super) launcher: Launcher,
    pub(super) attempt: Attempt,
    pub(super) metrics: JobMetrics,
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) strategy: RestartStrategy,
    pub(super) started_micros: i64,
    pub(super) cancellation_timeout: Duration,
    pub(super) memory: MemoryWatch,
}

/// How often the coordinators are looked after when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// How an attempt has come to its end: all of its tasks have ended.
enum Outcome {
    Finished,
    Failed(JobError),
}

/// What was asked for while the job ran.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    stop: Option<bool>,
    cancel: bool,
}

impl JobHandle {
    /// The job's counters.
    pub fn metrics(&self) -> &JobMetrics {
        &self.metrics
    }

    /// The clock of the job's tasks.
    pub fn clock(&self) -> SharedClock {
        self.clock.clone()
    }

    /// Tells the job to end.
    pub fn control(&self) -> JobControl {
        JobControl {
            events: self.events.clone(),
            checkpointed: self.checkpoints.is_some(),
        }
    }

    /// Sends a barrier into every source, of a job that takes no checkpoints.
    pub fn trigger(&self, barrier: rheos_core::barrier::Barrier) {
        self.attempt.mail_sources(|| Mail::Checkpoint(barrier));
    }

    /// Waits until the job has ended: its tasks, in as many attempts as its restart strategy allows.
    ///
    /// # Errors
    /// The last failure of a task, source or checkpoint, or that the job was cancelled.
    pub fn wait(mut self) -> Result<JobReport, JobError> {
        let mut asked = Asked::default();
        let mut restarts = 0;
        loop {
            let failure = match self.run(&mut asked)? {
                Outcome::Finished => break,
                Outcome::Failed(failure) => failure,
            };
            restarts += 1;
            self.restart(failure, &mut asked, restarts)?;
        }
        let mut run_micros = self.clock.monotonic_micros() - self.started_micros;
        if let Some(checkpoints) = &self.checkpoints {
            run_micros = checkpoints.run_millis().saturating_mul(1000);
            checkpoints.end(match asked.stop {
                Some(false) => Ending::Stopped,
                _ => Ending::Finished,
            })?;
        }
        self.attempt.join();
        Ok(JobReport {
            run_micros,
            metrics: self.metrics,
            restarts,
        })
    }

    /// How long to wait for an event.
    fn patience(&self) -> Duration {
        let Some(checkpoints) = &self.checkpoints else {
            return TICK;
        };
        let wait = checkpoints
            .next_look()
            .saturating_sub(self.clock.monotonic_micros());
        TICK.min(Duration::from_micros(u64::try_from(wait).unwrap_or(0)))
    }

    /// Runs the attempt until all of its tasks have ended.
    fn run(&mut self, asked: &mut Asked) -> Result<Outcome, JobError> {
        let mut failure: Option<JobError> = None;
        let mut cancelled_at: Option<i64> = None;
        while !self.attempt.running.is_empty() {
            let event = self.events.next(self.patience());
            let now = self.clock.monotonic_micros();
            let mut cause = match event {
                Some(event) => self.take(event, asked),
                None => self.attempt.tick(self.clock.wall_millis()),
            };
            if cause.is_none()
                && cancelled_at.is_none()
                && let Some(checkpoints) = &mut self.checkpoints
            {
                checkpoints.close_whole(
                    &self.metrics.graph,
                    &self.metrics,
                    &self.metrics.graph.name,
                );
                cause = checkpoints.tick(&self.attempt);
            }
            if cause.is_none() && cancelled_at.is_none() {
                cause = self.memory.look(&self.metrics);
            }
            if let Some(cause) = cause
                && cancelled_at.is_none()
            {
                // The stack of a panic is for whoever waits; a log line is one line.
                let error = cause.to_string();
                tracing::error!(error = error.lines().next().unwrap_or(""), "the job fails");
                let status = match cause {
                    JobError::Cancelled => JobStatus::Cancelling,
                    _ => JobStatus::Failing,
                };
                self.attempt.registration.set_status(status);
                failure = Some(cause);
                cancelled_at = Some(now);
                self.attempt.cancel();
            }
            if let Some(at) = cancelled_at
                && now - at > micros(self.cancellation_timeout)
            {
                let tasks: Vec<String> = self
                    .attempt
                    .running
                    .values()
                    .map(Place::to_string)
                    .collect();
                return Err(JobError::CancellationTimeout {
                    tasks: tasks.join(", "),
                    seconds: self.cancellation_timeout.as_secs(),
                    cause: failure.map_or_else(String::new, |cause| cause.to_string()),
                });
            }
        }
        Ok(failure.map_or(Outcome::Finished, Outcome::Failed))
    }

    /// Acts on an event; the failure that it comes to.
    fn take(&mut self, event: Event, asked: &mut Asked) -> Option<JobError> {
        let checkpoints = self.checkpoints.as_mut();
        match event {
            Event::Ended(index, result) => {
                self.attempt.running.remove(&index);
                match result {
                    Err(error) if error.is_cancellation() => None,
                    Err(error) => Some(task_failed(error)),
                    Ok(()) => {
                        if let Some(checkpoints) = checkpoints {
                            checkpoints.task_ended(index);
                        }
                        None
                    }
                }
            }
            Event::Stop { drain } => {
                asked.stop.get_or_insert(drain);
                self.attempt.mail_sources(|| Mail::Stop { drain });
                None
            }
            Event::Cancel => {
                asked.cancel = true;
                Some(JobError::Cancelled)
            }
            Event::Piece(task, barrier, operator, piece) => {
                if let Some(checkpoints) = checkpoints {
                    checkpoints.piece(task, &barrier, operator, piece);
                }
                None
            }
            Event::Snapshot(task, barrier, snapshot) => {
                if let Some(checkpoints) = checkpoints {
                    checkpoints.snapshot(task, &barrier, snapshot, &self.attempt);
                }
                None
            }
            Event::Leaves(task, left) => {
                if let Some(checkpoints) = checkpoints {
                    checkpoints.task_leaves(task, left);
                }
                None
            }
            Event::EndReached(task) => {
                if let Some(checkpoints) = checkpoints {
                    checkpoints.end_reached(task);
                }
                None
            }
            Event::Written(written) => checkpoints?.written(written, &self.attempt),
        }
    }

    /// Starts the job again after a failure, if its restart strategy allows.
    fn restart(
        &mut self,
        failure: JobError,
        asked: &mut Asked,
        restarts: u32,
    ) -> Result<(), JobError> {
        let mut failure = failure;
        loop {
            let superseded = CheckpointError::Superseded { own: 0, newer: 0 };
            let superseded = matches!(&failure, JobError::Checkpoint(error)
                if std::mem::discriminant(error) == std::mem::discriminant(&superseded));
            // What had no room will have none again.
            let fatal = superseded || matches!(failure, JobError::OutOfMemory { .. });
            let decision = self.strategy.failed(self.clock.monotonic_micros() / 1000);
            if fatal || asked.cancel || asked.stop.is_some() || !decision.can_restart {
                return Err(failure);
            }
            let error = failure.to_string();
            tracing::warn!(
                error = error.lines().next().unwrap_or(""),
                restarts,
                "the job starts again in {} ms",
                decision.backoff_ms
            );
            self.attempt.registration.set_status(JobStatus::Restarting);
            self.settle(asked);
            if !self.pause(decision.backoff_ms, asked) {
                return Err(failure);
            }
            match self.launch_again(restarts) {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
    }

    /// Waits until the writer has nothing left to do: what it completes last is restored from.
    fn settle(&mut self, asked: &mut Asked) {
        let Some(checkpoints) = &mut self.checkpoints else {
            return;
        };
        checkpoints.give_up();
        loop {
            match self.events.next(TICK) {
                Some(Event::Written(Written::Settled)) => return,
                Some(Event::Stop { drain }) => asked.stop = Some(drain),
                Some(Event::Cancel) => asked.cancel = true,
                _ => {}
            }
        }
    }

    /// Lets time pass; whether nothing was asked for meanwhile.
    fn pause(&self, millis: i64, asked: &mut Asked) -> bool {
        let until = self.clock.monotonic_micros() + millis.saturating_mul(1000);
        while !asked.cancel && asked.stop.is_none() {
            let left = until - self.clock.monotonic_micros();
            let Ok(left @ 1..) = u64::try_from(left) else {
                return true;
            };
            match self.events.next(TICK.min(Duration::from_micros(left))) {
                Some(Event::Stop { drain }) => asked.stop = Some(drain),
                Some(Event::Cancel) => asked.cancel = true,
                _ => {}
            }
        }
        false
    }

    fn launch_again(&mut self, attempt: u32) -> Result<(), JobError> {
        let graph = self.metrics.graph.clone();
        let begun = match &mut self.checkpoints {
            Some(checkpoints) => Some(checkpoints.begin_again(&graph)?),
            None => None,
        };
        let restored: Option<&RestoredJob> = begun.as_ref().and_then(|b| b.restored.as_ref());
        let lineage = self.checkpoints.as_ref().map(|c| c.lineage().to_owned());
        let (launched, _) = self.launcher.launch(
            &self.events,
            lineage,
            attempt,
            restored,
            Some(&self.metrics),
        )?;
        std::mem::replace(&mut self.attempt, launched).join();
        if let (Some(checkpoints), Some(begun)) = (&mut self.checkpoints, &begun) {
            checkpoints.attempt(begun, &self.attempt);
        }
        Ok(())
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn task_failed(error: TaskError) -> JobError {
    JobError::Task(Box::new(error))
}
