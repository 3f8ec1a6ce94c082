//! What the receiving end of a channel tells its sender in another process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use rheos_core::row::RowError;

use super::error::NetworkError;
use super::frame::{Kind, frame};
use super::outbound::Outbound;
use crate::task::mailbox::{Mail, MailSender};

/// Tells a sender of its credit: what has been taken, once that is a quarter of the window, and each
/// new window.
///
/// Invariant: what has been taken and not yet told is less than a quarter of the window, so a sender
/// whose rows have all been taken has credit.
pub struct CreditReturn {
    channel: u32,
    outbound: Arc<Outbound>,
    /// The task's own, for rows that can't be read.
    task: MailSender,
    row: &'static str,
    taken: AtomicUsize,
    sequence: AtomicU32,
}

impl CreditReturn {
    /// For the sender of this channel, of rows of the type of this name.
    pub fn new(channel: u32, outbound: Arc<Outbound>, task: MailSender, row: &'static str) -> Self {
        Self {
            channel,
            outbound,
            task,
            row,
            taken: AtomicUsize::new(0),
            sequence: AtomicU32::new(0),
        }
    }

    /// So many bytes have been taken.
    pub fn free(&self, bytes: usize, window: usize) {
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if taken.saturating_mul(4) >= window {
            self.tell(window);
        }
    }

    /// Another window is granted.
    pub fn grant(&self, window: usize) {
        self.tell(window);
    }

    fn tell(&self, window: usize) {
        let mut taken = self.taken.swap(0, Ordering::Relaxed);
        loop {
            // More than four GiB at once is told in parts.
            let part = u32::try_from(taken).unwrap_or(u32::MAX);
            taken -= part as usize;
            let window = u32::try_from(window).unwrap_or(u32::MAX);
            let [t0, t1, t2, t3] = part.to_le_bytes();
            let [w0, w1, w2, w3] = window.to_le_bytes();
            let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
            let payload = [t0, t1, t2, t3, w0, w1, w2, w3];
            self.outbound
                .push(frame(Kind::Credit, self.channel, sequence, &payload));
            if taken == 0 {
                return;
            }
        }
    }

    /// Rows that came can't be read: the task fails.
    pub fn fail(&self, error: &RowError) {
        self.task.send(Mail::Fail(Box::new(NetworkError::Row {
            row: self.row,
            error: error.clone(),
        })));
    }
}

/// Reads what a credit frame says: bytes taken, and the window.
///
/// # Errors
/// If it says nothing of the kind.
pub fn parse(payload: &[u8]) -> Result<(usize, usize), NetworkError> {
    match *payload {
        [t0, t1, t2, t3, w0, w1, w2, w3] => Ok((
            u32::from_le_bytes([t0, t1, t2, t3]) as usize,
            u32::from_le_bytes([w0, w1, w2, w3]) as usize,
        )),
        _ => Err(NetworkError::corrupt(format!(
            "a credit of {} bytes",
            payload.len()
        ))),
    }
}
