//! The windows themselves: intervals of time, and the one that holds everything.

use std::fmt::Debug;

use rheos_core::Row;
use rheos_core::time::{MAX_WATERMARK, Millis};

/// What rows are gathered in. Two windows of a key that are equal are one.
///
/// Implemented here, and by whoever writes an assigner with windows of another kind.
pub trait Window: Row + Copy + Eq + Debug {
    /// The greatest timestamp of a row in it. The window is complete once the watermark has reached
    /// it, and it is the timestamp of what the window emits.
    fn max_timestamp(&self) -> Millis;
}

/// An interval of time, its end excluded.
#[derive(Row, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeWindow {
    /// The first moment in it, in milliseconds.
    pub start: Millis,
    /// The first moment after it.
    pub end: Millis,
}

impl TimeWindow {
    /// The window of `size` milliseconds from `start`.
    pub fn of(start: Millis, size: Millis) -> Self {
        Self {
            start,
            end: start.saturating_add(size),
        }
    }

    /// Whether the two overlap, or one begins where the other ends.
    pub fn touches(&self, other: &Self) -> bool {
        self.start <= other.end && self.end >= other.start
    }

    /// The least window that holds both.
    pub fn cover(&self, other: &Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

impl Window for TimeWindow {
    #[inline]
    fn max_timestamp(&self) -> Millis {
        self.end.saturating_sub(1)
    }
}

/// The window of all rows of a key.
#[derive(Row, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalWindow;

impl Window for GlobalWindow {
    fn max_timestamp(&self) -> Millis {
        MAX_WATERMARK
    }
}
