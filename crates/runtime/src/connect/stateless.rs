//! Map and flat map over two streams into one.

use rheos_core::Row;
use rheos_core::time::Millis;

use crate::chain::inbox::Cursor;
use crate::chain::operator::{OperatorContext, TwoInputOperator};
use crate::chain::outputs::Outputs;
use crate::error::BoxError;

/// One row in, one row out, by a function for each input.
pub struct CoMap<F1, F2>(pub F1, pub F2);

fn map<In, Out: Row>(
    input: &mut Cursor<In>,
    out: &mut Outputs<Out>,
    function: &mut impl FnMut(In) -> Result<Out, BoxError>,
) -> Result<(), BoxError> {
    let room = out.limit();
    let buffer = out.buffer();
    input.each(room, |row, timestamp| {
        buffer.push(function(row)?, timestamp);
        Ok(())
    })
}

impl<First, Second, Out, F1, F2> TwoInputOperator<First, Second, Out> for CoMap<F1, F2>
where
    Out: Row,
    F1: FnMut(First) -> Result<Out, BoxError>,
    F2: FnMut(Second) -> Result<Out, BoxError>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<First>,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        map(input, out, &mut self.0)
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<Second>,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        map(input, out, &mut self.1)
    }
}

/// One row in, any number of rows out, drawn one by one as fast as they are taken.
pub struct CoFlatMap<F1, F2, I1, I2> {
    first: F1,
    second: F2,
    current1: Option<(I1, Millis)>,
    current2: Option<(I2, Millis)>,
}

impl<F1, F2, I1, I2> CoFlatMap<F1, F2, I1, I2> {
    /// A flat map by a function for each input.
    pub fn new(first: F1, second: F2) -> Self {
        Self {
            first,
            second,
            current1: None,
            current2: None,
        }
    }
}

/// Draws from the row at work until it or the room is used up.
fn draw<I: Iterator<Item = Out>, Out: Row>(
    current: &mut Option<(I, Millis)>,
    out: &mut Outputs<Out>,
) {
    if let Some((rows, timestamp)) = current {
        while !out.is_full() {
            match rows.next() {
                Some(row) => out.push(row, *timestamp),
                None => {
                    *current = None;
                    return;
                }
            }
        }
    }
}

fn flat_map<In, Out: Row, I: Iterator<Item = Out>>(
    input: &mut Cursor<In>,
    out: &mut Outputs<Out>,
    function: &mut impl FnMut(In) -> Result<I, BoxError>,
    current: &mut Option<(I, Millis)>,
) -> Result<(), BoxError> {
    loop {
        draw(current, out);
        if current.is_some() || out.is_full() {
            return Ok(());
        }
        let Some((row, timestamp)) = input.next() else {
            return Ok(());
        };
        *current = Some((function(row)?, timestamp));
    }
}

impl<First, Second, Out, F1, F2, I1, I2> TwoInputOperator<First, Second, Out>
    for CoFlatMap<F1, F2, I1, I2>
where
    Out: Row,
    F1: FnMut(First) -> Result<I1, BoxError>,
    F2: FnMut(Second) -> Result<I2, BoxError>,
    I1: Iterator<Item = Out>,
    I2: Iterator<Item = Out>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<First>,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        flat_map(input, out, &mut self.first, &mut self.current1)
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<Second>,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        flat_map(input, out, &mut self.second, &mut self.current2)
    }

    fn unfinished(&self) -> bool {
        self.current1.is_some() || self.current2.is_some()
    }

    fn resume(
        &mut self,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        draw(&mut self.current1, out);
        draw(&mut self.current2, out);
        Ok(())
    }
}
