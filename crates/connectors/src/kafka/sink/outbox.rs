//! What a writer and its sender share: batches that are being filled, and those that are not
//! acknowledged yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_runtime::task::signal::Signal;
use tokio::sync::Notify;

use crate::kafka::batch::BatchBuilder;
use crate::kafka::error::KafkaError;

/// A topic and a partition.
pub(super) type Place = (Arc<str>, i32);

/// A batch that takes records.
#[derive(Debug)]
pub(super) struct Filling {
    pub batch: BatchBuilder,
    /// When its first record came, in microseconds of the monotonic clock.
    pub since: i64,
}

/// A batch that is to be sent.
#[derive(Debug)]
pub(super) struct Full {
    pub place: Place,
    pub batch: BatchBuilder,
    /// When its first record came.
    pub since: i64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub filling: BTreeMap<Place, Filling>,
    pub waiting: VecDeque<Full>,
    /// Batches that are full and not acknowledged, waiting or under way.
    pub open: usize,
    /// Their bytes, before compression.
    pub bytes: usize,
    pub failure: Option<KafkaError>,
    pub closed: bool,
    /// How many partitions the topics have that were written to.
    pub partitions: BTreeMap<Arc<str>, i32>,
}

impl State {
    /// Whether records have not been acknowledged yet.
    pub fn has_records(&self) -> bool {
        self.open > 0 || !self.filling.is_empty()
    }

    /// Has a batch sent, however full it is.
    pub fn close(&mut self, place: Place) {
        if let Some(filling) = self.filling.remove(&place) {
            self.open += 1;
            self.bytes += filling.batch.len();
            self.waiting.push_back(Full {
                place,
                batch: filling.batch,
                since: filling.since,
            });
        }
    }

    /// Has those batches sent whose first record came at this time or before.
    pub fn close_until(&mut self, since: i64) {
        let due: Vec<_> = self
            .filling
            .iter()
            .filter(|(_, filling)| filling.since <= since)
            .map(|(place, _)| place.clone())
            .collect();
        due.into_iter().for_each(|place| self.close(place));
    }
}

#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// For the sender: something is to be sent soon, or it is to end.
    pub filled: Notify,
    signal: Arc<Signal>,
}

impl Outbox {
    pub fn new(signal: Arc<Signal>) -> Self {
        Self {
            state: Mutex::default(),
            filled: Notify::new(),
            signal,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A batch of so many bytes has been acknowledged.
    pub fn done(&self, bytes: usize) {
        let mut state = self.lock();
        state.open = state.open.saturating_sub(1);
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        self.signal.raise();
    }

    /// Ends the job.
    pub fn fail(&self, failure: KafkaError) {
        self.lock().failure.get_or_insert(failure);
        self.signal.raise();
    }

    /// Fails if something could not be delivered.
    pub fn check(&self) -> Result<(), KafkaError> {
        self.lock().failure.take().map_or(Ok(()), Err)
    }
}
