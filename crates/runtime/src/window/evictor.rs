//! What is left out of a window when it fires.

use rheos_core::time::Millis;

use super::function::WindowContext;
use crate::error::BoxError;

/// A row of a window with its event time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampedRow<T> {
    /// The row.
    pub row: T,
    /// Its event time; [`rheos_core::time::MIN_TIMESTAMP`] if it has none.
    pub timestamp: Millis,
}

/// Removes rows from a window, at each firing: before the function sees them, or afterwards. What is
/// removed is gone for later firings too.
///
/// Implemented in [`super::evictors`] and by users; one instance serves all subtasks, called from
/// their threads with the rows in the order of arrival.
pub trait Evictor<T, W>: Send + Sync + 'static {
    /// Removes rows before the function sees them.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn evict_before(
        &self,
        rows: &mut Vec<TimestampedRow<T>>,
        window: &W,
        context: &WindowContext<'_>,
    ) -> Result<(), BoxError> {
        let _ = (rows, window, context);
        Ok(())
    }

    /// Removes rows after the function has seen them.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn evict_after(
        &self,
        rows: &mut Vec<TimestampedRow<T>>,
        window: &W,
        context: &WindowContext<'_>,
    ) -> Result<(), BoxError> {
        let _ = (rows, window, context);
        Ok(())
    }
}
