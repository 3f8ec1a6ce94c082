//! The mailbox of a task: everything that must happen on its thread but starts elsewhere.
//!
//! A task reads its mail before each step, so a mail is acted on within one bounded slice of work,
//! also under back-pressure and in the middle of a burst of timers.

use std::any::Any;
use std::collections::VecDeque;

use rheos_core::barrier::Barrier;
use rheos_core::id::CheckpointId;

use super::signal::Signal;
use crate::error::BoxError;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

/// A message to a task.
pub enum Mail {
    /// To a source: emit this barrier.
    Checkpoint(Barrier),
    /// A checkpoint is complete.
    CheckpointCompleted(CheckpointId),
    /// To a source: end now. With `drain`, advance time to its end first.
    Stop {
        /// Whether windows and timers fire.
        drain: bool,
    },
    /// To a source: splits from its enumerator, typed as the source's.
    Splits(Box<dyn Any + Send>),
    /// To a source: no further splits will come.
    NoMoreSplits,
    /// End without finishing: another task has failed, or the user said so.
    Cancel,
    /// End with this failure, which happened beside the task: a connection that it needs is gone.
    Fail(BoxError),
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mail::Checkpoint(barrier) => write!(f, "Checkpoint({barrier:?})"),
            Mail::CheckpointCompleted(checkpoint) => {
                write!(f, "CheckpointCompleted({checkpoint:?})")
            }
            Mail::Stop { drain } => write!(f, "Stop {{ drain: {drain} }}"),
            Mail::Splits(_) => f.write_str("Splits"),
            Mail::NoMoreSplits => f.write_str("NoMoreSplits"),
            Mail::Cancel => f.write_str("Cancel"),
            Mail::Fail(error) => write!(f, "Fail({error})"),
        }
    }
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<VecDeque<Mail>>,
    /// Whether the queue may hold anything: lets the task look without taking the lock.
    filled: AtomicBool,
    signal: Arc<Signal>,
}

/// The sending side; cheap to clone.
#[derive(Debug, Clone)]
pub struct MailSender {
    shared: Arc<Shared>,
}

/// The task's side.
#[derive(Debug)]
pub struct Mailbox {
    shared: Arc<Shared>,
}

/// A mailbox whose mail raises `signal`.
pub fn mailbox(signal: Arc<Signal>) -> (MailSender, Mailbox) {
    let shared = Arc::new(Shared {
        queue: Mutex::new(VecDeque::new()),
        filled: AtomicBool::new(false),
        signal,
    });
    (
        MailSender {
            shared: shared.clone(),
        },
        Mailbox { shared },
    )
}

impl MailSender {
    /// Puts a mail in and wakes the task.
    pub fn send(&self, mail: Mail) {
        lock(&self.shared.queue).push_back(mail);
        self.shared.filled.store(true, Ordering::SeqCst);
        self.shared.signal.raise();
    }

    /// The signal of the task's thread.
    pub fn signal(&self) -> Arc<Signal> {
        self.shared.signal.clone()
    }
}

impl Mailbox {
    /// Takes the oldest mail.
    pub fn take(&self) -> Option<Mail> {
        if !self.shared.filled.load(Ordering::SeqCst) {
            return None;
        }
        let mut queue = lock(&self.shared.queue);
        let mail = queue.pop_front();
        if queue.is_empty() {
            // Under the lock: a sender stores `true` only after it has pushed.
            self.shared.filled.store(false, Ordering::SeqCst);
        }
        mail
    }
}
