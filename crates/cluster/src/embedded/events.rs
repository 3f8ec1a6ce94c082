//! Where workers, the checkpoints' writer and callers leave word for the JobMaster.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rheos_core::barrier::Barrier;
use rheos_core::id::{OperatorId, Place};
use rheos_runtime::checkpoint::snapshot::TaskSnapshot;
use rheos_runtime::source::coordinator::SplitReply;
use rheos_runtime::task::task::TaskListener;
use rheos_runtime::task::worker::{TaskResult, WorkerListener};

use crate::checkpoint::progress::{Piece, Progress};
use crate::checkpoint::savepoint::Asked;
use crate::checkpoint::writer::Written;
use crate::schedule::{ExecutionState, Requirements};

/// What has happened.
pub(crate) enum Event {
    /// A task has come into a state, which is not its last.
    Entered(usize, ExecutionState),
    /// A task has ended.
    Ended(usize, TaskResult),
    /// A piece of the state of an operator in a task, as a barrier found it.
    Piece(usize, Barrier, OperatorId, Piece),
    /// A barrier has passed a task, and its pieces have been given.
    Snapshot(usize, Barrier, TaskSnapshot),
    /// A task ends well.
    Leaves(usize, TaskSnapshot),
    /// A source waits for a checkpoint to end.
    EndReached(usize),
    /// A barrier of this checkpoint has passed a task of another process, which writes its part.
    Answered(u64, usize),
    /// A reader of this source in another process wants a split, for this subtask.
    WantsSplit(OperatorId, u32, Box<dyn SplitReply>),
    /// These tasks are gone with their TaskManager, or were never made there: why.
    Lost(Vec<usize>, String),
    /// These tasks are gone with a TaskManager that has no room left: its name, and what it says.
    OutOfMemory(Vec<usize>, String, String),
    /// An order to the checkpoints' writer is carried out.
    Written(Written),
    /// The job is to end in good order.
    Stop {
        /// Whether windows and timers fire.
        drain: bool,
    },
    /// The job is to end at once.
    Cancel,
    /// Another process leads the job: why.
    Superseded(String),
    /// A savepoint is to be taken.
    Savepoint(Asked),
    /// A checkpoint is to be taken, by the name of the request.
    TakeCheckpoint(String),
    /// A barrier is to be sent into every source.
    Barrier(Barrier),
    /// The job is to be as wide as this says, by the name of the request.
    Rescale(Requirements, String),
}

/// A queue of events.
#[derive(Default)]
pub(crate) struct Events {
    queue: Mutex<VecDeque<Event>>,
    arrived: Condvar,
    /// Of the checkpoints that are being written.
    pub(crate) progress: Progress,
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.queue
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn push(&self, event: Event) {
        self.lock().push_back(event);
        self.arrived.notify_all();
    }

    /// The next, if there is one.
    pub(super) fn try_next(&self) -> Option<Event> {
        self.lock().pop_front()
    }

    pub(crate) fn next(&self, timeout: Duration) -> Option<Event> {
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
    fn task_initializes(&self, index: usize) {
        self.push(Event::Entered(index, ExecutionState::Initializing));
    }

    fn task_runs(&self, index: usize) {
        self.push(Event::Entered(index, ExecutionState::Running));
    }

    fn task_ended(&self, index: usize, result: TaskResult) {
        self.push(Event::Ended(index, result));
    }
}

/// Tells the job's thread what checkpoints need of the tasks, and someone else what that one wants
/// to know.
pub(crate) struct Reporter {
    pub events: Arc<Events>,
    pub listener: Arc<dyn TaskListener>,
}

impl TaskListener for Reporter {
    fn barrier_passed(&self, place: &Place, barrier: &Barrier) {
        self.listener.barrier_passed(place, barrier);
    }

    fn takes_snapshots(&self) -> bool {
        true
    }

    fn is_wanted(&self, barrier: &Barrier) -> bool {
        self.events.progress.is_wanted(barrier.checkpoint.0)
    }

    fn takes_pieces(&self) -> bool {
        self.events.progress.takes_pieces()
    }

    fn snapshot_piece(&self, task: usize, barrier: &Barrier, operator: OperatorId, bytes: Vec<u8>) {
        let piece = self.events.progress.piece(bytes);
        self.events
            .push(Event::Piece(task, *barrier, operator, piece));
    }

    fn snapshot_taken(&self, task: usize, barrier: &Barrier, snapshot: TaskSnapshot) {
        self.events.push(Event::Snapshot(task, *barrier, snapshot));
    }

    fn task_leaves(&self, task: usize, left: TaskSnapshot) {
        self.events.push(Event::Leaves(task, left));
    }

    fn end_reached(&self, task: usize) {
        self.events.push(Event::EndReached(task));
    }
}
