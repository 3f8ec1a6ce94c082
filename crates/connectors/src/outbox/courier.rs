//! Batches on their way.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_runtime::task::signal::Signal;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::error::ConnectorError;

/// A row that the system outside will not take, however often it is asked.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Its place in the batch.
    pub index: usize,
    /// What the system said.
    pub message: String,
}

/// A batch that has been dealt with: all of it is written but what is rejected.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// Bytes that were sent for it.
    pub bytes: u64,
    /// How long it took, in milliseconds, retries and all.
    pub millis: u64,
    /// What is not written.
    pub rejected: Vec<Rejected>,
}

/// Brings batches to a system outside. Implemented by connectors; lives on the I/O runtime, and is
/// dropped there, at any `await`, when its task ends.
pub(crate) trait Courier<B>: Send + 'static {
    /// Returns when the batch is written or rejected, row by row. Failures that pass by themselves
    /// are waited out.
    ///
    /// # Errors
    /// What ends the job.
    fn deliver(
        &mut self,
        batch: B,
    ) -> impl Future<Output = Result<Delivered, ConnectorError>> + Send;
}

type Outcomes = Arc<Mutex<VecDeque<Result<Delivered, ConnectorError>>>>;

fn lock(outcomes: &Outcomes) -> MutexGuard<'_, VecDeque<Result<Delivered, ConnectorError>>> {
    outcomes
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Leaves word that no more batches will be dealt with, should the courier end: behind a failure, or
/// in place of one if it panicked.
struct End {
    outcomes: Outcomes,
    signal: Arc<Signal>,
}

impl Drop for End {
    fn drop(&mut self) {
        lock(&self.outcomes).push_back(Err(ConnectorError::Lost));
        self.signal.raise();
    }
}

/// The batches of one subtask that are on their way. Ends its courier when it is dropped.
pub(crate) struct Outbox<B> {
    batches: mpsc::Sender<B>,
    outcomes: Outcomes,
    on_the_way: usize,
    courier: AbortHandle,
}

/// Batches on their way, and waiting to be.
const ROOM: usize = 2;

impl<B: Send + 'static> Outbox<B> {
    /// Gives batches to this courier, and raises the signal when one has been dealt with.
    pub fn open(
        io: &tokio::runtime::Handle,
        signal: Arc<Signal>,
        mut courier: impl Courier<B>,
    ) -> Self {
        let (batches, mut arriving) = mpsc::channel(ROOM);
        let outcomes: Outcomes = Arc::default();
        let told = outcomes.clone();
        let end = End {
            outcomes: outcomes.clone(),
            signal: signal.clone(),
        };
        let work = async move {
            let _end = end;
            while let Some(batch) = arriving.recv().await {
                let outcome = courier.deliver(batch).await;
                let failed = outcome.is_err();
                lock(&told).push_back(outcome);
                signal.raise();
                if failed {
                    return;
                }
            }
        };
        Self {
            batches,
            outcomes,
            on_the_way: 0,
            courier: io.spawn(work).abort_handle(),
        }
    }

    /// Whether it takes another batch.
    pub fn has_room(&self) -> bool {
        self.on_the_way < ROOM
    }

    /// Whether batches are on their way, as far as has been taken note of.
    pub fn is_empty(&self) -> bool {
        self.on_the_way == 0
    }

    /// Sends a batch; there must be room.
    ///
    /// # Errors
    /// If the courier is gone, which it is after a failure, or when it panicked.
    pub fn send(&mut self, batch: B) -> Result<(), ConnectorError> {
        self.batches
            .try_send(batch)
            .map_err(|_| ConnectorError::Lost)?;
        self.on_the_way += 1;
        Ok(())
    }

    /// Whether a batch has been dealt with, or will never be.
    pub fn has_outcome(&self) -> bool {
        self.on_the_way > 0 && !lock(&self.outcomes).is_empty()
    }

    /// How the oldest batch on its way ended, if it has.
    pub fn outcome(&mut self) -> Option<Result<Delivered, ConnectorError>> {
        if self.on_the_way == 0 {
            return None;
        }
        let outcome = lock(&self.outcomes).pop_front();
        if outcome.is_some() {
            self.on_the_way -= 1;
        }
        outcome
    }
}

impl<B> Drop for Outbox<B> {
    fn drop(&mut self) {
        self.courier.abort();
    }
}
