//! The operator of a function over two streams that are not keyed.

use rheos_core::Row;

use super::function::CoProcessFunction;
use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{OperatorContext, TwoInputOperator};
use crate::chain::outputs::Outputs;
use crate::error::BoxError;
use crate::keyed::context::ProcessContext;

/// Runs a function over two streams.
pub struct CoProcessOperator<F>(pub F);

/// Offers each row of a slice to `each`, while there is room for what it emits.
pub(super) fn each_row<T: Row, Out: Row>(
    input: &mut Cursor<T>,
    out: &mut Outputs<Out>,
    operator: &OperatorContext,
    mut each: impl FnMut(T, &ProcessContext<'_>, &mut Collector<'_, Out>) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    while !out.is_full() {
        let processed = input.take_next(|row, timestamp| {
            let context = ProcessContext::new(operator, timestamp);
            each(row, &context, &mut Collector::new(out, timestamp))
        });
        match processed {
            Some(processed) => processed?,
            None => break,
        }
    }
    Ok(())
}

impl<First, Second, Out, F> TwoInputOperator<First, Second, Out> for CoProcessOperator<F>
where
    First: Row,
    Second: Row,
    Out: Row,
    F: CoProcessFunction<First, Second, Out>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<First>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        each_row(input, out, context, |row, context, out| {
            self.0.process1(row, context, out)
        })
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<Second>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        each_row(input, out, context, |row, context, out| {
            self.0.process2(row, context, out)
        })
    }
}
