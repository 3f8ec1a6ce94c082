//! A stream of rows of one type, and the operators that need no key.

use std::marker::PhantomData;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::job_graph::Chaining;
use rheos_runtime::BoxError;
use rheos_runtime::chain::operator::Operator;
use rheos_runtime::chain::side_output::OutputTag;
use rheos_runtime::chain::stateless::{Filter, FlatMap, Map};
use rheos_runtime::deploy::operator_builder::BuildContext;
use rheos_runtime::exchange::partitioner::Partitioning;

use super::key_selector::KeySelector;
use super::keyed_stream::KeyedStream;
use crate::graph_builder::{SharedBuilder, Upstream};

/// A stream of rows of type `T`.
///
/// An operator called on it takes the stream's rows; calling several copies the rows to each. The
/// calls that describe an operator ([`DataStream::name`], [`DataStream::uid`],
/// [`DataStream::parallelism`] …) mean the one that the stream comes from.
pub struct DataStream<T> {
    pub(crate) builder: SharedBuilder,
    pub(crate) upstreams: Vec<Upstream<T>>,
    row: PhantomData<fn() -> T>,
}

impl<T> Clone for DataStream<T> {
    fn clone(&self) -> Self {
        Self {
            builder: self.builder.clone(),
            upstreams: self.upstreams.clone(),
            row: PhantomData,
        }
    }
}

impl<T: Row> DataStream<T> {
    pub(crate) fn new(builder: SharedBuilder, upstreams: Vec<Upstream<T>>) -> Self {
        Self {
            builder,
            upstreams,
            row: PhantomData,
        }
    }

    /// The stream that an operator emits.
    pub(crate) fn of_node(builder: SharedBuilder, node: usize) -> Self {
        Self::new(
            builder,
            vec![Upstream {
                node,
                side_output: None,
                partitioning: None,
            }],
        )
    }

    /// Adds an operator with one input, made by `make` on the thread of each subtask.
    pub fn transform<Out, Op, F>(&self, kind: &str, make: F) -> DataStream<Out>
    where
        Out: Row,
        Op: Operator<T, Out> + 'static,
        F: Fn(&mut BuildContext) -> Result<Op, BoxError> + Send + Sync + 'static,
    {
        let mut builder = self.builder.borrow_mut();
        let node = builder.add(
            kind,
            Arc::new(move |context: &mut BuildContext| {
                let operator = make(context)?;
                context.one_input::<T, Out>(operator)
            }),
        );
        builder.connect(&self.upstreams, node, 0);
        drop(builder);
        DataStream::of_node(self.builder.clone(), node)
    }

    /// One row in, one row out.
    pub fn map<Out, F>(&self, function: F) -> DataStream<Out>
    where
        Out: Row,
        F: Fn(T) -> Out + Clone + Send + Sync + 'static,
    {
        self.transform("Map", move |_| {
            let function = function.clone();
            Ok(Map(move |row| Ok(function(row))))
        })
    }

    /// As [`DataStream::map`] by a function that can fail: an error ends the job.
    pub fn try_map<Out, F>(&self, function: F) -> DataStream<Out>
    where
        Out: Row,
        F: Fn(T) -> Result<Out, BoxError> + Clone + Send + Sync + 'static,
    {
        self.transform("Map", move |_| Ok(Map(function.clone())))
    }

    /// As [`DataStream::map`] by a function that is made on each subtask, and may keep something
    /// there: Flink's rich function.
    pub fn map_with<Out, G, F>(&self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: FnMut(T) -> Result<Out, BoxError> + 'static,
        G: Fn(&mut BuildContext) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        self.transform("Map", move |context| Ok(Map(open(context)?)))
    }

    /// The rows that the predicate holds for.
    pub fn filter<F>(&self, predicate: F) -> DataStream<T>
    where
        F: Fn(&T) -> bool + Clone + Send + Sync + 'static,
    {
        self.transform("Filter", move |_| {
            let predicate = predicate.clone();
            Ok(Filter::new(move |row: &T| Ok(predicate(row))))
        })
    }

    /// As [`DataStream::filter`] by a predicate that is made on each subtask.
    pub fn filter_with<G, F>(&self, open: G) -> DataStream<T>
    where
        F: FnMut(&T) -> Result<bool, BoxError> + 'static,
        G: Fn(&mut BuildContext) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        self.transform("Filter", move |context| Ok(Filter::new(open(context)?)))
    }

    /// One row in, any number out. The rows are drawn from the iterator as fast as they are taken
    /// downstream, so a row may become millions.
    pub fn flat_map<Out, I, F>(&self, function: F) -> DataStream<Out>
    where
        Out: Row,
        I: IntoIterator<Item = Out>,
        I::IntoIter: 'static,
        F: Fn(T) -> I + Clone + Send + Sync + 'static,
    {
        self.transform("Flat Map", move |_| {
            let function = function.clone();
            Ok(FlatMap::new(move |row| Ok(function(row).into_iter())))
        })
    }

    /// The rows of both streams, in no order between them.
    pub fn union(&self, other: &DataStream<T>) -> DataStream<T> {
        let mut upstreams = self.upstreams.clone();
        upstreams.extend(other.upstreams.iter().cloned());
        DataStream::new(self.builder.clone(), upstreams)
    }

    /// Divides the stream by key: equal keys meet in one subtask, with the state kept for them.
    pub fn key_by<K, F>(&self, key: F) -> KeyedStream<K, T>
    where
        K: Row,
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        KeyedStream::new(self, KeySelector::new(key))
    }

    fn partitioned(&self, partitioning: Partitioning<T>) -> DataStream<T> {
        let upstreams = self
            .upstreams
            .iter()
            .map(|upstream| Upstream {
                partitioning: Some(partitioning.clone()),
                ..upstream.clone()
            })
            .collect();
        DataStream::new(self.builder.clone(), upstreams)
    }

    /// Row after row to the next subtask.
    pub fn rebalance(&self) -> DataStream<T> {
        self.partitioned(Partitioning::Rebalance)
    }

    /// As rebalance, within a share of the subtasks.
    pub fn rescale(&self) -> DataStream<T> {
        self.partitioned(Partitioning::Rescale)
    }

    /// Each row to a random subtask.
    pub fn shuffle(&self) -> DataStream<T> {
        self.partitioned(Partitioning::Shuffle)
    }

    /// All rows to subtask 0.
    pub fn global(&self) -> DataStream<T> {
        self.partitioned(Partitioning::Global)
    }

    /// Each row to every subtask.
    pub fn broadcast(&self) -> DataStream<T> {
        self.partitioned(Partitioning::Broadcast)
    }

    /// Subtask *i* to subtask *i*; both sides must have one parallelism.
    pub fn forward(&self) -> DataStream<T> {
        self.partitioned(Partitioning::Forward)
    }

    /// Each row to the subtask that the function names, of as many as it is told; taken modulo
    /// their number.
    pub fn partition_custom<F>(&self, subtask: F) -> DataStream<T>
    where
        F: Fn(&T, u32) -> u32 + Send + Sync + 'static,
    {
        self.partitioned(Partitioning::Custom(Arc::new(subtask)))
    }

    pub(crate) fn hashed(&self, selector: &KeySelector<impl Row, T>) -> Vec<Upstream<T>> {
        self.partitioned(Partitioning::Hash(selector.hashes()))
            .upstreams
    }

    /// A side output of the operator that the stream comes from.
    pub fn side_output<S: Row>(&self, tag: &OutputTag<S>) -> DataStream<S> {
        let upstreams = self
            .upstreams
            .iter()
            .map(|upstream| Upstream {
                node: upstream.node,
                side_output: Some(tag.name().to_owned()),
                partitioning: None,
            })
            .collect();
        DataStream::new(self.builder.clone(), upstreams)
    }

    fn modify(
        self,
        what: &'static str,
        change: impl FnOnce(&mut crate::graph_builder::Node),
    ) -> Self {
        self.builder
            .borrow_mut()
            .modify(&self.upstreams, what, change);
        self
    }

    /// Names the operator: in plans, metrics, logs and errors.
    pub fn name(self, name: &str) -> Self {
        let name = name.to_owned();
        self.modify("name()", |node| node.name = name)
    }

    /// The identity of the operator's state, which outlives changes of the job around it.
    pub fn uid(self, uid: &str) -> Self {
        let uid = uid.to_owned();
        self.modify("uid()", |node| node.uid = Some(uid))
    }

    /// Number of subtasks of the operator.
    pub fn parallelism(self, parallelism: u32) -> Self {
        self.modify("parallelism()", |node| node.parallelism = Some(parallelism))
    }

    /// Chains the operator to nothing.
    pub fn disable_chaining(self) -> Self {
        self.modify("disable_chaining()", |node| node.chaining = Chaining::Never)
    }

    /// Chains the operator to what follows only.
    pub fn start_new_chain(self) -> Self {
        self.modify("start_new_chain()", |node| node.chaining = Chaining::Head)
    }

    /// Keeps the operator's slots apart from those of other groups.
    pub fn slot_sharing_group(self, group: &str) -> Self {
        let group = group.to_owned();
        self.modify("slot_sharing_group()", |node| {
            node.slot_sharing_group = Some(group)
        })
    }
}
