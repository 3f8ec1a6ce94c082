//! Makes the stage of one operator on the thread that runs it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::id::{OperatorId, Place};
use rheos_core::time::MIN_TIMESTAMP;

use super::edge_builder::type_mismatch;
use crate::chain::inbox::Inbox;
use crate::chain::operator::{Operator, OperatorContext, TwoInputOperator};
use crate::chain::outputs::{Outputs, Target};
use crate::chain::side_output::{AnyOutputs, OutputTag, SideOutput};
use crate::chain::stage::{OperatorStage, Stage, StageContext};
use crate::chain::two_input::TwoInputStage;
use crate::error::BoxError;
use crate::exchange::writer::ExchangeWriter;
use crate::metrics::operator::OperatorMetrics;
use crate::source::coordinator::SourceCoordinator;
use crate::source::reader::{ReaderContext, Source};
use crate::source::stage::{SourceSettings, SourceStage};
use crate::task::mailbox::MailSender;
use crate::task::signal::Signal;

/// A receiver of an operator's rows, its type erased.
pub enum AnyTarget {
    /// An `Rc<Inbox<T>>`.
    Chained(Box<dyn Any>),
    /// A `Box<dyn ExchangeWriter<T>>`.
    Exchange(Box<dyn Any>),
}

/// Everything an operator's builder can use. Lives on the thread of the task.
pub struct BuildContext {
    /// Operator, subtask, parallelism.
    pub place: Place,
    /// The operator's identity.
    pub operator: OperatorId,
    /// How often the job has been started before.
    pub attempt: u32,
    /// Time.
    pub clock: SharedClock,
    /// Wakes the task's thread.
    pub signal: Arc<Signal>,
    /// Sends to the task.
    pub mail: MailSender,
    /// Where futures run; none in a deterministic run without one.
    pub io: Option<tokio::runtime::Handle>,
    /// The job's configuration.
    pub configuration: Arc<Configuration>,
    /// The operator's counters.
    pub metrics: Arc<OperatorMetrics>,
    pub(crate) coordinator: Option<Arc<dyn Any + Send + Sync>>,
    pub(crate) targets: BTreeMap<Option<String>, Vec<AnyTarget>>,
    pub(crate) sides: Vec<Rc<dyn AnyOutputs>>,
    pub(crate) side_handles: BTreeMap<String, Box<dyn Any>>,
}

impl BuildContext {
    fn outputs_of<T: Row>(&mut self, tag: Option<String>) -> Result<Outputs<T>, BoxError> {
        let mut targets = Vec::new();
        for target in self.targets.remove(&tag).unwrap_or_default() {
            targets.push(match target {
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
            });
        }
        Ok(Outputs::new(targets))
    }

    /// The handle on a side output; all handles of a tag share one output.
    ///
    /// # Errors
    /// If the tag is used with two types of row.
    pub fn side_output<T: Row>(&mut self, tag: &OutputTag<T>) -> Result<SideOutput<T>, BoxError> {
        if let Some(handle) = self.side_handles.get(tag.name()) {
            return handle.downcast_ref::<SideOutput<T>>().cloned().ok_or_else(|| {
                format!(
                    "side output '{}' is used with two row types; use a tag of another name",
                    tag.name()
                )
                .into()
            });
        }
        let outputs = Rc::new(RefCell::new(self.outputs_of::<T>(Some(tag.name().to_owned()))?));
        self.sides.push(outputs.clone());
        let handle = SideOutput::new(outputs);
        self.side_handles.insert(tag.name().to_owned(), Box::new(handle.clone()));
        Ok(handle)
    }

    /// A stage that reads a source.
    ///
    /// # Errors
    /// If the reader can't be made, or the operator downstream takes other rows.
    pub fn source<T: Row, S: Source<T>>(
        &mut self,
        source: &S,
        settings: SourceSettings<T>,
    ) -> Result<BuiltStage, BoxError> {
        let coordinator = self
            .coordinator
            .take()
            .and_then(|shared| shared.downcast::<SourceCoordinator<S::Split>>().ok())
            .ok_or("the source has no coordinator of its split type")?;
        let reader = source.reader(&ReaderContext {
            place: self.place.clone(),
            clock: self.clock.clone(),
            configuration: self.configuration.clone(),
            signal: self.signal.clone(),
            io: self.io.clone(),
        })?;
        let parts = self.stage_parts::<T>()?;
        let stage = SourceStage::new(
            parts,
            self.operator,
            reader,
            coordinator,
            self.mail.clone(),
            settings,
        );
        Ok(BuiltStage { stage: Box::new(stage), inboxes: Vec::new() })
    }

    fn stage_context(&mut self) -> StageContext {
        StageContext {
            clock: self.clock.clone(),
            operator: OperatorContext {
                place: self.place.clone(),
                now_millis: self.clock.wall_millis(),
                now_micros: self.clock.monotonic_micros(),
                watermark: MIN_TIMESTAMP,
            },
            metrics: self.metrics.clone(),
            sides: std::mem::take(&mut self.sides),
            ended: false,
        }
    }

    /// The outputs and the rest of a stage, for stages that are no [`OperatorStage`].
    ///
    /// # Errors
    /// If the operator downstream takes other rows.
    pub fn stage_parts<T: Row>(&mut self) -> Result<(StageContext, Outputs<T>), BoxError> {
        let outputs = self.outputs_of::<T>(None)?;
        self.check_tags()?;
        Ok((self.stage_context(), outputs))
    }

    /// Side outputs that are read but that the operator doesn't have.
    fn check_tags(&self) -> Result<(), BoxError> {
        if let Some(Some(tag)) = self.targets.keys().next() {
            return Err(format!(
                "side output '{tag}' is read, but the operator has none of that name; \
                 it has: {:?}",
                self.side_handles.keys().collect::<Vec<_>>()
            )
            .into());
        }
        Ok(())
    }

    /// A stage around an operator with one input.
    ///
    /// # Errors
    /// If the operator downstream takes other rows.
    pub fn one_input<In: Row, Out: Row>(
        &mut self,
        operator: impl Operator<In, Out> + 'static,
    ) -> Result<BuiltStage, BoxError> {
        let (context, outputs) = self.stage_parts::<Out>()?;
        let inbox = Rc::new(Inbox::<In>::default());
        let stage = OperatorStage::new(context, Box::new(operator), inbox.clone(), outputs);
        Ok(BuiltStage { stage: Box::new(stage), inboxes: vec![Box::new(inbox)] })
    }

    /// A stage around an operator with two inputs.
    ///
    /// # Errors
    /// If the operator downstream takes other rows.
    pub fn two_inputs<Left: Row, Right: Row, Out: Row>(
        &mut self,
        operator: impl TwoInputOperator<Left, Right, Out> + 'static,
    ) -> Result<BuiltStage, BoxError> {
        let (context, outputs) = self.stage_parts::<Out>()?;
        let left = Rc::new(Inbox::<Left>::default());
        let right = Rc::new(Inbox::<Right>::default());
        let stage = TwoInputStage::new(
            context,
            Box::new(operator),
            left.clone(),
            right.clone(),
            outputs,
        );
        Ok(BuiltStage { stage: Box::new(stage), inboxes: vec![Box::new(left), Box::new(right)] })
    }
}

/// A stage and the inboxes of its inputs, each an `Rc<Inbox<T>>`.
pub struct BuiltStage {
    /// The stage.
    pub stage: Box<dyn Stage>,
    /// Its inputs in order; none for a source.
    pub inboxes: Vec<Box<dyn Any>>,
}

/// Makes the stage of an operator. Implemented by the API for each kind of operator, usually by a
/// closure; called once per subtask and attempt, on the task's thread.
pub trait OperatorBuilder: Send + Sync {
    /// Makes the stage.
    ///
    /// # Errors
    /// If the operator can't be opened.
    fn build(&self, context: &mut BuildContext) -> Result<BuiltStage, BoxError>;
}

impl<F> OperatorBuilder for F
where
    F: Fn(&mut BuildContext) -> Result<BuiltStage, BoxError> + Send + Sync,
{
    fn build(&self, context: &mut BuildContext) -> Result<BuiltStage, BoxError> {
        self(context)
    }
}
