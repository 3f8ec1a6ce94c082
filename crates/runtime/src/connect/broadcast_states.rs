//! The broadcast states of an operator, by name, and the handles that functions hold.
//!
//! What a stream is broadcast with is declared where the stream is ([`AnyBroadcastDescriptor`]); the
//! operator makes all of it when it opens, asked for or not, so that it is complete in every
//! subtask. A function gets [`BroadcastHandle`]s, which open nothing by themselves: a context of the
//! broadcast side makes of one what may be written, one of the other side what may be read.

use std::any::Any;
use std::sync::Arc;

use rheos_core::Row;
use rheos_state::{
    BroadcastState, BroadcastStateDescriptor, OperatorBackend, ReadOnlyBroadcastState, StateError,
};

use crate::error::BoxError;

/// A broadcast state's descriptor, its types erased. Implemented for [`BroadcastStateDescriptor`];
/// called when a job is described and when an operator opens.
pub trait AnyBroadcastDescriptor: Send + Sync {
    /// The state's name.
    fn name(&self) -> &str;
    /// The same descriptor, to be kept.
    fn shared(&self) -> Arc<dyn AnyBroadcastDescriptor>;
    /// Declares the state; its handle, a [`BroadcastHandle`] of its types.
    ///
    /// # Errors
    /// Where the name is in use.
    fn declare(&self, backend: &mut OperatorBackend) -> Result<Box<dyn Any>, StateError>;
}

impl<K: Row, V: Row> AnyBroadcastDescriptor for BroadcastStateDescriptor<K, V> {
    fn name(&self) -> &str {
        BroadcastStateDescriptor::name(self)
    }

    fn shared(&self) -> Arc<dyn AnyBroadcastDescriptor> {
        Arc::new(self.clone())
    }

    fn declare(&self, backend: &mut OperatorBackend) -> Result<Box<dyn Any>, StateError> {
        let state = backend.broadcast(self)?;
        Ok(Box::new(BroadcastHandle {
            read_only: state.read_only(),
            state,
        }))
    }
}

/// A broadcast state as a function holds it: a context opens it, see
/// [`super::broadcast_context`].
#[derive(Debug, Clone)]
pub struct BroadcastHandle<K, V> {
    pub(super) state: BroadcastState<K, V>,
    pub(super) read_only: ReadOnlyBroadcastState<K, V>,
}

/// The broadcast states of one operator in one subtask.
pub(super) struct BroadcastStates {
    pub(super) backend: OperatorBackend,
    handles: Vec<(String, Box<dyn Any>)>,
}

impl BroadcastStates {
    /// Declares all of them.
    pub(super) fn open(
        descriptors: &[Arc<dyn AnyBroadcastDescriptor>],
    ) -> Result<Self, StateError> {
        let mut backend = OperatorBackend::new();
        let mut handles = Vec::new();
        for descriptor in descriptors {
            handles.push((
                descriptor.name().to_owned(),
                descriptor.declare(&mut backend)?,
            ));
        }
        Ok(Self { backend, handles })
    }

    /// The handle of a state.
    pub(super) fn handle<K: Row, V: Row>(
        &self,
        descriptor: &BroadcastStateDescriptor<K, V>,
    ) -> Result<BroadcastHandle<K, V>, BoxError> {
        let name = descriptor.name();
        let Some((_, handle)) = self.handles.iter().find(|(other, _)| other == name) else {
            let known: Vec<&str> = self.handles.iter().map(|(name, _)| name.as_str()).collect();
            return Err(format!(
                "broadcast state '{name}' is not among those that the stream is broadcast with \
                 ({known:?}); give its descriptor to broadcast_state() too"
            )
            .into());
        };
        handle.downcast_ref::<BroadcastHandle<K, V>>().cloned().ok_or_else(|| {
            format!(
                "broadcast state '{name}' is of other types than {} and {}; use the descriptor that \
                 was given to broadcast_state()",
                std::any::type_name::<K>(),
                std::any::type_name::<V>()
            )
            .into()
        })
    }
}
