//! The operators without state: map, filter, flat map. Each is one loop over the slice, monomorphic
//! in the user's function.

use rheos_core::Row;
use rheos_core::element::Batch;
use rheos_core::vectors::{drain_each, make_room};

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
        let room = out.limit();
        let buffer = out.buffer();
        if input.remaining() <= room
            && let Some(mut batch) = input.take_batch()
        {
            map_whole(&mut batch, buffer, &mut self.0)?;
            batch.clear();
            input.recycle(batch);
            return Ok(());
        }
        input.each(room, |row, timestamp| {
            buffer.push((self.0)(row)?, timestamp);
            Ok(())
        })
    }
}

/// Maps a whole batch, and leaves its memory.
fn map_whole<In, Out>(
    batch: &mut Batch<In>,
    buffer: &mut Batch<Out>,
    function: &mut impl FnMut(In) -> Result<Out, BoxError>,
) -> Result<(), BoxError> {
    let mut failure = None;
    make_room(&mut buffer.rows, batch.rows.len());
    drain_each(&mut batch.rows, |row| match function(row) {
        Ok(row) => buffer.rows.push(row),
        Err(error) => {
            failure.get_or_insert(error);
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    if buffer.timestamps.is_empty() {
        std::mem::swap(&mut buffer.timestamps, &mut batch.timestamps);
    } else {
        buffer.timestamps.append(&mut batch.timestamps);
    }
    Ok(())
}

/// Rows that the predicate holds for.
pub struct Filter<F> {
    predicate: F,
    keep: Vec<bool>,
}

impl<F> Filter<F> {
    /// A filter by this predicate.
    pub fn new(predicate: F) -> Self {
        Self {
            predicate,
            keep: Vec::new(),
        }
    }
}

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
        if let Some(mut batch) = input.take_batch() {
            // What is kept stays where it is, and the batch goes on: no memory beyond it is needed.
            self.keep.clear();
            let mut failure = None;
            batch.rows.retain(|row| {
                let keep = match (self.predicate)(row) {
                    Ok(keep) => keep,
                    Err(error) => {
                        failure.get_or_insert(error);
                        false
                    }
                };
                self.keep.push(keep);
                keep
            });
            if let Some(error) = failure {
                return Err(error);
            }
            let mut keep = self.keep.iter();
            batch
                .timestamps
                .retain(|_| keep.next().copied().unwrap_or(true));
            input.recycle(out.push_batch(batch));
            return Ok(());
        }
        let room = out.limit();
        let buffer = out.buffer();
        input.each(room, |row, timestamp| {
            if (self.predicate)(&row)? {
                buffer.push(row, timestamp);
            }
            Ok(())
        })
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
        Self {
            function,
            current: None,
        }
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
            let Some((row, timestamp)) = input.next() else {
                return Ok(());
            };
            self.current = Some(((self.function)(row)?, timestamp));
        }
    }

    fn accepts(&self) -> bool {
        self.current.is_none()
    }

    fn has_completions(&self) -> bool {
        self.current.is_some()
    }

    fn unfinished(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rheos_core::id::Place;

    #[test]
    fn a_row_that_is_drawn_in_parts_is_unfinished_until_its_last() -> Result<(), BoxError> {
        let context = OperatorContext {
            place: Place {
                operator: "flat map".into(),
                subtask: 0,
                parallelism: 1,
            },
            now_millis: 0,
            now_micros: 0,
            watermark: 0,
        };
        let mut operator = FlatMap::new(|n: u32| Ok(0..n));
        let mut input = Cursor::default();
        input.fill(Batch {
            rows: vec![2],
            timestamps: vec![7],
            hashes: Vec::new(),
        });
        input.allow(1);
        // Without targets they are full after one row.
        let mut out = Outputs::new(Vec::new());
        operator.process(&mut input, &mut out, &context)?;
        assert!(operator.unfinished());
        assert_eq!(std::mem::take(out.buffer()).rows, [0]);
        operator.completions(&mut out, &context)?;
        assert_eq!(std::mem::take(out.buffer()).rows, [1]);
        operator.completions(&mut out, &context)?;
        assert!(!operator.unfinished());
        Ok(())
    }
}
