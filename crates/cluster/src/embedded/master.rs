//! The JobMaster: one thread a job, which does what the job's [`Lifecycle`] decides.
//!
//! Life: started with the first attempt deployed → takes events, takes checkpoints, until all tasks
//! have ended → deploys another attempt, or says how the job ended and is gone. Nobody has to wait for
//! it, and nobody else touches the attempt.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_runtime::TaskError;
use rheos_runtime::metrics::status as metrics;

use super::attempt::{Attempt, Command};
use super::checkpoints::Checkpoints;
use super::events::{Event, Events};
use super::handle::{JobReport, JobResult, Shared};
use super::launch::Launch;
use crate::checkpoint::log::Ending;
use crate::checkpoint::savepoint::Savepoints;
use crate::deploy::JobMetrics;
use crate::error::JobError;
use crate::memory::MemoryWatch;
use crate::schedule::ExecutionState;
use crate::submit::JobStatus;
use crate::submit::failures::Failure;
use crate::submit::lifecycle::{Lifecycle, Moment, Severity, Verdict};

mod rescale;
mod restart;

pub(super) use rescale::Scaling;

/// How often the coordinators are looked after when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// See the [module](self).
pub(super) struct JobMaster {
    pub clock: SharedClock,
    pub events: Arc<Events>,
    pub shared: Arc<Shared>,
    pub launcher: Box<dyn Launch>,
    pub attempt: Attempt,
    pub metrics: JobMetrics,
    pub checkpoints: Option<Checkpoints>,
    pub lifecycle: Lifecycle<JobError>,
    pub started_micros: i64,
    pub cancellation_timeout: Duration,
    pub memory: MemoryWatch,
    pub savepoints: Arc<Savepoints>,
    pub scaling: Scaling,
}

/// Tells those who wait, should the thread end by a panic.
struct Watch(Arc<Shared>, SharedClock);

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            let error = JobError::System {
                what: "running the job's own thread",
                error: std::io::Error::other("it ended by a panic, which is a fault of Rheos"),
            };
            let now = self.1.wall_millis();
            self.0
                .update(|view| view.timeline.enter(JobStatus::Failed, now));
            self.0.end(Err(Arc::new(error)));
        }
    }
}

impl JobMaster {
    /// Runs the job to its end.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let _watch = Watch(shared.clone(), self.clock.clone());
        let result = self.drive();
        let restarts = self.lifecycle.restarts();
        let result: JobResult = match result {
            Ok(run_micros) => Ok(JobReport {
                run_micros,
                metrics: self.metrics.clone(),
                restarts,
            }),
            Err(error) => Err(Arc::new(error)),
        };
        // Tasks that did not end can't be waited for.
        if self.attempt.running.is_empty() {
            self.attempt.join();
        }
        let status = self.lifecycle.status();
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.let_go(status);
        }
        let error = result.as_ref().err().map(ToString::to_string);
        self.savepoints.job_ended(error.as_deref());
        shared.end(result);
    }

    fn now(&self) -> Moment {
        Moment {
            monotonic_micros: self.clock.monotonic_micros(),
            wall_millis: self.clock.wall_millis(),
        }
    }

    /// Shows what the job is at.
    fn show(&self) {
        let status = self.lifecycle.status();
        let in_metrics = match status {
            JobStatus::Failing => Some(metrics::JobStatus::Failing),
            JobStatus::Restarting => Some(metrics::JobStatus::Restarting),
            JobStatus::Cancelling => Some(metrics::JobStatus::Cancelling),
            _ => None,
        };
        if let Some(in_metrics) = in_metrics {
            self.attempt.registration.set_status(in_metrics);
        }
        let (timeline, restarts) = (self.lifecycle.timeline().clone(), self.lifecycle.restarts());
        self.shared.update(|view| {
            view.timeline = timeline;
            view.restarts = restarts;
        });
    }

    /// A task comes into a state, or all of them do.
    fn show_task(&mut self, task: Option<usize>, state: ExecutionState) {
        let now = self.clock.wall_millis();
        let mut all_run = false;
        self.shared.update(|view| match task {
            Some(task) => {
                view.execution.enter(task, state, now);
                let mut tasks = view.execution.tasks().iter();
                all_run = state == ExecutionState::Running
                    && tasks.all(|task| task.current.state() == ExecutionState::Running);
            }
            None => view.execution.enter_all(state, now),
        });
        if !all_run || self.rescale_completed() {
            return;
        }
        match self.lifecycle.restarts() {
            0 => tracing::info!("all tasks run"),
            restarts => tracing::info!(restarts, "all tasks run again"),
        }
    }

    /// Runs attempts until the job has ended; how long it ran.
    fn drive(&mut self) -> Result<i64, JobError> {
        loop {
            self.run_attempt()?;
            if self.lifecycle.is_running()
                && let Err(error) = self.end_well()
            {
                self.remember(&error);
                self.lifecycle.refused(error, Severity::Fatal);
            }
            let mut verdict = self.lifecycle.attempt_ended(self.now());
            self.show();
            while !matches!(verdict, Verdict::Ended(_)) {
                if !self.may_launch(verdict) {
                    verdict = Verdict::Ended(self.lifecycle.interrupted(self.clock.wall_millis()));
                    self.show();
                    break;
                }
                match self.launch_again() {
                    Ok(()) => break,
                    Err(error) => {
                        let severity = severity(&error);
                        let failure = Failure::of(&error, self.clock.wall_millis());
                        self.rescale_failed(&error.to_string());
                        self.shared.update(|view| view.failures.add(failure));
                        self.lifecycle.refused(error, severity);
                        verdict = self.lifecycle.attempt_ended(self.now());
                        self.show();
                    }
                }
            }
            match verdict {
                Verdict::Restart(_) | Verdict::Rescale => {}
                Verdict::Ended(JobStatus::Finished) => return Ok(self.run_micros()),
                Verdict::Ended(JobStatus::Canceled) => return Err(JobError::Cancelled),
                Verdict::Ended(_) => {
                    let cause = self.lifecycle.take_cause();
                    return Err(cause.unwrap_or(JobError::Cancelled));
                }
            }
        }
    }

    /// How long the job has run, over all attempts that count.
    fn run_micros(&self) -> i64 {
        match &self.checkpoints {
            Some(checkpoints) => checkpoints.run_millis().saturating_mul(1000),
            None => self.clock.monotonic_micros() - self.started_micros,
        }
    }

    /// All tasks have ended by themselves: there is nothing to go on from, or it is written that
    /// there is.
    fn end_well(&mut self) -> Result<(), JobError> {
        let Some(checkpoints) = &self.checkpoints else {
            return Ok(());
        };
        checkpoints.end(match self.lifecycle.stop_asked() {
            Some(false) => Ending::Stopped,
            _ => Ending::Finished,
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
    fn run_attempt(&mut self) -> Result<(), JobError> {
        while !self.attempt.running.is_empty() {
            let event = self.events.next(self.patience());
            let cause = match event {
                Some(event) => self.take(event),
                None => self.attempt.tick(self.clock.wall_millis()),
            };
            let cause = cause.or_else(|| self.take_checkpoints());
            let cause = cause.or_else(|| self.look_at_memory());
            if let Some(cause) = cause {
                self.fail(cause);
            }
            self.await_slots();
            self.go_on_rescaling();
            self.look_at_slots();
            self.check_cancellation()?;
        }
        Ok(())
    }

    fn take_checkpoints(&mut self) -> Option<JobError> {
        if !self.lifecycle.is_running() {
            return None;
        }
        let checkpoints = self.checkpoints.as_mut()?;
        let graph = &self.metrics.graph;
        checkpoints.close_whole(graph, &self.metrics, &graph.name);
        checkpoints.tick(&self.attempt)
    }

    fn look_at_memory(&mut self) -> Option<JobError> {
        match self.lifecycle.is_running() {
            true => self.memory.look(&self.metrics),
            false => None,
        }
    }

    fn fail(&mut self, cause: JobError) {
        // The stack of a panic is for whoever waits; a log line is one line.
        let error = cause.to_string();
        let severity = severity(&cause);
        self.remember(&cause);
        if self.lifecycle.failed(cause, severity, self.now()) {
            let error = error.lines().next().unwrap_or("");
            tracing::error!(error, "the job fails");
            if self.scaling.is_deployed() {
                self.rescale_failed(error);
            }
            self.cancel_tasks();
        }
    }

    /// Remembers a failure, for whoever asks: of an attempt that fails already as one that came after.
    fn remember(&self, cause: &JobError) {
        let failure = Failure::of(cause, self.clock.wall_millis());
        let running = self.lifecycle.is_running();
        self.shared.update(|view| match running {
            true => view.failures.add(failure),
            false => view.failures.add_concurrent(failure),
        });
    }

    fn cancel_tasks(&mut self) {
        self.show();
        self.show_task(None, ExecutionState::Canceling);
        self.attempt.cancel();
    }

    /// # Errors
    /// If tasks were told to end and have not for too long.
    fn check_cancellation(&mut self) -> Result<(), JobError> {
        let Some(at) = self.lifecycle.cancelled_micros() else {
            return Ok(());
        };
        let waited = self.clock.monotonic_micros() - at;
        let patience = i64::try_from(self.cancellation_timeout.as_micros()).unwrap_or(i64::MAX);
        if waited <= patience || self.attempt.running.is_empty() {
            return Ok(());
        }
        let tasks = self.attempt.running.values().map(Place::to_string);
        let tasks: Vec<String> = tasks.collect();
        let cause = self.lifecycle.cause().map_or_else(
            || "the job was cancelled".to_owned(),
            |cause| cause.to_string(),
        );
        let error = || JobError::CancellationTimeout {
            tasks: tasks.join(", "),
            seconds: self.cancellation_timeout.as_secs(),
            cause: cause.clone(),
        };
        self.lifecycle.given_up(error(), self.clock.wall_millis());
        self.show();
        Err(error())
    }

    /// Acts on an event; the failure that it comes to.
    fn take(&mut self, event: Event) -> Option<JobError> {
        let checkpoints = self.checkpoints.as_mut();
        match event {
            Event::Entered(task, state) => {
                self.show_task(Some(task), state);
                None
            }
            Event::Ended(index, result) => {
                self.attempt.running.remove(&index);
                let (state, failure) = match result {
                    Err(error) if error.is_cancellation() => (ExecutionState::Canceled, None),
                    Err(error) => (ExecutionState::Failed, Some(task_failed(error))),
                    Ok(()) => {
                        if let Some(checkpoints) = checkpoints {
                            checkpoints.task_ended(index);
                        }
                        (ExecutionState::Finished, None)
                    }
                };
                self.show_task(Some(index), state);
                failure
            }
            Event::Stop { .. }
            | Event::Cancel
            | Event::Superseded(_)
            | Event::Barrier(_)
            | Event::Savepoint(_)
            | Event::Rescale(..)
            | Event::TakeCheckpoint(_) => {
                self.command(&event);
                None
            }
            Event::WantsSplit(operator, subtask, reply) => {
                let mut sources = self.attempt.sources.iter();
                if let Some(source) = sources.find(|source| source.id == operator) {
                    source.coordinator.request(subtask, reply);
                }
                None
            }
            Event::Lost(tasks, reason) => self.lose(&tasks, &reason),
            Event::OutOfMemory(tasks, manager, message) => {
                self.lose(&tasks, &message)?;
                Some(JobError::TaskManagerOutOfMemory { manager, message })
            }
            event => {
                let checkpoints = checkpoints?;
                let failure = checkpoints.take(event, &self.attempt);
                if let Some(drain) = checkpoints.take_stop() {
                    self.command(&Event::Stop { drain });
                }
                failure
            }
        }
    }

    /// Tasks are gone with their TaskManager: those of them that ran have failed.
    fn lose(&mut self, tasks: &[usize], reason: &str) -> Option<JobError> {
        let mut failure = None;
        for task in tasks {
            if let Some(place) = self.attempt.running.remove(task) {
                self.show_task(Some(*task), ExecutionState::Failed);
                failure.get_or_insert_with(|| {
                    task_failed(TaskError::Exchange {
                        place,
                        error: reason.to_owned().into(),
                    })
                });
            }
        }
        failure
    }

    /// Acts on what a user has said, whatever the job is at.
    fn command(&mut self, event: &Event) {
        match event {
            Event::Stop { drain } => {
                let drain = *drain;
                if self.lifecycle.stop(drain) {
                    self.attempt.tell_sources(Command::Stop { drain });
                }
            }
            Event::Cancel => {
                if self.lifecycle.cancel(self.now()) {
                    self.cancel_tasks();
                } else {
                    self.show();
                }
            }
            Event::Superseded(why) => {
                let error = || JobError::LeadsNoMore(why.clone());
                if self.lifecycle.superseded(error(), self.now()) {
                    self.remember(&error());
                    self.cancel_tasks();
                }
                self.show();
            }
            Event::Savepoint(asked) => match &mut self.checkpoints {
                Some(checkpoints) if self.lifecycle.is_running() => checkpoints.ask(asked.clone()),
                _ => {
                    let cause = format!("the job is {}", self.lifecycle.status());
                    self.savepoints.failed(&asked.id, &cause);
                }
            },
            Event::TakeCheckpoint(id) => match &mut self.checkpoints {
                Some(checkpoints) if self.lifecycle.is_running() => checkpoints.hurry(id.clone()),
                _ => {
                    let cause = format!("the job is {}", self.lifecycle.status());
                    self.savepoints.failed(id, &cause);
                }
            },
            Event::Rescale(requirements, id) => self.rescale(requirements, id),
            Event::Barrier(barrier) if self.lifecycle.is_running() => {
                self.attempt.tell_sources(Command::Checkpoint(*barrier));
            }
            _ => {}
        }
    }
}

/// What a failure means for a restart.
fn severity(error: &JobError) -> Severity {
    match error {
        error if error.is_superseded() => Severity::Superseded,
        // What had no room will have none again.
        JobError::OutOfMemory { .. } => Severity::Fatal,
        _ => Severity::Ordinary,
    }
}

fn task_failed(error: TaskError) -> JobError {
    JobError::Task(Box::new(error))
}
