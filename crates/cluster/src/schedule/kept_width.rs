//! The parallelism that somebody has asked for, as checkpoints keep it: so that a JobManager that is
//! started again goes on as wide as the job was.
//!
//! It holds for as long as the job is started as it was then: one that is started with another
//! parallelism is as wide as that says.

use rheos_core::job_graph::JobGraph;
use serde::{Deserialize, Serialize};

use super::requirements::{Bounds, Requirements};

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptWidth {
    vertices: Vec<VertexWidth>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct VertexWidth {
    /// The vertex's id.
    vertex: String,
    /// The subtasks that the job was started with.
    declared: u32,
    /// What was asked for.
    lower: u32,
    upper: u32,
}

fn id_of(graph: &JobGraph, index: usize) -> String {
    let vertex = graph.vertices.get(index);
    let id = vertex.and_then(|vertex| graph.vertex_id(vertex));
    id.map_or_else(String::new, |id| id.to_string())
}

impl KeptWidth {
    /// What was asked for, of a job that was started as `declared` says.
    pub fn new(declared: &JobGraph, requirements: &Requirements) -> Self {
        let each = declared.parallelism().into_iter().enumerate();
        let vertices = each.zip(requirements.bounds());
        Self {
            vertices: vertices
                .map(|((index, declared_width), bounds)| VertexWidth {
                    vertex: id_of(declared, index),
                    declared: declared_width,
                    lower: bounds.lower,
                    upper: bounds.upper,
                })
                .collect(),
        }
    }

    /// What was asked for; none if the job is started in another way now, or that does not fit it any more.
    pub fn requirements(&self, declared: &JobGraph, at_most: &[u32]) -> Option<Requirements> {
        if self.vertices.len() != declared.vertices.len() {
            return None;
        }
        let mut bounds = Vec::new();
        for (index, parallelism) in declared.parallelism().into_iter().enumerate() {
            let id = id_of(declared, index);
            let kept = self.vertices.iter().find(|kept| kept.vertex == id)?;
            if kept.declared != parallelism {
                return None;
            }
            bounds.push(Bounds {
                lower: kept.lower,
                upper: kept.upper,
            });
        }
        let requirements = Requirements::new(bounds);
        let fits = requirements.check(declared, at_most).is_ok();
        fits.then_some(requirements)
    }
}

#[cfg(test)]
mod tests {
    use rheos_core::job_graph::{Chaining, OperatorNode};

    use super::*;

    #[test]
    fn it_holds_while_the_job_is_started_in_the_same_way() {
        let operators = ["a", "b"].map(|name| OperatorNode {
            uid: name.to_owned(),
            name: name.to_owned(),
            kind: String::new(),
            parallelism: 2,
            chaining: Chaining::Never,
            slot_sharing_group: "default".to_owned(),
        });
        let graph = JobGraph::new("job", operators.into(), Vec::new(), true);
        let asked = Requirements::fixed(&graph.with_parallelism(&[3, 5]));
        let kept = KeptWidth::new(&graph, &asked);
        let text = serde_json::to_string(&kept).unwrap();
        let kept: KeptWidth = serde_json::from_str(&text).unwrap();
        assert_eq!(kept.requirements(&graph, &[8, 8]), Some(asked));
        assert_eq!(kept.requirements(&graph, &[8, 4]), None, "too wide by now");
        let other = graph.with_parallelism(&[2, 4]);
        assert_eq!(kept.requirements(&other, &[8, 8]), None, "asked for since");
    }
}
