//! Whether what a checkpoint holds can be read as what a job declares: asked before anything of the job
//! runs, and by whoever wants to know what a changed job would make of a savepoint.

use std::collections::BTreeMap;

use rheos_core::job_graph::JobGraph;
use rheos_runtime::checkpoint::restore::RestoredJob;
use rheos_runtime::checkpoint::snapshot::OperatorSnapshot;
use rheos_runtime::deploy::declared::Declared;
use rheos_state::StateError;
use rheos_state::evolution::{Fit, fit};

use super::error::CheckpointError;

/// What is wrong with the state of an operator, as it is declared now.
fn misfit(written: &OperatorSnapshot, declared: &Declared, drops: bool) -> Option<StateError> {
    let (Some(written), Some(now)) = (&written.keyed, &declared.snapshot.keyed) else {
        return None;
    };
    if written.key_schema != now.key_schema {
        return Some(StateError::OtherSchema {
            name: "key".to_owned(),
            part: "key",
            written: written.key_schema.clone(),
            declared: now.key_schema.clone(),
            reason: "a key does not change its type: its hash says where it belongs".to_owned(),
        });
    }
    for state in &written.states {
        let Some(other) = now.states.iter().find(|other| other.name == state.name) else {
            if drops {
                continue;
            }
            return Some(StateError::UnknownState {
                name: state.name.clone(),
                kind: state.kind.clone(),
            });
        };
        let migrates = declared.migrating.contains(&state.name);
        let refused = match fit(state, other, migrates) {
            Fit::Incompatible(reason) => Some(reason),
            _ => None,
        };
        if let Some(reason) = refused {
            return Some(StateError::OtherSchema {
                name: state.name.clone(),
                part: "value",
                written: state.value_schema.clone(),
                declared: other.value_schema.clone(),
                reason,
            });
        }
    }
    None
}

/// Refuses by name what the job could not read.
///
/// # Errors
/// The first state that does not fit.
pub fn check(
    restored: &RestoredJob,
    graph: &JobGraph,
    declared: &BTreeMap<usize, Declared>,
) -> Result<(), CheckpointError> {
    for (index, declared) in declared {
        let Some(node) = graph.operators.get(*index) else {
            continue;
        };
        let Some(operator) = restored.operators.get(&node.id()) else {
            continue;
        };
        for part in operator.parts.iter().flatten() {
            if let Some(error) = misfit(part, declared, restored.ignore_unclaimed) {
                return Err(CheckpointError::Misfit {
                    checkpoint: restored.checkpoint.0,
                    operator: format!("'{}' (uid '{}')", node.name, node.uid),
                    error: Box::new(error),
                });
            }
        }
    }
    Ok(())
}
