//! What waits to be written to a connection: filled by the threads of tasks, emptied by the
//! connection's writer.
//!
//! Invariant: frames leave in the order in which they were given. What is in it has been granted, or
//! is the overdraft that a control element took along; so it needs no bound of its own.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use super::frame::{FULL, HEADER};

/// Vectors that are kept for frames to come.
const SPARES: usize = 64;

#[derive(Debug, Default)]
struct State {
    /// Each one or several whole frames.
    chunks: VecDeque<Vec<u8>>,
    spares: Vec<Vec<u8>>,
    /// No more is taken: the connection is gone.
    closed: bool,
    /// What is there is written, and then the connection ends.
    ending: bool,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Outbound {
    state: Mutex<State>,
    filled: Notify,
}

/// What a writer finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Chunks to be written.
    Chunks,
    /// Nothing at the moment.
    Nothing,
    /// Nothing, and nothing will come.
    End,
}

impl Outbound {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// An empty vector for a frame.
    pub fn memory(&self) -> Vec<u8> {
        let spare = self.lock().spares.pop();
        spare.unwrap_or_else(|| Vec::with_capacity(HEADER + FULL + 1024))
    }

    /// Gives a whole frame; a small one joins the one before it.
    pub fn push(&self, frame: Vec<u8>) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let was_empty = state.chunks.is_empty();
        match state.chunks.back_mut() {
            Some(last) if last.len() + frame.len() <= last.capacity() && frame.len() <= 4096 => {
                last.extend_from_slice(&frame);
            }
            _ => state.chunks.push_back(frame),
        }
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Moves what there is behind `chunks`.
    pub fn take(&self, chunks: &mut VecDeque<Vec<u8>>) -> Found {
        let mut state = self.lock();
        if !state.chunks.is_empty() {
            chunks.append(&mut state.chunks);
            return Found::Chunks;
        }
        match state.closed || state.ending {
            true => Found::End,
            false => Found::Nothing,
        }
    }

    /// Waits until there may be something.
    pub async fn wait(&self) {
        self.filled.notified().await;
    }

    /// Gives the memory of a written chunk back.
    pub fn recycle(&self, mut chunk: Vec<u8>) {
        if chunk.capacity() > 2 * (HEADER + FULL) {
            return;
        }
        chunk.clear();
        let mut state = self.lock();
        if state.spares.len() < SPARES {
            state.spares.push(chunk);
        }
    }

    /// Lets what is there be written, and then ends.
    pub fn end(&self) {
        self.lock().ending = true;
        self.filled.notify_one();
    }

    /// Forgets what is there and takes nothing more.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.chunks.clear();
        drop(state);
        self.filled.notify_one();
    }
}
