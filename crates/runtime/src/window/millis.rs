//! Durations as windows need them: whole milliseconds.

use std::time::Duration;

use rheos_core::time::Millis;

/// The milliseconds of a duration, what is below one cut off; at most those of half of all time.
pub(crate) fn whole_millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis())
        .unwrap_or(Millis::MAX / 2)
        .min(Millis::MAX / 2)
}

/// Whether a duration is a positive number of whole milliseconds.
///
/// # Errors
/// What is wrong with it, `what` first.
pub(crate) fn check(what: &str, duration: Duration) -> Result<(), String> {
    if duration.is_zero() {
        return Err(format!("has {what} 0; it must be at least 1 ms"));
    }
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(format!(
            "has {what} {duration:?}; event and processing time are whole milliseconds"
        ));
    }
    Ok(())
}
