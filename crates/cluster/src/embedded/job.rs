//! A running job, as the one who started it sees it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_runtime::TaskError;
use rheos_runtime::metrics::registry::Registration;
use rheos_runtime::task::mailbox::{Mail, MailSender};
use rheos_runtime::task::worker::{TaskResult, WorkerListener};

use crate::deploy::{JobMetrics, SourceDeployment};
use crate::error::JobError;

/// What a job did.
#[derive(Debug, Clone)]
pub struct JobReport {
    /// From the first task's start to the last one's end, in microseconds of the job's clock.
    pub run_micros: i64,
    /// The counters as they were at the end.
    pub metrics: JobMetrics,
}

enum Event {
    Ended(usize, TaskResult),
    Stop { drain: bool },
    Cancel,
}

/// Where workers and callers leave word for the one who waits.
#[derive(Default)]
pub(super) struct Events {
    queue: Mutex<VecDeque<Event>>,
    arrived: Condvar,
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.queue
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn push(&self, event: Event) {
        self.lock().push_back(event);
        self.arrived.notify_all();
    }

    fn next(&self, timeout: Duration) -> Option<Event> {
        let mut queue = self.lock();
        if queue.is_empty() {
            queue = self
                .arrived
                .wait_timeout(queue, timeout)
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .0;
        }
        queue.pop_front()
    }
}

impl WorkerListener for Events {
    fn task_ended(&self, index: usize, result: TaskResult) {
        self.push(Event::Ended(index, result));
    }
}

/// Tells a running job to end; can be kept by a signal handler.
#[derive(Clone)]
pub struct JobControl {
    events: Arc<Events>,
}

impl JobControl {
    /// Ends the sources; what they have emitted is processed. With `drain` open windows fire.
    pub fn stop(&self, drain: bool) {
        self.events.push(Event::Stop { drain });
    }

    /// Ends all tasks at once.
    pub fn cancel(&self) {
        self.events.push(Event::Cancel);
    }
}

/// A running job.
pub struct JobHandle {
    pub(super) clock: SharedClock,
    pub(super) events: Arc<Events>,
    pub(super) mails: Vec<(Place, MailSender, bool)>,
    pub(super) coordinators: Vec<SourceDeployment>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) metrics: JobMetrics,
    /// Shows the job's metrics until it has ended.
    pub(super) registration: Registration,
    pub(super) started_micros: i64,
    pub(super) cancellation_timeout: Duration,
}

/// How often the coordinators are looked after when nothing happens.
const TICK: Duration = Duration::from_millis(100);

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
        }
    }

    /// Sends a barrier into every source.
    pub fn trigger(&self, barrier: rheos_core::barrier::Barrier) {
        self.mail_sources(|| Mail::Checkpoint(barrier));
    }

    fn mail_sources(&self, mail: impl Fn() -> Mail) {
        for (_, sender, is_source) in &self.mails {
            if *is_source {
                sender.send(mail());
            }
        }
    }

    fn cancel_all(&self) {
        for (_, sender, _) in &self.mails {
            sender.send(Mail::Cancel);
        }
    }

    /// Waits until all tasks have ended.
    ///
    /// # Errors
    /// The first failure of a task or source, or that the job was cancelled.
    pub fn wait(mut self) -> Result<JobReport, JobError> {
        let mut running: BTreeMap<usize, Place> = self
            .mails
            .iter()
            .enumerate()
            .map(|(index, (place, _, _))| (index, place.clone()))
            .collect();
        let mut failure: Option<JobError> = None;
        let mut cancelled_at: Option<i64> = None;
        while !running.is_empty() {
            let event = self.events.next(TICK);
            let now = self.clock.monotonic_micros();
            let cause = match event {
                Some(Event::Ended(index, result)) => {
                    running.remove(&index);
                    match result {
                        Err(error) if !error.is_cancellation() => Some(task_failed(error)),
                        _ => None,
                    }
                }
                Some(Event::Stop { drain }) => {
                    self.mail_sources(|| Mail::Stop { drain });
                    None
                }
                Some(Event::Cancel) => Some(JobError::Cancelled),
                None => self.tick(),
            };
            if let Some(cause) = cause
                && cancelled_at.is_none()
            {
                // The stack of a panic is for whoever waits; a log line is one line.
                let error = cause.to_string();
                tracing::error!(error = error.lines().next().unwrap_or(""), "the job fails");
                failure = Some(cause);
                cancelled_at = Some(now);
                self.cancel_all();
            }
            if let Some(at) = cancelled_at
                && now - at > micros(self.cancellation_timeout)
            {
                let tasks: Vec<String> = running.values().map(Place::to_string).collect();
                return Err(JobError::CancellationTimeout {
                    tasks: tasks.join(", "),
                    seconds: self.cancellation_timeout.as_secs(),
                    cause: failure.map_or_else(String::new, |cause| cause.to_string()),
                });
            }
        }
        let run_micros = self.clock.monotonic_micros() - self.started_micros;
        for thread in std::mem::take(&mut self.threads) {
            if thread.join().is_err() {
                tracing::error!("a worker's thread ended by a panic outside of its tasks");
            }
        }
        drop(self.registration);
        match failure {
            Some(failure) => Err(failure),
            None => Ok(JobReport {
                run_micros,
                metrics: self.metrics.clone(),
            }),
        }
    }

    fn tick(&self) -> Option<JobError> {
        let now = self.clock.wall_millis();
        for source in &self.coordinators {
            if let Err(error) = source.coordinator.tick(now) {
                return Some(JobError::Source {
                    operator: source.name.clone(),
                    error,
                });
            }
        }
        None
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn task_failed(error: TaskError) -> JobError {
    JobError::Task(Box::new(error))
}
