//! What stands between two stages of a chain: rows that the next stage has not yet taken, and the
//! control elements behind them.
//!
//! Invariant: the control elements of an inbox come after all its rows. A stage upstream emits only
//! when the inboxes that it feeds are empty, so the order of the stream is kept without a queue of
//! mixed elements.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use rheos_core::element::{Batch, Control};
use rheos_core::queue::Queue;
use rheos_core::time::{MIN_TIMESTAMP, Millis};

/// The rows an operator is offered. It may stop after any of them.
#[derive(Debug)]
pub struct Cursor<T> {
    rows: Queue<T>,
    timestamps: Vec<Millis>,
    hashes: Vec<u64>,
    /// Rows taken since the batch was put in.
    taken: usize,
    /// Rows that may still be taken in this slice.
    allowed: usize,
}

impl<T> Default for Cursor<T> {
    fn default() -> Self {
        Self {
            rows: Queue::default(),
            timestamps: Vec::new(),
            hashes: Vec::new(),
            taken: 0,
            allowed: 0,
        }
    }
}

impl<T> Cursor<T> {
    /// Rows left, in this slice or later ones.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rows.len()
    }

    /// Rows left in this slice.
    #[inline]
    pub fn allowed(&self) -> usize {
        self.allowed.min(self.rows.len())
    }

    /// Starts a slice of at most `rows` rows.
    pub fn allow(&mut self, rows: usize) {
        self.allowed = rows;
    }

    /// Takes the next row with its timestamp; none when the slice is over.
    #[inline]
    #[allow(
        clippy::should_implement_trait,
        reason = "not an iterator: it borrows nothing"
    )]
    pub fn next(&mut self) -> Option<(T, Millis)> {
        self.take_next(|row, timestamp| (row, timestamp))
    }

    /// Gives the next row, with its timestamp, to `take`; none when the slice is over. Faster than
    /// [`Cursor::next`]: the row is moved once ([`Queue`] says why).
    #[inline]
    pub fn take_next<R>(&mut self, take: impl FnOnce(T, Millis) -> R) -> Option<R> {
        if self.allowed == 0 {
            return None;
        }
        let timestamps = &self.timestamps;
        let taken = self.taken;
        let result = self.rows.take_first(|row| {
            let timestamp = timestamps.get(taken).copied().unwrap_or(MIN_TIMESTAMP);
            take(row, timestamp)
        })?;
        self.taken += 1;
        self.allowed -= 1;
        Some(result)
    }

    /// Gives the next `rows` rows of this slice, or as many as there are, to `take`, with their
    /// timestamps.
    ///
    /// # Errors
    /// The first of `take`; the rows behind that one stay.
    #[inline]
    pub fn each<E>(
        &mut self,
        rows: usize,
        mut take: impl FnMut(T, Millis) -> Result<(), E>,
    ) -> Result<(), E> {
        for _ in 0..rows.min(self.allowed()) {
            match self.take_next(&mut take) {
                Some(taken) => taken?,
                None => break,
            }
        }
        Ok(())
    }

    /// The next row, left in place.
    #[inline]
    pub fn peek(&self) -> Option<(&T, Millis)> {
        if self.allowed == 0 {
            return None;
        }
        let row = self.rows.as_slice().first()?;
        Some((
            row,
            self.timestamps
                .get(self.taken)
                .copied()
                .unwrap_or(MIN_TIMESTAMP),
        ))
    }

    /// The rows that are left, without taking them.
    pub fn rows(&self) -> &[T] {
        self.rows.as_slice()
    }

    /// Hashes of the rows left, in order; empty if no keyed exchange was passed.
    #[inline]
    pub fn hashes(&self) -> &[u64] {
        self.hashes.get(self.taken..).unwrap_or(&[])
    }

    /// Timestamps of the rows left, in order.
    #[inline]
    pub fn timestamps(&self) -> &[Millis] {
        self.timestamps.get(self.taken..).unwrap_or(&[])
    }

    /// Drops all rows that are left, at once: for sinks that have looked at them in place.
    pub fn skip_all(&mut self) {
        self.rows.clear();
        self.taken = self.timestamps.len();
    }

    /// Takes all rows of this slice as a batch, if the slice covers all that is left and nothing has
    /// been taken: the way through for operators that work on whole batches.
    pub fn take_batch(&mut self) -> Option<Batch<T>> {
        if self.taken != 0 || self.allowed < self.rows.len() || self.rows.is_empty() {
            return None;
        }
        self.allowed -= self.rows.len();
        Some(self.take_memory())
    }

    /// Gives memory back that [`Cursor::take_batch`] took away.
    pub fn recycle(&mut self, memory: Batch<T>) {
        if self.rows.is_empty() && memory.is_empty() {
            self.fill(memory);
        }
    }

    /// Puts a batch in; what is left of the one before must have been taken.
    pub fn fill(&mut self, batch: Batch<T>) {
        debug_assert!(self.rows.is_empty());
        self.rows = Queue::from(batch.rows);
        self.timestamps = batch.timestamps;
        self.hashes = batch.hashes;
        self.taken = 0;
    }

    /// The memory of an emptied cursor, for reuse. Rows still in it go with it.
    pub fn take_memory(&mut self) -> Batch<T> {
        let rows = Vec::from(std::mem::take(&mut self.rows));
        let mut timestamps = std::mem::take(&mut self.timestamps);
        let mut hashes = std::mem::take(&mut self.hashes);
        if self.taken > 0 {
            timestamps.drain(..self.taken.min(timestamps.len()));
            hashes.drain(..self.taken.min(hashes.len()));
            self.taken = 0;
        }
        Batch {
            rows,
            timestamps,
            hashes,
        }
    }
}

/// Rows per slice that a stage can take in about [`SLICE_NANOS`]; bounds on it.
const MAX_SLICE: usize = 8192;
/// Rows of a slice when nothing is known of their cost.
const FIRST_SLICE: usize = 16;
/// What one slice of work should cost at most, so that mail and barriers get through.
pub const SLICE_NANOS: u64 = 2_000_000;

/// The inbox of a stage.
#[derive(Debug)]
pub struct Inbox<T> {
    rows: RefCell<Cursor<T>>,
    controls: RefCell<VecDeque<Control>>,
    /// How many rows the stage takes in one slice: falls with the measured cost of a row.
    slice: Cell<usize>,
    nanos_per_row: Cell<f64>,
    /// Rows that the stage's own outputs take at the moment.
    room: Cell<usize>,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            rows: RefCell::new(Cursor::default()),
            controls: RefCell::new(VecDeque::new()),
            slice: Cell::new(FIRST_SLICE),
            nanos_per_row: Cell::new(0.0),
            room: Cell::new(0),
        }
    }
}

impl<T> Inbox<T> {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.rows.borrow().remaining() == 0 && self.controls.borrow().is_empty()
    }

    /// Whether rows are in it.
    pub fn has_rows(&self) -> bool {
        self.rows.borrow().remaining() > 0
    }

    /// The rows.
    pub fn rows(&self) -> std::cell::RefMut<'_, Cursor<T>> {
        self.rows.borrow_mut()
    }

    /// Puts rows in, gets memory back.
    pub fn put(&self, batch: Batch<T>) -> Batch<T> {
        debug_assert!(
            self.controls.borrow().is_empty(),
            "rows behind a control element"
        );
        let mut rows = self.rows.borrow_mut();
        let mut memory = rows.take_memory();
        if memory.is_empty() {
            rows.fill(batch);
            return memory;
        }
        // Something is still there: rows that one timer or one row emitted beyond the slice.
        let mut batch = batch;
        memory.append(&mut batch);
        rows.fill(memory);
        batch
    }

    /// Whether the end of the data is in it.
    pub fn has_end(&self) -> bool {
        let controls = self.controls.borrow();
        let mut controls = controls.iter();
        controls.any(|control| matches!(control, Control::EndOfData { .. }))
    }

    /// Puts a control element behind the rows.
    pub fn put_control(&self, control: Control) {
        self.controls.borrow_mut().push_back(control);
    }

    /// The control element that is due now: only once all rows are taken.
    pub fn due_control(&self) -> Option<Control> {
        if self.has_rows() {
            return None;
        }
        self.controls.borrow().front().copied()
    }

    /// Removes the control element that has been acted on.
    pub fn pop_control(&self) {
        self.controls.borrow_mut().pop_front();
    }

    /// Notes how many rows the outputs of the stage take.
    pub fn set_room(&self, rows: usize) {
        self.room.set(rows);
    }

    /// Rows that may be put in now: none while any are there, nor more than the stage can pass on.
    /// Rows that lie in a chain are in flight as much as those in a channel.
    pub fn room(&self) -> usize {
        if self.is_empty() {
            self.slice().min(self.room.get())
        } else {
            0
        }
    }

    /// Rows that the stage wants to be offered at a time.
    pub fn slice(&self) -> usize {
        self.slice.get()
    }

    /// What a row costs is about to change, as at a barrier, behind which keys are written before they
    /// are touched: begins with a small slice, as a large one would be a pause.
    pub fn relearn(&self) {
        self.nanos_per_row.set(0.0);
        self.slice.set(self.slice.get().min(FIRST_SLICE));
    }

    /// Learns from a slice of `rows` rows that cost `nanos`.
    pub fn learn(&self, rows: usize, nanos: u64) {
        if rows == 0 {
            return;
        }
        let cost = nanos as f64 / rows as f64;
        let before = self.nanos_per_row.get();
        let smoothed = if before == 0.0 {
            cost
        } else {
            before * 0.75 + cost * 0.25
        };
        self.nanos_per_row.set(smoothed);
        // A single slow row is believed at once; speed is believed by doubling.
        let fit = (SLICE_NANOS as f64 / smoothed.max(cost).max(1.0)) as usize;
        let grown = self.slice.get().saturating_mul(2);
        self.slice.set(fit.min(grown).clamp(1, MAX_SLICE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[i32]) -> Batch<i32> {
        let mut batch = Batch::default();
        for row in rows {
            batch.push(*row, i64::from(*row));
        }
        batch
    }

    #[test]
    fn a_cursor_stops_after_its_slice_and_goes_on() {
        let mut cursor = Cursor::default();
        cursor.fill(batch(&[1, 2, 3]));
        cursor.allow(2);
        assert_eq!(cursor.next(), Some((1, 1)));
        assert_eq!(cursor.next(), Some((2, 2)));
        assert_eq!(cursor.next(), None);
        cursor.allow(2);
        assert_eq!(cursor.next(), Some((3, 3)));
        assert_eq!(cursor.next(), None);
    }

    #[test]
    fn rows_put_behind_rows_keep_their_order() {
        let inbox = Inbox::default();
        inbox.put(batch(&[1, 2]));
        inbox.rows().allow(1);
        assert_eq!(inbox.rows().next(), Some((1, 1)));
        inbox.put(batch(&[3]));
        inbox.rows().allow(9);
        assert_eq!(inbox.rows().next(), Some((2, 2)));
        assert_eq!(inbox.rows().next(), Some((3, 3)));
    }

    #[test]
    fn a_slow_row_shrinks_the_slice_to_a_few_rows() {
        let inbox = Inbox::<i32>::default();
        for _ in 0..20 {
            inbox.learn(100, 10_000);
        }
        assert_eq!(inbox.slice(), MAX_SLICE);
        inbox.learn(1, 1_000_000);
        assert!(inbox.slice() <= 2, "{}", inbox.slice());
        // What rows were like before a barrier is not believed.
        for _ in 0..40 {
            inbox.learn(100, 10_000);
        }
        inbox.relearn();
        inbox.learn(FIRST_SLICE, FIRST_SLICE as u64 * 50_000);
        assert!(inbox.slice() <= FIRST_SLICE * 4, "{}", inbox.slice());
    }
}
