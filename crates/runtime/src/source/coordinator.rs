//! The coordinator of one source: the enumerator, and the readers that wait for it.

use std::sync::{Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::time::Millis;

use super::reader::{Assignment, SplitEnumerator};
use crate::error::BoxError;
use crate::task::mailbox::{Mail, MailSender};

struct State<S> {
    enumerator: Box<dyn SplitEnumerator<S>>,
    waiting: Vec<(u32, MailSender)>,
    next_discovery: Option<Millis>,
    /// Found when a reader asked; the JobManager learns it at its next look.
    failure: Option<BoxError>,
}

/// Answers readers by mail. Shared between the JobManager and, in one process, the tasks.
pub struct SourceCoordinator<S> {
    state: Mutex<State<S>>,
}

/// A coordinator, its split type erased. Called by the JobManager.
pub trait Coordinator: Send + Sync {
    /// Looks for new splits if it is time; when to call again.
    ///
    /// # Errors
    /// If the splits can't be found; the job can't go on.
    fn tick(&self, now: Millis) -> Result<Option<Millis>, BoxError>;

    /// What the enumerator remembers, at the moment at which `send` mails the barrier to its readers:
    /// a split is given out before, and in the reader's part of the checkpoint, or after.
    ///
    /// # Errors
    /// If the source can't take part in a checkpoint.
    fn snapshot(&self, send: &mut dyn FnMut()) -> Result<Vec<u8>, BoxError>;

    /// Goes on from there, before a reader asks.
    ///
    /// # Errors
    /// If that can't be read.
    fn restore(&self, snapshot: &[u8]) -> Result<(), BoxError>;
}

impl<S: Row> SourceCoordinator<S> {
    /// A coordinator around an enumerator.
    pub fn new(enumerator: Box<dyn SplitEnumerator<S>>) -> Self {
        Self {
            state: Mutex::new(State {
                enumerator,
                waiting: Vec::new(),
                next_discovery: None,
                failure: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A reader wants a split; the answer comes by mail, now or when there is one.
    pub fn request(&self, subtask: u32, mail: MailSender) {
        let mut state = self.lock();
        if let Err(error) = state.answer(subtask, mail) {
            state.failure = Some(error);
        }
    }
}

impl<S: Row> State<S> {
    fn answer(&mut self, subtask: u32, mail: MailSender) -> Result<(), BoxError> {
        match self.enumerator.request(subtask)? {
            Assignment::Splits(splits) => mail.send(Mail::Splits(Box::new(splits))),
            Assignment::NoMore => mail.send(Mail::NoMoreSplits),
            Assignment::Later => self.waiting.push((subtask, mail)),
        }
        Ok(())
    }
}

impl<S: Row> Coordinator for SourceCoordinator<S> {
    fn snapshot(&self, send: &mut dyn FnMut()) -> Result<Vec<u8>, BoxError> {
        let state = self.lock();
        let snapshot = state.enumerator.snapshot().ok_or(
            "takes part in no checkpoint: its SplitEnumerator has no snapshot(); implement it and \
             restore(), or run the job without checkpoints",
        )?;
        send();
        Ok(snapshot)
    }

    fn restore(&self, snapshot: &[u8]) -> Result<(), BoxError> {
        self.lock().enumerator.restore(snapshot)
    }

    fn tick(&self, now: Millis) -> Result<Option<Millis>, BoxError> {
        let mut state = self.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        let Some(interval) = state.enumerator.discovery_interval_millis() else {
            return Ok(None);
        };
        let due = state.next_discovery.unwrap_or(now);
        if due > now {
            return Ok(Some(due));
        }
        state.enumerator.discover()?;
        state.next_discovery = Some(now + interval);
        for (subtask, mail) in std::mem::take(&mut state.waiting) {
            state.answer(subtask, mail)?;
        }
        Ok(state.next_discovery)
    }
}
