//! A job as those hold it who started it, watch it or tell it something: any number of handles, on
//! any threads. The job does not need them; it runs by itself.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rheos_core::clock::SharedClock;
use rheos_core::id::JobId;
use rheos_core::job_graph::JobGraph;

use super::events::{Event, Events};
use crate::checkpoint::history::History;
use crate::checkpoint::savepoint::{SavepointRequest, Savepoints, draw_id};
use crate::deploy::JobMetrics;
use crate::error::JobError;
use crate::schedule::{ExecutionGraph, Requirements, RequirementsError};
use crate::submit::failures::Failures;
use crate::submit::rescales::{Rescale, RescaleCause, RescaleEnd, Rescales};
use crate::submit::{JobStatus, Timeline};

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

/// How a job ended: shared by all who wait for it.
pub type JobResult = Result<JobReport, Arc<JobError>>;

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

/// What a job is at, as of one moment.
#[derive(Debug, Clone)]
pub struct JobView {
    /// Its state, and when it came into each.
    pub timeline: Timeline,
    /// Its tasks.
    pub execution: ExecutionGraph,
    /// How often it was started again.
    pub restarts: u32,
    /// Why, and why it ended if it failed.
    pub failures: Failures,
    /// How wide it may be, by vertex.
    pub requirements: Requirements,
    /// When that has changed, and what came of it.
    pub rescales: Rescales,
}

/// Why a job is not rescaled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RescaleRefused {
    /// It can't be that wide: ask for something else.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// It has nothing to go on from.
    #[error(
        "the job takes no checkpoints, and so has nothing to go on from with another parallelism: \
         set execution.checkpointing.interval, or start it again with --parallelism"
    )]
    NoCheckpoints,
    /// It runs no more.
    #[error("the job is {0}")]
    Ended(JobStatus),
    /// Another rescale has not ended: ask again.
    #[error("rescale {0} of the job is under way: ask again when it has ended")]
    UnderWay(String),
}

/// What is to be done when the job has ended.
type AtEnd = Box<dyn FnOnce() + Send>;

struct State {
    view: JobView,
    metrics: JobMetrics,
    result: Option<JobResult>,
    at_end: Vec<AtEnd>,
}

/// Written by the job's thread, read by all handles.
pub(super) struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

impl Shared {
    pub(super) fn new(view: JobView, metrics: JobMetrics) -> Self {
        Self {
            state: Mutex::new(State {
                view,
                metrics,
                result: None,
                at_end: Vec::new(),
            }),
            ended: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Changes what is seen of the job.
    pub(super) fn update(&self, change: impl FnOnce(&mut JobView)) {
        change(&mut self.lock().view);
    }

    /// An attempt of other parallelism counts into these, and what is seen of the job changes with it.
    pub(super) fn rewire(&self, metrics: &JobMetrics, change: impl FnOnce(&mut JobView)) {
        let mut state = self.lock();
        state.metrics = metrics.clone();
        change(&mut state.view);
    }

    /// The job has ended: what is to be done then is done, and who waits is told.
    pub(super) fn end(&self, result: JobResult) {
        let mut state = self.lock();
        if state.result.is_some() {
            return;
        }
        let how = match &result {
            Ok(_) => "JOB_FINISHED",
            Err(error) if matches!(**error, JobError::Cancelled) => "JOB_CANCELING",
            Err(_) => "JOB_FAILING",
        };
        let now = state.view.timeline.changed();
        let open = state.view.rescales.under_way().map(|open| open.id.clone());
        if let Some(open) = open {
            let end = RescaleEnd::JobEnded(how);
            state.view.rescales.end(&open, end, now);
        }
        state.result = Some(result);
        let at_end = std::mem::take(&mut state.at_end);
        drop(state);
        for act in at_end {
            act();
        }
        self.ended.notify_all();
    }

    /// Whether the job has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().result.is_some()
    }
}

/// A job. Clones are handles on the same one; that none is left does not end it.
#[derive(Clone)]
pub struct JobHandle {
    pub(super) id: JobId,
    pub(super) clock: SharedClock,
    pub(super) events: Arc<Events>,
    pub(super) shared: Arc<Shared>,
    /// How many subtasks each vertex can have.
    pub(super) at_most: Arc<[u32]>,
    pub(super) checkpointed: bool,
    pub(super) history: Option<History>,
    pub(super) savepoints: Arc<Savepoints>,
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobHandle({}, {})", self.id, self.status())
    }
}

impl JobHandle {
    /// Its id.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// What it runs, with the parallelism that it has now.
    pub fn graph(&self) -> Arc<JobGraph> {
        self.shared.lock().metrics.graph.clone()
    }

    /// What it is at.
    pub fn status(&self) -> JobStatus {
        self.shared.lock().view.timeline.status()
    }

    /// What it and its tasks are at.
    pub fn view(&self) -> JobView {
        self.shared.lock().view.clone()
    }

    /// The counters of its tasks: of these until it is rescaled, then there are others.
    pub fn metrics(&self) -> JobMetrics {
        self.shared.lock().metrics.clone()
    }

    /// How many subtasks each vertex can have at most.
    pub fn at_most(&self) -> &[u32] {
        &self.at_most
    }

    /// Asks for another parallelism: the job takes a checkpoint, or waits for the one under way, and
    /// goes on from it with as many subtasks as there are slots for. The rescale's name, by which
    /// [`JobView::rescales`] says what becomes of it.
    ///
    /// # Errors
    /// If that does not fit the job, it takes no checkpoints, has ended, or is being rescaled.
    pub fn rescale(&self, requirements: Requirements) -> Result<String, RescaleRefused> {
        let now = self.clock.wall_millis();
        let mut state = self.shared.lock();
        let graph = state.metrics.graph.clone();
        requirements.check(&graph, &self.at_most)?;
        if !self.checkpointed {
            return Err(RescaleRefused::NoCheckpoints);
        }
        if state.result.is_some() {
            return Err(RescaleRefused::Ended(state.view.timeline.status()));
        }
        if let Some(open) = state.view.rescales.under_way() {
            return Err(RescaleRefused::UnderWay(open.id.clone()));
        }
        let rescale = Rescale::new(draw_id(), RescaleCause::Asked, &requirements, &graph, now);
        let id = rescale.id.clone();
        state.view.rescales.begin(rescale);
        // Under the lock: events are taken in the order of what is seen.
        self.events.push(Event::Rescale(requirements, id.clone()));
        Ok(id)
    }

    /// The clock of the job's tasks.
    pub fn clock(&self) -> SharedClock {
        self.clock.clone()
    }

    /// Tells the job to end.
    pub fn control(&self) -> JobControl {
        JobControl {
            events: self.events.clone(),
            checkpointed: self.checkpointed,
        }
    }

    /// Another process leads the job from now on: it ends here, and nothing of it counts any more.
    pub fn supersede(&self, why: &str) {
        self.events.push(Event::Superseded(why.to_owned()));
    }

    /// Asks for a savepoint, of a job that takes checkpoints; the request's trigger id, by which
    /// [`JobHandle::savepoints`] says what becomes of it.
    ///
    /// # Errors
    /// If the job takes no checkpoints, or no directory is named or configured.
    pub fn savepoint(&self, request: SavepointRequest) -> Result<String, JobError> {
        let asked = self.savepoints.ask(request)?;
        let id = asked.id.clone();
        if self.shared.has_ended() {
            self.savepoints.failed(&id, "the job has ended");
        } else {
            self.events.push(Event::Savepoint(asked));
        }
        Ok(id)
    }

    /// Asks for a checkpoint as soon as there is room for one; the request's trigger id, drawn without one,
    /// by which [`JobHandle::savepoints`] says what becomes of it.
    ///
    /// # Errors
    /// If the job takes no checkpoints, or the id is not sound.
    pub fn checkpoint(&self, trigger: Option<String>) -> Result<String, JobError> {
        let id = self.savepoints.ask_checkpoint(trigger)?;
        if self.shared.has_ended() {
            self.savepoints.failed(&id, "the job has ended");
        } else {
            self.events.push(Event::TakeCheckpoint(id.clone()));
        }
        Ok(id)
    }

    /// Its checkpoints one by one; none if it takes none.
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// The requests for savepoints and checkpoints.
    pub fn savepoints(&self) -> &Arc<Savepoints> {
        &self.savepoints
    }

    /// Sends a barrier into every source, of a job that takes no checkpoints.
    pub fn trigger(&self, barrier: rheos_core::barrier::Barrier) {
        self.events.push(Event::Barrier(barrier));
    }

    /// Does something when the job has ended, on its thread and before [`JobHandle::wait`] returns;
    /// at once if it has.
    pub fn at_end(&self, act: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        if state.result.is_some() {
            drop(state);
            act();
        } else {
            state.at_end.push(Box::new(act));
        }
    }

    /// Waits until the job has ended: its tasks, in as many attempts as its restart strategy allows.
    ///
    /// # Errors
    /// The last failure of a task, source or checkpoint, or that the job was cancelled.
    pub fn wait(&self) -> JobResult {
        let mut state = self.shared.lock();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            state = self
                .shared
                .ended
                .wait(state)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// As [`JobHandle::wait`], for a while; `None` if the job still runs then.
    pub fn wait_for(&self, timeout: Duration) -> Option<JobResult> {
        let state = self.shared.lock();
        let waited = self
            .shared
            .ended
            .wait_timeout_while(state, timeout, |state| state.result.is_none());
        let (state, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.result.clone()
    }
}
