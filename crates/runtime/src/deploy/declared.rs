//! Which state the operators of a job declare, found out without running it.
//!
//! Operators say what they keep when they are opened, so those that can have keyed or broadcast state
//! are opened once, as their first subtask would be, on the caller's thread; nothing is restored and no
//! row comes. Functions that connect to something when they are opened do so. Sources and sinks are not
//! opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::id::Place;
use rheos_core::job_graph::JobGraph;

use super::operator_builder::BuildContext;
use super::program::Program;
use super::side_outputs::SideOutputs;
use super::task_deployment::TaskEnvironment;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::error::{BoxError, TaskError};
use crate::metrics::operator::OperatorMetrics;
use crate::task::mailbox::mailbox;

/// What an operator declares.
#[derive(Debug, Clone)]
pub struct Declared {
    /// A snapshot of it as it is when it has been opened: the heads of its states, and no entries.
    pub snapshot: OperatorSnapshot,
    /// The names of keyed states with a hook for what was written as another type.
    pub migrating: Vec<String>,
}

/// Whether an operator may keep state by key, or broadcast state.
fn may_declare(graph: &JobGraph, index: usize) -> bool {
    let mut inputs = graph.edges.iter().filter(|edge| edge.to == index);
    let keyed = inputs.any(|edge| matches!(edge.partitioning.as_str(), "HASH" | "BROADCAST"));
    keyed && graph.edges.iter().any(|edge| edge.from == index)
}

/// What the operators declare, by their place in the graph; those that `wanted` holds for.
///
/// # Errors
/// If an operator can't be opened, by its name.
pub fn declared(
    program: &Program,
    environment: &TaskEnvironment,
    wanted: impl Fn(usize) -> bool,
) -> Result<BTreeMap<usize, Declared>, TaskError> {
    let graph = &program.graph;
    let mut found = BTreeMap::new();
    for (index, (node, operator)) in graph.operators.iter().zip(&program.operators).enumerate() {
        if operator.coordinator.is_some() || !may_declare(graph, index) || !wanted(index) {
            continue;
        }
        let place = Place {
            operator: node.name.clone(),
            subtask: 0,
            parallelism: node.parallelism,
        };
        let located = |error: BoxError| TaskError::User {
            place: place.clone(),
            error,
        };
        let (mail, _mailbox) = mailbox(Arc::default());
        let metrics = Arc::<OperatorMetrics>::default();
        let mut context = BuildContext {
            place: place.clone(),
            operator: node.id(),
            attempt: 0,
            clock: environment.clock.clone(),
            signal: mail.signal(),
            mail: mail.clone(),
            io: environment.io.clone(),
            configuration: environment.configuration.clone(),
            metrics,
            checkpointing: environment.checkpointing.clone(),
            stores: None,
            coordinator: None,
            side_outputs: SideOutputs::default(),
            targets: Vec::new(),
        };
        let mut built = operator.builder.build(&mut context).map_err(located)?;
        let states = built.stage.states();
        let snapshot = built.stage.snapshot().map_err(located)?;
        built.stage.close();
        let migrating = states.into_iter().filter(|state| state.migrates);
        found.insert(
            index,
            Declared {
                snapshot,
                migrating: migrating.map(|state| state.name).collect(),
            },
        );
    }
    Ok(found)
}
