//! What a user function can ask and do while it sees a row or a timer.

use rheos_core::Row;
use rheos_core::id::Place;
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::Timers;

pub use rheos_state::TimeDomain;

use crate::chain::operator::OperatorContext;

/// Without a key: timestamp, watermark, processing time.
pub struct ProcessContext<'a> {
    operator: &'a OperatorContext,
    timestamp: Millis,
}

impl<'a> ProcessContext<'a> {
    pub(crate) fn new(operator: &'a OperatorContext, timestamp: Millis) -> Self {
        Self {
            operator,
            timestamp,
        }
    }

    /// The row's event time; none if it has none.
    pub fn timestamp(&self) -> Option<Millis> {
        (self.timestamp != MIN_TIMESTAMP).then_some(self.timestamp)
    }

    /// The operator's watermark; [`MIN_TIMESTAMP`] before the first.
    pub fn watermark(&self) -> Millis {
        self.operator.watermark
    }

    /// Processing time.
    pub fn processing_time(&self) -> Millis {
        self.operator.now_millis
    }

    /// Operator, subtask, parallelism.
    pub fn place(&self) -> &Place {
        &self.operator.place
    }
}

/// The timers of a keyed operator, of both domains.
pub struct KeyedTimers {
    /// By watermark.
    pub event: Timers,
    /// By clock.
    pub processing: Timers,
}

/// With a key: what [`ProcessContext`] has, the key and its timers.
pub struct KeyedContext<'a, K> {
    operator: &'a OperatorContext,
    key: &'a K,
    timers: &'a KeyedTimers,
    timestamp: Millis,
}

impl<'a, K: Row> KeyedContext<'a, K> {
    pub(crate) fn new(
        operator: &'a OperatorContext,
        key: &'a K,
        timers: &'a KeyedTimers,
        timestamp: Millis,
    ) -> Self {
        Self {
            operator,
            key,
            timers,
            timestamp,
        }
    }

    /// The key at hand.
    pub fn key(&self) -> &K {
        self.key
    }

    /// The row's event time, or the time of the timer; none if the row has none.
    pub fn timestamp(&self) -> Option<Millis> {
        (self.timestamp != MIN_TIMESTAMP).then_some(self.timestamp)
    }

    /// The operator's watermark; [`MIN_TIMESTAMP`] before the first.
    pub fn watermark(&self) -> Millis {
        self.operator.watermark
    }

    /// Processing time.
    pub fn processing_time(&self) -> Millis {
        self.operator.now_millis
    }

    /// Operator, subtask, parallelism.
    pub fn place(&self) -> &Place {
        &self.operator.place
    }

    /// Calls the key back once the watermark has reached `timestamp`. Registering the same timer
    /// again changes nothing; one at or below the current watermark waits for its next advance.
    pub fn register_event_time_timer(&self, timestamp: Millis) {
        self.timers.event.register(timestamp);
    }

    /// Takes an event-time timer of the key back.
    pub fn delete_event_time_timer(&self, timestamp: Millis) {
        self.timers.event.delete(timestamp);
    }

    /// Calls the key back once the clock has reached `timestamp`.
    pub fn register_processing_time_timer(&self, timestamp: Millis) {
        self.timers.processing.register(timestamp);
    }

    /// Takes a processing-time timer of the key back.
    pub fn delete_processing_time_timer(&self, timestamp: Millis) {
        self.timers.processing.delete(timestamp);
    }
}
