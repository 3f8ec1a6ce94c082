//! The side outputs of an operator, made as the operator asks for them.
//!
//! Shared, on the task's thread, between the context that an operator is built in and those of its
//! source reader or sink writer. What has been made when the stage is, belongs to the stage; what
//! is read but was never asked for is a mistake of the job.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rheos_core::Row;

use super::edge_builder::type_mismatch;
use super::operator_builder::AnyTarget;
use crate::chain::inbox::Inbox;
use crate::chain::outputs::{Outputs, Target};
use crate::chain::side_output::{AnyOutputs, OutputTag, SideOutput};
use crate::error::BoxError;
use crate::exchange::writer::ExchangeWriter;

#[derive(Default)]
struct State {
    /// Readers by tag, until the operator asks for the tag.
    targets: BTreeMap<String, Vec<AnyTarget>>,
    /// Those that are read, for the stage.
    made: Vec<Rc<dyn AnyOutputs>>,
    /// By tag, each a `SideOutput<T>`.
    handles: BTreeMap<String, Box<dyn Any>>,
    /// Tags that were asked for and are read.
    read: Vec<String>,
}

/// The side outputs of one operator in one subtask.
#[derive(Clone, Default)]
pub struct SideOutputs {
    state: Rc<RefCell<State>>,
}

/// Outputs to targets whose row type is known again.
pub(crate) fn outputs_to<T: Row>(targets: Vec<AnyTarget>) -> Result<Outputs<T>, BoxError> {
    let targets = targets
        .into_iter()
        .map(|target| {
            Ok(match target {
                AnyTarget::Chained(inbox) => Target::Chained(
                    *inbox
                        .downcast::<Rc<Inbox<T>>>()
                        .map_err(|_| type_mismatch::<T>("the operator downstream"))?,
                ),
                AnyTarget::Exchange(writer) => Target::Exchange(
                    *writer
                        .downcast::<Box<dyn ExchangeWriter<T>>>()
                        .map_err(|_| type_mismatch::<T>("an exchange"))?,
                ),
            })
        })
        .collect::<Result<Vec<_>, BoxError>>()?;
    Ok(Outputs::new(targets))
}

impl SideOutputs {
    /// Adds a reader of a tag.
    pub(crate) fn add_target(&self, tag: String, target: AnyTarget) {
        self.state
            .borrow_mut()
            .targets
            .entry(tag)
            .or_default()
            .push(target);
    }

    /// The handle on a side output; all handles of a tag share one output.
    ///
    /// # Errors
    /// If the tag is used with two types of row.
    pub fn handle<T: Row>(&self, tag: &OutputTag<T>) -> Result<SideOutput<T>, BoxError> {
        let mut state = self.state.borrow_mut();
        if let Some(handle) = state.handles.get(tag.name()) {
            return handle
                .downcast_ref::<SideOutput<T>>()
                .cloned()
                .ok_or_else(|| {
                    format!(
                        "side output '{}' is used with two row types; use a tag of another name",
                        tag.name()
                    )
                    .into()
                });
        }
        let targets = state.targets.remove(tag.name()).unwrap_or_default();
        if !targets.is_empty() {
            state.read.push(tag.name().to_owned());
        }
        let outputs = Rc::new(RefCell::new(outputs_to::<T>(targets)?));
        state.made.push(outputs.clone());
        let handle = SideOutput::new(outputs);
        state
            .handles
            .insert(tag.name().to_owned(), Box::new(handle.clone()));
        Ok(handle)
    }

    /// Whether somebody reads the side output of this name. What is emitted where nobody does, is
    /// dropped.
    pub fn is_read(&self, name: &str) -> bool {
        let state = self.state.borrow();
        state.targets.contains_key(name) || state.read.iter().any(|read| read == name)
    }

    /// Hands what was made to the stage.
    pub(crate) fn take_made(&self) -> Vec<Rc<dyn AnyOutputs>> {
        std::mem::take(&mut self.state.borrow_mut().made)
    }

    /// Side outputs that are read but that the operator doesn't have.
    pub(crate) fn check(&self) -> Result<(), BoxError> {
        let state = self.state.borrow();
        if let Some(tag) = state.targets.keys().next() {
            return Err(format!(
                "side output '{tag}' is read, but the operator has none of that name; \
                 it has: {:?}",
                state.handles.keys().collect::<Vec<_>>()
            )
            .into());
        }
        Ok(())
    }
}
