//! The thread that writes checkpoints: the tasks' parts as they come, then the manifest and the
//! record that makes the checkpoint complete. It tells the job's thread what has become of each.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use rheos_core::clock::SharedClock;
use rheos_core::id::OperatorId;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::checkpoint::snapshot::{TaskCost, TaskSnapshot};

use super::error::CheckpointError;
use super::job_store::JobStore;
use super::manifest::{Manifest, Part};

/// The file of the enumerators.
const SOURCES: &str = "sources.snap";

/// What is written of one operator in one task.
#[derive(Debug, Clone)]
pub struct WrittenOperator {
    /// The operator.
    pub id: OperatorId,
    /// Whether a job without it would lose something.
    pub has_state: bool,
    /// Where it is.
    pub part: Part,
}

/// What is written of one task.
#[derive(Debug, Clone)]
pub struct WrittenTask {
    /// By operator.
    pub operators: Vec<WrittenOperator>,
    /// What it cost the task.
    pub cost: TaskCost,
    /// Bytes written.
    pub bytes: u64,
    /// When, in monotonic microseconds.
    pub written_micros: i64,
}

/// What is to be written.
pub enum Order {
    /// The part of a task.
    Task {
        /// Of this checkpoint.
        checkpoint: u64,
        /// The task's index.
        task: usize,
        /// Its name, for messages.
        name: String,
        /// What it remembers.
        snapshot: TaskSnapshot,
    },
    /// The manifest, of a checkpoint of which all else is written, and what the enumerators of these
    /// operators of the manifest remember.
    Close(Box<Manifest>, Vec<(usize, Vec<u8>)>),
    /// A checkpoint is not to be.
    Discard(u64),
    /// To say when all orders before this one are carried out.
    Settle,
}

/// What has become of an order.
pub enum Written {
    /// A task's part is written.
    Task(u64, usize, WrittenTask),
    /// A checkpoint is complete; so many bytes.
    Complete(u64, u64),
    /// A checkpoint has failed.
    Failed(u64, CheckpointError),
    /// The orders before [`Order::Settle`] are carried out.
    Settled,
}

#[derive(Default)]
struct Orders {
    queue: VecDeque<Order>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    arrived: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn next(&self) -> Option<Order> {
        let mut orders = self.lock();
        loop {
            if let Some(order) = orders.queue.pop_front() {
                return Some(order);
            }
            if orders.closed {
                return None;
            }
            orders = self
                .arrived
                .wait(orders)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}

/// The writer, from the job's side. Orders are carried out one after the other; dropping it lets
/// those given be carried out.
pub struct CheckpointWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Is told what has become of orders, on the writer's thread.
pub type Tell = Box<dyn Fn(Written) + Send>;

impl CheckpointWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn start(
        store: Arc<Mutex<JobStore>>,
        spawner: &SharedSpawner,
        clock: SharedClock,
        tell: Tell,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let orders = shared.clone();
        let body = move || {
            while let Some(order) = orders.next() {
                carry_out(order, &store, &clock, &tell);
            }
        };
        let thread = spawner.spawn("rheos-ckpt".to_owned(), Box::new(body))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Gives an order.
    pub fn order(&self, order: Order) {
        self.shared.lock().queue.push_back(order);
        self.shared.arrived.notify_one();
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes checkpoints ended by a panic");
        }
    }
}

fn locked(store: &Mutex<JobStore>) -> MutexGuard<'_, JobStore> {
    store
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn carry_out(order: Order, store: &Mutex<JobStore>, clock: &SharedClock, tell: &Tell) {
    match order {
        Order::Task {
            checkpoint,
            task,
            name,
            snapshot,
        } => tell(match write_task(store, checkpoint, task, &name, snapshot) {
            Ok(mut written) => {
                written.written_micros = clock.monotonic_micros();
                Written::Task(checkpoint, task, written)
            }
            Err(error) => Written::Failed(checkpoint, error),
        }),
        Order::Close(mut manifest, enumerators) => {
            let checkpoint = manifest.checkpoint;
            tell(match close(store, &mut manifest, &enumerators) {
                Ok(()) => {
                    let bytes = manifest.tasks.iter().map(|task| task.bytes).sum();
                    Written::Complete(checkpoint, bytes)
                }
                Err(error) => Written::Failed(checkpoint, error),
            });
        }
        Order::Settle => tell(Written::Settled),
        Order::Discard(checkpoint) => {
            if let Err(error) = locked(store).discard(checkpoint) {
                tracing::warn!("what there is of checkpoint {checkpoint} stays: {error}");
            }
        }
    }
}

fn write_task(
    store: &Mutex<JobStore>,
    checkpoint: u64,
    task: usize,
    name: &str,
    mut snapshot: TaskSnapshot,
) -> Result<WrittenTask, CheckpointError> {
    let unwritable = |error| CheckpointError::Unwritable {
        checkpoint,
        task: name.to_owned(),
        error,
    };
    snapshot.settle().map_err(unwritable)?;
    let file = format!("task-{task:04}.snap");
    let mut bytes = Vec::new();
    let mut operators = Vec::new();
    for (id, operator) in &snapshot.operators {
        let written = operator.to_bytes().map_err(unwritable)?;
        operators.push(WrittenOperator {
            id: *id,
            has_state: operator.has_state(),
            part: Part::of(&file, bytes.len(), &written),
        });
        bytes.extend_from_slice(&written);
    }
    let (storage, folder) = {
        let store = locked(store);
        (store.storage(), store.folder(checkpoint))
    };
    storage.put(&format!("{folder}/{file}"), &bytes)?;
    Ok(WrittenTask {
        operators,
        cost: snapshot.cost,
        bytes: bytes.len() as u64,
        written_micros: 0,
    })
}

fn close(
    store: &Mutex<JobStore>,
    manifest: &mut Manifest,
    enumerators: &[(usize, Vec<u8>)],
) -> Result<(), CheckpointError> {
    let mut store = locked(store);
    let mut bytes = Vec::new();
    for (operator, enumerator) in enumerators {
        if let Some(operator) = manifest.operators.get_mut(*operator) {
            operator.enumerator = Some(Part::of(SOURCES, bytes.len(), enumerator));
            bytes.extend_from_slice(enumerator);
        }
    }
    if !enumerators.is_empty() {
        let folder = store.folder(manifest.checkpoint);
        store
            .storage()
            .put(&format!("{folder}/{SOURCES}"), &bytes)?;
    }
    store.complete(manifest)
}
