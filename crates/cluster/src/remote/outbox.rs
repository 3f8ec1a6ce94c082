//! Messages on their way to the stream of the other side: put in by any thread, taken by the stream.
//!
//! Invariant: messages leave in the order in which they were put in. A stream that is gone closes it;
//! what is put in then is dropped.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio_stream::Stream;

struct State<M> {
    queue: VecDeque<M>,
    waker: Option<Waker>,
    /// Nothing more is taken in; what is there still leaves.
    closed: bool,
}

/// See the [module](self). Clones are the same one.
pub struct Outbox<M> {
    state: Arc<Mutex<State<M>>>,
}

impl<M> Clone for Outbox<M> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
        }
    }
}

impl<M> Default for Outbox<M> {
    fn default() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                queue: VecDeque::new(),
                waker: None,
                closed: false,
            })),
        }
    }
}

impl<M> Outbox<M> {
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Puts a message in.
    pub fn put(&self, message: M) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.queue.push_back(message);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets the stream end behind what is there.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<M>> {
        let mut state = self.lock();
        if let Some(message) = state.queue.pop_front() {
            return Poll::Ready(Some(message));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// An outbox as the stream of a request from a TaskManager.
pub struct Requests<M>(pub Outbox<M>);

impl<M> Stream for Requests<M> {
    type Item = M;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<M>> {
        self.0.poll(context)
    }
}

impl<M> Drop for Requests<M> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// An outbox as the stream of answers of the JobManager.
pub struct Answers<M>(pub Outbox<M>);

impl<M> Stream for Answers<M> {
    type Item = Result<M, tonic::Status>;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<M, tonic::Status>>> {
        self.0.poll(context).map(|message| message.map(Ok))
    }
}

impl<M> Drop for Answers<M> {
    fn drop(&mut self) {
        self.0.close();
    }
}
