//! The JobGraph: what to run. Operators and edges as the user wrote them, and the vertices that
//! chaining makes of them.
//!
//! It is data: it can be printed, hashed and compared, and knows nothing of how rows are typed.

use serde::{Deserialize, Serialize};

use crate::id::{OperatorId, VertexId};

/// Whether an operator may be chained to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Chaining {
    /// To both.
    Always,
    /// To the one behind it only: it starts a chain.
    Head,
    /// To neither.
    Never,
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorNode {
    /// The identity of its state.
    pub uid: String,
    /// The name users see.
    pub name: String,
    /// What it does, in a word or two: `Source`, `Map`, `TumblingEventTimeWindows`.
    pub kind: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Whether it may be chained.
    pub chaining: Chaining,
    /// Operators of one group may share a slot.
    pub slot_sharing_group: String,
}

impl OperatorNode {
    /// The identity of its state, hashed.
    pub fn id(&self) -> OperatorId {
        OperatorId::of_uid(&self.uid)
    }
}

/// An edge between two operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorEdge {
    /// Index of the operator that emits.
    pub from: usize,
    /// Index of the operator that takes.
    pub to: usize,
    /// Which input of it.
    pub input: usize,
    /// The side output that is read, if it is one.
    pub side_output: Option<String>,
    /// `FORWARD`, `HASH`, `REBALANCE` …
    pub partitioning: String,
}

/// A chain of operators: what becomes a task in each subtask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobVertex {
    /// Indices of its operators, upstream first; the first is the head.
    pub operators: Vec<usize>,
    /// The names of its operators, joined by arrows.
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Vertices of one group may share a slot.
    pub slot_sharing_group: String,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobGraph {
    /// The job's name.
    pub name: String,
    /// The operators, upstream first.
    pub operators: Vec<OperatorNode>,
    /// The edges between operators.
    pub edges: Vec<OperatorEdge>,
    /// The chains, upstream first.
    pub vertices: Vec<JobVertex>,
}

impl JobGraph {
    /// Chains operators, by Flink's rules: one input, forward, equal parallelism, one slot sharing
    /// group, and both sides willing.
    ///
    /// `operators` are in topological order.
    pub fn new(
        name: impl Into<String>,
        operators: Vec<OperatorNode>,
        edges: Vec<OperatorEdge>,
        chaining: bool,
    ) -> Self {
        let mut vertex_of: Vec<usize> = Vec::with_capacity(operators.len());
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (index, operator) in operators.iter().enumerate() {
            let mut inputs = edges.iter().filter(|edge| edge.to == index);
            let upstream = match (inputs.next(), inputs.next()) {
                (Some(edge), None) if chaining && edge.partitioning == "FORWARD" => operators
                    .get(edge.from)
                    .filter(|from| {
                        from.parallelism == operator.parallelism
                            && from.slot_sharing_group == operator.slot_sharing_group
                            && from.chaining != Chaining::Never
                            && operator.chaining == Chaining::Always
                    })
                    .and(vertex_of.get(edge.from))
                    .copied(),
                _ => None,
            };
            let vertex = upstream.unwrap_or_else(|| {
                members.push(Vec::new());
                members.len() - 1
            });
            if let Some(chain) = members.get_mut(vertex) {
                chain.push(index);
            }
            vertex_of.push(vertex);
        }
        let vertices = members
            .into_iter()
            .filter_map(|chain| {
                let head = operators.get(*chain.first()?)?;
                let names: Vec<&str> = chain
                    .iter()
                    .filter_map(|index| operators.get(*index))
                    .map(|operator| operator.name.as_str())
                    .collect();
                Some(JobVertex {
                    name: names.join(" -> "),
                    parallelism: head.parallelism,
                    slot_sharing_group: head.slot_sharing_group.clone(),
                    operators: chain,
                })
            })
            .collect();
        Self {
            name: name.into(),
            operators,
            edges,
            vertices,
        }
    }

    /// Index of the vertex that an operator is in.
    pub fn vertex_of(&self, operator: usize) -> Option<usize> {
        self.vertices
            .iter()
            .position(|vertex| vertex.operators.contains(&operator))
    }

    /// A name of an edge that is the same in every start of the job: by who emits, by which output, and
    /// its number among those that lead from there to the same input.
    pub fn edge_id(&self, edge: &OperatorEdge) -> u64 {
        let alike = |other: &&OperatorEdge| {
            let ends = |edge: &OperatorEdge| (edge.from, edge.to, edge.input);
            ends(other) == ends(edge) && other.side_output == edge.side_output
        };
        let mut before = self.edges.iter().filter(alike);
        let number = before.position(|other| std::ptr::eq(other, edge));
        let from = self.operators.get(edge.from);
        let name = format!(
            "{}\n{}\n{}",
            from.map_or("", |from| from.uid.as_str()),
            edge.side_output.as_deref().unwrap_or(""),
            number.unwrap_or(0)
        );
        crate::key_group::hash_bytes(name.as_bytes())
    }

    /// The id of a vertex.
    pub fn vertex_id(&self, vertex: &JobVertex) -> Option<VertexId> {
        let head = self.operators.get(*vertex.operators.first()?)?;
        Some(VertexId(head.id()))
    }

    /// Whether an edge stays within a chain.
    pub fn is_chained(&self, edge: &OperatorEdge) -> bool {
        self.vertex_of(edge.from) == self.vertex_of(edge.to)
    }

    /// Subtasks of all its vertices.
    pub fn tasks(&self) -> usize {
        self.vertices.iter().map(|v| v.parallelism as usize).sum()
    }

    /// Slots that the job needs: per sharing group as many as its widest vertex.
    pub fn slots_needed(&self) -> u32 {
        let mut groups = std::collections::BTreeMap::<&str, u32>::new();
        for vertex in &self.vertices {
            let widest = groups.entry(&vertex.slot_sharing_group).or_default();
            *widest = (*widest).max(vertex.parallelism);
        }
        groups.values().sum()
    }

    /// The same job with other numbers of subtasks, by vertex; chains and edges stay as they are. A vertex
    /// that no number is given for keeps its own.
    #[must_use]
    pub fn with_parallelism(&self, by_vertex: &[u32]) -> Self {
        let mut graph = self.clone();
        for (vertex, parallelism) in graph.vertices.iter_mut().zip(by_vertex) {
            vertex.parallelism = *parallelism;
            for operator in &vertex.operators {
                if let Some(operator) = graph.operators.get_mut(*operator) {
                    operator.parallelism = *parallelism;
                }
            }
        }
        graph
    }

    /// The subtasks of each vertex.
    pub fn parallelism(&self) -> Vec<u32> {
        self.vertices.iter().map(|v| v.parallelism).collect()
    }

    /// By vertex, the first of those that must have the same number of subtasks as it: subtask *i* of
    /// one feeds subtask *i* of the other, though they are not chained.
    pub fn joined(&self) -> Vec<usize> {
        let mut first: Vec<usize> = (0..self.vertices.len()).collect();
        let forward = self.edges.iter();
        for edge in forward.filter(|edge| edge.partitioning == "FORWARD") {
            let ends = (self.vertex_of(edge.from), self.vertex_of(edge.to));
            let (Some(from), Some(to)) = ends else {
                continue;
            };
            let of = |vertex: usize| first.get(vertex).copied().unwrap_or(vertex);
            let (from, to) = (of(from), of(to));
            let (kept, gone) = (from.min(to), from.max(to));
            for of in first.iter_mut().filter(|of| **of == gone) {
                *of = kept;
            }
        }
        first
    }

    /// A hash of everything in it: two builds of one job must agree on it.
    pub fn fingerprint(&self) -> u64 {
        // Serialising plain data of strings and numbers can't fail.
        crate::key_group::hash_bytes(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(name: &str, parallelism: u32) -> OperatorNode {
        OperatorNode {
            uid: name.to_owned(),
            name: name.to_owned(),
            kind: String::new(),
            parallelism,
            chaining: Chaining::Always,
            slot_sharing_group: "default".to_owned(),
        }
    }

    fn edge(from: usize, to: usize, partitioning: &str) -> OperatorEdge {
        OperatorEdge {
            from,
            to,
            input: 0,
            side_output: None,
            partitioning: partitioning.to_owned(),
        }
    }

    #[test]
    fn forward_edges_of_equal_parallelism_are_chained() {
        let operators = vec![
            operator("a", 2),
            operator("b", 2),
            operator("c", 2),
            operator("d", 1),
        ];
        let edges = vec![
            edge(0, 1, "FORWARD"),
            edge(1, 2, "HASH"),
            edge(2, 3, "REBALANCE"),
        ];
        let graph = JobGraph::new("job", operators, edges, true);
        let names: Vec<_> = graph.vertices.iter().map(|v| v.name.as_str()).collect();
        assert_eq!(names, ["a -> b", "c", "d"]);
        assert_eq!(graph.slots_needed(), 2);
    }

    #[test]
    fn parallelism_changes_and_chains_do_not() {
        let operators = vec![operator("a", 2), operator("b", 2), operator("c", 2)];
        let edges = vec![edge(0, 1, "FORWARD"), edge(1, 2, "HASH")];
        let graph = JobGraph::new("job", operators, edges, true);
        let wide = graph.with_parallelism(&[3, 5]);
        assert_eq!(wide.parallelism(), [3, 5]);
        let operators: Vec<_> = wide.operators.iter().map(|o| o.parallelism).collect();
        assert_eq!(operators, [3, 3, 5]);
        assert_eq!(wide.with_parallelism(&[2, 2]), graph);
        // Of the same width now, and not chained for that.
        assert_eq!(wide.with_parallelism(&[4, 4]).vertices.len(), 2);
    }

    #[test]
    fn forward_edges_between_chains_join_them() {
        let mut operators: Vec<_> = ["a", "b", "c", "d"].map(|name| operator(name, 2)).into();
        operators[3].chaining = Chaining::Never;
        let edges = vec![
            edge(0, 2, "FORWARD"),
            edge(1, 2, "FORWARD"),
            edge(2, 3, "FORWARD"),
        ];
        let graph = JobGraph::new("job", operators.clone(), edges, true);
        assert_eq!(graph.joined(), [0, 0, 0, 0]);
        let edges = vec![edge(0, 1, "HASH"), edge(1, 2, "REBALANCE")];
        let graph = JobGraph::new("job", operators, edges, true);
        assert_eq!(graph.joined(), [0, 1, 2, 3]);
    }

    #[test]
    fn an_operator_with_two_inputs_starts_a_chain() {
        let operators = vec![operator("a", 1), operator("b", 1), operator("c", 1)];
        let edges = vec![edge(0, 2, "FORWARD"), edge(1, 2, "FORWARD")];
        let graph = JobGraph::new("job", operators, edges, true);
        assert_eq!(graph.vertices.len(), 3);
    }
}
