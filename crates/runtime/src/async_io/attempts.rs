//! Futures on the I/O runtime, and the way their outcomes come back to the task's thread.
//!
//! Invariant: every future that is started leaves exactly one outcome, also when it panics or is
//! dropped; the task is woken for each. Outcomes wait in a queue that is bounded by the rows in
//! flight and the futures that were dropped since the task last looked.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::sync::Arc;

use rheos_core::clock::SharedClock;
use tokio::task::AbortHandle;

use crate::error::BoxError;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::task::signal::Signal;
use crate::task::worker::{PanicReport, caught};

/// How a future ended.
pub(super) enum Ending<Out> {
    /// With an answer.
    Answer(Result<Vec<Out>, BoxError>),
    /// By a panic.
    Panic(PanicReport),
    /// Without one: it was dropped, by us or with its runtime.
    Dropped,
}

/// What came of an attempt.
pub(super) struct Outcome<Out> {
    /// Number of the row.
    pub row: u64,
    /// Which of the row's attempts.
    pub attempt: u32,
    /// How it ended.
    pub ending: Ending<Out>,
    /// How long it took, in milliseconds.
    pub took_millis: i64,
}

struct Shared<Out> {
    queue: Mutex<VecDeque<Outcome<Out>>>,
    /// Whether the queue may hold anything: lets the task look without taking the lock.
    filled: AtomicBool,
    signal: Arc<Signal>,
    clock: SharedClock,
}

/// The attempts of one subtask.
pub(super) struct Attempts<Out> {
    io: tokio::runtime::Handle,
    shared: Arc<Shared<Out>>,
}

impl<Out: Send + 'static> Attempts<Out> {
    pub fn new(io: tokio::runtime::Handle, signal: Arc<Signal>, clock: SharedClock) -> Self {
        let shared = Shared {
            queue: Mutex::new(VecDeque::new()),
            filled: AtomicBool::new(false),
            signal,
            clock,
        };
        Self {
            io,
            shared: Arc::new(shared),
        }
    }

    /// Starts an attempt; the handle ends it.
    pub fn start(
        &self,
        row: u64,
        attempt: u32,
        future: impl Future<Output = Result<Vec<Out>, BoxError>> + Send + 'static,
    ) -> AbortHandle {
        let started_micros = self.shared.clock.monotonic_micros();
        let shared = self.shared.clone();
        let report = Report {
            shared,
            row,
            attempt,
            started_micros,
            ending: Some(Ending::Dropped),
        };
        let mut future = Box::pin(future);
        let task = async move {
            let mut report = report;
            let ending = poll_fn(|cx| match caught(|| future.as_mut().poll(cx)) {
                Ok(poll) => poll.map(Ending::Answer),
                Err(panic) => std::task::Poll::Ready(Ending::Panic(panic)),
            });
            report.ending = Some(ending.await);
        };
        self.io.spawn(task).abort_handle()
    }

    /// Whether an outcome may be there.
    pub fn has_outcomes(&self) -> bool {
        self.shared.filled.load(Ordering::SeqCst)
    }

    /// Takes all outcomes.
    pub fn take(&self) -> VecDeque<Outcome<Out>> {
        if !self.has_outcomes() {
            return VecDeque::new();
        }
        let mut queue = lock(&self.shared.queue);
        self.shared.filled.store(false, Ordering::SeqCst);
        std::mem::take(&mut *queue)
    }
}

/// Leaves the outcome of an attempt when the attempt is over, however that comes about.
struct Report<Out> {
    shared: Arc<Shared<Out>>,
    row: u64,
    attempt: u32,
    started_micros: i64,
    ending: Option<Ending<Out>>,
}

impl<Out> Drop for Report<Out> {
    fn drop(&mut self) {
        let Some(ending) = self.ending.take() else {
            return;
        };
        let took = self.shared.clock.monotonic_micros() - self.started_micros;
        let outcome = Outcome {
            row: self.row,
            attempt: self.attempt,
            ending,
            took_millis: took.div_euclid(1000),
        };
        let mut queue = lock(&self.shared.queue);
        queue.push_back(outcome);
        self.shared.filled.store(true, Ordering::SeqCst);
        drop(queue);
        self.shared.signal.raise();
    }
}
