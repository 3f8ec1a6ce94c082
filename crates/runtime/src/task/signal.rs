//! The signal that a thread waits on, and that everything which concerns its tasks raises.
//!
//! Invariant: a raise that happens after a task last looked at its inputs is never lost, since the
//! flag stays up until the waiting thread takes it down.

use std::time::Duration;

use crate::sync::{AtomicBool, Mutex, Ordering, Thread, lock, thread};

/// A flag with a thread that sleeps until it is raised.
#[derive(Debug, Default)]
pub struct Signal {
    raised: AtomicBool,
    waiter: Mutex<Option<Thread>>,
}

impl Signal {
    /// A signal that nobody waits on yet.
    pub fn new() -> Self {
        Self {
            raised: AtomicBool::new(false),
            waiter: Mutex::new(None),
        }
    }

    /// Makes the calling thread the one that [`Signal::wait`] is called from.
    pub fn attach(&self) {
        *lock(&self.waiter) = Some(thread::current());
    }

    /// Wakes the waiter, now or at its next wait.
    pub fn raise(&self) {
        if !self.raised.swap(true, Ordering::SeqCst)
            && let Some(waiter) = lock(&self.waiter).as_ref()
        {
            waiter.unpark();
        }
    }

    /// Takes the flag down; whether it was up.
    pub fn take(&self) -> bool {
        self.raised.swap(false, Ordering::SeqCst)
    }

    /// Sleeps until the signal is raised, at most for `timeout`.
    pub fn wait(&self, timeout: Option<Duration>) {
        if self.take() {
            return;
        }
        #[cfg(not(loom))]
        match timeout {
            Some(timeout) => thread::park_timeout(timeout),
            None => thread::park(),
        }
        #[cfg(loom)]
        {
            let _ = timeout;
            thread::park();
        }
        self.take();
    }
}
