//! Event time: milliseconds since the epoch as `i64`, and the watermark's special values.

/// A point in event or processing time: milliseconds since the Unix epoch, negative before it.
pub type Millis = i64;

/// The timestamp of a row that has none, and the watermark of an input that has seen none.
pub const MIN_TIMESTAMP: Millis = i64::MIN;

/// The watermark at the end of the input: every window and every timer is due.
pub const MAX_WATERMARK: Millis = i64::MAX;

/// Start of the tumbling slice of `size` that holds `timestamp`, aligned to `offset`.
///
/// Floor division, as Flink's `TimeWindow.getWindowStartWithOffset`: times before the epoch are
/// aligned downwards too.
///
/// ```
/// use rheos_core::time::window_start;
/// assert_eq!(window_start(-1, 0, 10), -10);
/// assert_eq!(window_start(25, 3, 10), 23);
/// ```
pub fn window_start(timestamp: Millis, offset: Millis, size: Millis) -> Millis {
    let into = (i128::from(timestamp) - i128::from(offset)).rem_euclid(i128::from(size));
    // `into` lies in 0..size, so it fits; the subtraction saturates at the end of time.
    timestamp.saturating_sub(into as Millis)
}

/// The end of life of something that is complete at `max_timestamp` and kept for `lateness` more.
pub fn cleanup_time(max_timestamp: Millis, lateness: Millis) -> Millis {
    max_timestamp.saturating_add(lateness)
}
