//! What a window holds between firings, and what is made of it: one value, a list of rows, or a list
//! that an evictor thins out. Kept in the operator's state, under the key and namespace at hand.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::{KeyContext, ListState, Namespace, ValueState};

use super::evictor::{Evictor, TimestampedRow};
use super::fold::Fold;
use super::function::{ProcessWindowFunction, WindowContext, WindowFunction};
use crate::chain::collector::Collector;
use crate::error::BoxError;

/// The name of the contents, among the operator's states.
pub(crate) const CONTENTS_STATE: &str = "window-contents";

/// The contents of the window at hand. Implemented here; called by the window operator, which has set
/// key and namespace.
pub(crate) trait Contents<K, T, W, Out> {
    /// Adds a row.
    fn add(&mut self, row: T, timestamp: Millis);

    /// Hands the contents to the function, if there are any. Without `keep` they may be left or gone
    /// afterwards: the caller drops them.
    fn emit(
        &mut self,
        key: &K,
        window: &W,
        keep: bool,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// Drops them.
    fn clear(&mut self);

    /// Moves what is under namespaces `from` to the one at hand.
    fn merge(&mut self, key: &KeyContext, from: &[Namespace]);

    /// Tells the function that the window goes.
    fn clear_function(
        &mut self,
        key: &K,
        window: &W,
        context: &WindowContext<'_>,
    ) -> Result<(), BoxError>;
}

/// One value.
pub(crate) struct Folded<A, S, F> {
    pub fold: A,
    pub state: ValueState<S>,
    pub function: F,
}

impl<K, T, W, Out, A, F> Contents<K, T, W, Out> for Folded<A, A::Acc, F>
where
    K: Row,
    Out: Row,
    A: Fold<T>,
    F: WindowFunction<K, W, A::Out, Out>,
{
    fn add(&mut self, row: T, _timestamp: Millis) {
        self.state.modify(|cell| match cell {
            Some(accumulator) => self.fold.add(accumulator, row),
            None => *cell = Some(self.fold.start(row)),
        });
    }

    fn emit(
        &mut self,
        key: &K,
        window: &W,
        _keep: bool,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        match self
            .state
            .with(|cell| cell.map(|accumulator| self.fold.result(accumulator)))
        {
            Some(result) => self.function.apply(key, window, result, context, out),
            None => Ok(()),
        }
    }

    fn clear(&mut self) {
        self.state.clear();
    }

    fn merge(&mut self, key: &KeyContext, from: &[Namespace]) {
        let into = key.namespace();
        let mut parts = Vec::new();
        for namespace in from {
            key.set_namespace(*namespace);
            parts.extend(self.state.take());
        }
        key.set_namespace(into);
        let mut parts = parts.into_iter();
        if let Some(mut all) = parts.next() {
            parts.for_each(|part| self.fold.merge(&mut all, part));
            self.state.update(all);
        }
    }

    fn clear_function(
        &mut self,
        key: &K,
        window: &W,
        context: &WindowContext<'_>,
    ) -> Result<(), BoxError> {
        self.function.clear(key, window, context)
    }
}

/// All rows.
pub(crate) struct Listed<T, F> {
    pub state: ListState<T>,
    pub function: F,
}

impl<K, T, W, Out, F> Contents<K, T, W, Out> for Listed<T, F>
where
    K: Row,
    T: Row,
    Out: Row,
    F: ProcessWindowFunction<K, W, T, Out>,
{
    fn add(&mut self, row: T, _timestamp: Millis) {
        self.state.add(row);
    }

    fn emit(
        &mut self,
        key: &K,
        window: &W,
        keep: bool,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        let rows = self.state.take();
        if rows.is_empty() {
            return Ok(());
        }
        self.function.process(key, window, &rows, context, out)?;
        if keep {
            self.state.update(rows);
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.state.clear();
    }

    fn merge(&mut self, key: &KeyContext, from: &[Namespace]) {
        self.state.merge_namespaces(key.namespace(), from);
    }

    fn clear_function(
        &mut self,
        key: &K,
        window: &W,
        context: &WindowContext<'_>,
    ) -> Result<(), BoxError> {
        self.function.clear(key, window, context)
    }
}

/// All rows with their timestamps, thinned out at each firing.
pub(crate) struct Evicted<T, W, F> {
    pub state: ListState<(T, Millis)>,
    pub evictor: Arc<dyn Evictor<T, W>>,
    pub function: F,
}

impl<K, T, W, Out, F> Contents<K, T, W, Out> for Evicted<T, W, F>
where
    K: Row,
    T: Row,
    W: 'static,
    Out: Row,
    F: ProcessWindowFunction<K, W, T, Out>,
{
    fn add(&mut self, row: T, timestamp: Millis) {
        self.state.add((row, timestamp));
    }

    fn emit(
        &mut self,
        key: &K,
        window: &W,
        keep: bool,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        let held = self.state.take();
        if held.is_empty() {
            return Ok(());
        }
        let stamped = |(row, timestamp)| TimestampedRow { row, timestamp };
        let mut held: Vec<TimestampedRow<T>> = held.into_iter().map(stamped).collect();
        self.evictor.evict_before(&mut held, window, context)?;
        let (rows, timestamps): (Vec<T>, Vec<Millis>) =
            held.into_iter().map(|row| (row.row, row.timestamp)).unzip();
        // Called even where all were evicted.
        self.function.process(key, window, &rows, context, out)?;
        let mut held: Vec<TimestampedRow<T>> =
            rows.into_iter().zip(timestamps).map(stamped).collect();
        self.evictor.evict_after(&mut held, window, context)?;
        if keep {
            self.state.update(
                held.into_iter()
                    .map(|row| (row.row, row.timestamp))
                    .collect(),
            );
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.state.clear();
    }

    fn merge(&mut self, key: &KeyContext, from: &[Namespace]) {
        self.state.merge_namespaces(key.namespace(), from);
    }

    fn clear_function(
        &mut self,
        key: &K,
        window: &W,
        context: &WindowContext<'_>,
    ) -> Result<(), BoxError> {
        self.function.clear(key, window, context)
    }
}

/// Folds all rows at each firing: what an evictor makes of an aggregation or a reduction.
pub(crate) struct FoldRows<A, F> {
    pub fold: A,
    pub function: F,
}

impl<K, T, W, Out, A, F> ProcessWindowFunction<K, W, T, Out> for FoldRows<A, F>
where
    K: Row,
    T: Row,
    W: 'static,
    Out: Row,
    A: Fold<T>,
    F: WindowFunction<K, W, A::Out, Out>,
{
    fn process(
        &mut self,
        key: &K,
        window: &W,
        rows: &[T],
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        let result = match rows.split_first() {
            None => self.fold.empty(),
            Some((first, others)) => {
                let mut accumulator = self.fold.start(first.clone());
                for row in others {
                    self.fold.add(&mut accumulator, row.clone());
                }
                Some(self.fold.result(&accumulator))
            }
        };
        match result {
            Some(result) => self.function.apply(key, window, result, context, out),
            None => Ok(()),
        }
    }

    fn clear(&mut self, key: &K, window: &W, context: &WindowContext<'_>) -> Result<(), BoxError> {
        self.function.clear(key, window, context)
    }
}
