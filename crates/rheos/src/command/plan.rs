//! The JobGraph, as JSON and drawn.

use std::fmt::Write as _;

use rheos_core::config::Configuration;
use rheos_core::job_graph::JobGraph;
use rheos_runtime::BoxError;

use super::arguments::Common;
use super::run::environment;
use crate::env::StreamEnv;

pub(super) fn print(
    configuration: Configuration,
    common: &Common,
    json: bool,
    describe: impl FnOnce(&StreamEnv) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let env = environment(configuration, common);
    describe(&env)?;
    let graph = env.program()?.graph;
    if json {
        println!("{}", serde_json::to_string_pretty(&graph)?);
    } else {
        print!("{}", draw(&graph));
    }
    Ok(())
}

/// Draws a JobGraph: a box a chain, its operators in it, and below each box the edges that leave it.
pub fn draw(graph: &JobGraph) -> String {
    let mut text = format!("{} · {} slots\n", graph.name, graph.slots_needed());
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let title = format!("{} ×{}", number + 1, vertex.parallelism);
        let mut lines = Vec::new();
        for index in &vertex.operators {
            if let Some(operator) = graph.operators.get(*index) {
                let inner = graph.edges.iter().find(|e| e.to == *index && graph.is_chained(e));
                let arrow = match inner {
                    None => "",
                    Some(edge) if edge.side_output.is_some() => "↳ ",
                    Some(_) => "→ ",
                };
                let tag = inner
                    .and_then(|edge| edge.side_output.as_ref())
                    .map_or_else(String::new, |tag| format!("  (late or side output '{tag}')"));
                lines.push(format!("{arrow}{}{tag}", operator.name));
            }
        }
        let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        let width = width.max(title.chars().count() + 2);
        let fill = "─".repeat(width.saturating_sub(title.chars().count()));
        // Writing to a string can't fail.
        let _ = writeln!(text, "\n┌ {title} {fill}┐");
        for line in &lines {
            let pad = " ".repeat(width - line.chars().count());
            let _ = writeln!(text, "│ {line}{pad} │");
        }
        let _ = writeln!(text, "└{}┘", "─".repeat(width + 2));
        for edge in &graph.edges {
            if graph.vertex_of(edge.from) != Some(number) || graph.is_chained(edge) {
                continue;
            }
            let to = graph.vertex_of(edge.to).map_or(0, |vertex| vertex + 1);
            let name = graph.operators.get(edge.to).map_or("", |operator| operator.name.as_str());
            let side = edge
                .side_output
                .as_ref()
                .map_or_else(String::new, |tag| format!(" of side output '{tag}'"));
            let _ = writeln!(text, "   ╰─ {}{side} ─▶ {to} {name}", edge.partitioning);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rheos_core::job_graph::{Chaining, OperatorEdge, OperatorNode};

    use super::*;

    #[test]
    fn a_plan_shows_chains_and_what_divides_them() {
        let operator = |name: &str| OperatorNode {
            uid: name.to_owned(),
            name: name.to_owned(),
            kind: String::new(),
            parallelism: 2,
            chaining: Chaining::Always,
            slot_sharing_group: "default".to_owned(),
        };
        let edge = |from, to, partitioning: &str| OperatorEdge {
            from,
            to,
            input: 0,
            side_output: None,
            partitioning: partitioning.to_owned(),
        };
        let graph = JobGraph::new(
            "words",
            vec![operator("Source: lines"), operator("words"), operator("count")],
            vec![edge(0, 1, "FORWARD"), edge(1, 2, "HASH")],
            true,
        );
        let drawn = draw(&graph);
        let expected = "\
words · 2 slots

┌ 1 ×2 ──────────┐
│ Source: lines  │
│ → words        │
└────────────────┘
   ╰─ HASH ─▶ 2 count

┌ 2 ×2 ──┐
│ count  │
└────────┘
";
        let squeeze = |text: &str| text.replace([' ', '─'], "");
        assert_eq!(squeeze(&drawn), squeeze(expected), "{drawn}");
    }
}
