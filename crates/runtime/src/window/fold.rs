//! Rows gathered in one value a window: aggregation and reduction.

use std::sync::Arc;

use rheos_core::Row;
use rheos_state::AggregateFunction;

/// How the rows of a window become one value. Implemented for aggregate functions and reductions;
/// called by the operators.
pub trait Fold<T>: 'static {
    /// What is kept.
    type Acc: Row;
    /// What comes out.
    type Out;

    /// The value of one row.
    fn start(&self, row: T) -> Self::Acc;

    /// Adds a row.
    fn add(&self, accumulator: &mut Self::Acc, row: T);

    /// Adds what was gathered elsewhere.
    fn merge(&self, into: &mut Self::Acc, from: Self::Acc);

    /// What comes out of what was gathered.
    fn result(&self, accumulator: &Self::Acc) -> Self::Out;

    /// What comes out of no rows, if anything does.
    fn empty(&self) -> Option<Self::Out>;

    /// Whether rows may be gathered in parts and merged.
    fn in_parts(&self) -> bool;
}

/// Gathering by an aggregate function.
pub struct Aggregation<A>(pub Arc<A>);

impl<A: AggregateFunction> Fold<A::In> for Aggregation<A>
where
    A::Acc: Row,
{
    type Acc = A::Acc;
    type Out = A::Out;

    #[inline]
    fn start(&self, row: A::In) -> A::Acc {
        let mut accumulator = self.0.create_accumulator();
        self.0.add(&mut accumulator, row);
        accumulator
    }

    #[inline]
    fn add(&self, accumulator: &mut A::Acc, row: A::In) {
        self.0.add(accumulator, row);
    }

    fn merge(&self, into: &mut A::Acc, from: A::Acc) {
        self.0.merge(into, from);
    }

    #[inline]
    fn result(&self, accumulator: &A::Acc) -> A::Out {
        self.0.get_result(accumulator)
    }

    fn empty(&self) -> Option<A::Out> {
        Some(self.0.get_result(&self.0.create_accumulator()))
    }

    fn in_parts(&self) -> bool {
        true
    }
}

/// Gathering by a reduction, in the order of arrival.
pub struct Reduction<F>(pub F);

impl<T: Row, F: Fn(&mut T, T) + 'static> Fold<T> for Reduction<F> {
    type Acc = T;
    type Out = T;

    #[inline]
    fn start(&self, row: T) -> T {
        row
    }

    #[inline]
    fn add(&self, accumulator: &mut T, row: T) {
        (self.0)(accumulator, row);
    }

    fn merge(&self, into: &mut T, from: T) {
        (self.0)(into, from);
    }

    #[inline]
    fn result(&self, accumulator: &T) -> T {
        accumulator.clone()
    }

    fn empty(&self) -> Option<T> {
        None
    }

    fn in_parts(&self) -> bool {
        // A reduction need not be associative.
        false
    }
}
