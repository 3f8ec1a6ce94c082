//! Which vertex holds the job up, and why: decided from where the tasks' time goes.
//!
//! Pure: loads in, verdict out. The bottleneck is a vertex that is busy while what feeds it waits for
//! it; of several the most downstream, since relieving one above it would change nothing.

use std::fmt;

use rheos_core::job_graph::JobGraph;
use rheos_runtime::metrics::sampler::TaskRates;
use rheos_runtime::metrics::task::TimesSnapshot;

use crate::deploy::TaskHandle;

/// Where the time of one task went, in milliseconds per second.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLoad {
    /// Index of its vertex.
    pub vertex: usize,
    /// Its subtask.
    pub subtask: u32,
    /// Working, or waiting for a system outside.
    pub busy: f64,
    /// Waiting for input.
    pub idle: f64,
    /// Waiting for output.
    pub back_pressured: f64,
    /// Rows a second that it took; 0 where that was not measured.
    pub rows: f64,
}

impl TaskLoad {
    /// The load of a task in the last period of a sampler.
    pub fn of(task: &TaskHandle, rates: &TaskRates) -> Self {
        Self {
            vertex: task.vertex,
            subtask: task.place.subtask,
            busy: rates.busy,
            idle: rates.idle,
            back_pressured: rates.back_pressured,
            rows: rates.records_in,
        }
    }

    /// The load of a task since `before`.
    pub fn between(task: &TaskHandle, before: &TimesSnapshot) -> Self {
        let (busy, idle, back_pressured) = task.times.read().per_second_since(before);
        let subtask = task.place.subtask;
        Self {
            vertex: task.vertex,
            subtask,
            busy,
            idle,
            back_pressured,
            rows: 0.0,
        }
    }
}

/// Why a vertex is the bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// All its subtasks are busy: it needs more of them, or cheaper work.
    Work,
    /// One subtask is busy while others have time left: its keys weigh more.
    Skew,
    /// It ends in a sink: the system behind it, or the sink itself, sets the pace.
    Sink,
}

/// The vertex that holds the job up.
#[derive(Debug, Clone, PartialEq)]
pub struct Bottleneck {
    /// Index of the vertex.
    pub vertex: usize,
    /// Its name.
    pub vertex_name: String,
    /// Busy milliseconds per second of its busiest subtask.
    pub busy: f64,
    /// Rows a second that its subtasks took; 0 where that was not measured.
    pub rows: f64,
    /// Why.
    pub cause: Cause,
    /// Whether what feeds it waits for it.
    pub holds_up: bool,
}

/// From how many busy milliseconds per second on a task has no time left.
const BUSY: f64 = 800.0;
/// From how many back-pressured milliseconds per second on a task is held up. Flink calls more than
/// 500 high.
const HELD_UP: f64 = 500.0;
/// A subtask below this share of the busiest one has time left.
const SKEW: f64 = 0.5;

/// The bottleneck, if a vertex has no time left.
pub fn bottleneck(graph: &JobGraph, loads: &[TaskLoad]) -> Option<Bottleneck> {
    let mut found = None;
    for (index, vertex) in graph.vertices.iter().enumerate() {
        let of_vertex = || loads.iter().filter(move |load| load.vertex == index);
        let busy = of_vertex().map(|load| load.busy).fold(0.0, f64::max);
        if busy < BUSY {
            continue;
        }
        let least = of_vertex()
            .map(|load| load.busy)
            .fold(f64::INFINITY, f64::min);
        let held_up: Vec<usize> = graph
            .edges
            .iter()
            .filter(|edge| graph.vertex_of(edge.to) == Some(index) && !graph.is_chained(edge))
            .filter_map(|edge| graph.vertex_of(edge.from))
            .collect();
        let holds_up = loads
            .iter()
            .any(|load| held_up.contains(&load.vertex) && load.back_pressured >= HELD_UP);
        let ends_in_sink = vertex.operators.iter().any(|operator| {
            graph
                .operators
                .get(*operator)
                .is_some_and(|operator| operator.kind == "Sink")
        });
        let cause = if vertex.parallelism > 1 && least < busy * SKEW {
            Cause::Skew
        } else if ends_in_sink && vertex.operators.len() == 1 {
            Cause::Sink
        } else {
            Cause::Work
        };
        // Vertices are upstream first: a later one is further downstream.
        let better = found
            .as_ref()
            .is_none_or(|b: &Bottleneck| holds_up || !b.holds_up);
        if better {
            found = Some(Bottleneck {
                vertex: index,
                vertex_name: vertex.name.clone(),
                busy,
                rows: of_vertex().map(|load| load.rows).sum(),
                cause,
                holds_up,
            });
        }
    }
    found
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' limits the job", self.vertex_name)?;
        if self.rows >= 1.0 {
            write!(f, " to {} rows/s", grouped(self.rows.round() as u64))?;
        }
        write!(f, ": busy {:.0} ms/s", self.busy)?;
        f.write_str(match self.cause {
            Cause::Work => "",
            Cause::Skew => " in one subtask while others have time left",
            Cause::Sink => " writing",
        })?;
        if self.holds_up {
            f.write_str(", and what feeds it is back-pressured")?;
        }
        f.write_str(match self.cause {
            Cause::Work => "; more parallelism or cheaper work there would help",
            Cause::Skew => "; its keys weigh more than theirs",
            Cause::Sink => "; the sink, or the system behind it, sets the pace",
        })
    }
}

/// A whole number with a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use rheos_core::job_graph::{Chaining, OperatorEdge, OperatorNode};

    use super::*;

    fn graph() -> JobGraph {
        let operator = |name: &str, kind: &str| OperatorNode {
            uid: name.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            parallelism: 2,
            chaining: Chaining::Always,
            slot_sharing_group: "default".to_owned(),
        };
        let edge = |from, to| OperatorEdge {
            from,
            to,
            input: 0,
            side_output: None,
            partitioning: "HASH".to_owned(),
        };
        JobGraph::new(
            "job",
            vec![
                operator("source", "Source"),
                operator("sum", "Process"),
                operator("db", "Sink"),
            ],
            vec![edge(0, 1), edge(1, 2)],
            true,
        )
    }

    fn load(vertex: usize, subtask: u32, busy: f64, back_pressured: f64) -> TaskLoad {
        let idle = 1000.0 - busy - back_pressured;
        TaskLoad {
            vertex,
            subtask,
            busy,
            idle,
            back_pressured,
            rows: 500.0,
        }
    }

    #[test]
    fn a_slow_sink_is_named_though_what_is_before_it_is_not_idle() {
        let loads = [
            load(0, 0, 10.0, 990.0),
            load(0, 1, 10.0, 990.0),
            load(1, 0, 50.0, 950.0),
            load(1, 1, 50.0, 950.0),
            load(2, 0, 990.0, 0.0),
            load(2, 1, 980.0, 0.0),
        ];
        let found = bottleneck(&graph(), &loads).unwrap();
        assert_eq!(
            (found.vertex_name.as_str(), found.cause),
            ("db", Cause::Sink)
        );
        assert!(found.holds_up);
        assert_eq!(
            found.to_string(),
            "'db' limits the job to 1,000 rows/s: busy 990 ms/s writing, and what feeds it is \
             back-pressured; the sink, or the system behind it, sets the pace"
        );
    }

    #[test]
    fn one_busy_subtask_among_idle_ones_is_skew() {
        let loads = [
            load(0, 0, 100.0, 900.0),
            load(0, 1, 100.0, 900.0),
            load(1, 0, 990.0, 0.0),
            load(1, 1, 100.0, 0.0),
        ];
        let found = bottleneck(&graph(), &loads).unwrap();
        assert_eq!(
            (found.vertex_name.as_str(), found.cause),
            ("sum", Cause::Skew)
        );
    }

    #[test]
    fn a_job_with_time_left_has_no_bottleneck() {
        let loads = [
            load(0, 0, 300.0, 0.0),
            load(1, 0, 500.0, 0.0),
            load(2, 0, 100.0, 0.0),
        ];
        assert_eq!(bottleneck(&graph(), &loads), None);
    }
}
