//! Makes the stage of one operator on the thread that runs it.

use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::id::{OperatorId, Place};
use rheos_core::time::MIN_TIMESTAMP;
use rheos_state::store::{StoreBackend, StoreOwner};
use rheos_state::{KeyedBackend, StateError};

use super::side_outputs::{SideOutputs, outputs_to};
use crate::chain::inbox::Inbox;
use crate::chain::operator::{Operator, OperatorContext, TwoInputOperator};
use crate::chain::outputs::Outputs;
use crate::chain::side_output::{OutputTag, SideOutput};
use crate::chain::stage::{OperatorStage, Stage, StageContext};
use crate::chain::two_input::TwoInputStage;
use crate::checkpoint::Checkpointing;
use crate::error::BoxError;
use crate::metrics::operator::OperatorMetrics;
use crate::metrics::states::StateReporter;
use crate::metrics::user::MetricGroup;
use crate::source::coordinator::SourceCoordinator;
use crate::source::reader::{ReaderContext, Source};
use crate::source::settings::SourceSettings;
use crate::source::stage::SourceStage;
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
    /// What is known of the job's checkpoints; none if it takes none.
    pub checkpointing: Option<Arc<Checkpointing>>,
    /// Opens stores for keyed state; none if that is on the heap.
    pub stores: Option<Arc<dyn StoreBackend>>,
    pub(crate) coordinator: Option<Arc<dyn Any + Send + Sync>>,
    /// The operator's side outputs.
    pub side_outputs: SideOutputs,
    pub(crate) targets: Vec<AnyTarget>,
}

impl BuildContext {
    /// Where the operator's functions make metrics of their own.
    pub fn metrics(&self) -> MetricGroup {
        self.metrics.group()
    }

    /// Puts a store behind an operator's states, which are declared by now, where the job's
    /// configuration asks for stores.
    ///
    /// # Errors
    /// If the store can't be opened.
    pub fn attach_store<K: Row>(&self, backend: &mut KeyedBackend<K>) -> Result<(), StateError> {
        let Some(stores) = self.stores.as_ref().filter(|_| backend.has_states()) else {
            return Ok(());
        };
        let owner = StoreOwner {
            operator: self.place.operator.clone(),
            subtask: self.place.subtask,
        };
        backend.attach_store(stores.clone(), &owner, &[])
    }

    /// The handle on a side output; all handles of a tag share one output.
    ///
    /// # Errors
    /// If the tag is used with two types of row.
    pub fn side_output<T: Row>(&mut self, tag: &OutputTag<T>) -> Result<SideOutput<T>, BoxError> {
        self.side_outputs.handle(tag)
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
            metrics: self.metrics.clone(),
            side_outputs: self.side_outputs.clone(),
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
        Ok(BuiltStage {
            stage: Box::new(stage),
            inboxes: Vec::new(),
        })
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
            sides: self.side_outputs.take_made(),
            reporter: StateReporter::default(),
            ended: false,
            stopped: Cell::new(false),
            frozen: false,
        }
    }

    /// The outputs and the rest of a stage, for stages that are no [`OperatorStage`].
    ///
    /// # Errors
    /// If the operator downstream takes other rows.
    pub fn stage_parts<T: Row>(&mut self) -> Result<(StageContext, Outputs<T>), BoxError> {
        let outputs = outputs_to::<T>(std::mem::take(&mut self.targets))?;
        self.side_outputs.check()?;
        Ok((self.stage_context(), outputs))
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
        Ok(BuiltStage {
            stage: Box::new(stage),
            inboxes: vec![Box::new(inbox)],
        })
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
        Ok(BuiltStage {
            stage: Box::new(stage),
            inboxes: vec![Box::new(left), Box::new(right)],
        })
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
