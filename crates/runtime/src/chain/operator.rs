//! What an operator is: a state machine over rows and control elements, called by its stage.
//!
//! Whoever writes an operator implements [`Operator`] (one input) or [`TwoInputOperator`]; the stage
//! calls it from the task's thread only. The contract:
//! * `process` takes rows from the cursor until the cursor or the outputs say stop; it may stop
//!   after any row, and is then called again with what is left.
//! * `watermark` is called once all earlier rows are taken; it may answer [`Firing::More`] after a
//!   bounded slice and is then called again with the same watermark, before anything else.
//! * No call blocks for longer than a row of user code takes.

use std::sync::Arc;

use rheos_core::barrier::Barrier;
use rheos_core::element::{Control, StreamStatus};
use rheos_core::id::{CheckpointId, Place};
use rheos_core::time::Millis;
use rheos_state::PendingSeal;

use super::inbox::Cursor;
use super::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::error::BoxError;
use crate::metrics::states::StateSize;

/// What an operator can ask of the task that runs it.
#[derive(Debug, Clone)]
pub struct OperatorContext {
    /// Operator, subtask, parallelism.
    pub place: Place,
    /// Processing time.
    pub now_millis: Millis,
    /// Monotonic time.
    pub now_micros: i64,
    /// The operator's current event-time watermark.
    pub watermark: Millis,
}

/// How far a bounded piece of work got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firing {
    /// It is finished; the element goes on downstream.
    Done,
    /// A slice of it; call again.
    More,
    /// The operator keeps the element and sends it on by itself.
    Held,
}

/// An operator with one input.
pub trait Operator<In, Out> {
    /// Takes rows.
    ///
    /// # Errors
    /// What user code says; it ends the job.
    fn process(
        &mut self,
        input: &mut Cursor<In>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>;

    /// Advances event time; `context.watermark` is already the new one.
    ///
    /// # Errors
    /// What user code says.
    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let _ = (watermark, out, context);
        Ok(Firing::Done)
    }

    /// The input became idle or active.
    fn status(&mut self, status: StreamStatus) -> Firing {
        let _ = status;
        Firing::Done
    }

    /// The next element that it has held ([`Firing::Held`]), once all rows before it have been
    /// emitted. Called after `completions`, until there is none; no rows follow in that slice.
    fn release(&mut self) -> Option<Control> {
        None
    }

    /// When processing time next matters to it.
    fn deadline(&self) -> Option<Millis> {
        None
    }

    /// Acts on processing time; called when the deadline has passed, between slices of rows.
    ///
    /// # Errors
    /// What user code says.
    fn processing_time(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let _ = (out, context);
        Ok(Firing::Done)
    }

    /// Whether it takes further rows and control elements at the moment.
    fn accepts(&self) -> bool {
        true
    }

    /// Whether something asynchronous has finished, or is ready to go on.
    fn has_completions(&self) -> bool {
        false
    }

    /// Whether a row that it has taken is not done with, and is no part of its state: barriers wait
    /// for it.
    fn unfinished(&self) -> bool {
        false
    }

    /// A barrier waits for what is unfinished: nothing is to be held back in the hope of more rows.
    /// Called whenever the task looks again.
    ///
    /// # Errors
    /// What user code says.
    fn hasten(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Takes what has finished asynchronously.
    ///
    /// # Errors
    /// What user code says.
    fn completions(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let _ = (out, context);
        Ok(())
    }

    /// A barrier passes: what the state is now belongs to its checkpoint.
    ///
    /// # Errors
    /// Where something can't be made durable.
    fn barrier(&mut self, barrier: &Barrier, context: &OperatorContext) -> Result<(), BoxError> {
        let _ = (barrier, context);
        Ok(())
    }

    /// How much is in each of its states; asked about once a second.
    fn states(&self) -> Vec<StateSize> {
        Vec::new()
    }

    /// Keeps what belongs to the checkpoint of a barrier that has passed. Between two rows; only where
    /// the job takes checkpoints. Takes no longer for more state: what there is much of is frozen, and
    /// written by `write_frozen`.
    ///
    /// # Errors
    /// What can't be written.
    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        let _ = out;
        Ok(())
    }

    /// Writes some of the keyed state that the last [`Operator::snapshot`] has frozen, to be put
    /// behind what was written before; says whether that was the last of it. Called between slices of
    /// rows until then, each time for a millisecond's work at most.
    ///
    /// # Errors
    /// What can't be written.
    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        let _ = out;
        Ok(true)
    }

    /// What is frozen is not wanted any more.
    fn thaw(&mut self) {}

    /// Its store as it was at the snapshot that was taken last, to be sealed by whoever writes it; of
    /// an operator that has one. Asked for once a snapshot.
    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        None
    }

    /// Goes on from a checkpoint. Called once, before anything else, with the restored watermark in
    /// the context.
    ///
    /// # Errors
    /// What does not fit the operator.
    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let _ = (from, context);
        Ok(())
    }

    /// A checkpoint whose barrier has passed here is complete: it and everything before it will be
    /// restored or built upon.
    ///
    /// # Errors
    /// What ends the job.
    fn checkpoint_completed(
        &mut self,
        checkpoint: CheckpointId,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let _ = (checkpoint, context);
        Ok(())
    }

    /// No rows follow. With `drain`, event time has been advanced to its end before.
    ///
    /// # Errors
    /// What user code says.
    fn end_of_data(
        &mut self,
        drain: bool,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let _ = (drain, out, context);
        Ok(Firing::Done)
    }

    /// The task ends, well or not. The last call.
    fn close(&mut self) {}
}

/// An operator with two inputs of different types.
pub trait TwoInputOperator<Left, Right, Out> {
    /// Takes rows of the first input.
    ///
    /// # Errors
    /// What user code says.
    fn process_left(
        &mut self,
        input: &mut Cursor<Left>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>;

    /// Takes rows of the second input.
    ///
    /// # Errors
    /// What user code says.
    fn process_right(
        &mut self,
        input: &mut Cursor<Right>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>;

    /// Advances event time: the least of both inputs.
    ///
    /// # Errors
    /// What user code says.
    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let _ = (watermark, out, context);
        Ok(Firing::Done)
    }

    /// Whether a row that it has taken is not done with: its outputs were full before the last of
    /// what the row gives. It is resumed before anything else, and barriers wait for it.
    fn unfinished(&self) -> bool {
        false
    }

    /// Goes on with the unfinished row, until it is finished or the outputs are full again.
    ///
    /// # Errors
    /// What user code says.
    fn resume(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let _ = (out, context);
        Ok(())
    }

    /// When processing time next matters to it.
    fn deadline(&self) -> Option<Millis> {
        None
    }

    /// Acts on processing time.
    ///
    /// # Errors
    /// What user code says.
    fn processing_time(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let _ = (out, context);
        Ok(Firing::Done)
    }

    /// A barrier passes.
    ///
    /// # Errors
    /// Where something can't be made durable.
    fn barrier(&mut self, barrier: &Barrier, context: &OperatorContext) -> Result<(), BoxError> {
        let _ = (barrier, context);
        Ok(())
    }

    /// How much is in each of its states; asked about once a second.
    fn states(&self) -> Vec<StateSize> {
        Vec::new()
    }

    /// Keeps what belongs to the checkpoint of a barrier that has passed. Between two rows; only where
    /// the job takes checkpoints. Takes no longer for more state: what there is much of is frozen, and
    /// written by `write_frozen`.
    ///
    /// # Errors
    /// What can't be written.
    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        let _ = out;
        Ok(())
    }

    /// Writes some of the keyed state that the last [`TwoInputOperator::snapshot`] has frozen, to be put
    /// behind what was written before; says whether that was the last of it. Called between slices of
    /// rows until then, each time for a millisecond's work at most.
    ///
    /// # Errors
    /// What can't be written.
    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        let _ = out;
        Ok(true)
    }

    /// What is frozen is not wanted any more.
    fn thaw(&mut self) {}

    /// Its store as it was at the snapshot that was taken last, to be sealed by whoever writes it; of
    /// an operator that has one. Asked for once a snapshot.
    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        None
    }

    /// Goes on from a checkpoint. Called once, before anything else, with the restored watermark in
    /// the context.
    ///
    /// # Errors
    /// What does not fit the operator.
    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let _ = (from, context);
        Ok(())
    }

    /// A checkpoint whose barrier has passed here is complete: it and everything before it will be
    /// restored or built upon.
    ///
    /// # Errors
    /// What ends the job.
    fn checkpoint_completed(
        &mut self,
        checkpoint: CheckpointId,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let _ = (checkpoint, context);
        Ok(())
    }

    /// Neither input has further rows.
    ///
    /// # Errors
    /// What user code says.
    fn end_of_data(
        &mut self,
        drain: bool,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let _ = (drain, out, context);
        Ok(Firing::Done)
    }

    /// The task ends. The last call.
    fn close(&mut self) {}
}
