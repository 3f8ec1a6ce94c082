//! What a user function emits into.

use rheos_core::Row;
use rheos_core::time::Millis;

use super::outputs::Outputs;

/// Emits rows with the timestamp of the row, timer or window at hand.
pub struct Collector<'a, T> {
    out: &'a mut Outputs<T>,
    timestamp: Millis,
}

impl<'a, T: Row> Collector<'a, T> {
    /// A collector that stamps rows with `timestamp`.
    pub fn new(out: &'a mut Outputs<T>, timestamp: Millis) -> Self {
        Self { out, timestamp }
    }

    /// Emits a row.
    #[inline]
    pub fn collect(&mut self, row: T) {
        self.out.push(row, self.timestamp);
    }

    /// Emits a row with another timestamp.
    #[inline]
    pub fn collect_at(&mut self, row: T, timestamp: Millis) {
        self.out.push(row, timestamp);
    }
}
