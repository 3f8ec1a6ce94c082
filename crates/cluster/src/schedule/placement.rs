//! Which TaskManager each task runs in: slots are spread evenly, and tasks that share a slot meet.

use std::collections::BTreeMap;

use rheos_core::job_graph::JobGraph;

use crate::error::JobError;

/// The TaskManager of each task, by the task's index in the job, for TaskManagers of so many slots.
///
/// A slot goes to the TaskManager of which the least share is used, of several to the first. So the
/// answer is the same wherever it is asked for.
///
/// # Errors
/// If there are too few slots.
pub fn spread(graph: &JobGraph, slots: &[u32]) -> Result<Vec<u32>, JobError> {
    let available = slots.iter().sum();
    let needed = graph.slots_needed();
    if needed > available {
        return Err(JobError::NoResource { needed, available });
    }
    let mut widths: BTreeMap<&str, u32> = BTreeMap::new();
    for vertex in &graph.vertices {
        let width = widths.entry(&vertex.slot_sharing_group).or_default();
        *width = (*width).max(vertex.parallelism);
    }
    let mut used = vec![0u32; slots.len()];
    let mut slot_of: BTreeMap<(&str, u32), u32> = BTreeMap::new();
    for (group, width) in widths {
        for subtask in 0..width {
            let free = (0u32..).zip(slots.iter().zip(&mut used));
            let free = free.filter(|(_, (all, used))| **used < **all);
            let least = free.min_by(|(_, (all, used)), (_, (other_all, other_used))| {
                let share = u64::from(**used) * u64::from(**other_all);
                share.cmp(&(u64::from(**other_used) * u64::from(**all)))
            });
            if let Some((index, (_, used))) = least {
                *used += 1;
                slot_of.insert((group, subtask), index);
            }
        }
    }
    let tasks = graph.vertices.iter().flat_map(|vertex| {
        let group = vertex.slot_sharing_group.as_str();
        (0..vertex.parallelism).map(move |subtask| (group, subtask))
    });
    Ok(tasks
        .map(|slot| slot_of.get(&slot).copied().unwrap_or(0))
        .collect())
}

#[cfg(test)]
mod tests {
    use rheos_core::job_graph::{Chaining, OperatorEdge, OperatorNode};

    use super::*;

    fn graph(vertices: &[(&str, u32, &str)]) -> JobGraph {
        let operators = vertices
            .iter()
            .map(|(name, parallelism, group)| OperatorNode {
                uid: (*name).to_owned(),
                name: (*name).to_owned(),
                kind: String::new(),
                parallelism: *parallelism,
                chaining: Chaining::Never,
                slot_sharing_group: (*group).to_owned(),
            });
        let edges = (1..vertices.len()).map(|to| OperatorEdge {
            from: to - 1,
            to,
            input: 0,
            side_output: None,
            partitioning: "HASH".to_owned(),
        });
        JobGraph::new("job", operators.collect(), edges.collect(), true)
    }

    #[test]
    fn slots_are_spread_and_tasks_of_a_slot_meet() {
        let graph = graph(&[("a", 4, "x"), ("b", 4, "x"), ("c", 1, "x")]);
        let placed = spread(&graph, &[2, 2, 2]).unwrap();
        // Subtask by subtask: a, b and c.
        assert_eq!(placed, [0, 1, 2, 0, 0, 1, 2, 0, 0]);
    }

    #[test]
    fn a_larger_task_manager_takes_more() {
        let graph = graph(&[("a", 6, "x")]);
        assert_eq!(spread(&graph, &[2, 4]).unwrap(), [0, 1, 1, 0, 1, 1]);
    }

    #[test]
    fn groups_have_slots_of_their_own() {
        let graph = graph(&[("a", 2, "x"), ("b", 2, "y")]);
        assert_eq!(spread(&graph, &[2, 2]).unwrap(), [0, 1, 0, 1]);
        let error = spread(&graph, &[2, 1, 0]).unwrap_err();
        assert!(matches!(
            error,
            JobError::NoResource {
                needed: 4,
                available: 3
            }
        ));
    }
}
