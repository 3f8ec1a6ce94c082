//! The operators without state: map, filter, flat map. Each is one loop over the slice, monomorphic
//! in the user's function.

use rheos_core::Row;

use super::inbox::Cursor;
use super::operator::{Operator, OperatorContext};
use super::outputs::Outputs;
use crate::error::BoxError;

/// One row in, one row out.
pub struct Map<F>(pub F);

impl<In: Row, Out: Row, F> Operator<In, Out> for Map<F>
where
    F: FnMut(In) -> Result<Out, BoxError>,
{
    fn process(
        &mut self,
        input: &mut Cursor<In>,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        while !out.is_full() {
            let Some((row, timestamp)) = input.next() else { break };
            out.push((self.0)(row)?, timestamp);
        }
        Ok(())
    }
}

/// Rows that the predicate holds for.
pub struct Filter<F>(pub F);

impl<T: Row, F> Operator<T, T> for Filter<F>
where
    F: FnMut(&T) -> Result<bool, BoxError>,
{
    fn process(
        &mut self,
        input: &mut Cursor<T>,
        out: &mut Outputs<T>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        while !out.is_full() {
            let Some((row, timestamp)) = input.next() else { break };
            if (self.0)(&row)? {
                out.push(row, timestamp);
            }
        }
        Ok(())
    }
}

/// One row in, any number of rows out, drawn one by one: a row that becomes a million is never a
/// million rows in memory.
pub struct FlatMap<F, I: Iterator> {
    function: F,
    current: Option<(I, i64)>,
}

impl<F, I: Iterator> FlatMap<F, I> {
    /// A flat map by this function.
    pub fn new(function: F) -> Self {
        Self { function, current: None }
    }
}

impl<In: Row, Out: Row, F, I> Operator<In, Out> for FlatMap<F, I>
where
    F: FnMut(In) -> Result<I, BoxError>,
    I: Iterator<Item = Out>,
{
    fn process(
        &mut self,
        input: &mut Cursor<In>,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        loop {
            self.draw(out);
            if self.current.is_some() {
                return Ok(());
            }
            let Some((row, timestamp)) = input.next() else { return Ok(()) };
            self.current = Some(((self.function)(row)?, timestamp));
        }
    }

    fn accepts(&self) -> bool {
        self.current.is_none()
    }

    fn has_completions(&self) -> bool {
        self.current.is_some()
    }

    fn completions(
        &mut self,
        out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.draw(out);
        Ok(())
    }
}

impl<F, I: Iterator> FlatMap<F, I> {
    /// Draws from the row at work until it or the room is used up.
    fn draw<Out: Row>(&mut self, out: &mut Outputs<Out>)
    where
        I: Iterator<Item = Out>,
    {
        if let Some((rows, timestamp)) = &mut self.current {
            while !out.is_full() {
                match rows.next() {
                    Some(row) => out.push(row, *timestamp),
                    None => {
                        self.current = None;
                        return;
                    }
                }
            }
        }
    }
}
