//! The operator of a function over two keyed streams.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::{KeyedBackend, PendingSeal};

use super::function::KeyedCoProcessFunction;
use super::keyed_rows::KeyedRows;
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

/// Runs a function over two keyed streams.
pub struct KeyedCoProcessOperator<K, First, Second, F> {
    rows: KeyedRows<K>,
    keys1: Keys<K, First>,
    keys2: Keys<K, Second>,
    function: F,
}

impl<K: Row, First: Row, Second: Row, F> KeyedCoProcessOperator<K, First, Second, F> {
    /// Opens the function on its subtask.
    ///
    /// # Errors
    /// If the function's factory fails.
    pub fn open(
        keys1: Keys<K, First>,
        keys2: Keys<K, Second>,
        build: &mut BuildContext,
        factory: impl FnOnce(&mut OpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<Self, BoxError> {
        let mut backend = KeyedBackend::new();
        let function = factory(&mut OpenContext::new(build, &mut backend))?;
        let mut rows = KeyedRows::new(backend)?;
        rows.attach_store(build)?;
        Ok(Self {
            rows,
            keys1,
            keys2,
            function,
        })
    }
}

impl<K, First, Second, Out, F> TwoInputOperator<First, Second, Out>
    for KeyedCoProcessOperator<K, First, Second, F>
where
    K: Row,
    First: Row,
    Second: Row,
    Out: Row,
    F: KeyedCoProcessFunction<K, First, Second, Out>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<First>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let Self {
            rows,
            keys1,
            function,
            ..
        } = self;
        rows.process(
            keys1,
            input,
            out,
            context,
            |row, timestamp, context, out| {
                function.process1(row, context, &mut Collector::new(out, timestamp))
            },
        )
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<Second>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let Self {
            rows,
            keys2,
            function,
            ..
        } = self;
        rows.process(
            keys2,
            input,
            out,
            context,
            |row, timestamp, context, out| {
                function.process2(row, context, &mut Collector::new(out, timestamp))
            },
        )
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let Self { rows, function, .. } = self;
        rows.watermark(watermark, out, context, |due, context, out| {
            function.on_timer(due.timestamp, TimeDomain::EventTime, context, out)
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
        rows.processing_time(out, context, |due, context, out| {
            function.on_timer(due.timestamp, TimeDomain::ProcessingTime, context, out)
        })
    }

    fn states(&self) -> Vec<StateSize> {
        sizes_of(self.rows.backend())
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        self.rows.snapshot(out)?;
        Ok(())
    }

    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        self.rows.write_frozen(out)
    }

    fn thaw(&mut self) {
        self.rows.thaw();
    }

    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        self.rows.take_seal()
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.rows.restore(from, context)?;
        Ok(())
    }
}
