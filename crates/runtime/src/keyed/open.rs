//! What the factory of a user function is given: its state, its side outputs, where it runs.

use rheos_core::Row;
use rheos_core::id::Place;
use rheos_state::{
    AggregatingState, AggregatingStateDescriptor, KeyedBackend, ListState, ListStateDescriptor,
    MapState, MapStateDescriptor, ReducingState, ReducingStateDescriptor, StateError, ValueState,
    ValueStateDescriptor,
};

use crate::chain::side_output::{OutputTag, SideOutput};
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::metrics::user::MetricGroup;

/// Opens a function on a keyed stream.
pub struct OpenContext<'a, K> {
    build: &'a mut BuildContext,
    backend: &'a mut KeyedBackend<K>,
}

impl<'a, K: Row> OpenContext<'a, K> {
    pub(crate) fn new(build: &'a mut BuildContext, backend: &'a mut KeyedBackend<K>) -> Self {
        Self { build, backend }
    }

    /// Operator, subtask, parallelism.
    pub fn place(&self) -> &Place {
        &self.build.place
    }

    /// The context of the operator: clock, configuration, metrics.
    pub fn build_context(&mut self) -> &mut BuildContext {
        self.build
    }

    /// Where the function makes metrics of its own.
    pub fn metrics(&self) -> MetricGroup {
        self.build.metrics.group()
    }

    /// A side output.
    ///
    /// # Errors
    /// If the tag is used with two types of row.
    pub fn side_output<T: Row>(&mut self, tag: &OutputTag<T>) -> Result<SideOutput<T>, BoxError> {
        self.build.side_output(tag)
    }

    /// A value a key.
    ///
    /// # Errors
    /// If the operator has a state of that name, or the descriptor makes no sense.
    pub fn value_state<V: Row>(
        &mut self,
        descriptor: impl Into<ValueStateDescriptor<V>>,
    ) -> Result<ValueState<V>, StateError> {
        self.backend.value(&descriptor.into())
    }

    /// A list a key.
    ///
    /// # Errors
    /// See [`OpenContext::value_state`].
    pub fn list_state<V: Row>(
        &mut self,
        descriptor: impl Into<ListStateDescriptor<V>>,
    ) -> Result<ListState<V>, StateError> {
        self.backend.list(&descriptor.into())
    }

    /// A map a key.
    ///
    /// # Errors
    /// See [`OpenContext::value_state`].
    pub fn map_state<MK: Row, MV: Row>(
        &mut self,
        descriptor: impl Into<MapStateDescriptor<MK, MV>>,
    ) -> Result<MapState<MK, MV>, StateError> {
        self.backend.map(&descriptor.into())
    }

    /// A value a key that rows are reduced into.
    ///
    /// # Errors
    /// See [`OpenContext::value_state`].
    pub fn reducing_state<V: Row>(
        &mut self,
        descriptor: &ReducingStateDescriptor<V>,
    ) -> Result<ReducingState<V>, StateError> {
        self.backend.reducing(descriptor)
    }

    /// An accumulator a key that rows are aggregated into.
    ///
    /// # Errors
    /// See [`OpenContext::value_state`].
    pub fn aggregating_state<In, Acc: Row, Out>(
        &mut self,
        descriptor: &AggregatingStateDescriptor<In, Acc, Out>,
    ) -> Result<AggregatingState<In, Acc, Out>, StateError> {
        self.backend.aggregating(descriptor)
    }
}
