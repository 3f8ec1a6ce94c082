//! The epochs of one sink subtask on their way from staged to applied.
//!
//! Life of an epoch: staged at a barrier → its checkpoint is complete → given to the committer, in
//! order, one batch at a time → applied, and forgotten. Until then it is part of each checkpoint, so
//! whoever is restored commits it again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::id::CheckpointId;

use super::committer::{Committer, StagedEpoch};
use crate::error::BoxError;
use crate::task::signal::Signal;
use crate::task::worker::caught;

/// What a commit left, with the committer.
type Outcome = (Box<dyn Committer>, Result<(), BoxError>);

/// The epochs of one subtask.
pub(super) struct Commits {
    /// With the thread that commits while one does.
    committer: Option<Box<dyn Committer>>,
    /// Not applied, as far as is known; in the order in which they are to be.
    pending: VecDeque<StagedEpoch>,
    /// How many of them are being committed.
    running: usize,
    outcome: Arc<Mutex<Option<Outcome>>>,
    /// Epochs up to this one may be applied.
    complete: u64,
    io: Option<tokio::runtime::Handle>,
    signal: Arc<Signal>,
}

fn lock(outcome: &Mutex<Option<Outcome>>) -> MutexGuard<'_, Option<Outcome>> {
    outcome
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Commits {
    pub(super) fn new(
        committer: Box<dyn Committer>,
        io: Option<tokio::runtime::Handle>,
        signal: Arc<Signal>,
    ) -> Self {
        Self {
            committer: Some(committer),
            pending: VecDeque::new(),
            running: 0,
            outcome: Arc::default(),
            complete: 0,
            io,
            signal,
        }
    }

    /// An epoch has been staged.
    pub(super) fn staged(&mut self, epoch: StagedEpoch) {
        self.pending.push_back(epoch);
    }

    /// What a checkpoint has to hold.
    pub(super) fn pending(&self) -> impl Iterator<Item = &StagedEpoch> {
        self.pending.iter()
    }

    /// Whether nothing is left to be applied.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes on epochs of a checkpoint that is restored, and therefore complete.
    pub(super) fn inherit(&mut self, epochs: Vec<StagedEpoch>, checkpoint: CheckpointId) {
        let mut epochs = epochs;
        epochs.sort_by_key(|epoch| (epoch.fence.epoch, epoch.fence.writer));
        self.pending.extend(epochs);
        self.completed(checkpoint);
    }

    /// A checkpoint is complete: what was staged up to it is applied.
    pub(super) fn completed(&mut self, checkpoint: CheckpointId) {
        self.complete = self.complete.max(checkpoint.0);
        self.start();
    }

    fn start(&mut self) {
        if self.running > 0 {
            return;
        }
        let due = self.pending.iter();
        let due: Vec<StagedEpoch> = due
            .take_while(|epoch| epoch.fence.epoch <= self.complete)
            .cloned()
            .collect();
        if due.is_empty() {
            return;
        }
        let Some(mut committer) = self.committer.take() else {
            return;
        };
        self.running = due.len();
        let (outcome, signal) = (self.outcome.clone(), self.signal.clone());
        let commit = move || {
            let result = match caught(|| committer.commit(&due)) {
                Ok(result) => result,
                Err(panic) => Err(format!(
                    "the committer panicked: {}\n{}",
                    panic.message, panic.backtrace
                )
                .into()),
            };
            *lock(&outcome) = Some((committer, result));
            signal.raise();
        };
        match &self.io {
            Some(io) => drop(io.spawn_blocking(commit)),
            None => commit(),
        }
    }

    /// Whether a commit has ended.
    pub(super) fn has_outcome(&self) -> bool {
        self.running > 0 && lock(&self.outcome).is_some()
    }

    /// Takes note of how a commit ended, and begins the next.
    pub(super) fn settle(&mut self) -> Result<(), BoxError> {
        let ended = lock(&self.outcome).take();
        let Some((committer, result)) = ended else {
            return Ok(());
        };
        self.committer = Some(committer);
        let count = std::mem::take(&mut self.running);
        result?;
        self.pending.drain(..count.min(self.pending.len()));
        self.start();
        Ok(())
    }
}
