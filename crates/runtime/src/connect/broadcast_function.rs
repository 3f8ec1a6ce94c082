//! The functions that users write for a stream and a broadcast one.

use rheos_core::Row;
use rheos_core::time::Millis;

use super::broadcast_context::{
    BroadcastContext, KeyedBroadcastContext, KeyedReadOnlyContext, ReadOnlyContext,
};
use crate::chain::collector::Collector;
use crate::error::BoxError;
use crate::keyed::context::TimeDomain;

/// Sees the rows of a stream, and every row of a broadcast one in every subtask. Flink's
/// `BroadcastProcessFunction`.
///
/// Implemented by users; called from the task's thread. What it writes to broadcast state must
/// follow from the broadcast rows alone, so that all subtasks have the same.
pub trait BroadcastProcessFunction<T: Row, B: Row, Out: Row>: 'static {
    /// Sees a row of the stream that is not broadcast.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process(
        &mut self,
        row: T,
        context: &ReadOnlyContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// Sees a row of the broadcast stream.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process_broadcast(
        &mut self,
        row: B,
        context: &BroadcastContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;
}

/// Sees the rows of a keyed stream, with state and timers of the row's key, and every row of a
/// broadcast stream in every subtask. Flink's `KeyedBroadcastProcessFunction`.
///
/// Implemented by users; called from the task's thread. In
/// [`KeyedBroadcastProcessFunction::process_broadcast`] there is no key at hand: keyed state reads
/// as empty and writing to it fails the task; see
/// [`KeyedBroadcastContext::apply_to_keyed_state`].
pub trait KeyedBroadcastProcessFunction<K: Row, T: Row, B: Row, Out: Row>: 'static {
    /// Sees a row of the keyed stream.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process(
        &mut self,
        row: T,
        context: &KeyedReadOnlyContext<'_, K>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// Sees a row of the broadcast stream.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process_broadcast(
        &mut self,
        row: B,
        context: &KeyedBroadcastContext<'_, K>,
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
        context: &KeyedReadOnlyContext<'_, K>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        let _ = (timestamp, domain, context, out);
        Ok(())
    }
}
