//! Finds out that a split has had no rows for so long that nobody should wait for it.
//!
//! Judged at the periodic calls alone. The time runs from the first such call that found no new rows
//! since the one before, not from the last row, and the split is idle when strictly more than the
//! time-out has passed. Idle is said once; there is no "active": the next watermark implies it.

use std::time::Duration;

use rheos_core::time::Millis;

use super::generator::{WatermarkGenerator, WatermarkOutput, millis};

/// Processing time without the pauses.
#[derive(Debug, Default)]
struct PausableClock {
    /// How much time all ended pauses took.
    paused: Millis,
    /// How many pauses are going on, and since when the first of them.
    pauses: u32,
    since: Millis,
}

impl PausableClock {
    fn pause(&mut self, now: Millis) {
        if self.pauses == 0 {
            self.since = now;
        }
        self.pauses += 1;
    }

    fn resume(&mut self, now: Millis) {
        if self.pauses == 1 {
            self.paused = self.paused.saturating_add(now.saturating_sub(self.since));
        }
        self.pauses = self.pauses.saturating_sub(1);
    }

    fn at(&self, now: Millis) -> Millis {
        let now = if self.pauses > 0 { self.since } else { now };
        now.saturating_sub(self.paused)
    }
}

/// A generator that adds idleness to another one.
#[derive(Debug)]
pub struct WithIdleness<G> {
    generator: G,
    timeout: Millis,
    clock: PausableClock,
    /// Whether a row came since the last periodic call.
    rows_came: bool,
    /// The periodic call, by the pausable clock, from which the time runs.
    quiet_since: Option<Millis>,
    idle: bool,
}

impl<G> WithIdleness<G> {
    /// Idle after this time-out, in whole milliseconds.
    pub fn new(generator: G, timeout: Duration) -> Self {
        Self {
            generator,
            timeout: millis(timeout),
            clock: PausableClock::default(),
            rows_came: false,
            quiet_since: None,
            idle: false,
        }
    }

    fn rows(&mut self) {
        self.rows_came = true;
        self.idle = false;
    }

    fn is_quiet_for_too_long(&mut self, now: Millis) -> bool {
        let now = self.clock.at(now);
        if self.rows_came {
            self.rows_came = false;
            self.quiet_since = None;
            return false;
        }
        let since = *self.quiet_since.get_or_insert(now);
        now.saturating_sub(since) > self.timeout
    }
}

impl<T, G: WatermarkGenerator<T>> WatermarkGenerator<T> for WithIdleness<G> {
    fn on_event(&mut self, row: &T, timestamp: Millis, out: &mut WatermarkOutput) {
        self.generator.on_event(row, timestamp, out);
        self.rows();
    }

    fn on_periodic(&mut self, now_millis: Millis, out: &mut WatermarkOutput) {
        if !self.is_quiet_for_too_long(now_millis) {
            self.generator.on_periodic(now_millis, out);
        } else if !self.idle {
            self.idle = true;
            out.mark_idle();
        }
    }

    fn on_batch(
        &mut self,
        rows: &[T],
        timestamps: &[Millis],
        from: usize,
        out: &mut WatermarkOutput,
    ) -> usize {
        let seen = self.generator.on_batch(rows, timestamps, from, out);
        if seen > from {
            self.rows();
        }
        seen
    }

    fn pause(&mut self, now_millis: Millis) {
        self.clock.pause(now_millis);
        self.generator.pause(now_millis);
    }

    fn resume(&mut self, now_millis: Millis) {
        self.clock.resume(now_millis);
        self.generator.resume(now_millis);
    }
}
