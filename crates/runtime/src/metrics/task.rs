//! Where a task's time goes, as Flink's `TaskIOMetricGroup` defines it: back-pressured while it
//! waits for output, idle while it waits for input, else busy.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a task does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TaskActivity {
    /// Works, or could.
    Busy,
    /// Waits for input.
    #[default]
    Idle,
    /// Waits for output.
    BackPressured,
}

/// Microseconds since the start of a task, by what it did.
#[derive(Debug, Default)]
pub struct TaskTimes {
    busy: AtomicU64,
    idle: AtomicU64,
    back_pressured: AtomicU64,
}

impl TaskTimes {
    /// Charges a stretch of time.
    pub fn charge(&self, activity: TaskActivity, micros: i64) {
        let micros = u64::try_from(micros).unwrap_or(0);
        let counter = match activity {
            TaskActivity::Busy => &self.busy,
            TaskActivity::Idle => &self.idle,
            TaskActivity::BackPressured => &self.back_pressured,
        };
        counter.fetch_add(micros, Ordering::Relaxed);
    }

    /// Busy, idle and back-pressured microseconds.
    pub fn read(&self) -> TimesSnapshot {
        TimesSnapshot {
            busy: self.busy.load(Ordering::Relaxed),
            idle: self.idle.load(Ordering::Relaxed),
            back_pressured: self.back_pressured.load(Ordering::Relaxed),
        }
    }
}

/// Times at a moment, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimesSnapshot {
    /// Working, or able to.
    pub busy: u64,
    /// Waiting for input.
    pub idle: u64,
    /// Waiting for output.
    pub back_pressured: u64,
}

impl TimesSnapshot {
    /// Busy, idle and back-pressured milliseconds per second since `earlier`.
    pub fn per_second_since(&self, earlier: &TimesSnapshot) -> (f64, f64, f64) {
        let busy = self.busy.saturating_sub(earlier.busy) as f64;
        let idle = self.idle.saturating_sub(earlier.idle) as f64;
        let back_pressured = self.back_pressured.saturating_sub(earlier.back_pressured) as f64;
        let total = (busy + idle + back_pressured).max(1.0);
        (busy * 1000.0 / total, idle * 1000.0 / total, back_pressured * 1000.0 / total)
    }
}
