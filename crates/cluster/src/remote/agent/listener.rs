//! What the tasks of a generation tell, on its way to the JobManager; their parts of checkpoints go to
//! the storage from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::id::{OperatorId, Place};
use rheos_core::row::Writer;
use rheos_runtime::checkpoint::snapshot::{Counts, TaskSnapshot};
use rheos_runtime::metrics::handle::TaskHandle;
use rheos_runtime::source::coordinator::{EncodedSplits, SplitRequests};
use rheos_runtime::task::task::TaskListener;
use rheos_runtime::task::worker::{TaskResult, WorkerListener};

use super::super::message::{
    Answered, Counted, Ended, Entered, Leaves, Left, NotWritten, OperatorCounts, Report, Reported,
    Splits, TaskIndex, WantsSplit,
};
use super::super::outbox::Outbox;
use super::super::written;
use crate::checkpoint::progress::Progress;
use crate::checkpoint::writer::{CheckpointWriter, Order, Written};

/// See the [module](self).
pub(super) struct GenerationListener {
    pub generation: u64,
    pub outbox: Outbox<Report>,
    pub listener: Arc<dyn TaskListener>,
    pub progress: Progress,
    pub wanted: Mutex<WantedCheckpoints>,
    /// Writes to the checkpoints' storage; none of a job that takes no checkpoints.
    pub writer: Mutex<Option<CheckpointWriter>>,
    /// The names of the tasks, for messages.
    pub names: BTreeMap<usize, String>,
    /// Readers that wait for splits.
    pub waiting: Mutex<BTreeMap<(OperatorId, u32), EncodedSplits>>,
    /// The generation's tasks in this process, once they are made.
    pub handles: OnceLock<Vec<(usize, TaskHandle)>>,
}

/// Which checkpoints are under way, as far as this process has been told: a barrier may come from
/// another TaskManager before the JobManager's word does.
#[derive(Default)]
pub(super) struct WantedCheckpoints {
    under_way: BTreeSet<u64>,
    newest: u64,
}

impl WantedCheckpoints {
    /// These are.
    pub(super) fn set(&mut self, checkpoints: Vec<u64>) {
        let newest = checkpoints.iter().copied().max();
        self.newest = self.newest.max(newest.unwrap_or(0));
        self.under_way = checkpoints.into_iter().collect();
    }

    /// Whether this one is, or is newer than what has been told of.
    fn contains(&self, checkpoint: u64) -> bool {
        checkpoint > self.newest || self.under_way.contains(&checkpoint)
    }
}

impl GenerationListener {
    pub(super) fn report(&self, what: Reported) {
        self.outbox.put(Report {
            generation: self.generation,
            what: Some(what),
        });
    }

    fn order(&self, order: Order) {
        let writer = self.writer.lock();
        let writer = writer.unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(writer) = &*writer {
            writer.order(order);
        }
    }

    /// What has become of an order to the writer.
    pub(super) fn written(outbox: &Outbox<Report>, generation: u64, written: Written) {
        let what = match written {
            Written::Task(checkpoint, task, part) => match written::to_json(&part) {
                Ok(part) => Reported::Written(super::super::message::Written {
                    checkpoint,
                    task: task as u64,
                    part,
                }),
                Err(error) => Reported::NotWritten(NotWritten {
                    checkpoint,
                    error: error.to_string(),
                }),
            },
            Written::Failed(checkpoint, error) => Reported::NotWritten(NotWritten {
                checkpoint,
                error: error.to_string(),
            }),
            // Only the JobManager's writer completes checkpoints.
            Written::Complete(..) | Written::Prepared(..) | Written::Settled => return,
        };
        outbox.put(Report {
            generation,
            what: Some(what),
        });
    }

    /// Reports what the operators have counted.
    pub(super) fn report_counts(&self) {
        let mut counts = Vec::new();
        for (task, handle) in self.handles.get().into_iter().flatten() {
            for (position, operator) in (0u32..).zip(&handle.operators) {
                let mut out = Writer::new();
                Counts::of(&operator.metrics).encode(&mut out);
                counts.push(OperatorCounts {
                    task: *task as u64,
                    operator: position,
                    counts: out.into_vec(),
                });
            }
        }
        self.report(Reported::Counted(Counted { counts }));
    }

    /// Splits have come for a reader.
    pub(super) fn splits(&self, splits: Splits) {
        let key = (OperatorId(splits.operator), splits.subtask);
        let waiting = self.waiting.lock();
        let reader = waiting
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .remove(&key);
        match (reader, splits.encoded) {
            (Some(reader), Some(encoded)) => reader.splits(&encoded),
            (Some(reader), None) => reader.no_more(),
            (None, _) => {}
        }
    }
}

impl WorkerListener for GenerationListener {
    fn task_initializes(&self, index: usize) {
        self.report(Reported::Entered(Entered {
            task: index as u64,
            running: false,
        }));
    }

    fn task_runs(&self, index: usize) {
        self.report(Reported::Entered(Entered {
            task: index as u64,
            running: true,
        }));
    }

    fn task_ended(&self, index: usize, result: TaskResult) {
        self.report_counts();
        let (cancelled, error) = match result {
            Ok(()) => (false, String::new()),
            Err(error) => (error.is_cancellation(), error.to_string()),
        };
        self.report(Reported::Ended(Ended {
            task: index as u64,
            cancelled,
            error,
        }));
    }
}

/// The listener of a job that takes no checkpoints gets its tasks' barriers alone.
pub(super) struct SnapshotListener(pub Arc<GenerationListener>);

impl TaskListener for SnapshotListener {
    fn barrier_passed(&self, place: &Place, barrier: &Barrier) {
        self.0.listener.barrier_passed(place, barrier);
    }

    fn takes_snapshots(&self) -> bool {
        true
    }

    fn is_wanted(&self, barrier: &Barrier) -> bool {
        let wanted = self.0.wanted.lock();
        wanted
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .contains(barrier.checkpoint.0)
    }

    fn takes_pieces(&self) -> bool {
        self.0.progress.takes_pieces()
    }

    fn snapshot_piece(&self, task: usize, barrier: &Barrier, operator: OperatorId, bytes: Vec<u8>) {
        self.0.order(Order::Piece {
            checkpoint: barrier.checkpoint.0,
            task,
            operator,
            piece: self.0.progress.piece(bytes),
        });
    }

    fn snapshot_taken(&self, task: usize, barrier: &Barrier, snapshot: TaskSnapshot) {
        let checkpoint = barrier.checkpoint.0;
        // Before the task's end: what it leaves then is not its part of this one.
        self.0.report(Reported::Answered(Answered {
            checkpoint,
            task: task as u64,
        }));
        self.0.order(Order::Task {
            checkpoint,
            task,
            name: self.0.names.get(&task).cloned().unwrap_or_default(),
            snapshot,
        });
    }

    fn task_leaves(&self, task: usize, mut left: TaskSnapshot) {
        let settled = left.settle();
        let operators = left.operators.iter().map(|(id, snapshot)| {
            snapshot.to_bytes().map(|snapshot| Left {
                operator: id.0,
                snapshot,
            })
        });
        let operators = settled.and_then(|()| operators.collect());
        match operators {
            Ok(operators) => self.0.report(Reported::Leaves(Leaves {
                task: task as u64,
                operators,
            })),
            Err(error) => tracing::error!("what task {task} leaves can't be written: {error}"),
        }
    }

    fn end_reached(&self, task: usize) {
        self.0
            .report(Reported::EndReached(TaskIndex { task: task as u64 }));
    }
}

/// Asks the JobManager for the splits of a source.
pub(super) struct Requests {
    pub listener: Arc<GenerationListener>,
    pub operator: OperatorId,
}

impl SplitRequests for Requests {
    fn request(&self, subtask: u32, splits: EncodedSplits) {
        let waiting = self.listener.waiting.lock();
        waiting
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .insert((self.operator, subtask), splits);
        self.listener.report(Reported::WantsSplit(WantsSplit {
            operator: self.operator.0,
            subtask,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_that_comes_before_the_word_of_it_is_wanted() {
        let mut wanted = WantedCheckpoints::default();
        assert!(wanted.contains(1));
        wanted.set(vec![3, 4]);
        assert!(wanted.contains(4) && wanted.contains(5) && !wanted.contains(2));
        wanted.set(Vec::new());
        assert!(!wanted.contains(4) && wanted.contains(5));
    }
}
