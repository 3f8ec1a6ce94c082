//! What a thread needs to make and run one task.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::id::{OperatorId, Place};
use rheos_state::store::StoreBackend;

use super::edge_builder::{AnyEnd, EdgeBuilder};
use super::operator_builder::{AnyTarget, BuildContext, OperatorBuilder};
use super::side_outputs::SideOutputs;
use crate::checkpoint::Checkpointing;
use crate::checkpoint::restore::OperatorRestore;
use crate::error::{BoxError, TaskError};
use crate::exchange::debloat::WindowLimits;
use crate::exchange::restored::check_inputs;
use crate::exchange::writer::BatchLimits;
use crate::metrics::operator::OperatorMetrics;
use crate::metrics::task::TaskTimes;
use crate::task::mailbox::{MailSender, Mailbox};
use crate::task::task::{Task, TaskIdentity, TaskListener};

/// Where an operator's rows go.
pub enum TargetDeployment {
    /// To another operator of the chain, by its index.
    Chained(usize),
    /// To the subtasks of another vertex.
    Exchange {
        /// The edge.
        edge: Arc<dyn EdgeBuilder>,
        /// The channels, by receiving subtask.
        senders: Vec<AnyEnd>,
    },
}

/// One operator of a chain.
pub struct OperatorDeployment {
    /// Its identity.
    pub id: OperatorId,
    /// Its name.
    pub name: String,
    /// Makes its stage.
    pub builder: Arc<dyn OperatorBuilder>,
    /// Its coordinator, if it is a source: see [`super::program::BuiltCoordinator::shared`].
    pub coordinator: Option<Arc<dyn Any + Send + Sync>>,
    /// Its counters.
    pub metrics: Arc<OperatorMetrics>,
    /// What it goes on from.
    pub restore: Option<OperatorRestore>,
    /// Its outputs, with the name of the side output if it is one.
    pub outputs: Vec<(Option<String>, TargetDeployment)>,
}

/// One input of the head of a chain.
pub struct InputDeployment {
    /// The edge; of several (a union) the first, all of one type.
    pub edge: Arc<dyn EdgeBuilder>,
    /// The channels.
    pub receivers: Vec<AnyEnd>,
}

/// What the tasks of a job share.
#[derive(Clone)]
pub struct TaskEnvironment {
    /// Time.
    pub clock: SharedClock,
    /// Where futures run.
    pub io: Option<tokio::runtime::Handle>,
    /// The job's configuration.
    pub configuration: Arc<Configuration>,
    /// Limits of the batches of exchanges.
    pub batches: BatchLimits,
    /// Limits of the windows of channels.
    pub windows: WindowLimits,
    /// Told what the tasks do.
    pub listener: Arc<dyn TaskListener>,
    /// What is known of the job's checkpoints; none if it takes none.
    pub checkpointing: Option<Arc<Checkpointing>>,
    /// Opens stores for keyed state; none if that is on the heap.
    pub stores: Option<Arc<dyn StoreBackend>>,
    /// Seed of whatever is random.
    pub seed: u64,
    /// How often the job has been started before.
    pub attempt: u32,
}

/// One task on its way to its thread.
pub struct TaskDeployment {
    /// Its index among the tasks of the job.
    pub index: usize,
    /// The chain's name and the subtask.
    pub place: Place,
    /// The operators, upstream first; the head is the first.
    pub operators: Vec<OperatorDeployment>,
    /// The inputs of the head.
    pub inputs: Vec<InputDeployment>,
    /// The task's mailbox.
    pub mailbox: Mailbox,
    /// Sends to it.
    pub mail: MailSender,
    /// Where its time goes.
    pub times: Arc<TaskTimes>,
    /// What it shares with the others.
    pub environment: TaskEnvironment,
}

impl TaskDeployment {
    /// Makes the task; on the thread that will run it.
    ///
    /// # Errors
    /// If an operator can't be built or opened, by its name.
    pub fn build(self) -> Result<Task, TaskError> {
        let Self {
            index: task,
            place,
            operators,
            inputs,
            mailbox,
            mail,
            times,
            environment,
        } = self;
        let mut stages = Vec::new();
        let identity = TaskIdentity {
            index: task,
            operators: operators.iter().map(|operator| operator.id).collect(),
        };
        let mut inboxes: BTreeMap<usize, Vec<Box<dyn Any>>> = BTreeMap::new();
        let restored = operators.first().and_then(|head| head.restore.clone());
        for (index, operator) in operators.into_iter().enumerate().rev() {
            let here = Place {
                operator: operator.name.clone(),
                ..place.clone()
            };
            let located = |error: BoxError| match error.downcast::<TaskError>() {
                Ok(error) => *error,
                Err(error) => TaskError::User {
                    place: here.clone(),
                    error,
                },
            };
            let mut targets = Vec::new();
            let side_outputs = SideOutputs::default();
            for (tag, target) in operator.outputs {
                let target = match target {
                    TargetDeployment::Chained(next) => {
                        let inbox = inboxes.get_mut(&next).and_then(Vec::pop).ok_or_else(|| {
                            located(
                                format!("operator {next} of the chain has no free input").into(),
                            )
                        })?;
                        AnyTarget::Chained(inbox)
                    }
                    TargetDeployment::Exchange { edge, senders } => {
                        let seed = environment.seed ^ operator.id.0 ^ u64::from(place.subtask);
                        AnyTarget::Exchange(
                            edge.writer(senders, seed, environment.batches)
                                .map_err(located)?,
                        )
                    }
                };
                match tag {
                    None => targets.push(target),
                    Some(tag) => side_outputs.add_target(tag, target),
                }
            }
            let mut context = BuildContext {
                place: here.clone(),
                operator: operator.id,
                attempt: environment.attempt,
                clock: environment.clock.clone(),
                signal: mail.signal(),
                mail: mail.clone(),
                io: environment.io.clone(),
                configuration: environment.configuration.clone(),
                metrics: operator.metrics,
                checkpointing: environment.checkpointing.clone(),
                stores: environment.stores.clone(),
                coordinator: operator.coordinator,
                side_outputs,
                targets,
            };
            let mut built = operator.builder.build(&mut context).map_err(located)?;
            if let Some(restore) = &operator.restore {
                built.stage.restore(restore).map_err(located)?;
                let in_flight = match index {
                    0 if !inputs.is_empty() => check_inputs(restore, inputs.len()),
                    _ => built.stage.restore_in_flight(restore),
                };
                in_flight.map_err(located)?;
            }
            inboxes.insert(index, built.inboxes);
            stages.push(built.stage);
        }
        stages.reverse();
        let heads = inboxes.remove(&0).unwrap_or_default();
        let now = environment.clock.monotonic_micros();
        let mut feeds = Vec::new();
        for (index, (input, inbox)) in inputs.into_iter().zip(&heads).enumerate() {
            let (ends, windows) = (input.receivers, environment.windows);
            let mut feed = input
                .edge
                .gate(index, ends, inbox.as_ref(), windows, now)
                .map_err(|error| TaskError::Graph {
                    place: place.clone(),
                    message: error.to_string(),
                })?;
            if let Some(restored) = &restored {
                let fed = feed.restore(restored);
                fed.map_err(|error| TaskError::User {
                    place: place.clone(),
                    error,
                })?;
            }
            feeds.push(feed);
        }
        Ok(Task::new(
            identity,
            place,
            stages,
            feeds,
            mailbox,
            environment.clock,
            times,
            environment.listener,
        ))
    }
}
