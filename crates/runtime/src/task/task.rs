//! A task: one parallel subtask of a chain, as a synchronous state machine.
//!
//! A thread, or the simulation, calls [`Task::step`] until it says that it is blocked or finished. A
//! step reads the mail, then works for a bounded time: the stage furthest downstream that can run
//! goes first; only when nothing is pending does the task take new input. A task that waits for
//! output still answers its mail.
//!
//! Life cycle: running → the data of all inputs has ended → the partitions have ended → `Finished`;
//! or an error at any step, after which the task is closed.

use rheos_core::barrier::Barrier;
use rheos_core::clock::SharedClock;
use rheos_core::element::Control;
use rheos_core::id::{CheckpointId, OperatorId, Place};
use std::collections::VecDeque;
use std::sync::Arc;

use self::overtaking::Overtaking;
use self::writing::Writing;
use super::mailbox::{Mail, Mailbox};
use crate::chain::stage::Stage;
use crate::checkpoint::snapshot::TaskSnapshot;
use crate::error::{BoxError, TaskError};
use crate::exchange::gate::{Feed, Polled};
use crate::metrics::task::{TaskActivity, TaskTimes};

mod overtaking;
mod writing;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It got something done, and there may be more.
    Worked,
    /// It waits, at most until the time (in monotonic microseconds) if there is one.
    Blocked {
        /// For what.
        on: BlockedOn,
        /// When to step again all the same.
        until: Option<i64>,
    },
    /// All of its input is processed and passed on.
    Finished,
}

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockedOn {
    /// Rows.
    Input,
    /// Credit.
    Output,
    /// A system outside of the job that one of its operators asked something of, or writes to. Such
    /// a task is the bottleneck as much as one that computes, and counts as busy.
    Outside,
}

/// Is told what the tasks of a job do. Implemented by the JobManager's side and by the test harness;
/// called on the task's thread.
pub trait TaskListener: Send + Sync {
    /// A barrier has passed the whole chain of the task.
    fn barrier_passed(&self, place: &Place, barrier: &Barrier);

    /// Whether tasks are to keep what they remember when a barrier passes.
    fn takes_snapshots(&self) -> bool {
        false
    }

    /// Whether the checkpoint of a barrier may still be completed. One that may not is not written on.
    fn is_wanted(&self, barrier: &Barrier) -> bool {
        let _ = barrier;
        true
    }

    /// Whether it takes pieces at the moment: they would not only pile up.
    fn takes_pieces(&self) -> bool {
        true
    }

    /// A piece of the keyed state of an operator, as it was when a barrier passed the task of this
    /// index: to be put behind those before it.
    fn snapshot_piece(&self, task: usize, barrier: &Barrier, operator: OperatorId, bytes: Vec<u8>) {
        let _ = (task, barrier, operator, bytes);
    }

    /// A barrier has passed the task of this index, and this is what it remembers, beside the pieces
    /// that it has given.
    fn snapshot_taken(&self, task: usize, barrier: &Barrier, snapshot: TaskSnapshot) {
        let _ = (task, barrier, snapshot);
    }

    /// The task of this index ends well, and this is what it leaves: its part of later checkpoints.
    fn task_leaves(&self, task: usize, left: TaskSnapshot) {
        let _ = (task, left);
    }

    /// The source of the task of this index has come to its end, and waits for a checkpoint to pass
    /// it on.
    fn end_reached(&self, task: usize) {
        let _ = task;
    }
}

/// A listener that nobody needs.
pub struct NoListener;

impl TaskListener for NoListener {
    fn barrier_passed(&self, _place: &Place, _barrier: &Barrier) {}
}

/// How long one step works before it looks at the mail again.
const STEP_MICROS: i64 = 5_000;

/// Control elements that wait until each input of the task has delivered them.
struct Input {
    feed: Box<dyn Feed>,
    barrier: Option<Barrier>,
    end_of_data: Option<bool>,
    ended: bool,
}

/// One parallel subtask of a chain.
pub struct Task {
    place: Place,
    stages: Vec<Box<dyn Stage>>,
    inputs: Vec<Input>,
    next_input: usize,
    mailbox: Mailbox,
    clock: SharedClock,
    times: Arc<TaskTimes>,
    listener: Arc<dyn TaskListener>,
    /// The stage whose user code runs, for the name in an error.
    current: usize,
    finished: bool,
    cancelled: bool,
    /// A barrier that has been aligned but not yet passed on, because rows are pending.
    barrier: Option<Barrier>,
    /// When the first input delivered the barrier that is being aligned.
    aligning_since: Option<i64>,
    /// How far a barrier is in overtaking what lies before it, and what that costs.
    overtaking: Overtaking,
    /// What is being written of the last barrier.
    writing: Option<Writing>,
    /// Mail that came behind a barrier that has not passed: it must not overtake it.
    deferred: VecDeque<Mail>,
    /// The task's index in the deployment, and the identities of its stages.
    identity: TaskIdentity,
    /// The listener knows that the source has come to its end.
    end_told: bool,
}

/// What a task is to the JobManager.
#[derive(Debug, Clone, Default)]
pub struct TaskIdentity {
    /// Its index among the tasks of the job.
    pub index: usize,
    /// Its operators, upstream first.
    pub operators: Vec<OperatorId>,
}

impl Task {
    /// A task of these stages, upstream first. A source's task has no feeds.
    #[allow(
        clippy::too_many_arguments,
        reason = "called in one place, with what a deployment holds"
    )]
    pub fn new(
        identity: TaskIdentity,
        place: Place,
        stages: Vec<Box<dyn Stage>>,
        feeds: Vec<Box<dyn Feed>>,
        mailbox: Mailbox,
        clock: SharedClock,
        times: Arc<TaskTimes>,
        listener: Arc<dyn TaskListener>,
    ) -> Self {
        times.enter(TaskActivity::Busy, clock.monotonic_micros());
        let inputs = feeds
            .into_iter()
            .map(|feed| Input {
                feed,
                barrier: None,
                end_of_data: None,
                ended: false,
            })
            .collect();
        Self {
            place,
            stages,
            inputs,
            next_input: 0,
            mailbox,
            clock,
            times,
            listener,
            current: 0,
            finished: false,
            cancelled: false,
            barrier: None,
            aligning_since: None,
            overtaking: Overtaking::default(),
            writing: None,
            deferred: VecDeque::new(),
            identity,
            end_told: false,
        }
    }

    /// The task's name: that of its chain.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The operator whose code runs, or ran last.
    pub fn current_place(&self) -> Place {
        self.stages
            .get(self.current)
            .map_or_else(|| self.place.clone(), |s| s.place().clone())
    }

    /// Works for a bounded time.
    ///
    /// # Errors
    /// What user code, a source or a sink says, with its place; the task can't go on after it.
    pub fn step(&mut self) -> Result<Step, TaskError> {
        let started = self.clock.monotonic_micros();
        // What passed between two steps belonged to what the last one ended with.
        self.times.enter(TaskActivity::Busy, started);
        let step = self.work(started);
        let now = self.clock.monotonic_micros();
        let activity = match &step {
            Ok(Step::Blocked {
                on: BlockedOn::Input,
                ..
            }) => TaskActivity::Idle,
            Ok(Step::Blocked {
                on: BlockedOn::Output,
                ..
            }) => TaskActivity::BackPressured,
            _ => TaskActivity::Busy,
        };
        self.times.enter(activity, now);
        let (queued, granted) = self.input_usage();
        self.times.set_input(queued, granted);
        step.map_err(|error| self.locate(error))
    }

    fn locate(&self, error: BoxError) -> TaskError {
        match error.downcast::<TaskError>() {
            Ok(error) => *error,
            Err(error) => TaskError::User {
                place: self.current_place(),
                error,
            },
        }
    }

    fn work(&mut self, started: i64) -> Result<Step, BoxError> {
        if self.finished {
            return Ok(Step::Finished);
        }
        let mut worked = false;
        let mut now = started;
        loop {
            self.read_mail(now)?;
            if self.cancelled {
                return Err(Box::new(TaskError::Cancelled {
                    place: self.place.clone(),
                }));
            }
            // What keeps the stage furthest downstream that is kept from anything.
            let mut stuck = None;
            let mut waits_for_output = false;
            let mut ran = false;
            for index in (0..self.stages.len()).rev() {
                let Some(stage) = self.stages.get_mut(index) else {
                    continue;
                };
                let ready = stage.outputs_ready();
                if !stage.has_work(now) {
                    if stage.waits_outside() {
                        stuck.get_or_insert(BlockedOn::Outside);
                    }
                    continue;
                }
                if ready {
                    self.current = index;
                    stage.run(now)?;
                    ran = true;
                    break;
                }
                stuck.get_or_insert(BlockedOn::Output);
                waits_for_output = true;
            }
            if self.pass_barrier(now)? {
                ran = true;
            }
            let wrote = self.writing.is_some() && self.write_on()?;
            // Nothing is taken behind a barrier that has overtaken the rows before it.
            let overtaken = self.overtaking.is_under_way();
            let takes_input =
                !overtaken && self.stages.first().is_some_and(|head| head.takes_input());
            if !ran && !waits_for_output && takes_input {
                ran = self.take_input(now)?;
            }
            if !self.end_told
                && self.inputs.is_empty()
                && self.stages.iter().any(|stage| stage.awaits_checkpoint())
            {
                self.end_told = true;
                self.listener.end_reached(self.identity.index);
            }
            ran |= wrote;
            if self.stages.iter().all(|stage| stage.ended()) && !self.is_writing() {
                self.finished = true;
                if self.listener.takes_snapshots() {
                    self.leave()?;
                }
                return Ok(Step::Finished);
            }
            now = self.clock.monotonic_micros();
            if ran {
                worked = true;
                if now - started < STEP_MICROS {
                    continue;
                }
                self.flush(now, false);
                return Ok(Step::Worked);
            }
            if worked {
                // Something may have come in while we worked: look once more before waiting.
                worked = false;
                self.flush(now, stuck != Some(BlockedOn::Output));
                continue;
            }
            let flushed = self.flush(now, stuck != Some(BlockedOn::Output));
            let on = match stuck {
                _ if !flushed => BlockedOn::Output,
                Some(stuck) => stuck,
                None => BlockedOn::Input,
            };
            if on == BlockedOn::Input {
                for input in &mut self.inputs {
                    input.feed.idle();
                }
            }
            let due = self.stages.iter_mut().rev().filter_map(|stage| {
                // What it has to do by the clock it can't do before its outputs take rows, of which the
                // task hears: a time that has passed would only keep it awake.
                match stage.outputs_ready() {
                    true => stage.due(),
                    false => stage.flush_due(),
                }
            });
            let due = due.min();
            let due = [due, self.overtaking_due(now), self.writing_due(now)];
            let until = due.into_iter().flatten().min();
            return Ok(Step::Blocked { on, until });
        }
    }

    fn flush(&mut self, now: i64, all: bool) -> bool {
        let mut done = true;
        for stage in &mut self.stages {
            done &= stage.flush_exchanges(now, all);
        }
        done
    }

    fn read_mail(&mut self, now: i64) -> Result<(), BoxError> {
        while let Some(mail) = self.mailbox.take() {
            if let Mail::Fail(error) = mail {
                return Err(self.failed_beside(error));
            } else if matches!(mail, Mail::Cancel) {
                self.cancelled = true;
            } else if self.barrier.is_some() && self.inputs.is_empty() {
                self.deferred.push_back(mail);
            } else {
                self.act_on(mail, now)?;
            }
        }
        Ok(())
    }

    fn act_on(&mut self, mail: Mail, now: i64) -> Result<(), BoxError> {
        match mail {
            Mail::Cancel => self.cancelled = true,
            Mail::Fail(error) => return Err(self.failed_beside(error)),
            Mail::Checkpoint(barrier) if self.inputs.is_empty() => {
                self.barrier_arrives(&barrier);
                self.barrier = Some(barrier);
                self.pass_barrier(now)?;
            }
            Mail::Checkpoint(_) => {}
            Mail::CheckpointCompleted(checkpoint) => self.checkpoint_completed(checkpoint, now)?,
            other => {
                if let Some(head) = self.stages.first_mut() {
                    head.mail(other);
                }
            }
        }
        Ok(())
    }

    /// A failure that is the task's, and no operator's.
    fn failed_beside(&self, error: BoxError) -> BoxError {
        Box::new(TaskError::Exchange {
            place: self.place.clone(),
            error,
        })
    }

    fn checkpoint_completed(&mut self, checkpoint: CheckpointId, now: i64) -> Result<(), BoxError> {
        for index in 0..self.stages.len() {
            self.current = index;
            if let Some(stage) = self.stages.get_mut(index) {
                stage.checkpoint_completed(checkpoint, now)?;
            }
        }
        Ok(())
    }

    /// Takes one element from the inputs; whether there was one.
    fn take_input(&mut self, now: i64) -> Result<bool, BoxError> {
        let count = self.inputs.len();
        for step in 0..count {
            let index = (self.next_input + step) % count;
            let Some(input) = self.inputs.get_mut(index) else {
                continue;
            };
            if input.ended || input.barrier.is_some() {
                continue;
            }
            match input.feed.poll(now) {
                Polled::Nothing => continue,
                Polled::Rows => {}
                Polled::Control(control) => self.take_control(index, control),
            }
            self.next_input = (index + 1) % count;
            return Ok(true);
        }
        Ok(false)
    }

    fn take_control(&mut self, index: usize, control: Control) {
        let Some(input) = self.inputs.get_mut(index) else {
            return;
        };
        let passed = match control {
            Control::Barrier(barrier) => {
                input.barrier = Some(barrier);
                self.align();
                return;
            }
            Control::EndOfData { drain } => {
                input.end_of_data = Some(drain);
                let ends: Vec<_> = self.inputs.iter().map(|input| input.end_of_data).collect();
                if ends.iter().any(Option::is_none) {
                    return;
                }
                Control::EndOfData {
                    drain: ends.iter().all(|end| *end == Some(true)),
                }
            }
            Control::EndOfPartition => {
                input.ended = true;
                self.align();
                if !self.inputs.iter().all(|input| input.ended) {
                    return;
                }
                Control::EndOfPartition
            }
            other => other,
        };
        if let Some(head) = self.stages.first_mut() {
            head.put_control(index, passed);
        }
    }

    /// Closes the stages; the last call.
    pub fn close(&mut self) {
        for stage in &mut self.stages {
            stage.close();
        }
        self.times.end(self.clock.monotonic_micros());
    }

    /// Bytes queued before the task, and bytes granted.
    pub fn input_usage(&self) -> (usize, usize) {
        self.inputs
            .iter()
            .map(|input| input.feed.usage())
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}
