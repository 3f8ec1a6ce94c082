//! The thread that writes checkpoints: the tasks' parts as they come, then the manifest and the
//! record that makes the checkpoint complete. It tells the job's thread what has become of each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use rheos_core::clock::SharedClock;
use rheos_core::id::OperatorId;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::checkpoint::snapshot::{TaskCost, TaskSnapshot};

use super::error::CheckpointError;
use super::job_store::JobStore;
use super::manifest::{MANIFEST, Manifest, Part, join};
use super::progress::Piece;
use super::savepoint::{Asked, SavepointTarget, UNFINISHED};
use super::storage::CheckpointStorage;
use super::store_files::StoreManifest;
use super::task_files::TaskFiles;

/// The file of the enumerators.
const SOURCES: &str = "sources.snap";

/// What is written of one operator in one task.
#[derive(Debug, Clone)]
pub struct WrittenOperator {
    /// The operator.
    pub id: OperatorId,
    /// Whether a job without it would lose something.
    pub has_state: bool,
    /// Where it is, but the records of its keyed state,
    pub part: Part,
    /// and those.
    pub keyed: Vec<Part>,
    /// Its store, if it has one.
    pub store: Option<StoreManifest>,
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
    /// A piece of the keyed state of an operator in a task.
    Piece {
        /// Of this checkpoint.
        checkpoint: u64,
        /// The task's index.
        task: usize,
        /// The operator.
        operator: OperatorId,
        /// The piece, to be put behind those before it.
        piece: Piece,
    },
    /// The part of a task, whose pieces have been given.
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
    /// A checkpoint names these shared files of stores, which another process has written.
    Named(u64, Vec<String>),
    /// The manifest, of a checkpoint of which all else is written, and what the enumerators of these
    /// operators of the manifest remember.
    Close(Box<Manifest>, Vec<(usize, Vec<u8>)>),
    /// A checkpoint is not to be.
    Discard(u64),
    /// To open the place of a savepoint, and to write something there.
    Prepare(Asked),
    /// A checkpoint is a savepoint, and goes there.
    Aim(u64, SavepointTarget),
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
    /// The place of a savepoint is open, or can't be used.
    Prepared(Asked, Result<SavepointTarget, CheckpointError>),
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

    fn try_next(&self) -> Option<Order> {
        self.lock().queue.pop_front()
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
    /// Its other side, where no thread has it.
    stepped: Option<Writing>,
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
            let mut writing = Writing::new(store, clock, tell);
            while let Some(order) = orders.next() {
                writing.carry_out(order);
            }
        };
        let thread = spawner.spawn("rheos-ckpt".to_owned(), Box::new(body))?;
        Ok(Self {
            shared,
            thread: Some(thread),
            stepped: None,
        })
    }

    /// A writer without a thread: orders are carried out by [`CheckpointWriter::step`], and those left
    /// when it is dropped never are.
    pub fn stepped(store: Arc<Mutex<JobStore>>, clock: SharedClock, tell: Tell) -> Self {
        Self {
            shared: Arc::default(),
            thread: None,
            stepped: Some(Writing::new(store, clock, tell)),
        }
    }

    /// Carries out one order, where no thread does; whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(writing) = &mut self.stepped else {
            return false;
        };
        let order = self.shared.try_next();
        order.map(|order| writing.carry_out(order)).is_some()
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

/// The thread's side.
struct Writing {
    store: Arc<Mutex<JobStore>>,
    clock: SharedClock,
    tell: Tell,
    /// Files of checkpoints that are being written, by checkpoint and task.
    files: BTreeMap<(u64, usize), TaskFiles>,
    /// Where savepoints go.
    targets: BTreeMap<u64, SavepointTarget>,
}

impl Writing {
    fn new(store: Arc<Mutex<JobStore>>, clock: SharedClock, tell: Tell) -> Self {
        Self {
            store,
            clock,
            tell,
            files: BTreeMap::new(),
            targets: BTreeMap::new(),
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Piece {
                checkpoint,
                task,
                operator,
                piece,
            } => {
                let (storage, files) = self.files_of(checkpoint, task);
                if let Err(error) = files.add_piece(operator, piece.bytes(), storage.as_ref()) {
                    (self.tell)(Written::Failed(checkpoint, error));
                }
            }
            Order::Task {
                checkpoint,
                task,
                name,
                snapshot,
            } => {
                let written = self.write_task(checkpoint, task, &name, snapshot);
                (self.tell)(match written {
                    Ok(written) => Written::Task(checkpoint, task, written),
                    Err(error) => Written::Failed(checkpoint, error),
                });
            }
            Order::Close(mut manifest, enumerators) => {
                let checkpoint = manifest.checkpoint;
                let target = self.targets.remove(&checkpoint);
                let closed = close(&self.store, target.as_ref(), &mut manifest, &enumerators);
                if let (Err(_), Some(target)) = (&closed, target) {
                    // To be discarded.
                    self.targets.insert(checkpoint, target);
                }
                (self.tell)(match closed {
                    Ok(()) => {
                        let bytes = manifest.tasks.iter().map(|task| task.bytes).sum();
                        Written::Complete(checkpoint, bytes)
                    }
                    Err(error) => Written::Failed(checkpoint, error),
                });
            }
            Order::Named(checkpoint, files) => {
                locked(&self.store).store_files().name(checkpoint, files);
            }
            Order::Settle => (self.tell)(Written::Settled),
            Order::Prepare(asked) => {
                let opened = self.prepare(&asked);
                (self.tell)(Written::Prepared(asked, opened));
            }
            Order::Aim(checkpoint, target) => {
                self.targets.insert(checkpoint, target);
            }
            Order::Discard(checkpoint) => {
                self.files.retain(|(of, _), _| *of != checkpoint);
                let discarded = match self.targets.remove(&checkpoint) {
                    // Its record may be in the log.
                    Some(_) if locked(&self.store).is_doubtful(checkpoint) => Ok(()),
                    Some(target) => empty(target.storage.as_ref()),
                    None => locked(&self.store).discard(checkpoint),
                };
                if let Err(error) = discarded {
                    tracing::warn!("what there is of checkpoint {checkpoint} stays: {error}");
                }
            }
        }
    }

    fn files_of(
        &mut self,
        checkpoint: u64,
        task: usize,
    ) -> (Arc<dyn CheckpointStorage>, &mut TaskFiles) {
        let store = locked(&self.store);
        let (storage, folder) = match self.targets.get(&checkpoint) {
            Some(target) => (target.storage.clone(), String::new()),
            None => (store.storage(), store.folder(checkpoint)),
        };
        let files = self.files.entry((checkpoint, task));
        let files = files.or_insert_with(|| TaskFiles::new(folder, task));
        (storage, files)
    }

    fn prepare(&self, asked: &Asked) -> Result<SavepointTarget, CheckpointError> {
        let settings = locked(&self.store).settings().clone();
        let storage = asked.location.open(&settings.s3)?;
        let note = serde_json::json!({
            "savepoint": "is being written, or was given up",
            "trigger": asked.id,
        });
        storage.put(UNFINISHED, note.to_string().as_bytes())?;
        Ok(SavepointTarget {
            storage,
            location: asked.location.to_string(),
            stops: asked.stop.is_some(),
        })
    }

    fn write_task(
        &mut self,
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
        let savepoint = self.targets.contains_key(&checkpoint);
        let (storage, files) = self.files_of(checkpoint, task);
        if savepoint {
            for (operator, seal) in std::mem::take(&mut snapshot.stores) {
                let mut failed = None;
                let exported = seal.export(&mut |piece| {
                    let added = files.add_piece(operator, &piece, storage.as_ref());
                    added.map_err(|error| {
                        let reason = error.to_string();
                        failed = Some(error);
                        rheos_state::StateError::Stopped {
                            name: "keyed state".to_owned(),
                            reason,
                        }
                    })
                });
                match (exported, failed) {
                    (_, Some(error)) => return Err(error),
                    (Err(error), None) => {
                        return Err(CheckpointError::Store {
                            checkpoint,
                            task: name.to_owned(),
                            error: Box::new(error),
                        });
                    }
                    (Ok(()), None) => {}
                }
            }
        }
        let mut operators = Vec::new();
        for (id, operator) in &snapshot.operators {
            let head = operator.to_bytes().map_err(unwritable)?;
            let keyed = files.pieces(*id);
            operators.push(WrittenOperator {
                id: *id,
                has_state: operator.has_state() || !keyed.is_empty(),
                part: files.add(&head),
                keyed,
                store: None,
            });
        }
        files.write(storage.as_ref())?;
        let mut bytes = files.bytes();
        self.files.remove(&(checkpoint, task));
        if savepoint {
            return Ok(WrittenTask {
                operators,
                cost: snapshot.cost,
                bytes,
                written_micros: self.clock.monotonic_micros(),
            });
        }
        let mut store = locked(&self.store);
        let folder = store.folder(checkpoint);
        let files = store.store_files();
        let stores = files.write(
            &snapshot,
            (checkpoint, task, name),
            (storage.as_ref(), &folder),
        )?;
        drop(store);
        bytes += stores.bytes;
        for (id, store) in stores.stores {
            if let Some(operator) = operators.iter_mut().find(|operator| operator.id == id) {
                operator.has_state |= !store.files.is_empty();
                operator.store = Some(store);
            }
        }
        Ok(WrittenTask {
            operators,
            cost: snapshot.cost,
            bytes,
            written_micros: self.clock.monotonic_micros(),
        })
    }
}

/// Deletes what there is of a savepoint that is not to be; the manifest first.
fn empty(storage: &dyn CheckpointStorage) -> Result<(), CheckpointError> {
    storage.delete(MANIFEST)?;
    for name in storage.list("")? {
        storage.delete(&name)?;
    }
    Ok(())
}

fn close(
    store: &Mutex<JobStore>,
    target: Option<&SavepointTarget>,
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
    let (storage, folder) = match target {
        Some(target) => (target.storage.clone(), String::new()),
        None => (store.storage(), store.folder(manifest.checkpoint)),
    };
    if !enumerators.is_empty() {
        storage.put(&join(&folder, SOURCES), &bytes)?;
    }
    match target {
        Some(target) => store.complete_savepoint(manifest, target),
        None => store.complete(manifest),
    }
}
