//! What a reader and its fetcher share.
//!
//! The reader takes what is fetched, and says what it has read and where it pauses; the fetcher
//! fetches for splits that have less than [`CHUNKS`] chunks waiting. Whoever changes something that
//! the other waits for wakes it: the fetcher by `changed`, the task by its signal.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_runtime::task::signal::Signal;
use tokio::sync::Notify;

use super::split::KafkaSplit;
use crate::kafka::batch::Batch;
use crate::kafka::error::KafkaError;

/// Chunks of one split that may wait for the reader: one that is read and one behind it.
pub(super) const CHUNKS: usize = 2;

/// What one answer held of one split.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The reader's number of the split.
    pub split: usize,
    /// Where reading goes on, if not where it stopped: the offset there was not in the log.
    pub reset: Option<i64>,
    /// Its batches, those left out that are not to be read.
    pub batches: VecDeque<Batch>,
    /// Bytes of memory.
    pub bytes: usize,
    /// The offset behind it.
    pub next: i64,
    /// The offset behind the last record that could be read at the time.
    pub end: i64,
}

/// What the fetcher knows of a split.
#[derive(Debug)]
pub(super) struct Fetching {
    pub topic: String,
    pub partition: i32,
    /// The next offset to fetch.
    pub offset: i64,
    pub stop: Option<i64>,
    pub paused: bool,
    /// Chunks that the reader has not used up.
    pub chunks: usize,
    /// Whether a fetch of it is under way.
    pub fetching: bool,
    /// The offset that the group shall have, once there is one to show.
    pub to_commit: Option<i64>,
    /// The offset that the group has, as far as is known.
    pub committed: Option<i64>,
    /// How often its bytes were broken in a row.
    pub broken: u32,
}

impl Fetching {
    /// Whether nothing of it is left to be fetched.
    pub fn is_done(&self) -> bool {
        self.stop.is_some_and(|stop| self.offset >= stop)
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub splits: Vec<Fetching>,
    pub queue: VecDeque<Chunk>,
    /// Bytes of chunks that are not used up.
    pub bytes: usize,
    pub failure: Option<KafkaError>,
    pub closed: bool,
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something waits in the queue, or the fetcher has failed.
    ready: AtomicBool,
    pub changed: Notify,
    signal: Arc<Signal>,
}

impl Shared {
    pub fn new(signal: Arc<Signal>) -> Self {
        Self {
            state: Mutex::default(),
            ready: AtomicBool::new(false),
            changed: Notify::new(),
            signal,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether [`Shared::take`] would give something.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Hands a chunk to the reader.
    pub fn push(&self, chunk: Chunk) {
        let mut state = self.lock();
        if let Some(split) = state.splits.get_mut(chunk.split) {
            split.chunks += 1;
        }
        state.bytes += chunk.bytes;
        state.queue.push_back(chunk);
        drop(state);
        self.wake();
    }

    /// Reading a split goes on elsewhere: its offset was not in the log.
    pub fn reset(&self, split: usize, offset: i64) {
        let mut state = self.lock();
        let Some(known) = state.splits.get_mut(split) else {
            return;
        };
        tracing::warn!(
            "{}, partition {}: offset {} is not in the log; reading goes on at {offset}",
            known.topic,
            known.partition,
            known.offset
        );
        known.offset = offset;
        drop(state);
        self.push(Chunk {
            split,
            reset: Some(offset),
            batches: VecDeque::new(),
            bytes: 0,
            next: offset,
            end: offset,
        });
    }

    /// Ends the job.
    pub fn fail(&self, failure: KafkaError) {
        self.lock().failure.get_or_insert(failure);
        self.wake();
    }

    fn wake(&self) {
        self.ready.store(true, Ordering::Release);
        self.signal.raise();
    }

    /// What has been fetched since it was last asked.
    ///
    /// # Errors
    /// The fetcher's failure.
    pub fn take(&self) -> Result<VecDeque<Chunk>, KafkaError> {
        self.ready.store(false, Ordering::Release);
        let mut state = self.lock();
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(std::mem::take(&mut state.queue)),
        }
    }

    /// The reader has used a chunk up; `to_commit` is what the group shall be told now.
    pub fn used(&self, split: usize, bytes: usize, to_commit: Option<i64>) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        if let Some(split) = state.splits.get_mut(split) {
            split.chunks = split.chunks.saturating_sub(1);
            split.to_commit = to_commit.or(split.to_commit);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The reader takes splits on.
    pub fn add(&self, splits: &[KafkaSplit]) {
        self.lock()
            .splits
            .extend(splits.iter().map(|split| Fetching {
                topic: split.topic.to_string(),
                partition: split.partition,
                offset: split.offset,
                stop: split.stop,
                paused: false,
                chunks: 0,
                fetching: false,
                to_commit: None,
                committed: None,
                broken: 0,
            }));
        self.changed.notify_one();
    }
}
