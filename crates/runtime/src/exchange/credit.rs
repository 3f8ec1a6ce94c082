//! The credit of one channel, as its sending side sees it: bytes that the receiver has granted, and
//! how many of them may still be sent.
//!
//! Invariants: `available = window − charged + freed`; a sender that has announced that it waits is
//! woken once half of the window is free again.

use crate::sync::{Arc, AtomicBool, AtomicI64, Ordering};
use crate::task::signal::Signal;

/// See the [module](self).
#[derive(Debug)]
pub struct Credit {
    window: AtomicI64,
    available: AtomicI64,
    sender_waits: AtomicBool,
    sender: Arc<Signal>,
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Credit {
    /// An initial window of so many bytes, for the sender that this signal wakes.
    pub fn new(sender: Arc<Signal>, window: usize) -> Self {
        Self {
            window: AtomicI64::new(signed(window)),
            available: AtomicI64::new(signed(window)),
            sender_waits: AtomicBool::new(false),
            sender,
        }
    }

    /// Bytes that may still be sent; not positive when the sender has to wait.
    pub fn available(&self) -> i64 {
        self.available.load(Ordering::SeqCst)
    }

    /// The window granted, in bytes.
    pub fn window(&self) -> usize {
        usize::try_from(self.window.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// Bytes charged and not freed, of the window.
    pub fn usage(&self) -> (usize, usize) {
        let window = self.window.load(Ordering::SeqCst);
        let queued = window - self.available();
        (
            usize::try_from(queued).unwrap_or(0),
            usize::try_from(window).unwrap_or(0),
        )
    }

    /// Whether a batch may be sent. If not, the sender is woken when one may.
    pub fn ready(&self) -> bool {
        if self.available() > 0 {
            return true;
        }
        // The receiver may have granted between the look and the announcement. The swap reads what
        // the receiver's last swap left, so the look after it sees the grant before that.
        self.sender_waits.swap(true, Ordering::SeqCst);
        if self.available() > 0 {
            self.sender_waits.store(false, Ordering::SeqCst);
            return true;
        }
        false
    }

    /// So many bytes are sent.
    pub fn charge(&self, bytes: usize) {
        self.available.fetch_sub(signed(bytes), Ordering::SeqCst);
    }

    /// So many bytes have been taken out.
    pub fn free(&self, bytes: usize) {
        self.available.fetch_add(signed(bytes), Ordering::SeqCst);
        self.wake_sender();
    }

    /// Another window; whether it is another. Called from one thread.
    pub fn grant(&self, window: usize) -> bool {
        let window = signed(window);
        // Only the receiver's side writes the window, so load and store need not be one step.
        let before = self.window.load(Ordering::SeqCst);
        if window == before {
            return false;
        }
        self.window.store(window, Ordering::SeqCst);
        self.available.fetch_add(window - before, Ordering::SeqCst);
        self.wake_sender();
        true
    }

    fn wake_sender(&self) {
        let window = self.window.load(Ordering::SeqCst);
        if self.available() * 2 >= window && self.sender_waits.swap(false, Ordering::SeqCst) {
            self.sender.raise();
        }
    }
}
