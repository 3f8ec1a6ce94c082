//! The coordinator of one source: the enumerator, and the readers that wait for it.

use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::Row;
use rheos_core::row::{Reader, Writer};
use rheos_core::time::Millis;

use super::reader::{Assignment, SplitEnumerator};
use crate::error::BoxError;
use crate::task::mailbox::{Mail, MailSender};

/// Who asked for splits, and where the answer goes.
enum Asker {
    /// A task of this process.
    Here(MailSender),
    /// One of another.
    There(Box<dyn SplitReply>),
}

/// Takes the answer to a task of another process. Implemented by the JobManager's side of a
/// TaskManager; called under the enumerator's lock, so in order with the barriers that it mails.
pub trait SplitReply: Send {
    /// Splits, as a list of rows of the source's split type.
    fn splits(&self, encoded: Vec<u8>);
    /// No further splits will come.
    fn no_more(&self);
}

/// Asks the enumerator of a source in another process. Implemented by a TaskManager's agent; called
/// on the task's thread.
pub trait SplitRequests: Send + Sync {
    /// A reader wants a split; the answer comes by `mail`, as [`EncodedSplits`] know how to read it.
    fn request(&self, subtask: u32, splits: EncodedSplits);
}

/// Where the answer to a request goes: knows the type of the splits.
pub struct EncodedSplits {
    mail: MailSender,
    read: fn(&[u8]) -> Result<Mail, BoxError>,
}

impl EncodedSplits {
    fn new<S: Row>(mail: MailSender) -> Self {
        Self {
            mail,
            read: |bytes| {
                let mut reader = Reader::new(bytes);
                let splits = Vec::<S>::decode(&mut reader)?;
                reader.finish()?;
                Ok(Mail::Splits(Box::new(splits)))
            },
        }
    }

    /// Splits have come.
    pub fn splits(&self, encoded: &[u8]) {
        let mail = (self.read)(encoded);
        self.mail.send(mail.unwrap_or_else(Mail::Fail));
    }

    /// None will come any more.
    pub fn no_more(&self) {
        self.mail.send(Mail::NoMoreSplits);
    }
}

struct State<S> {
    enumerator: Box<dyn SplitEnumerator<S>>,
    waiting: Vec<(u32, Asker)>,
    next_discovery: Option<Millis>,
    /// Found when a reader asked; the JobManager learns it at its next look.
    failure: Option<BoxError>,
}

/// Answers readers by mail. Shared between the JobManager and, in one process, the tasks; in another
/// process than the enumerator it passes requests on.
pub struct SourceCoordinator<S> {
    place: Place<S>,
}

enum Place<S> {
    Here(Mutex<State<S>>),
    There(Arc<dyn SplitRequests>),
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

    /// A reader of another process wants a split; the answer comes now or when there is one.
    fn request(&self, subtask: u32, reply: Box<dyn SplitReply>);

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
            place: Place::Here(Mutex::new(State {
                enumerator,
                waiting: Vec::new(),
                next_discovery: None,
                failure: None,
            })),
        }
    }

    /// One whose enumerator is in another process.
    pub fn elsewhere(requests: Arc<dyn SplitRequests>) -> Self {
        Self {
            place: Place::There(requests),
        }
    }

    /// The enumerator's side, where that is here.
    fn lock(&self) -> Option<MutexGuard<'_, State<S>>> {
        match &self.place {
            Place::Here(state) => Some(
                state
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner()),
            ),
            Place::There(_) => None,
        }
    }

    /// A reader of this process wants a split; the answer comes by mail, now or when there is one.
    pub fn request(&self, subtask: u32, mail: MailSender) {
        match &self.place {
            Place::Here(_) => self.ask(subtask, Asker::Here(mail)),
            Place::There(requests) => requests.request(subtask, EncodedSplits::new::<S>(mail)),
        }
    }

    fn ask(&self, subtask: u32, asker: Asker) {
        if let Some(mut state) = self.lock()
            && let Err(error) = state.answer(subtask, asker)
        {
            state.failure = Some(error);
        }
    }
}

impl<S: Row> State<S> {
    fn answer(&mut self, subtask: u32, asker: Asker) -> Result<(), BoxError> {
        match (self.enumerator.request(subtask)?, asker) {
            (Assignment::Splits(splits), Asker::Here(mail)) => {
                mail.send(Mail::Splits(Box::new(splits)));
            }
            (Assignment::Splits(splits), Asker::There(reply)) => {
                let mut out = Writer::new();
                splits.encode(&mut out);
                out.check()?;
                reply.splits(out.into_vec());
            }
            (Assignment::NoMore, Asker::Here(mail)) => mail.send(Mail::NoMoreSplits),
            (Assignment::NoMore, Asker::There(reply)) => reply.no_more(),
            (Assignment::Later, asker) => self.waiting.push((subtask, asker)),
        }
        Ok(())
    }
}

/// Only the process with the enumerator is asked what it remembers.
const ELSEWHERE: &str = "the enumerator of the source is in the JobManager";

impl<S: Row> Coordinator for SourceCoordinator<S> {
    fn snapshot(&self, send: &mut dyn FnMut()) -> Result<Vec<u8>, BoxError> {
        let state = self.lock().ok_or(ELSEWHERE)?;
        let snapshot = state.enumerator.snapshot().ok_or(
            "takes part in no checkpoint: its SplitEnumerator has no snapshot(); implement it and \
             restore(), or run the job without checkpoints",
        )?;
        send();
        Ok(snapshot)
    }

    fn restore(&self, snapshot: &[u8]) -> Result<(), BoxError> {
        let mut state = self.lock().ok_or(ELSEWHERE)?;
        state.enumerator.restore(snapshot)
    }

    fn request(&self, subtask: u32, reply: Box<dyn SplitReply>) {
        self.ask(subtask, Asker::There(reply));
    }

    fn tick(&self, now: Millis) -> Result<Option<Millis>, BoxError> {
        let Some(mut state) = self.lock() else {
            return Ok(None);
        };
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
        for (subtask, asker) in std::mem::take(&mut state.waiting) {
            state.answer(subtask, asker)?;
        }
        Ok(state.next_discovery)
    }
}
