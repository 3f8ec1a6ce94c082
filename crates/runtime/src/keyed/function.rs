//! The functions that users write for process operators.

use rheos_core::Row;
use rheos_core::time::Millis;

use super::context::{KeyedContext, ProcessContext, TimeDomain};
use crate::chain::collector::Collector;
use crate::error::BoxError;

/// Sees every row of a stream, and emits what it likes. Flink's `ProcessFunction` on a stream that is
/// not keyed.
///
/// Implemented by users; made on each subtask by the factory that they give, and called from the
/// task's thread only, so it may keep whatever it likes.
pub trait ProcessFunction<In: Row, Out: Row>: 'static {
    /// Sees a row.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process(
        &mut self,
        row: In,
        context: &ProcessContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;
}

impl<In: Row, Out: Row, F> ProcessFunction<In, Out> for F
where
    F: FnMut(In, &ProcessContext<'_>, &mut Collector<'_, Out>) -> Result<(), BoxError> + 'static,
{
    fn process(
        &mut self,
        row: In,
        context: &ProcessContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        self(row, context, out)
    }
}

/// Sees every row of a keyed stream, with state and timers of the row's key. Flink's
/// `KeyedProcessFunction`.
///
/// Its state handles come from the [`super::open::OpenContext`] that its factory is given; they
/// always mean the key at hand.
pub trait KeyedProcessFunction<K: Row, In: Row, Out: Row>: 'static {
    /// Sees a row.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process(
        &mut self,
        row: In,
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
