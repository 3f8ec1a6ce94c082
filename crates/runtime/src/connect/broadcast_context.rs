//! What functions over a broadcast stream can ask and do: the broadcast side writes broadcast
//! state, the other side only reads it.

use std::ops::{Deref, DerefMut};

use rheos_core::Row;
use rheos_core::id::Place;
use rheos_state::{
    AggregatingState, BroadcastState, BroadcastStateDescriptor, KeyedBackend, ListState, MapState,
    ReadOnlyBroadcastState, ReducingState, ValueState,
};

use super::broadcast_states::{BroadcastHandle, BroadcastStates};
use crate::chain::side_output::{OutputTag, SideOutput};
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::keyed::context::{KeyedContext, ProcessContext};
use crate::keyed::open::OpenContext;

/// Opens a function on a stream and a broadcast one.
pub struct BroadcastOpenContext<'a> {
    pub(super) build: &'a mut BuildContext,
    pub(super) states: &'a BroadcastStates,
}

impl BroadcastOpenContext<'_> {
    /// Operator, subtask, parallelism.
    pub fn place(&self) -> &Place {
        &self.build.place
    }

    /// The context of the operator: clock, configuration, metrics.
    pub fn build_context(&mut self) -> &mut BuildContext {
        self.build
    }

    /// A side output.
    ///
    /// # Errors
    /// If the tag is used with two types of row.
    pub fn side_output<T: Row>(&mut self, tag: &OutputTag<T>) -> Result<SideOutput<T>, BoxError> {
        self.build.side_output(tag)
    }

    /// One of the states that the stream is broadcast with.
    ///
    /// # Errors
    /// If it isn't broadcast with such a one.
    pub fn broadcast_state<K: Row, V: Row>(
        &self,
        descriptor: &BroadcastStateDescriptor<K, V>,
    ) -> Result<BroadcastHandle<K, V>, BoxError> {
        self.states.handle(descriptor)
    }
}

/// Opens a function on a keyed stream and a broadcast one: what [`OpenContext`] has, and broadcast
/// state.
pub struct KeyedBroadcastOpenContext<'a, K> {
    pub(super) open: OpenContext<'a, K>,
    pub(super) states: &'a BroadcastStates,
}

impl<K: Row> KeyedBroadcastOpenContext<'_, K> {
    /// One of the states that the stream is broadcast with.
    ///
    /// # Errors
    /// If it isn't broadcast with such a one.
    pub fn broadcast_state<MK: Row, MV: Row>(
        &self,
        descriptor: &BroadcastStateDescriptor<MK, MV>,
    ) -> Result<BroadcastHandle<MK, MV>, BoxError> {
        self.states.handle(descriptor)
    }
}

impl<'a, K> Deref for KeyedBroadcastOpenContext<'a, K> {
    type Target = OpenContext<'a, K>;

    fn deref(&self) -> &Self::Target {
        &self.open
    }
}

impl<K> DerefMut for KeyedBroadcastOpenContext<'_, K> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.open
    }
}

/// Beside a row that is not broadcast: what [`ProcessContext`] has, and broadcast state to read.
pub struct ReadOnlyContext<'a> {
    pub(super) process: &'a ProcessContext<'a>,
}

impl ReadOnlyContext<'_> {
    /// A broadcast state, to be read.
    pub fn broadcast_state<'h, K: Row, V: Row>(
        &self,
        handle: &'h BroadcastHandle<K, V>,
    ) -> &'h ReadOnlyBroadcastState<K, V> {
        &handle.read_only
    }
}

impl<'a> Deref for ReadOnlyContext<'a> {
    type Target = ProcessContext<'a>;

    fn deref(&self) -> &Self::Target {
        self.process
    }
}

/// Beside a broadcast row: what [`ProcessContext`] has, and broadcast state to write.
pub struct BroadcastContext<'a> {
    pub(super) process: &'a ProcessContext<'a>,
}

impl BroadcastContext<'_> {
    /// A broadcast state, to be read and written.
    pub fn broadcast_state<'h, K: Row, V: Row>(
        &self,
        handle: &'h BroadcastHandle<K, V>,
    ) -> &'h BroadcastState<K, V> {
        &handle.state
    }
}

impl<'a> Deref for BroadcastContext<'a> {
    type Target = ProcessContext<'a>;

    fn deref(&self) -> &Self::Target {
        self.process
    }
}

/// Beside a keyed row or a timer: what [`KeyedContext`] has, and broadcast state to read.
pub struct KeyedReadOnlyContext<'a, K> {
    pub(super) keyed: &'a KeyedContext<'a, K>,
}

impl<K: Row> KeyedReadOnlyContext<'_, K> {
    /// A broadcast state, to be read.
    pub fn broadcast_state<'h, MK: Row, MV: Row>(
        &self,
        handle: &'h BroadcastHandle<MK, MV>,
    ) -> &'h ReadOnlyBroadcastState<MK, MV> {
        &handle.read_only
    }
}

impl<'a, K> Deref for KeyedReadOnlyContext<'a, K> {
    type Target = KeyedContext<'a, K>;

    fn deref(&self) -> &Self::Target {
        self.keyed
    }
}

/// Beside a broadcast row at an operator with keys: what [`BroadcastContext`] has, and a way to the
/// state of every key.
pub struct KeyedBroadcastContext<'a, K> {
    pub(super) process: &'a ProcessContext<'a>,
    pub(super) backend: &'a KeyedBackend<K>,
}

impl<K: Row> KeyedBroadcastContext<'_, K> {
    /// A broadcast state, to be read and written.
    pub fn broadcast_state<'h, MK: Row, MV: Row>(
        &self,
        handle: &'h BroadcastHandle<MK, MV>,
    ) -> &'h BroadcastState<MK, MV> {
        &handle.state
    }

    /// Calls `change` for each key of this subtask that has something in `state`, with the key at
    /// hand: there `state`, and every other keyed state, means that key's. In the order of the
    /// keys' hashes. Takes as long as there are keys.
    ///
    /// # Errors
    /// The first that `change` answers, which ends it.
    pub fn apply_to_keyed_state<S: KeyedState>(
        &self,
        state: &S,
        mut change: impl FnMut(&K, &S) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        let mut result = Ok(());
        for slot in self.backend.directory().slots_by_key_group() {
            self.backend.enter(slot);
            let Some(key) = self.backend.current_key() else {
                continue;
            };
            if state.is_present() {
                result = change(key, state);
            }
            if result.is_err() {
                break;
            }
        }
        self.backend.context().clear_key();
        result
    }
}

impl<'a, K> Deref for KeyedBroadcastContext<'a, K> {
    type Target = ProcessContext<'a>;

    fn deref(&self) -> &Self::Target {
        self.process
    }
}

/// A keyed state of any kind. Implemented for the handles that
/// [`OpenContext`] gives; called by
/// [`KeyedBroadcastContext::apply_to_keyed_state`].
pub trait KeyedState {
    /// Whether the key at hand has something in it.
    fn is_present(&self) -> bool;
}

impl<V: Row> KeyedState for ValueState<V> {
    fn is_present(&self) -> bool {
        self.is_some()
    }
}

impl<V: Row> KeyedState for ListState<V> {
    fn is_present(&self) -> bool {
        !self.is_empty()
    }
}

impl<MK: Row, MV: Row> KeyedState for MapState<MK, MV> {
    fn is_present(&self) -> bool {
        !self.is_empty()
    }
}

impl<V: Row> KeyedState for ReducingState<V> {
    fn is_present(&self) -> bool {
        self.with(|value| value.is_some())
    }
}

impl<In: 'static, Acc: Row, Out: 'static> KeyedState for AggregatingState<In, Acc, Out> {
    fn is_present(&self) -> bool {
        self.with_accumulator(|accumulator| accumulator.is_some())
    }
}
