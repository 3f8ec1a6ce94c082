//! The plan of a job: its vertices, downstream first, with what feeds them.

use rheos_core::job_graph::{JobGraph, JobVertex};
use serde_json::{Value, json};

use super::aggregate::object;
use super::state::vertices;
use crate::embedded::JobHandle;

/// See the [module](self).
pub(super) fn json(job: &JobHandle) -> Value {
    let graph = job.graph();
    let mut nodes: Vec<Value> = vertices(job)
        .map(|vertex| node(&graph, vertex.index, &vertex.of, &vertex.id.to_string()))
        .collect();
    nodes.reverse();
    json!({
        "jid": job.id().to_string(),
        "name": graph.name,
        "type": "STREAMING",
        "nodes": nodes,
    })
}

fn node(graph: &JobGraph, index: usize, vertex: &JobVertex, id: &str) -> Value {
    let mut fields = object([
        ("id", Value::from(id)),
        ("operator", "".into()),
        ("parallelism", vertex.parallelism.into()),
        ("operator_strategy", "".into()),
        ("description", description(graph, vertex).into()),
        ("optimizer_properties", json!({})),
    ]);
    let inputs = graph
        .edges
        .iter()
        .filter(|edge| !graph.is_chained(edge) && graph.vertex_of(edge.to) == Some(index));
    let inputs: Vec<Value> = inputs
        .enumerate()
        .filter_map(|(number, edge)| {
            let from = graph.vertices.get(graph.vertex_of(edge.from)?)?;
            Some(json!({
                "id": graph.vertex_id(from)?.to_string(),
                "num": number,
                "exchange": "pipelined_bounded",
                "ship_strategy": edge.partitioning,
            }))
        })
        .collect();
    if !inputs.is_empty() {
        fields.insert("inputs".to_owned(), inputs.into());
    }
    Value::Object(fields)
}

/// The chain as a tree, a line an operator, as Flink draws it.
fn description(graph: &JobGraph, vertex: &JobVertex) -> String {
    let mut text = String::new();
    if let Some(head) = vertex.operators.first() {
        text.push_str(&name(graph, *head));
        text.push_str("<br/>");
        below(graph, vertex, *head, "", &mut text);
    }
    text
}

fn name(graph: &JobGraph, operator: usize) -> String {
    let name = graph
        .operators
        .get(operator)
        .map_or("", |o| o.name.as_str());
    // The text is HTML, and names are users'.
    name.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn below(graph: &JobGraph, vertex: &JobVertex, operator: usize, indent: &str, text: &mut String) {
    let chained = graph
        .edges
        .iter()
        .filter(|edge| edge.from == operator && vertex.operators.contains(&edge.to));
    let next: Vec<usize> = chained.map(|edge| edge.to).collect();
    for (position, operator) in next.iter().enumerate() {
        let last = position + 1 == next.len();
        text.push_str(indent);
        text.push_str(if last { "+- " } else { ":- " });
        text.push_str(&name(graph, *operator));
        text.push_str("<br/>");
        let deeper = format!("{indent}{}", if last { "   " } else { ":  " });
        below(graph, vertex, *operator, &deeper, text);
    }
}

#[cfg(test)]
mod tests {
    use rheos_core::job_graph::{Chaining, OperatorEdge, OperatorNode};

    use super::*;

    #[test]
    fn a_chain_is_drawn_as_flink_draws_it() {
        let names = ["Source: gen", "Filter", "Map", "sink <a>"];
        let operators = names.map(|name| OperatorNode {
            uid: name.to_owned(),
            name: name.to_owned(),
            kind: String::new(),
            parallelism: 2,
            chaining: Chaining::Always,
            slot_sharing_group: "default".to_owned(),
        });
        let edges = [(0, 1), (1, 2), (0, 3)].map(|(from, to)| OperatorEdge {
            from,
            to,
            input: 0,
            side_output: None,
            partitioning: "FORWARD".to_owned(),
        });
        let graph = JobGraph::new("job", operators.to_vec(), edges.to_vec(), true);
        assert_eq!(
            description(&graph, &graph.vertices[0]),
            "Source: gen<br/>:- Filter<br/>:  +- Map<br/>+- sink &lt;a&gt;<br/>"
        );
    }
}
