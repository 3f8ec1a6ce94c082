//! The JobGraph, as JSON and drawn.

use std::fmt::Write as _;

use rheos_core::config::Configuration;
use rheos_core::job_graph::{JobGraph, JobVertex, OperatorEdge};
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

/// Draws a JobGraph: a box a chain, its operators in it, and the edges that leave it below. A chain
/// that feeds only the next one stands above it, with an arrow between. Vertices and edges come in
/// the order of the graph, so the same job is always drawn the same.
pub fn draw(graph: &JobGraph) -> String {
    let mut text = format!(
        "{} · {} in {} · {}\n\n",
        graph.name,
        count(graph.operators.len(), "operator"),
        count(graph.vertices.len(), "chain"),
        count(graph.slots_needed() as usize, "slot"),
    );
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let leaving: Vec<&OperatorEdge> = graph
            .edges
            .iter()
            .filter(|edge| graph.vertex_of(edge.from) == Some(number) && !graph.is_chained(edge))
            .collect();
        let target = |edge: &OperatorEdge| graph.vertex_of(edge.to).unwrap_or(0);
        let straight = match leaving.as_slice() {
            [edge] if target(edge) == number + 1 => Some(*edge),
            _ => None,
        };
        draw_box(&mut text, graph, number, vertex, straight.is_some());
        if let Some(edge) = straight {
            let label = label(graph, edge, vertex);
            // Writing to a string can't fail.
            let _ = writeln!(text, "{ARROW}│ {label}\n{ARROW}▼");
            continue;
        }
        for (index, edge) in leaving.iter().enumerate() {
            let corner = if index + 1 == leaving.len() {
                '╰'
            } else {
                '├'
            };
            let name = graph
                .operators
                .get(edge.to)
                .map_or("", |operator| operator.name.as_str());
            let (label, to) = (label(graph, edge, vertex), target(edge) + 1);
            let _ = writeln!(text, "{ARROW}{corner}─ {label} ─▶ {to} {name}");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What stands before an arrow that leaves a box.
const ARROW: &str = "    ";

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// How rows go, which of them, and from where if not from the end of the chain.
fn label(graph: &JobGraph, edge: &OperatorEdge, from: &JobVertex) -> String {
    let mut label = edge.partitioning.clone();
    if let Some(tag) = &edge.side_output {
        let _ = write!(label, ", side output '{tag}'");
    }
    if from.operators.last() != Some(&edge.from)
        && let Some(operator) = graph.operators.get(edge.from)
    {
        let _ = write!(label, ", of {}", operator.name);
    }
    label
}

fn draw_box(text: &mut String, graph: &JobGraph, number: usize, vertex: &JobVertex, feeds: bool) {
    let title = format!("─ {} ", number + 1);
    let group = match vertex.slot_sharing_group.as_str() {
        "default" => String::new(),
        group => format!("slots '{group}' "),
    };
    let end = format!(" {group}×{} ─", vertex.parallelism);
    let mut lines = Vec::new();
    for (position, index) in vertex.operators.iter().enumerate() {
        let Some(operator) = graph.operators.get(*index) else {
            continue;
        };
        let mut line = String::from(if position == 0 { "" } else { "→ " });
        line.push_str(&operator.name);
        let inner = graph
            .edges
            .iter()
            .find(|edge| edge.to == *index && graph.is_chained(edge));
        if let Some(edge) = inner {
            let before = position
                .checked_sub(1)
                .and_then(|before| vertex.operators.get(before));
            if before != Some(&edge.from)
                && let Some(from) = graph.operators.get(edge.from)
            {
                let _ = write!(line, "  (of {})", from.name);
            }
            if let Some(tag) = &edge.side_output {
                let _ = write!(line, "  (side output '{tag}')");
            }
        }
        lines.push(line);
    }
    let columns = |text: &str| text.chars().count();
    let title_columns = columns(&title) + columns(&end);
    let inside = lines
        .iter()
        .map(|line| columns(line) + 2)
        .max()
        .unwrap_or(0)
        .max(title_columns + 2);
    let rule = "─".repeat(inside.saturating_sub(title_columns));
    let _ = writeln!(text, "╭{title}{rule}{end}╮");
    for line in &lines {
        let pad = " ".repeat(inside.saturating_sub(columns(line) + 2));
        let _ = writeln!(text, "│ {line}{pad} │");
    }
    let mut bottom = "─".repeat(inside);
    if feeds {
        bottom = format!("{}┬{}", "─".repeat(3), "─".repeat(inside.saturating_sub(4)));
    }
    let _ = writeln!(text, "╰{bottom}╯");
}

#[cfg(test)]
mod tests {
    use rheos_core::job_graph::{Chaining, OperatorNode};

    use super::*;

    #[test]
    fn a_plan_shows_chains_and_what_divides_them() {
        let operator = |name: &str, parallelism| OperatorNode {
            uid: name.to_owned(),
            name: name.to_owned(),
            kind: String::new(),
            parallelism,
            chaining: Chaining::Always,
            slot_sharing_group: "default".to_owned(),
        };
        let edge = |from, to, partitioning: &str, tag: Option<&str>| OperatorEdge {
            from,
            to,
            input: 0,
            side_output: tag.map(str::to_owned),
            partitioning: partitioning.to_owned(),
        };
        let graph = JobGraph::new(
            "words",
            vec![
                operator("Source: lines", 2),
                operator("words", 2),
                operator("count", 2),
                operator("out", 1),
                operator("late-out", 1),
            ],
            vec![
                edge(0, 1, "FORWARD", None),
                edge(1, 2, "HASH", None),
                edge(2, 3, "REBALANCE", None),
                edge(2, 4, "REBALANCE", Some("late")),
            ],
            true,
        );
        let expected = "\
words · 5 operators in 4 chains · 2 slots

╭─ 1 ────── ×2 ─╮
│ Source: lines │
│ → words       │
╰───┬───────────╯
    │ HASH
    ▼
╭─ 2 ── ×2 ─╮
│ count     │
╰───────────╯
    ├─ REBALANCE ─▶ 3 out
    ╰─ REBALANCE, side output 'late' ─▶ 4 late-out

╭─ 3 ── ×1 ─╮
│ out       │
╰───────────╯

╭─ 4 ── ×1 ─╮
│ late-out  │
╰───────────╯
";
        let drawn = draw(&graph);
        assert_eq!(drawn, expected, "\n{drawn}");
    }
}
