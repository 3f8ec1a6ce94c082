//! Watermark generators: what a split's rows say about how far its time has come.
//!
//! One generator belongs to one split of one source task and lives as long as it. It sees every row
//! with its timestamp, and is asked periodically (every `pipeline.auto-watermark-interval`). What it
//! emits goes through [`super::WatermarkOutputMultiplexer`], which drops what does not rise: a
//! generator may repeat itself, or fall back.

use std::time::Duration;

use rheos_core::element::StreamStatus;
use rheos_core::time::{MIN_TIMESTAMP, Millis};

/// What one call of a generator emitted: a watermark, and after it a status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatermarkOutput {
    /// No row with a timestamp at or below it is to be expected any more.
    pub watermark: Option<Millis>,
    /// The stream became idle or active.
    pub status: Option<StreamStatus>,
}

impl WatermarkOutput {
    /// Emits a watermark; it implies that the stream is active. Of several the greatest counts.
    #[inline]
    pub fn emit_watermark(&mut self, watermark: Millis) {
        self.watermark = Some(self.watermark.map_or(watermark, |w| w.max(watermark)));
        self.status = None;
    }

    /// Says that no rows are to be waited for. The next watermark ends it.
    pub fn mark_idle(&mut self) {
        self.status = Some(StreamStatus::Idle);
    }

    /// Says that the stream takes part again.
    pub fn mark_active(&mut self) {
        self.status = Some(StreamStatus::Active);
    }

    /// Whether nothing was emitted.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.watermark.is_none() && self.status.is_none()
    }

    /// What was emitted; nothing is left.
    #[inline]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Adds what was emitted after it.
    pub fn then(&mut self, later: WatermarkOutput) {
        if let Some(watermark) = later.watermark {
            self.emit_watermark(watermark);
        }
        if later.status.is_some() {
            self.status = later.status;
        }
    }
}

/// Makes watermarks for one split. Implemented by users for rules of their own; called by the source
/// stage, from its task's thread.
///
/// `now_millis` is processing time and never goes back: the caller passes the greatest it has seen.
pub trait WatermarkGenerator<T>: 'static {
    /// Sees a row and its timestamp.
    fn on_event(&mut self, row: &T, timestamp: Millis, out: &mut WatermarkOutput);

    /// Is asked for a watermark, at a regular interval.
    fn on_periodic(&mut self, now_millis: Millis, out: &mut WatermarkOutput);

    /// Sees the rows from index `from` on, up to and including the first on which something is
    /// emitted; that belongs behind this row. Returns the index after the last row seen.
    ///
    /// A generator that emits nothing on rows can do this in one loop.
    fn on_batch(
        &mut self,
        rows: &[T],
        timestamps: &[Millis],
        from: usize,
        out: &mut WatermarkOutput,
    ) -> usize {
        let mut seen = from;
        for (row, timestamp) in rows.iter().zip(timestamps).skip(from) {
            self.on_event(row, *timestamp, out);
            seen += 1;
            if !out.is_empty() {
                break;
            }
        }
        seen
    }

    /// From here on the split could give rows and is kept from it: it is paused by its alignment
    /// group, the task is back-pressured, or state is restored. Such time is no idleness. Calls
    /// nest: it ends with as many calls of [`WatermarkGenerator::resume`].
    fn pause(&mut self, now_millis: Millis) {
        let _ = now_millis;
    }

    /// The end of a pause.
    fn resume(&mut self, now_millis: Millis) {
        let _ = now_millis;
    }
}

impl<T: 'static> WatermarkGenerator<T> for Box<dyn WatermarkGenerator<T>> {
    fn on_event(&mut self, row: &T, timestamp: Millis, out: &mut WatermarkOutput) {
        (**self).on_event(row, timestamp, out);
    }

    fn on_periodic(&mut self, now_millis: Millis, out: &mut WatermarkOutput) {
        (**self).on_periodic(now_millis, out);
    }

    fn on_batch(
        &mut self,
        rows: &[T],
        timestamps: &[Millis],
        from: usize,
        out: &mut WatermarkOutput,
    ) -> usize {
        (**self).on_batch(rows, timestamps, from, out)
    }

    fn pause(&mut self, now_millis: Millis) {
        (**self).pause(now_millis);
    }

    fn resume(&mut self, now_millis: Millis) {
        (**self).resume(now_millis);
    }
}

/// Milliseconds of a duration, the greatest `i64` if there are more.
pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// Rows are at most so much older than the newest one: emits `greatest − bound − 1`, periodically
/// and also if unchanged. With a bound of zero, for timestamps that never fall.
#[derive(Debug)]
pub struct BoundedOutOfOrderness {
    bound: Millis,
    /// The greatest timestamp, at least so high that the subtraction does not overflow.
    greatest: Millis,
}

impl BoundedOutOfOrderness {
    /// With this bound, in whole milliseconds.
    pub fn new(bound: Duration) -> Self {
        let bound = millis(bound);
        Self {
            bound,
            greatest: MIN_TIMESTAMP + bound + 1,
        }
    }
}

impl<T> WatermarkGenerator<T> for BoundedOutOfOrderness {
    #[inline]
    fn on_event(&mut self, _row: &T, timestamp: Millis, _out: &mut WatermarkOutput) {
        self.greatest = self.greatest.max(timestamp);
    }

    fn on_periodic(&mut self, _now_millis: Millis, out: &mut WatermarkOutput) {
        out.emit_watermark(self.greatest - self.bound - 1);
    }

    fn on_batch(
        &mut self,
        rows: &[T],
        timestamps: &[Millis],
        from: usize,
        _out: &mut WatermarkOutput,
    ) -> usize {
        let unseen = timestamps.get(from..).unwrap_or_default();
        self.greatest = unseen
            .iter()
            .fold(self.greatest, |greatest, t| greatest.max(*t));
        rows.len()
    }
}

/// Some rows carry a watermark: emits what the function gives for a row, at once.
#[derive(Debug)]
pub struct Punctuated<F> {
    of_row: F,
}

impl<F> Punctuated<F> {
    /// With this function of a row and its timestamp.
    pub fn new(of_row: F) -> Self {
        Self { of_row }
    }
}

impl<T, F> WatermarkGenerator<T> for Punctuated<F>
where
    F: Fn(&T, Millis) -> Option<Millis> + 'static,
{
    fn on_event(&mut self, row: &T, timestamp: Millis, out: &mut WatermarkOutput) {
        if let Some(watermark) = (self.of_row)(row, timestamp) {
            out.emit_watermark(watermark);
        }
    }

    fn on_periodic(&mut self, _now_millis: Millis, _out: &mut WatermarkOutput) {}
}

/// Event time is of no interest: never emits.
#[derive(Debug, Clone, Copy)]
pub struct NoWatermarks;

impl<T> WatermarkGenerator<T> for NoWatermarks {
    fn on_event(&mut self, _row: &T, _timestamp: Millis, _out: &mut WatermarkOutput) {}

    fn on_periodic(&mut self, _now_millis: Millis, _out: &mut WatermarkOutput) {}

    fn on_batch(
        &mut self,
        rows: &[T],
        _timestamps: &[Millis],
        _from: usize,
        _out: &mut WatermarkOutput,
    ) -> usize {
        rows.len()
    }
}

/// Rows are stamped when they are read: time goes on by the clock, also while no rows come.
#[derive(Debug, Clone, Copy)]
pub struct IngestionTime;

impl<T> WatermarkGenerator<T> for IngestionTime {
    fn on_event(&mut self, _row: &T, _timestamp: Millis, _out: &mut WatermarkOutput) {}

    fn on_periodic(&mut self, now_millis: Millis, out: &mut WatermarkOutput) {
        // A row may still be stamped with this very millisecond.
        out.emit_watermark(now_millis.saturating_sub(1));
    }

    fn on_batch(
        &mut self,
        rows: &[T],
        _timestamps: &[Millis],
        _from: usize,
        _out: &mut WatermarkOutput,
    ) -> usize {
        rows.len()
    }
}
