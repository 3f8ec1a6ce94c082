//! The functions that users write for connected streams.

use rheos_core::Row;
use rheos_core::time::Millis;

use crate::chain::collector::Collector;
use crate::error::BoxError;
use crate::keyed::context::{KeyedContext, ProcessContext, TimeDomain};

/// Sees the rows of two streams, and emits what it likes. Flink's `CoProcessFunction` on streams
/// that are not keyed.
///
/// Implemented by users; made on each subtask by the factory that they give, and called from the
/// task's thread only, so both methods may share whatever it keeps.
pub trait CoProcessFunction<First: Row, Second: Row, Out: Row>: 'static {
    /// Sees a row of the first stream.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process1(
        &mut self,
        row: First,
        context: &ProcessContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// Sees a row of the second stream.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process2(
        &mut self,
        row: Second,
        context: &ProcessContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;
}

/// Sees the rows of two streams that are divided by the same key, with state and timers of the
/// row's key, which both streams share. Flink's `KeyedCoProcessFunction`.
///
/// Implemented by users. Its state handles come from the [`crate::keyed::open::OpenContext`] that
/// its factory is given; they always mean the key at hand.
pub trait KeyedCoProcessFunction<K: Row, First: Row, Second: Row, Out: Row>: 'static {
    /// Sees a row of the first stream.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process1(
        &mut self,
        row: First,
        context: &KeyedContext<'_, K>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// Sees a row of the second stream.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process2(
        &mut self,
        row: Second,
        context: &KeyedContext<'_, K>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// A timer of a key is due.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn on_timer(
        &mut self,
        timestamp: Millis,
        domain: TimeDomain,
        context: &KeyedContext<'_, K>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        let _ = (timestamp, domain, context, out);
        Ok(())
    }
}
