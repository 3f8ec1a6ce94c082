//! Where a task's time goes, as Flink's `TaskIOMetricGroup` defines it: back-pressured while it
//! waits for output, idle while it waits for input, else busy. And what waits before it.
//!
//! Written by the task's thread, read by any. A reader sees the stretch that runs at the moment too:
//! a task that has waited for a minute shows a minute, not what it was at when it last moved.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering, fence};

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

impl TaskActivity {
    fn code(self) -> u8 {
        match self {
            TaskActivity::Busy => 0,
            TaskActivity::Idle => 1,
            TaskActivity::BackPressured => 2,
        }
    }

    fn of(code: u8) -> Self {
        match code {
            0 => TaskActivity::Busy,
            2 => TaskActivity::BackPressured,
            _ => TaskActivity::Idle,
        }
    }
}

/// Microseconds since the start of a task, by what it did.
#[derive(Debug)]
pub struct TaskTimes {
    /// Odd while the task's thread writes: a reader then looks again.
    version: AtomicU64,
    busy: AtomicU64,
    idle: AtomicU64,
    back_pressured: AtomicU64,
    /// What it does since `since`.
    activity: AtomicU8,
    /// Monotonic microseconds; [`NOT_STARTED`] before the first stretch.
    since: AtomicI64,
    input_queued: AtomicU64,
    input_granted: AtomicU64,
    alignment_nanos: AtomicU64,
    start_delay_nanos: AtomicU64,
}

const NOT_STARTED: i64 = i64::MIN;

impl Default for TaskTimes {
    fn default() -> Self {
        Self {
            version: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            back_pressured: AtomicU64::new(0),
            activity: AtomicU8::new(TaskActivity::default().code()),
            since: AtomicI64::new(NOT_STARTED),
            input_queued: AtomicU64::new(0),
            input_granted: AtomicU64::new(0),
            alignment_nanos: AtomicU64::new(0),
            start_delay_nanos: AtomicU64::new(0),
        }
    }
}

impl TaskTimes {
    /// From `now_micros` on the task does `activity`; what went before is charged to what it did
    /// then. Called by the task's thread only.
    pub fn enter(&self, activity: TaskActivity, now_micros: i64) {
        self.version.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        let since = self.since.load(Ordering::Relaxed);
        if since != NOT_STARTED {
            let before = TaskActivity::of(self.activity.load(Ordering::Relaxed));
            let micros = u64::try_from(now_micros - since).unwrap_or(0);
            self.counter(before).fetch_add(micros, Ordering::Relaxed);
        }
        self.activity.store(activity.code(), Ordering::Relaxed);
        self.since.store(now_micros, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// The task has ended: time no longer passes for it.
    pub fn end(&self, now_micros: i64) {
        self.enter(TaskActivity::Idle, now_micros);
        self.version.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.since.store(NOT_STARTED, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Release);
    }

    fn counter(&self, activity: TaskActivity) -> &AtomicU64 {
        match activity {
            TaskActivity::Busy => &self.busy,
            TaskActivity::Idle => &self.idle,
            TaskActivity::BackPressured => &self.back_pressured,
        }
    }

    /// Notes the bytes that wait before the task, and those it grants.
    pub fn set_input(&self, queued: usize, granted: usize) {
        self.input_queued.store(queued as u64, Ordering::Relaxed);
        self.input_granted.store(granted as u64, Ordering::Relaxed);
    }

    /// Bytes queued before the task, and bytes granted, as of its last step.
    pub fn input(&self) -> (u64, u64) {
        (
            self.input_queued.load(Ordering::Relaxed),
            self.input_granted.load(Ordering::Relaxed),
        )
    }

    /// Notes how long the last barrier took to align, and how old it was when it first came.
    pub fn set_barrier(&self, alignment_micros: i64, start_delay_millis: i64) {
        let nanos = |value: i64, of: u64| u64::try_from(value).unwrap_or(0).saturating_mul(of);
        self.alignment_nanos
            .store(nanos(alignment_micros, 1_000), Ordering::Relaxed);
        self.start_delay_nanos
            .store(nanos(start_delay_millis, 1_000_000), Ordering::Relaxed);
    }

    /// What [`TaskTimes::set_barrier`] noted last: alignment and start delay in nanoseconds.
    pub fn barrier(&self) -> (u64, u64) {
        (
            self.alignment_nanos.load(Ordering::Relaxed),
            self.start_delay_nanos.load(Ordering::Relaxed),
        )
    }

    /// What the task does.
    pub fn activity(&self) -> TaskActivity {
        TaskActivity::of(self.activity.load(Ordering::Relaxed))
    }

    /// Busy, idle and back-pressured time up to the last change of activity.
    pub fn read(&self) -> TimesSnapshot {
        TimesSnapshot {
            busy: self.busy.load(Ordering::Relaxed),
            idle: self.idle.load(Ordering::Relaxed),
            back_pressured: self.back_pressured.load(Ordering::Relaxed),
        }
    }

    /// As [`TaskTimes::read`], and the stretch that still runs at `now_micros`, of the clock that the
    /// task has.
    pub fn read_at(&self, now_micros: i64) -> TimesSnapshot {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let mut times = self.read();
            let activity = self.activity();
            let since = self.since.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if version % 2 == 1 || self.version.load(Ordering::Relaxed) != version {
                std::hint::spin_loop();
                continue;
            }
            if since != NOT_STARTED {
                let running = u64::try_from(now_micros - since).unwrap_or(0);
                *match activity {
                    TaskActivity::Busy => &mut times.busy,
                    TaskActivity::Idle => &mut times.idle,
                    TaskActivity::BackPressured => &mut times.back_pressured,
                } += running;
            }
            return times;
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
        (
            busy * 1000.0 / total,
            idle * 1000.0 / total,
            back_pressured * 1000.0 / total,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stretch_that_runs_is_seen_and_ends_with_the_task() {
        let times = TaskTimes::default();
        assert_eq!(times.read_at(1_000), TimesSnapshot::default());
        times.enter(TaskActivity::Busy, 1_000);
        times.enter(TaskActivity::BackPressured, 1_300);
        assert_eq!(
            times.read(),
            TimesSnapshot {
                busy: 300,
                idle: 0,
                back_pressured: 0
            }
        );
        let seen = times.read_at(2_000);
        assert_eq!(
            seen,
            TimesSnapshot {
                busy: 300,
                idle: 0,
                back_pressured: 700
            }
        );
        times.end(2_500);
        let ended = TimesSnapshot {
            busy: 300,
            idle: 0,
            back_pressured: 1_200,
        };
        assert_eq!(times.read_at(9_000), ended);
    }

    #[test]
    fn a_second_is_divided_by_what_it_went_to() {
        let before = TimesSnapshot {
            busy: 5_000,
            idle: 0,
            back_pressured: 0,
        };
        let after = TimesSnapshot {
            busy: 255_000,
            idle: 0,
            back_pressured: 750_000,
        };
        assert_eq!(after.per_second_since(&before), (250.0, 0.0, 750.0));
    }
}
