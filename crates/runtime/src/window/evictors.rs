//! The evictors that come with the engine: by count, by time, by difference.

use std::time::Duration;

use rheos_core::time::{MIN_TIMESTAMP, Millis};

use super::evictor::{Evictor, TimestampedRow};
use super::function::WindowContext;
use super::millis::whole_millis;
use crate::error::BoxError;

/// Added before cutting to milliseconds, to round up.
const ALMOST_A_MILLI: Duration = Duration::from_nanos(999_999);

/// When an evictor acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

macro_rules! evicts {
    () => {
        fn evict_before(
            &self,
            rows: &mut Vec<TimestampedRow<T>>,
            _window: &W,
            _context: &WindowContext<'_>,
        ) -> Result<(), BoxError> {
            if self.moment == Moment::Before {
                self.evict(rows);
            }
            Ok(())
        }

        fn evict_after(
            &self,
            rows: &mut Vec<TimestampedRow<T>>,
            _window: &W,
            _context: &WindowContext<'_>,
        ) -> Result<(), BoxError> {
            if self.moment == Moment::After {
                self.evict(rows);
            }
            Ok(())
        }
    };
}

/// Keeps the last rows.
#[derive(Debug, Clone, Copy)]
pub struct CountEvictor {
    keep: usize,
    moment: Moment,
}

impl CountEvictor {
    /// Keeps the last `keep` rows, evicting before the function.
    pub fn of(keep: usize) -> Self {
        Self {
            keep,
            moment: Moment::Before,
        }
    }

    /// Evicts after the function instead.
    pub fn after(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    fn evict<T>(&self, rows: &mut Vec<TimestampedRow<T>>) {
        rows.drain(..rows.len().saturating_sub(self.keep));
    }
}

impl<T: 'static, W> Evictor<T, W> for CountEvictor {
    evicts!();
}

/// Keeps what is younger than a duration, by the newest row of the window.
#[derive(Debug, Clone, Copy)]
pub struct TimeEvictor {
    keep: Millis,
    moment: Moment,
}

impl TimeEvictor {
    /// Keeps rows less than `keep` (rounded up to whole milliseconds) older than the newest one,
    /// evicting before the function.
    pub fn of(keep: Duration) -> Self {
        Self {
            keep: whole_millis(keep.saturating_add(ALMOST_A_MILLI)),
            moment: Moment::Before,
        }
    }

    /// Evicts after the function instead.
    pub fn after(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    fn evict<T>(&self, rows: &mut Vec<TimestampedRow<T>>) {
        // Rows without event time have no age.
        if rows
            .first()
            .is_none_or(|row| row.timestamp == MIN_TIMESTAMP)
        {
            return;
        }
        let newest = rows
            .iter()
            .map(|row| row.timestamp)
            .max()
            .unwrap_or(MIN_TIMESTAMP);
        let cut = newest.saturating_sub(self.keep);
        rows.retain(|row| row.timestamp > cut);
    }
}

impl<T: 'static, W> Evictor<T, W> for TimeEvictor {
    evicts!();
}

/// Keeps what is near the last row.
pub struct DeltaEvictor<T> {
    threshold: f64,
    delta: Box<super::triggers::DeltaFunction<T>>,
    moment: Moment,
}

impl<T> DeltaEvictor<T> {
    /// Drops rows for which `delta(row, last row)` is at least `threshold`, before the function.
    pub fn of(threshold: f64, delta: impl Fn(&T, &T) -> f64 + Send + Sync + 'static) -> Self {
        Self {
            threshold,
            delta: Box::new(delta),
            moment: Moment::Before,
        }
    }

    /// Evicts after the function instead.
    pub fn after(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    fn evict(&self, rows: &mut Vec<TimestampedRow<T>>) {
        let Some(last) = rows.last() else { return };
        let keep: Vec<bool> = rows
            .iter()
            .map(|row| (self.delta)(&row.row, &last.row) < self.threshold)
            .collect();
        let mut keep = keep.into_iter();
        rows.retain(|_| keep.next().unwrap_or(true));
    }
}

impl<T: 'static, W> Evictor<T, W> for DeltaEvictor<T> {
    evicts!();
}
