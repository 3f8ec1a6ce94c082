//! What flows on a channel: batches of rows, and the control elements between them.
//!
//! A channel keeps the order of its elements. A control element therefore speaks of every row
//! that was sent before it: a watermark of their times, a barrier of their being in a checkpoint,
//! end of data of there being no more.

use crate::barrier::Barrier;
use crate::id::OperatorId;
use crate::row::Row;
use crate::time::{MIN_TIMESTAMP, Millis};
use crate::vectors::make_room;

/// Rows with their event timestamps, and after a keyed exchange the hashes of their keys.
///
/// `timestamps` is as long as `rows`. `hashes` is as long as `rows`, or empty where no keyed
/// exchange has been passed.
#[derive(Debug, Clone)]
pub struct Batch<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Their event times; [`MIN_TIMESTAMP`] where a row has none.
    pub timestamps: Vec<Millis>,
    /// Their key hashes, see [`crate::key_group`].
    pub hashes: Vec<u64>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            timestamps: Vec::new(),
            hashes: Vec::new(),
        }
    }
}

impl<T> Batch<T> {
    /// An empty batch with room for `n` rows.
    pub fn with_capacity(n: usize) -> Self {
        Self {
            rows: Vec::with_capacity(n),
            timestamps: Vec::with_capacity(n),
            hashes: Vec::new(),
        }
    }

    /// Makes room for `n` more rows, with hashes if it has or had some.
    pub fn reserve(&mut self, n: usize) {
        make_room(&mut self.rows, n);
        make_room(&mut self.timestamps, n);
        if self.hashes.capacity() > 0 {
            make_room(&mut self.hashes, n);
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends a row with its timestamp.
    #[inline]
    pub fn push(&mut self, row: T, timestamp: Millis) {
        self.rows.push(row);
        self.timestamps.push(timestamp);
    }

    /// Appends a row, its timestamp and the hash of its key.
    #[inline]
    pub fn push_hashed(&mut self, row: T, timestamp: Millis, hash: u64) {
        self.rows.push(row);
        self.timestamps.push(timestamp);
        self.hashes.push(hash);
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.timestamps.clear();
        self.hashes.clear();
    }

    /// Appends all of `other` and leaves it empty, its memory kept.
    pub fn append(&mut self, other: &mut Batch<T>) {
        self.rows.append(&mut other.rows);
        self.timestamps.append(&mut other.timestamps);
        self.hashes.append(&mut other.hashes);
    }
}

impl<T: Row> Batch<T> {
    /// An estimate of the bytes it occupies: the rows themselves, and the heap of a sample of them.
    ///
    /// Credit and the memory budget are charged by it; sampling keeps it out of the hot path.
    pub fn estimated_bytes(&self) -> usize {
        let n = self.rows.len();
        let fixed = n * (size_of::<T>() + size_of::<Millis>()) + self.hashes.len() * 8;
        if !T::HAS_HEAP || n == 0 {
            return fixed;
        }
        const SAMPLE: usize = 8;
        let step = n.div_ceil(SAMPLE).max(1);
        let (heap, seen) = self
            .rows
            .iter()
            .step_by(step)
            .fold((0usize, 0usize), |(heap, seen), row| {
                (heap + row.heap_bytes(), seen + 1)
            });
        fixed + heap * n / seen.max(1)
    }
}

/// Whether a channel takes part in the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStatus {
    /// It does.
    Active,
    /// It has had no rows for its idle time-out, and holds nothing back.
    Idle,
}

/// A probe that measures how long elements queue between a source and an operator.
///
/// It travels with the rows, but past the user functions: time in windows is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencyMarker {
    /// When the source emitted it, by the clock of the process, in microseconds.
    pub emitted_at_micros: i64,
    /// The source operator.
    pub source: OperatorId,
    /// The source's subtask.
    pub subtask: u32,
}

/// An element that is not rows. Control elements need no credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// No row with a timestamp at or below it is to be expected any more.
    Watermark(Millis),
    /// The channel became idle or active.
    Status(StreamStatus),
    /// Cuts the stream for a checkpoint.
    Barrier(Barrier),
    /// Measures latency.
    LatencyMarker(LatencyMarker),
    /// No rows follow. With `drain` the job ends for good: time has been advanced to its end.
    EndOfData {
        /// Whether open windows and timers were made to fire.
        drain: bool,
    },
    /// The last element of a channel.
    EndOfPartition,
}

impl Control {
    /// The watermark that no input has yet given.
    pub const NO_WATERMARK: Control = Control::Watermark(MIN_TIMESTAMP);
}

/// What a channel carries.
#[derive(Debug, Clone)]
pub enum Element<T> {
    /// Rows.
    Batch(Batch<T>),
    /// Anything else.
    Control(Control),
}
