//! A stream that every subtask of an operator sees whole, and keeps in broadcast state.

use std::sync::Arc;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::connect::broadcast::{BroadcastProcessOperator, KeyedBroadcastProcessOperator};
use rheos_runtime::connect::broadcast_context::{BroadcastOpenContext, KeyedBroadcastOpenContext};
use rheos_runtime::connect::broadcast_function::{
    BroadcastProcessFunction, KeyedBroadcastProcessFunction,
};
use rheos_runtime::connect::broadcast_states::AnyBroadcastDescriptor;

use super::connected_streams::two_inputs;
use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;

/// A broadcast stream with the states that it is kept in.
pub struct BroadcastStream<B> {
    stream: DataStream<B>,
    descriptors: Vec<Arc<dyn AnyBroadcastDescriptor>>,
}

impl<B> Clone for BroadcastStream<B> {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream.clone(),
            descriptors: self.descriptors.clone(),
        }
    }
}

impl<B: Row> DataStream<B> {
    /// Broadcasts the stream, to be connected with another: every subtask of the operator there
    /// sees each of its rows, and keeps what it needs of them in these states, which are the same
    /// in all subtasks.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// /// Passes the words that are at most as long as the newest limit.
    /// struct Limited { limit: BroadcastHandle<(), u32> }
    ///
    /// impl BroadcastProcessFunction<String, u32, String> for Limited {
    ///     fn process(
    ///         &mut self,
    ///         word: String,
    ///         context: &ReadOnlyContext<'_>,
    ///         out: &mut Collector<'_, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let limit = context.broadcast_state(&self.limit).get(&());
    ///         if limit.is_none_or(|limit| word.len() <= limit as usize) {
    ///             out.collect(word);
    ///         }
    ///         Ok(())
    ///     }
    ///
    ///     fn process_broadcast(
    ///         &mut self,
    ///         limit: u32,
    ///         context: &BroadcastContext<'_>,
    ///         _out: &mut Collector<'_, String>,
    ///     ) -> Result<(), BoxError> {
    ///         context.broadcast_state(&self.limit).insert((), limit);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (_words, words) = harness.input::<String>("words");
    /// # let (_limits, limits) = harness.input::<u32>("limits");
    /// let limit = BroadcastStateDescriptor::new("limit");
    /// let passed = words
    ///     .connect_broadcast(&limits.broadcast_state(&[&limit]))
    ///     .process(move |open| Ok(Limited { limit: open.broadcast_state(&limit)? }))
    ///     .name("limited");
    /// ```
    pub fn broadcast_state(&self, states: &[&dyn AnyBroadcastDescriptor]) -> BroadcastStream<B> {
        let descriptors = states
            .iter()
            .map(|descriptor| descriptor.shared())
            .collect();
        BroadcastStream {
            stream: self.broadcast(),
            descriptors,
        }
    }
}

/// A stream and a broadcast one before one operator.
pub struct BroadcastConnectedStream<T, B> {
    stream: DataStream<T>,
    broadcast: BroadcastStream<B>,
}

impl<T: Row> DataStream<T> {
    /// Puts this stream and a broadcast one before one operator.
    pub fn connect_broadcast<B: Row>(
        &self,
        broadcast: &BroadcastStream<B>,
    ) -> BroadcastConnectedStream<T, B> {
        BroadcastConnectedStream {
            stream: self.clone(),
            broadcast: broadcast.clone(),
        }
    }
}

impl<T: Row, B: Row> BroadcastConnectedStream<T, B> {
    /// Runs a function that sees the stream's rows, each in one subtask, and the broadcast rows in
    /// all. `open` makes it on each subtask.
    pub fn process<Out, F, G>(&self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: BroadcastProcessFunction<T, B, Out>,
        G: Fn(&mut BroadcastOpenContext<'_>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        let BroadcastStream {
            stream,
            descriptors,
        } = self.broadcast.clone();
        let inputs = (
            self.stream.upstreams.as_slice(),
            stream.upstreams.as_slice(),
        );
        two_inputs(
            &self.stream.builder,
            "Broadcast Process",
            inputs,
            move |context| {
                BroadcastProcessOperator::open(&descriptors, context, |opening| open(opening))
            },
        )
    }
}

/// A keyed stream and a broadcast one before one operator.
pub struct KeyedBroadcastConnectedStream<K, T, B> {
    keyed: KeyedStream<K, T>,
    broadcast: BroadcastStream<B>,
}

impl<K: Row, T: Row> KeyedStream<K, T> {
    /// Puts this stream and a broadcast one before one operator.
    pub fn connect_broadcast<B: Row>(
        &self,
        broadcast: &BroadcastStream<B>,
    ) -> KeyedBroadcastConnectedStream<K, T, B> {
        KeyedBroadcastConnectedStream {
            keyed: self.clone(),
            broadcast: broadcast.clone(),
        }
    }
}

impl<K: Row, T: Row, B: Row> KeyedBroadcastConnectedStream<K, T, B> {
    /// Runs a function with state and timers a key, which sees the broadcast rows in all subtasks.
    /// `open` makes it on each subtask, and hands it its state.
    pub fn process<Out, F, G>(&self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: KeyedBroadcastProcessFunction<K, T, B, Out>,
        G: Fn(&mut KeyedBroadcastOpenContext<'_, K>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        let BroadcastStream {
            stream,
            descriptors,
        } = self.broadcast.clone();
        let KeyedStream {
            stream: keyed,
            selector,
        } = self.keyed.clone();
        let inputs = (keyed.upstreams.as_slice(), stream.upstreams.as_slice());
        two_inputs(
            &keyed.builder,
            "Keyed Broadcast Process",
            inputs,
            move |context| {
                let keys = selector.keys();
                KeyedBroadcastProcessOperator::open(keys, &descriptors, context, |opening| {
                    open(opening)
                })
            },
        )
    }
}
