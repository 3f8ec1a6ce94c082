//! Where a stage emits to: the next stages of its chain, and the exchanges that leave it.
//!
//! Life of an emission: `push` into the buffer while the operator runs, `flush` to every target
//! when its slice ends. A stage runs only while its outputs are *ready*: the inboxes downstream are
//! empty and every channel has credit. What one row emits beyond that is an overdraft: it is kept,
//! and nothing further is taken until it is gone.

use std::rc::Rc;

use rheos_core::Row;
use rheos_core::element::{Batch, Control};
use rheos_core::time::Millis;

use super::inbox::Inbox;
use crate::exchange::writer::ExchangeWriter;

/// One receiver of a stage's rows.
pub enum Target<T> {
    /// A stage of the same chain.
    Chained(Rc<Inbox<T>>),
    /// The channels to the subtasks of another vertex.
    Exchange(Box<dyn ExchangeWriter<T>>),
}

/// The outputs of a stage for one type of row.
pub struct Outputs<T> {
    buffer: Batch<T>,
    targets: Vec<Target<T>>,
    /// Rows that the buffer takes before the operator should stop.
    limit: usize,
    emitted: u64,
}

impl<T: Row> Outputs<T> {
    /// Outputs to these targets.
    pub fn new(targets: Vec<Target<T>>) -> Self {
        Self {
            buffer: Batch::default(),
            targets,
            limit: 1,
            emitted: 0,
        }
    }

    /// Emits a row.
    #[inline]
    pub fn push(&mut self, row: T, timestamp: Millis) {
        self.buffer.push(row, timestamp);
    }

    /// Emits a batch as it is; gives back memory for the next one.
    pub fn push_batch(&mut self, mut batch: Batch<T>) -> Batch<T> {
        batch.hashes.clear();
        if self.buffer.is_empty() {
            std::mem::swap(&mut self.buffer, &mut batch);
        } else {
            self.buffer.append(&mut batch);
        }
        batch
    }

    /// Whether the operator should stop after this row.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= self.limit
    }

    /// Rows that may be emitted in this slice.
    pub fn limit(&self) -> usize {
        self.limit.saturating_sub(self.buffer.len())
    }

    /// The buffer itself, for operators that fill it in bulk.
    #[inline]
    pub fn buffer(&mut self) -> &mut Batch<T> {
        &mut self.buffer
    }

    /// Rows emitted so far, those in the buffer included.
    pub fn emitted(&self) -> u64 {
        self.emitted + self.buffer.len() as u64
    }

    /// Lets the count of emitted rows go on from a restored one.
    pub fn resume_count(&mut self, emitted: u64) {
        self.emitted = emitted;
    }

    /// Whether rows can be taken on; sets the limit for the coming slice.
    pub fn ready(&mut self) -> bool {
        let mut limit = usize::MAX;
        for target in &mut self.targets {
            let room = match target {
                Target::Chained(inbox) => inbox
                    .room()
                    .min((BUFFER_BYTES / size_of::<T>().max(1)).max(1)),
                Target::Exchange(writer) => writer.room(),
            };
            if room == 0 {
                return false;
            }
            limit = limit.min(room);
        }
        self.limit = limit.min(MAX_BUFFER);
        true
    }

    /// See [`ExchangeWriter::hurry`].
    pub fn hurry(&mut self, on: bool) {
        for target in &mut self.targets {
            if let Target::Exchange(writer) = target {
                writer.hurry(on);
            }
        }
    }

    /// Hands the buffer to the targets.
    pub fn flush(&mut self, now_micros: i64) {
        if self.buffer.is_empty() {
            return;
        }
        let rows = self.buffer.len();
        self.emitted += rows as u64;
        let Some((last, others)) = self.targets.split_last_mut() else {
            self.buffer.clear();
            return;
        };
        for target in others {
            match target {
                Target::Chained(inbox) => {
                    inbox.put(self.buffer.clone());
                }
                Target::Exchange(writer) => writer.write_ref(&self.buffer, now_micros),
            }
        }
        match last {
            Target::Chained(inbox) => {
                let full = std::mem::take(&mut self.buffer);
                self.buffer = inbox.put(full);
            }
            Target::Exchange(writer) => writer.write(&mut self.buffer, now_micros),
        }
        self.buffer.clear();
        // Where its memory went on with the rows: the next slice will emit about as much.
        self.buffer.reserve(rows);
    }

    /// Hands the buffer on, then a control element.
    pub fn control(&mut self, control: Control, now_micros: i64) {
        self.flush(now_micros);
        for target in &mut self.targets {
            match target {
                Target::Chained(inbox) => inbox.put_control(control),
                Target::Exchange(writer) => writer.control(control, now_micros),
            }
        }
    }

    /// Sends a control element to the exchanges only: a barrier passes a chain as one.
    pub fn control_exchanges(&mut self, control: Control, now_micros: i64) {
        self.flush(now_micros);
        for target in &mut self.targets {
            if let Target::Exchange(writer) = target {
                writer.control(control, now_micros);
            }
        }
    }

    /// Sends what the exchanges have staged: all of it, or what has waited for the buffer time-out.
    /// Whether all of what should have gone could go.
    pub fn flush_exchanges(&mut self, now_micros: i64, all: bool) -> bool {
        let mut done = true;
        for target in &mut self.targets {
            if let Target::Exchange(writer) = target {
                done &= writer.flush_staged(now_micros, all);
            }
        }
        done
    }

    /// When staged rows must go at the latest.
    pub fn flush_due(&self) -> Option<i64> {
        self.targets
            .iter()
            .filter_map(|target| match target {
                Target::Exchange(writer) => writer.flush_due(),
                Target::Chained(_) => None,
            })
            .min()
    }
}

/// What a buffer between two stages of a chain holds: as much as a batch of an exchange, so that a
/// batch passes a chain in one slice.
const BUFFER_BYTES: usize = 128 << 10;

/// Rows that a stage emits in one slice, whatever its targets would take.
const MAX_BUFFER: usize = 8192;
