//! A job whose every part waits to be stepped, on the thread of whoever steps it: its tasks, the
//! writer of its checkpoints, and what takes note of both. What the simulation runs.
//!
//! Life: started, from nothing or a checkpoint → stepped, in any order → finished, failed and started
//! again, or dropped where it stands, as a crash would leave it.

use std::sync::Arc;

use rheos_core::clock::SharedClock;
use rheos_core::id::{JobId, Place};
use rheos_runtime::deploy::program::Program;
use rheos_runtime::deploy::task_deployment::TaskEnvironment;
use rheos_runtime::metrics::registry::MetricRegistry;
use rheos_runtime::task::signal::Signal;
use rheos_runtime::task::task::{Step, Task};
use rheos_runtime::task::worker::{guard, guarded_step, install_panic_hook};

use super::attempt::{Attempt, Command};
use super::checkpoints::{Checkpoints, FAILED_MEANWHILE};
use super::deployed::{AttemptPlan, Deployed};
use super::events::{Event, Events};
use crate::checkpoint::job_store::{Begun, JobStore};
use crate::checkpoint::log::Ending;
use crate::deploy::JobMetrics;
use crate::error::JobError;

/// See the [module](self).
pub struct SteppedJob {
    id: JobId,
    attempts: u32,
    /// Whether it was told to stop, to go on later.
    stopped: bool,
    clock: SharedClock,
    events: Arc<Events>,
    tasks: Vec<Option<Task>>,
    attempt: Attempt,
    metrics: JobMetrics,
    checkpoints: Checkpoints,
    /// All that waits for something waits for this.
    signal: Arc<Signal>,
}

impl SteppedJob {
    /// Starts an attempt with what its store has begun.
    ///
    /// # Errors
    /// If the graph does not fit together, an operator can't be opened or restored, or a source takes
    /// part in no checkpoint.
    pub fn start(
        id: JobId,
        program: &Program,
        environment: TaskEnvironment,
        (store, begun): (JobStore, &Begun),
    ) -> Result<Self, JobError> {
        install_panic_hook();
        let clock = environment.clock.clone();
        let events = Arc::new(Events::default());
        let signal = Arc::new(Signal::new());
        let lineage = begun.lineage.clone();
        let number = (id, 0);
        let (attempt, metrics, tasks) = attempt_of(
            number,
            program,
            environment,
            (lineage, begun),
            &events,
            &signal,
        )?;
        let stats = metrics.checkpoints.clone();
        let mut checkpoints = Checkpoints::stepped(store, begun, clock.clone(), &events, stats);
        let widths = metrics.graph.parallelism();
        checkpoints.attempt(begun, (&attempt, &widths), FAILED_MEANWHILE);
        Ok(Self {
            id,
            attempts: 1,
            stopped: false,
            clock,
            events,
            tasks,
            attempt,
            metrics,
            checkpoints,
            signal,
        })
    }

    /// Starts the next attempt, after a failure, from the newest complete checkpoint: the tasks are
    /// gone, and what the writer has been ordered is carried out before.
    ///
    /// # Errors
    /// As [`SteppedJob::start`]; and if the job runs elsewhere by now.
    pub fn start_again(
        &mut self,
        program: &Program,
        environment: TaskEnvironment,
    ) -> Result<(), JobError> {
        self.tasks.clear();
        self.checkpoints.give_up(FAILED_MEANWHILE);
        while self.checkpoints.step_writer() {}
        while self.events.try_next().is_some() {}
        let begun = self.checkpoints.begin_again(&program.graph)?;
        let lineage = self.checkpoints.lineage().to_owned();
        let number = (self.id, self.attempts);
        self.attempts += 1;
        let (events, signal) = (&self.events, &self.signal);
        let (attempt, metrics, tasks) = attempt_of(
            number,
            program,
            environment,
            (lineage, &begun),
            events,
            signal,
        )?;
        let widths = metrics.graph.parallelism();
        self.checkpoints
            .attempt(&begun, (&attempt, &widths), FAILED_MEANWHILE);
        (self.attempt, self.metrics, self.tasks) = (attempt, metrics, tasks);
        self.stopped = false;
        Ok(())
    }

    /// Stops the job, so that it can be gone on with: without what its end would bring about.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.attempt.tell_sources(Command::Stop { drain: false });
    }

    /// How many tasks there are, upstream first.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// Where a task is.
    pub fn place(&self, task: usize) -> Option<&Place> {
        self.attempt.tasks.get(task).map(|task| &task.place)
    }

    /// Steps a task; whether it got something done.
    ///
    /// # Errors
    /// What ends the attempt.
    pub fn step_task(&mut self, task: usize) -> Result<bool, JobError> {
        let Some(slot) = self.tasks.get_mut(task) else {
            return Ok(false);
        };
        let Some(stepped) = slot else {
            return Ok(false);
        };
        let step = guarded_step(stepped).map_err(|error| JobError::Task(Box::new(error)))?;
        if let Step::Blocked {
            until: Some(until), ..
        } = step
        {
            // On a thread it would never sleep.
            debug_assert!(
                until > self.clock.monotonic_micros(),
                "{} has nothing to do, and does not wait",
                stepped.place()
            );
        }
        if step == Step::Finished {
            stepped.close();
            *slot = None;
            self.events.push(Event::Ended(task, Ok(())));
        }
        Ok(!matches!(step, Step::Blocked { .. }))
    }

    /// Lets the writer carry out one order; whether there was one.
    pub fn step_writer(&mut self) -> bool {
        self.checkpoints.step_writer()
    }

    /// Takes note of one thing that tasks or the writer have said, else looks what is due: whether
    /// there was anything to take note of.
    ///
    /// # Errors
    /// What ends the attempt.
    pub fn step_master(&mut self) -> Result<bool, JobError> {
        let event = self.events.try_next();
        let worked = event.is_some();
        let mut cause = match event {
            Some(Event::Ended(task, _)) => {
                self.attempt.running.remove(&task);
                self.checkpoints.task_ended(task);
                None
            }
            Some(event) => self.checkpoints.take(event, &self.attempt),
            None => self.attempt.tick(self.clock.wall_millis()),
        };
        if cause.is_none() && !self.attempt.running.is_empty() {
            let graph = &self.metrics.graph;
            self.checkpoints
                .close_whole(graph, &self.metrics, &graph.name);
            cause = self.checkpoints.tick(&self.attempt);
        }
        cause.map_or(Ok(worked), Err)
    }

    /// When the master next has something to do if nothing happens, in monotonic microseconds.
    pub fn next_look(&self) -> i64 {
        self.checkpoints.next_look()
    }

    /// Whether something was done for a task since this was last asked.
    pub fn take_signal(&self) -> bool {
        self.signal.take()
    }

    /// Whether all tasks have ended and that has been noted.
    pub fn is_finished(&self) -> bool {
        self.attempt.running.is_empty()
    }

    /// Writes down that the job has finished, or stopped; whether it has finished.
    ///
    /// # Errors
    /// What the storage says, or that the job runs elsewhere by now.
    pub fn end(&self) -> Result<bool, JobError> {
        self.checkpoints.end(match self.stopped {
            true => Ending::Stopped,
            false => Ending::Finished,
        })?;
        Ok(!self.stopped)
    }
}

/// An attempt of this job and number, its metrics and tasks, made of what its store has begun.
fn attempt_of(
    (id, number): (JobId, u32),
    program: &Program,
    environment: TaskEnvironment,
    (lineage, begun): (String, &Begun),
    events: &Arc<Events>,
    signal: &Arc<Signal>,
) -> Result<(Attempt, JobMetrics, Vec<Option<Task>>), JobError> {
    let Deployed {
        attempt,
        metrics,
        builders,
    } = Deployed::new(
        AttemptPlan {
            id,
            program,
            environment,
            number,
            rescales: 0,
            lineage: Some(lineage),
            known: (begun.restored.as_ref(), None),
        },
        &MetricRegistry::default(),
        events,
        &mut |_, _| signal.clone(),
    )?;
    let mut tasks = Vec::new();
    for (_, place, builder) in builders {
        let task = guard(|| place, builder);
        tasks.push(Some(task.map_err(|error| JobError::Task(Box::new(error)))?));
    }
    Ok((attempt, metrics, tasks))
}
