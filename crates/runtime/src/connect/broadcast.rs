//! The operators of functions over a stream, keyed or not, and a broadcast one.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::{KeyedBackend, OperatorBackend};

use super::broadcast_context::{
    BroadcastContext, BroadcastOpenContext, KeyedBroadcastContext, KeyedBroadcastOpenContext,
    KeyedReadOnlyContext, ReadOnlyContext,
};
use super::broadcast_function::{BroadcastProcessFunction, KeyedBroadcastProcessFunction};
use super::broadcast_states::{AnyBroadcastDescriptor, BroadcastStates};
use super::keyed_rows::KeyedRows;
use super::process::each_row;
use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, OperatorContext, TwoInputOperator};
use crate::chain::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::keyed::context::TimeDomain;
use crate::keyed::keys::Keys;
use crate::keyed::open::OpenContext;
use crate::metrics::states::{StateSize, sizes_of};

/// Runs a function over a stream and a broadcast one.
pub struct BroadcastProcessOperator<F> {
    function: F,
    states: BroadcastStates,
}

impl<F> BroadcastProcessOperator<F> {
    /// Opens the function on its subtask.
    ///
    /// # Errors
    /// If two states have one name, or the function's factory fails.
    pub fn open(
        descriptors: &[Arc<dyn AnyBroadcastDescriptor>],
        build: &mut BuildContext,
        factory: impl FnOnce(&mut BroadcastOpenContext<'_>) -> Result<F, BoxError>,
    ) -> Result<Self, BoxError> {
        let states = BroadcastStates::open(descriptors)?;
        let function = factory(&mut BroadcastOpenContext {
            build,
            states: &states,
        })?;
        Ok(Self { function, states })
    }

    /// The operator's state that has no key.
    pub fn operator_state(&self) -> &OperatorBackend {
        &self.states.backend
    }
}

impl<T, B, Out, F> TwoInputOperator<T, B, Out> for BroadcastProcessOperator<F>
where
    T: Row,
    B: Row,
    Out: Row,
    F: BroadcastProcessFunction<T, B, Out>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<T>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        each_row(input, out, context, |row, process, out| {
            self.function
                .process(row, &ReadOnlyContext { process }, out)
        })
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<B>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        each_row(input, out, context, |row, process, out| {
            self.function
                .process_broadcast(row, &BroadcastContext { process }, out)
        })
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        out.operator_state(&self.states.backend)?;
        Ok(())
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        from.operator_state(&self.states.backend)?;
        Ok(())
    }
}

/// Runs a function over a keyed stream and a broadcast one.
pub struct KeyedBroadcastProcessOperator<K, T, F> {
    rows: KeyedRows<K>,
    keys: Keys<K, T>,
    function: F,
    states: BroadcastStates,
}

impl<K: Row, T: Row, F> KeyedBroadcastProcessOperator<K, T, F> {
    /// Opens the function on its subtask.
    ///
    /// # Errors
    /// If two states have one name, or the function's factory fails.
    pub fn open(
        keys: Keys<K, T>,
        descriptors: &[Arc<dyn AnyBroadcastDescriptor>],
        build: &mut BuildContext,
        factory: impl FnOnce(&mut KeyedBroadcastOpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<Self, BoxError> {
        let states = BroadcastStates::open(descriptors)?;
        let mut backend = KeyedBackend::new();
        let function = factory(&mut KeyedBroadcastOpenContext {
            open: OpenContext::new(build, &mut backend),
            states: &states,
        })?;
        Ok(Self {
            rows: KeyedRows::new(backend)?,
            keys,
            function,
            states,
        })
    }

    /// The operator's state that has no key.
    pub fn operator_state(&self) -> &OperatorBackend {
        &self.states.backend
    }
}

impl<K, T, B, Out, F> TwoInputOperator<T, B, Out> for KeyedBroadcastProcessOperator<K, T, F>
where
    K: Row,
    T: Row,
    B: Row,
    Out: Row,
    F: KeyedBroadcastProcessFunction<K, T, B, Out>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<T>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let Self {
            rows,
            keys,
            function,
            ..
        } = self;
        rows.process(keys, input, out, context, |row, timestamp, keyed, out| {
            let context = KeyedReadOnlyContext { keyed };
            function.process(row, &context, &mut Collector::new(out, timestamp))
        })
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<B>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let backend = self.rows.backend();
        backend.context().set_now(context.now_millis);
        backend.context().clear_key();
        each_row(input, out, context, |row, process, out| {
            let context = KeyedBroadcastContext { process, backend };
            self.function.process_broadcast(row, &context, out)
        })?;
        self.rows.end_batch();
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let Self { rows, function, .. } = self;
        rows.watermark(watermark, out, context, |due, keyed, out| {
            let context = KeyedReadOnlyContext { keyed };
            function.on_timer(due.timestamp, TimeDomain::EventTime, &context, out)
        })
    }

    fn deadline(&self) -> Option<Millis> {
        self.rows.deadline()
    }

    fn processing_time(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let Self { rows, function, .. } = self;
        rows.processing_time(out, context, |due, keyed, out| {
            let context = KeyedReadOnlyContext { keyed };
            function.on_timer(due.timestamp, TimeDomain::ProcessingTime, &context, out)
        })
    }

    fn states(&self) -> Vec<StateSize> {
        sizes_of(self.rows.backend())
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        out.operator_state(&self.states.backend)?;
        self.rows.snapshot(out)?;
        Ok(())
    }

    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        self.rows.write_frozen(out)
    }

    fn thaw(&mut self) {
        self.rows.thaw();
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        from.operator_state(&self.states.backend)?;
        self.rows.restore(from, context)?;
        Ok(())
    }
}
