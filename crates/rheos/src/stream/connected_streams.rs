//! Two streams of different rows before one operator.

use std::sync::Arc;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::chain::operator::TwoInputOperator;
use rheos_runtime::connect::function::{CoProcessFunction, KeyedCoProcessFunction};
use rheos_runtime::connect::keyed::KeyedCoProcessOperator;
use rheos_runtime::connect::process::CoProcessOperator;
use rheos_runtime::connect::stateless::{CoFlatMap, CoMap};
use rheos_runtime::deploy::operator_builder::BuildContext;
use rheos_runtime::keyed::open::OpenContext;

use super::data_stream::DataStream;
use super::key_selector::KeySelector;
use super::keyed_stream::KeyedStream;
use crate::graph_builder::{SharedBuilder, Upstream};

/// Two streams, kept apart but processed by one operator.
pub struct ConnectedStreams<First, Second> {
    first: DataStream<First>,
    second: DataStream<Second>,
}

impl<First: Row> DataStream<First> {
    /// Puts this stream and another, of other rows, before one operator.
    pub fn connect<Second: Row>(
        &self,
        other: &DataStream<Second>,
    ) -> ConnectedStreams<First, Second> {
        ConnectedStreams {
            first: self.clone(),
            second: other.clone(),
        }
    }
}

/// Adds an operator with two inputs, made by `make` on the thread of each subtask.
pub(crate) fn two_inputs<First, Second, Out, Op, F>(
    builder: &SharedBuilder,
    kind: &str,
    (first, second): (&[Upstream<First>], &[Upstream<Second>]),
    make: F,
) -> DataStream<Out>
where
    First: Row,
    Second: Row,
    Out: Row,
    Op: TwoInputOperator<First, Second, Out> + 'static,
    F: Fn(&mut BuildContext) -> Result<Op, BoxError> + Send + Sync + 'static,
{
    let mut graph = builder.borrow_mut();
    let stage = move |context: &mut BuildContext| {
        let operator = make(context)?;
        context.two_inputs::<First, Second, Out>(operator)
    };
    let node = graph.add(kind, Arc::new(stage));
    graph.connect(first, node, 0);
    graph.connect(second, node, 1);
    drop(graph);
    DataStream::of_node(builder.clone(), node)
}

impl<First: Row, Second: Row> ConnectedStreams<First, Second> {
    /// Adds an operator with two inputs, made by `make` on the thread of each subtask.
    pub fn transform<Out, Op, F>(&self, kind: &str, make: F) -> DataStream<Out>
    where
        Out: Row,
        Op: TwoInputOperator<First, Second, Out> + 'static,
        F: Fn(&mut BuildContext) -> Result<Op, BoxError> + Send + Sync + 'static,
    {
        let inputs = (
            self.first.upstreams.as_slice(),
            self.second.upstreams.as_slice(),
        );
        two_inputs(&self.first.builder, kind, inputs, make)
    }

    /// One row in, one row out, by a function for each stream.
    pub fn map<Out, F1, F2>(&self, first: F1, second: F2) -> DataStream<Out>
    where
        Out: Row,
        F1: Fn(First) -> Out + Clone + Send + Sync + 'static,
        F2: Fn(Second) -> Out + Clone + Send + Sync + 'static,
    {
        self.transform("Co-Map", move |_| {
            let (first, second) = (first.clone(), second.clone());
            Ok(CoMap(move |row| Ok(first(row)), move |row| Ok(second(row))))
        })
    }

    /// One row in, any number out, by a function for each stream. The rows are drawn from the
    /// iterators as fast as they are taken downstream.
    pub fn flat_map<Out, I1, I2, F1, F2>(&self, first: F1, second: F2) -> DataStream<Out>
    where
        Out: Row,
        I1: IntoIterator<Item = Out>,
        I1::IntoIter: 'static,
        I2: IntoIterator<Item = Out>,
        I2::IntoIter: 'static,
        F1: Fn(First) -> I1 + Clone + Send + Sync + 'static,
        F2: Fn(Second) -> I2 + Clone + Send + Sync + 'static,
    {
        self.transform("Co-Flat Map", move |_| {
            let (first, second) = (first.clone(), second.clone());
            Ok(CoFlatMap::new(
                move |row| Ok(first(row).into_iter()),
                move |row| Ok(second(row).into_iter()),
            ))
        })
    }

    /// Runs a function that sees every row of both. `open` makes it on each subtask.
    pub fn process<Out, F, G>(&self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: CoProcessFunction<First, Second, Out>,
        G: Fn(&mut BuildContext) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        self.transform("Co-Process", move |context| {
            Ok(CoProcessOperator(open(context)?))
        })
    }

    /// Divides both streams by a key of one type, so that equal keys meet.
    pub fn key_by<K, F1, F2>(
        &self,
        first: F1,
        second: F2,
    ) -> KeyedConnectedStreams<K, First, Second>
    where
        K: Row,
        F1: Fn(&First) -> K + Send + Sync + 'static,
        F2: Fn(&Second) -> K + Send + Sync + 'static,
    {
        self.first
            .key_by(first)
            .connect(&self.second.key_by(second))
    }
}

/// Two streams divided by the same key.
pub struct KeyedConnectedStreams<K, First, Second> {
    pub(crate) first: KeyedStream<K, First>,
    pub(crate) second: KeyedStream<K, Second>,
}

impl<K: Row, First: Row> KeyedStream<K, First> {
    /// Puts this stream and another with the same keys before one operator: equal keys meet there,
    /// and share their state.
    pub fn connect<Second: Row>(
        &self,
        other: &KeyedStream<K, Second>,
    ) -> KeyedConnectedStreams<K, First, Second> {
        KeyedConnectedStreams {
            first: self.clone(),
            second: other.clone(),
        }
    }
}

impl<K: Row, First: Row, Second: Row> KeyedConnectedStreams<K, First, Second> {
    /// Adds an operator with two keyed inputs, made by `make` on the thread of each subtask.
    pub(crate) fn transform<Out, Op, F>(&self, kind: &str, make: F) -> DataStream<Out>
    where
        Out: Row,
        Op: TwoInputOperator<First, Second, Out> + 'static,
        F: Fn(
                (&KeySelector<K, First>, &KeySelector<K, Second>),
                &mut BuildContext,
            ) -> Result<Op, BoxError>
            + Send
            + Sync
            + 'static,
    {
        let (first, second) = (&self.first, &self.second);
        let inputs = (
            first.stream.upstreams.as_slice(),
            second.stream.upstreams.as_slice(),
        );
        let (keys1, keys2) = (first.selector.clone(), second.selector.clone());
        two_inputs(&first.stream.builder, kind, inputs, move |context| {
            make((&keys1, &keys2), context)
        })
    }

    /// Runs a function with state and timers a key, which both streams share. `open` makes it on
    /// each subtask, and hands it its state.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// /// Passes the words that the other stream has allowed.
    /// struct Allowed { allowed: ValueState<bool> }
    ///
    /// impl KeyedCoProcessFunction<String, String, String, String> for Allowed {
    ///     fn process1(
    ///         &mut self,
    ///         word: String,
    ///         _context: &KeyedContext<'_, String>,
    ///         out: &mut Collector<'_, String>,
    ///     ) -> Result<(), BoxError> {
    ///         if self.allowed.is_some() {
    ///             out.collect(word);
    ///         }
    ///         Ok(())
    ///     }
    ///
    ///     fn process2(
    ///         &mut self,
    ///         _word: String,
    ///         _context: &KeyedContext<'_, String>,
    ///         _out: &mut Collector<'_, String>,
    ///     ) -> Result<(), BoxError> {
    ///         self.allowed.update(true);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (_words, words) = harness.input::<String>("words");
    /// # let (_allowed, allowed) = harness.input::<String>("allowed");
    /// let passed = words
    ///     .key_by(|word| word.clone())
    ///     .connect(&allowed.key_by(|word| word.clone()))
    ///     .process(|open| Ok(Allowed { allowed: open.value_state("allowed")? }))
    ///     .name("allowed");
    /// ```
    pub fn process<Out, F, G>(&self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: KeyedCoProcessFunction<K, First, Second, Out>,
        G: Fn(&mut OpenContext<'_, K>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        self.transform("Keyed Co-Process", move |(first, second), context| {
            KeyedCoProcessOperator::open(first.keys(), second.keys(), context, |opening| {
                open(opening)
            })
        })
    }
}
