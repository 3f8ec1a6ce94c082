//! Makes the deployments of one attempt of a job.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::id::{OperatorId, Place};
use rheos_core::job_graph::JobGraph;
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::deploy::program::{Enumeration, Program};
use rheos_runtime::deploy::task_deployment::{
    InputDeployment, OperatorDeployment, TargetDeployment, TaskDeployment, TaskEnvironment,
};
use rheos_runtime::metrics::checkpoints::CheckpointStats;
use rheos_runtime::metrics::growth::StateGrowths;
use rheos_runtime::metrics::handle::{OperatorHandle, TaskHandle};
use rheos_runtime::metrics::operator::OperatorMetrics;
use rheos_runtime::metrics::user::UserMetric;
use rheos_runtime::source::coordinator::{Coordinator, SplitRequests};
use rheos_runtime::task::mailbox::{MailSender, Mailbox, mailbox};
use rheos_runtime::task::signal::Signal;

use super::channels::{ChannelTask, EdgeChannels};
use super::placement::Placement;
use crate::error::JobError;

/// The counters of a job's current attempt.
#[derive(Debug, Clone)]
pub struct JobMetrics {
    /// What runs.
    pub graph: Arc<JobGraph>,
    /// Its tasks.
    pub tasks: Vec<TaskHandle>,
    /// What became of its checkpoints, over all attempts.
    pub checkpoints: CheckpointStats,
    /// How fast its states grow, over all attempts.
    pub growth: StateGrowths,
}

impl JobMetrics {
    /// The counters of a subtask of a vertex.
    fn task(&self, vertex: usize, subtask: u32) -> Option<&TaskHandle> {
        let mut tasks = self.tasks.iter();
        tasks.find(|task| (task.vertex, task.place.subtask) == (vertex, subtask))
    }

    /// A counter that a user function made, summed over the subtasks of the operators of this name;
    /// 0 if there is none.
    pub fn counter(&self, operator: &str, counter: &str) -> i64 {
        let operators = self.tasks.iter().flat_map(|task| &task.operators);
        operators
            .filter(|handle| handle.name == operator)
            .flat_map(|handle| handle.metrics.user().all())
            .map(|(name, metric)| match metric {
                UserMetric::Counter(count) if name.path == counter => count.count(),
                _ => 0,
            })
            .sum()
    }
}

/// A task that can be sent to its thread, and how to reach it.
pub struct DeployedTask {
    /// Index of the vertex.
    pub vertex: usize,
    /// Its slot: vertices of one sharing group use the same.
    pub slot: (String, u32),
    /// What its thread needs.
    pub deployment: TaskDeployment,
    /// Its mailbox.
    pub mail: MailSender,
    /// Whether it reads a source.
    pub is_source: bool,
}

/// The coordinator of a source.
pub struct SourceDeployment {
    /// The operator's name.
    pub name: String,
    /// Its identity.
    pub id: OperatorId,
    /// It.
    pub coordinator: Arc<dyn Coordinator>,
    /// Its tasks, by index.
    pub tasks: Vec<usize>,
}

/// All tasks of one attempt.
pub struct Deployment {
    /// The tasks that run in this process.
    pub tasks: Vec<DeployedTask>,
    /// The coordinators of the sources, with the operators' names.
    pub coordinators: Vec<SourceDeployment>,
    /// For whoever watches.
    pub metrics: JobMetrics,
}

/// Where the enumerators of the sources are.
#[derive(Clone, Copy, Default)]
pub enum Sources<'a> {
    /// In this process.
    #[default]
    Here,
    /// In the JobManager's; how that of an operator is asked.
    There(&'a dyn Fn(OperatorId) -> Arc<dyn SplitRequests>),
}

/// Makes the tasks of one attempt, which go on from `restored` if there is something and
/// count into the metrics of the attempt before. `signal_of` gives the signal of the thread that will run a task,
/// by vertex and subtask. With a placement only the tasks of this process are made, and channels to
/// the others; the metrics are those of all.
///
/// # Errors
/// If the graph does not fit together or a source's splits can't be found.
pub fn deploy(
    program: &Program,
    environment: &TaskEnvironment,
    (restored, before): (Option<&RestoredJob>, Option<&JobMetrics>),
    signal_of: &mut dyn FnMut(usize, u32) -> Arc<Signal>,
    sources: Sources<'_>,
    placement: Option<&Placement<'_>>,
) -> Result<Deployment, JobError> {
    let graph = &program.graph;
    let mut ends: Vec<Vec<ChannelTask>> = Vec::new();
    let mut mailboxes: BTreeMap<usize, Mailbox> = BTreeMap::new();
    let mut next = 0..;
    for (vertex_index, vertex) in graph.vertices.iter().enumerate() {
        let subtasks = (0..vertex.parallelism).zip(&mut next);
        let tasks = subtasks.map(|(subtask, index): (u32, usize)| {
            let runs_in = placement.map_or(0, |placement| placement.of(index));
            let here = placement.is_none_or(|placement| placement.own == runs_in);
            let mail = here.then(|| {
                let (mail, mailbox) = mailbox(signal_of(vertex_index, subtask));
                mailboxes.insert(index, mailbox);
                mail
            });
            ChannelTask {
                index,
                mail,
                runs_in,
            }
        });
        ends.push(tasks.collect());
    }
    let none = Vec::new();
    let ends_of = |vertex: Option<usize>| vertex.and_then(|v| ends.get(v)).unwrap_or(&none);
    let mut channels: Vec<EdgeChannels> = Vec::new();
    let mut number = 0;
    for (edge, builder) in graph.edges.iter().zip(&program.edges) {
        let (from, to) = (graph.vertex_of(edge.from), graph.vertex_of(edge.to));
        channels.push(if from == to {
            EdgeChannels::default()
        } else {
            let window = environment.windows.initial;
            let edge = (builder, graph.edge_id(edge));
            let ends = (ends_of(from).as_slice(), ends_of(to).as_slice());
            EdgeChannels::new(edge, ends, window, (&mut number, placement))
                .map_err(|error| JobError::Network(Box::new(error)))?
        });
    }
    let mut coordinators: Vec<SourceDeployment> = Vec::new();
    let mut shared = BTreeMap::new();
    for (index, (operator, node)) in program.operators.iter().zip(&graph.operators).enumerate() {
        if let Some(build) = &operator.coordinator {
            let enumeration = match sources {
                Sources::Here => Enumeration::Here(node.parallelism),
                Sources::There(requests_of) => Enumeration::There(requests_of(node.id())),
            };
            let built = build(enumeration).map_err(|error| JobError::Source {
                operator: node.name.clone(),
                error,
            })?;
            if matches!(sources, Sources::There(_)) {
                shared.insert(index, built.shared);
                continue;
            }
            let kept = restored.and_then(|job| job.operators.get(&node.id()));
            if let Some(enumerator) = kept.and_then(|kept| kept.enumerator.as_ref()) {
                let restored = built.coordinator.restore(enumerator);
                restored.map_err(|error| JobError::Source {
                    operator: node.name.clone(),
                    error,
                })?;
            }
            coordinators.push(SourceDeployment {
                name: node.name.clone(),
                id: node.id(),
                coordinator: built.coordinator,
                tasks: Vec::new(),
            });
            shared.insert(index, built.shared);
        }
    }
    let mut tasks: Vec<DeployedTask> = Vec::new();
    let mut handles = Vec::new();
    for (vertex_index, vertex) in graph.vertices.iter().enumerate() {
        let position_of = |operator: usize| vertex.operators.iter().position(|o| *o == operator);
        for (subtask, end) in (0u32..).zip(ends_of(Some(vertex_index))) {
            let place = Place {
                operator: vertex.name.clone(),
                subtask,
                parallelism: vertex.parallelism,
            };
            let known = before.and_then(|before| before.task(vertex_index, subtask));
            let times = known.map_or_else(Arc::default, |known: &TaskHandle| known.times.clone());
            let mut operators = Vec::new();
            let mut watched: Vec<OperatorHandle> = Vec::new();
            for index in &vertex.operators {
                let (Some(node), Some(built)) =
                    (graph.operators.get(*index), program.operators.get(*index))
                else {
                    continue;
                };
                let known = known.and_then(|known| known.operators.get(watched.len()));
                let metrics = match known {
                    Some(known) => known.metrics.clone(),
                    None => Arc::new(OperatorMetrics::default()),
                };
                metrics.reset();
                let mut outputs = Vec::new();
                for (position, edge) in graph.edges.iter().enumerate() {
                    if edge.from != *index {
                        continue;
                    }
                    let target = match position_of(edge.to) {
                        Some(next) => TargetDeployment::Chained(next),
                        None => TargetDeployment::Exchange {
                            edge: edge_of(program, position, &node.name)?,
                            senders: channels
                                .get_mut(position)
                                .map(|channels| channels.take_senders(subtask))
                                .unwrap_or_default(),
                        },
                    };
                    outputs.push((edge.side_output.clone(), target));
                }
                watched.push(OperatorHandle {
                    index: *index,
                    id: node.id(),
                    name: node.name.clone(),
                    is_source: built.coordinator.is_some(),
                    is_tail: !graph.edges.iter().any(|edge| {
                        edge.from == *index
                            && edge.side_output.is_none()
                            && position_of(edge.to).is_some()
                    }),
                    metrics: metrics.clone(),
                });
                operators.push(OperatorDeployment {
                    id: node.id(),
                    name: node.name.clone(),
                    builder: built.builder.clone(),
                    coordinator: shared.get(index).cloned(),
                    metrics,
                    restore: restored
                        .and_then(|job| job.share(node.id(), subtask, vertex.parallelism)),
                    outputs,
                });
            }
            let head = vertex.operators.first().copied();
            let inputs = inputs_of(program, head, subtask, &mut channels)?;
            let is_source = head.is_some_and(|head| shared.contains_key(&head));
            let source = head.and_then(|head| graph.operators.get(head));
            if let Some(source) = source
                && let Some(deployed) = coordinators.iter_mut().find(|c| c.id == source.id())
            {
                deployed.tasks.push(end.index);
            }
            handles.push(TaskHandle {
                vertex: vertex_index,
                place: place.clone(),
                times: times.clone(),
                operators: watched,
            });
            let (Some(mail), Some(mailbox)) = (end.mail.clone(), mailboxes.remove(&end.index))
            else {
                continue;
            };
            tasks.push(DeployedTask {
                vertex: vertex_index,
                slot: (vertex.slot_sharing_group.clone(), subtask),
                deployment: TaskDeployment {
                    index: end.index,
                    place,
                    operators,
                    inputs,
                    mailbox,
                    mail: mail.clone(),
                    times,
                    environment: environment.clone(),
                },
                mail,
                is_source,
            });
        }
    }
    let metrics = JobMetrics {
        graph: Arc::new(graph.clone()),
        tasks: handles,
        growth: before
            .map(|before| before.growth.clone())
            .unwrap_or_default(),
        checkpoints: before
            .map(|before| before.checkpoints.clone())
            .unwrap_or_default(),
    };
    Ok(Deployment {
        tasks,
        coordinators,
        metrics,
    })
}

fn edge_of(
    program: &Program,
    position: usize,
    operator: &str,
) -> Result<Arc<dyn rheos_runtime::deploy::edge_builder::EdgeBuilder>, JobError> {
    program
        .edges
        .get(position)
        .cloned()
        .ok_or_else(|| JobError::Graph {
            operator: operator.to_owned(),
            message: "an edge of the graph has no builder".to_owned(),
        })
}

/// The inputs of a chain's head: several edges into one input are a union.
fn inputs_of(
    program: &Program,
    head: Option<usize>,
    subtask: u32,
    channels: &mut [EdgeChannels],
) -> Result<Vec<InputDeployment>, JobError> {
    let mut inputs: BTreeMap<usize, InputDeployment> = BTreeMap::new();
    for (position, edge) in program.graph.edges.iter().enumerate() {
        if Some(edge.to) != head {
            continue;
        }
        let receivers = channels
            .get_mut(position)
            .map(|channels| channels.take_receivers(subtask))
            .unwrap_or_default();
        match inputs.entry(edge.input) {
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                entry.get_mut().receivers.extend(receivers);
            }
            std::collections::btree_map::Entry::Vacant(entry) => {
                let name = program
                    .graph
                    .operators
                    .get(edge.to)
                    .map_or("", |o| o.name.as_str());
                entry.insert(InputDeployment {
                    edge: edge_of(program, position, name)?,
                    receivers,
                });
            }
        }
    }
    Ok(inputs.into_values().collect())
}
