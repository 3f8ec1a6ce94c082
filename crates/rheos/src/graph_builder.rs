//! The graph while a job is being written: operators and edges with their types still in closures.
//!
//! Building is pure: no I/O, no threads, and the same job gives the same graph. What is wrong with a
//! job is collected here and told all at once before it starts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::config::Configuration;
use rheos_core::job_graph::{Chaining, JobGraph, OperatorEdge, OperatorNode};
use rheos_runtime::deploy::edge_builder::{EdgeBuilder, TypedEdge};
use rheos_runtime::deploy::operator_builder::OperatorBuilder;
use rheos_runtime::deploy::program::{CoordinatorBuilder, OperatorProgram, Program};
use rheos_runtime::exchange::partitioner::Partitioning;
use rheos_runtime::source::alignment::AlignmentGroup;

use crate::error::{ApiError, Problem};

/// An operator as it is being described.
pub(crate) struct Node {
    pub name: String,
    pub kind: String,
    pub uid: Option<String>,
    pub parallelism: Option<u32>,
    /// More subtasks make no sense, as for a window over all rows.
    pub at_most: Option<u32>,
    pub chaining: Chaining,
    pub slot_sharing_group: Option<String>,
    pub program: OperatorProgram,
}

type MakeEdge = Box<dyn Fn(bool) -> Arc<dyn EdgeBuilder>>;

struct PendingEdge {
    from: usize,
    to: usize,
    input: usize,
    side_output: Option<String>,
    /// Makes the edge, told whether both sides have one parallelism.
    make: MakeEdge,
}

/// The graph under construction.
pub(crate) struct GraphBuilder {
    pub configuration: Configuration,
    pub parallelism: Option<u32>,
    pub name: Option<String>,
    nodes: Vec<Node>,
    edges: Vec<PendingEdge>,
    problems: Vec<Problem>,
    alignment: BTreeMap<String, Arc<AlignmentGroup>>,
}

/// Where the rows of a stream come from.
pub(crate) struct Upstream<T> {
    pub node: usize,
    pub side_output: Option<String>,
    pub partitioning: Option<Partitioning<T>>,
}

impl<T> Clone for Upstream<T> {
    fn clone(&self) -> Self {
        Self {
            node: self.node,
            side_output: self.side_output.clone(),
            partitioning: self.partitioning.clone(),
        }
    }
}

pub(crate) type SharedBuilder = Rc<RefCell<GraphBuilder>>;

impl GraphBuilder {
    pub fn new(configuration: Configuration) -> Self {
        Self {
            configuration,
            parallelism: None,
            name: None,
            nodes: Vec::new(),
            edges: Vec::new(),
            problems: Vec::new(),
            alignment: BTreeMap::new(),
        }
    }

    /// The job's name, as far as it is described.
    pub fn job_name(&self) -> Result<String, rheos_core::config::ConfigError> {
        let named = self
            .configuration
            .get_set(&rheos_core::config::options::PIPELINE_NAME)?;
        Ok(named
            .or_else(|| self.name.clone())
            .unwrap_or_else(|| "Rheos job".to_owned()))
    }

    /// Adds an operator.
    pub fn add(&mut self, kind: &str, builder: Arc<dyn OperatorBuilder>) -> usize {
        self.nodes.push(Node {
            name: kind.to_owned(),
            kind: kind.to_owned(),
            uid: None,
            parallelism: None,
            at_most: None,
            chaining: Chaining::Always,
            slot_sharing_group: None,
            program: OperatorProgram {
                builder,
                coordinator: None,
                at_most: rheos_core::key_group::KEY_GROUPS,
            },
        });
        self.nodes.len() - 1
    }

    pub fn set_coordinator(&mut self, node: usize, coordinator: CoordinatorBuilder) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.program.coordinator = Some(coordinator);
        }
    }

    /// Connects streams to an input of an operator.
    pub fn connect<T: Row>(&mut self, upstreams: &[Upstream<T>], to: usize, input: usize) {
        for upstream in upstreams {
            let partitioning = upstream.partitioning.clone();
            let make: MakeEdge = Box::new(move |equal| {
                let partitioning = match &partitioning {
                    Some(partitioning) => partitioning.clone(),
                    None if equal => Partitioning::Forward,
                    None => Partitioning::Rebalance,
                };
                Arc::new(TypedEdge::<T>::new(partitioning))
            });
            self.edges.push(PendingEdge {
                from: upstream.node,
                to,
                input,
                side_output: upstream.side_output.clone(),
                make,
            });
        }
    }

    /// Changes the one operator that a stream comes from.
    pub fn modify<T>(
        &mut self,
        upstreams: &[Upstream<T>],
        what: &'static str,
        change: impl FnOnce(&mut Node),
    ) {
        match upstreams {
            [
                Upstream {
                    node,
                    side_output: None,
                    partitioning: None,
                },
            ] => {
                if let Some(node) = self.nodes.get_mut(*node) {
                    change(node);
                }
            }
            _ => self.problems.push(Problem {
                operator: upstreams
                    .first()
                    .and_then(|upstream| self.nodes.get(upstream.node))
                    .map_or_else(String::new, |node| node.name.clone()),
                message: format!(
                    "{what} describes an operator, but is called on a union, a side output or a \
                     repartitioned stream; call it right after the operator that is meant"
                ),
            }),
        }
    }

    pub fn modify_node(&mut self, node: usize, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(node) {
            change(node);
        }
    }

    pub fn node_name(&self, node: usize) -> String {
        self.nodes
            .get(node)
            .map_or_else(String::new, |node| node.name.clone())
    }

    pub fn problem(&mut self, operator: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            operator: operator.into(),
            message: message.into(),
        });
    }

    pub fn alignment_group(&mut self, name: &str) -> Arc<AlignmentGroup> {
        self.alignment.entry(name.to_owned()).or_default().clone()
    }

    /// Gives another parallelism to the operators that were given this one.
    pub fn rescale(&mut self, from: u32, to: u32) {
        let nodes = self.nodes.iter_mut();
        for node in nodes.filter(|node| node.parallelism == Some(from)) {
            node.parallelism = Some(to);
        }
    }

    /// The program, if the job is sound.
    pub fn finish(&self, default_parallelism: u32) -> Result<Program, ApiError> {
        let mut problems = self.problems.clone();
        let maximum = match self.configuration.max_parallelism() {
            Ok(maximum) => maximum,
            Err(error) => return Err(ApiError::Configuration(error.to_string())),
        };
        let default = self.parallelism.unwrap_or(default_parallelism);
        let mut names: BTreeMap<&str, u32> = BTreeMap::new();
        let mut uids: BTreeMap<String, String> = BTreeMap::new();
        let mut operators = Vec::new();
        let mut programs = Vec::new();
        for node in &self.nodes {
            let mut parallelism = node.parallelism.unwrap_or(default);
            if let Some(most) = node.at_most {
                if node.parallelism.is_some_and(|set| set > most) {
                    problems.push(Problem {
                        operator: node.name.clone(),
                        message: format!(
                            "has parallelism {parallelism}, but can have at most {most}"
                        ),
                    });
                }
                parallelism = parallelism.min(most);
            }
            let greatest = maximum.unwrap_or(rheos_core::key_group::KEY_GROUPS);
            if parallelism == 0 || parallelism > greatest {
                problems.push(Problem {
                    operator: node.name.clone(),
                    message: format!(
                        "has parallelism {parallelism}; it must lie in 1..={greatest} \
                         (pipeline.max-parallelism)"
                    ),
                });
            }
            let count = names.entry(&node.name).or_default();
            *count += 1;
            let uid = node.uid.clone().unwrap_or_else(|| match *count {
                1 => node.name.clone(),
                n => format!("{}#{n}", node.name),
            });
            if let Some(other) = uids.insert(uid.clone(), node.name.clone()) {
                problems.push(Problem {
                    operator: node.name.clone(),
                    message: format!(
                        "has uid '{uid}', as '{other}' has; give one of them another uid"
                    ),
                });
            }
            programs.push(OperatorProgram {
                at_most: node.at_most.unwrap_or(greatest).min(greatest),
                ..node.program.clone()
            });
            operators.push(OperatorNode {
                uid,
                name: node.name.clone(),
                kind: node.kind.clone(),
                parallelism,
                chaining: node.chaining,
                slot_sharing_group: node
                    .slot_sharing_group
                    .clone()
                    .unwrap_or_else(|| "default".to_owned()),
            });
        }
        if operators.is_empty() {
            return Err(ApiError::Empty);
        }
        let mut edges = Vec::new();
        let mut builders = Vec::new();
        for edge in &self.edges {
            let parallelism_of = |index: usize| operators.get(index).map_or(0, |o| o.parallelism);
            let equal = parallelism_of(edge.from) == parallelism_of(edge.to);
            let builder = (edge.make)(equal);
            if builder.partitioning() == "FORWARD" && !equal {
                problems.push(Problem {
                    operator: self.node_name(edge.to),
                    message: format!(
                        "is fed forward by '{}', which has another parallelism ({} and {}); \
                         use rebalance() or rescale()",
                        self.node_name(edge.from),
                        parallelism_of(edge.from),
                        parallelism_of(edge.to)
                    ),
                });
            }
            edges.push(OperatorEdge {
                from: edge.from,
                to: edge.to,
                input: edge.input,
                side_output: edge.side_output.clone(),
                partitioning: builder.partitioning().to_owned(),
            });
            builders.push(builder);
        }
        if !problems.is_empty() {
            return Err(ApiError::Job(problems));
        }
        let configured =
            |error: rheos_core::config::ConfigError| ApiError::Configuration(error.to_string());
        let chaining = self
            .configuration
            .get(&rheos_core::config::options::PIPELINE_OPERATOR_CHAINING)
            .map_err(configured)?;
        let name = self.job_name().map_err(configured)?;
        Ok(Program {
            graph: JobGraph::new(name, operators, edges, chaining),
            operators: programs,
            edges: builders,
        })
    }
}
