//! What the tasks of a generation tell, on its way to the JobManager; their parts of checkpoints go to
//! the storage from here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use rheos_core::Row;
use rheos_core::barrier::{Barrier, SnapshotKind};
use rheos_core::id::{OperatorId, Place};
use rheos_core::row::Writer;
use rheos_runtime::checkpoint::snapshot::{Counts, TaskSnapshot};
use rheos_runtime::metrics::handle::TaskHandle;
use rheos_runtime::source::coordinator::{EncodedSplits, SplitRequests};
use rheos_runtime::task::task::TaskListener;
use rheos_runtime::task::worker::{TaskResult, WorkerListener};

use super::super::message::{
    Answered, Counted, Ended, Entered, Leaves, Left, NotWritten, OperatorCounts, Report, Reported,
    Savepoint, Splits, TaskIndex, WantsSplit,
};
use super::super::outbox::Outbox;
use super::super::written;
use crate::checkpoint::location::Location;
use crate::checkpoint::progress::Progress;
use crate::checkpoint::s3::S3Settings;
use crate::checkpoint::savepoint::SavepointTarget;
use crate::checkpoint::writer::{CheckpointWriter, Order, Written};

/// See the [module](self).
pub(super) struct GenerationListener {
    pub generation: u64,
    pub outbox: Outbox<Report>,
    pub listener: Arc<dyn TaskListener>,
    pub progress: Progress,
    pub wanted: Mutex<WantedCheckpoints>,
    /// Where savepoints go, as far as this process has been told.
    pub aims: Mutex<BTreeMap<u64, Aim>>,
    /// How object stores are reached.
    pub s3: S3Settings,
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

/// Where a savepoint goes. A barrier may come from another TaskManager before the JobManager's word of it.
pub(super) enum Aim {
    /// It is not known, and these orders wait for it.
    Waiting(Vec<Order>),
    /// The writer has been told.
    Known,
    /// It can't be opened here, and the savepoint fails.
    Refused,
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

    fn lock_aims(&self) -> MutexGuard<'_, BTreeMap<u64, Aim>> {
        let aims = self.aims.lock();
        aims.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Gives an order about a part of a checkpoint; of a savepoint once it is known where that goes.
    fn order_of(&self, barrier: &Barrier, order: Order) {
        if barrier.kind != SnapshotKind::Savepoint {
            return self.order(order);
        }
        let mut aims = self.lock_aims();
        let aim = aims.entry(barrier.checkpoint.0);
        match aim.or_insert_with(|| Aim::Waiting(Vec::new())) {
            Aim::Waiting(orders) => orders.push(order),
            Aim::Known => self.order(order),
            Aim::Refused => {}
        }
    }

    /// It is known where a savepoint goes.
    pub(super) fn aim(&self, savepoint: &Savepoint) {
        let checkpoint = savepoint.checkpoint;
        let mut aims = self.lock_aims();
        let waiting = match aims.remove(&checkpoint) {
            None => Vec::new(),
            Some(Aim::Waiting(orders)) => orders,
            Some(known) => {
                aims.insert(checkpoint, known);
                return;
            }
        };
        let location = Location::parse(&savepoint.location);
        match location.and_then(|location| location.open(&self.s3)) {
            Ok(storage) => {
                let target = SavepointTarget {
                    storage,
                    location: savepoint.location.clone(),
                    stops: false,
                };
                self.order(Order::Aim(checkpoint, target));
                for order in waiting {
                    self.order(order);
                }
                aims.insert(checkpoint, Aim::Known);
            }
            Err(error) => {
                aims.insert(checkpoint, Aim::Refused);
                self.report(Reported::NotWritten(NotWritten {
                    checkpoint,
                    error: error.to_string(),
                }));
            }
        }
    }

    /// These checkpoints are under way.
    pub(super) fn set_wanted(&self, checkpoints: Vec<u64>) {
        let wanted = self.wanted.lock();
        let mut wanted = wanted.unwrap_or_else(|poisoned| poisoned.into_inner());
        wanted.set(checkpoints);
        self.lock_aims()
            .retain(|checkpoint, _| wanted.contains(*checkpoint));
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
        let order = Order::Piece {
            checkpoint: barrier.checkpoint.0,
            task,
            operator,
            piece: self.0.progress.piece(bytes),
        };
        self.0.order_of(barrier, order);
    }

    fn snapshot_taken(&self, task: usize, barrier: &Barrier, snapshot: TaskSnapshot) {
        let checkpoint = barrier.checkpoint.0;
        // Before the task's end: what it leaves then is not its part of this one.
        self.0.report(Reported::Answered(Answered {
            checkpoint,
            task: task as u64,
        }));
        let order = Order::Task {
            checkpoint,
            task,
            name: self.0.names.get(&task).cloned().unwrap_or_default(),
            snapshot,
        };
        self.0.order_of(barrier, order);
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
    use rheos_core::barrier::Alignment;
    use rheos_core::id::{CheckpointId, Generation};
    use tokio_stream::Stream as _;

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

    fn listener() -> GenerationListener {
        GenerationListener {
            generation: 1,
            outbox: Outbox::default(),
            listener: Arc::new(rheos_runtime::task::task::NoListener),
            progress: Progress::default(),
            wanted: Mutex::default(),
            aims: Mutex::default(),
            s3: S3Settings::default(),
            writer: Mutex::new(None),
            names: BTreeMap::new(),
            waiting: Mutex::default(),
            handles: OnceLock::new(),
        }
    }

    /// What becomes of a part of the savepoint of this number.
    fn give(listener: &GenerationListener, checkpoint: u64) -> &'static str {
        let barrier = Barrier {
            checkpoint: CheckpointId(checkpoint),
            generation: Generation(1),
            triggered_at: 0,
            kind: SnapshotKind::Savepoint,
            alignment: Alignment::Aligned,
        };
        listener.order_of(&barrier, Order::Settle);
        match listener.lock_aims().get(&checkpoint) {
            None => "forgotten",
            Some(Aim::Waiting(_)) => "waits",
            Some(Aim::Known) => "is written",
            Some(Aim::Refused) => "is dropped",
        }
    }

    #[test]
    fn parts_of_a_savepoint_wait_until_it_is_known_where_it_goes() {
        let listener = listener();
        let word = |checkpoint, location: &str| Savepoint {
            checkpoint,
            location: location.to_owned(),
        };
        assert_eq!(give(&listener, 3), "waits");
        listener.aim(&word(3, "/savepoints/a"));
        listener.set_wanted(vec![3]);
        assert_eq!(give(&listener, 3), "is written");
        // It is told again whenever something else changes.
        listener.aim(&word(3, "/savepoints/a"));
        assert_eq!(give(&listener, 3), "is written");
        listener.set_wanted(vec![4]);
        assert_eq!(listener.lock_aims().len(), 0);
        // What can't be opened here fails by name, and nothing of it is written elsewhere.
        listener.aim(&word(4, "hdfs://savepoints"));
        assert_eq!(give(&listener, 4), "is dropped");
        let mut told = std::pin::pin!(super::super::super::outbox::Requests(
            listener.outbox.clone()
        ));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let report = match told.as_mut().poll_next(&mut context) {
            std::task::Poll::Ready(Some(report)) => report,
            other => panic!("{other:?}"),
        };
        let Some(Reported::NotWritten(refused)) = report.what else {
            panic!("{report:?}");
        };
        assert_eq!(refused.checkpoint, 4);
        assert!(refused.error.contains("hdfs"), "{}", refused.error);
    }
}
