//! A stream that is divided by key, and the operators over the state of a key.

use std::sync::Arc;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::deploy::operator_builder::BuildContext;
use rheos_runtime::keyed::function::{KeyedProcessFunction, ProcessFunction};
use rheos_runtime::keyed::open::OpenContext;
use rheos_runtime::keyed::process::{KeyedProcessOperator, ProcessOperator};

use super::data_stream::DataStream;
use super::key_selector::KeySelector;

/// A stream divided by key.
pub struct KeyedStream<K, T> {
    pub(crate) stream: DataStream<T>,
    pub(crate) selector: KeySelector<K, T>,
}

impl<K, T> Clone for KeyedStream<K, T> {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream.clone(),
            selector: self.selector.clone(),
        }
    }
}

impl<K: Row, T: Row> KeyedStream<K, T> {
    pub(crate) fn new(stream: &DataStream<T>, selector: KeySelector<K, T>) -> Self {
        let upstreams = stream.hashed(&selector);
        Self {
            stream: DataStream::new(stream.builder.clone(), upstreams),
            selector,
        }
    }

    /// Runs a function with state and timers a key. `open` makes it on each subtask, and hands it
    /// its state.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// struct Count { seen: ValueState<i64> }
    ///
    /// impl KeyedProcessFunction<String, String, String> for Count {
    ///     fn process(
    ///         &mut self,
    ///         word: String,
    ///         _context: &KeyedContext<'_, String>,
    ///         out: &mut Collector<'_, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let mut seen = self.seen.get_or_insert_with(|| 0);
    ///         *seen += 1;
    ///         out.collect(format!("{word} {}", *seen));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (_input, words) = harness.input::<String>("words");
    /// let counted = words
    ///     .key_by(|word| word.clone())
    ///     .process(|open| Ok(Count { seen: open.value_state("seen")? }))
    ///     .name("count");
    /// ```
    pub fn process<Out, F, G>(&self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: KeyedProcessFunction<K, T, Out>,
        G: Fn(&mut OpenContext<'_, K>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        let keys = self.selector.keys();
        self.stream.transform("KeyedProcess", move |context| {
            KeyedProcessOperator::open(keys.clone(), context, |opening| open(opening))
        })
    }

    /// The stream without its keys; rows stay where they are divided to.
    pub fn rows(&self) -> DataStream<T> {
        self.stream.clone()
    }
}

impl<T: Row> DataStream<T> {
    /// Runs a function that sees every row. `open` makes it on each subtask.
    pub fn process<Out, F, G>(&self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: ProcessFunction<T, Out>,
        G: Fn(&mut BuildContext) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        let open = Arc::new(open);
        self.transform("Process", move |context| {
            Ok(ProcessOperator(open(context)?))
        })
    }
}
