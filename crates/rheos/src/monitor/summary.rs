//! What a job did, once it has ended.

use std::fmt::Write as _;

use rheos_cluster::embedded::JobReport;
use rheos_runtime::metrics::task::TimesSnapshot;

use super::number;
use super::render::shortened;
use super::view::Totals;

/// Columns of an operator's name.
const NAME: usize = 32;

/// One line: how long, how much, how fast.
pub fn headline(report: &JobReport) -> String {
    let totals = Totals::of(&report.metrics);
    let seconds = report.run_micros as f64 / 1e6;
    let mut text = format!(
        "{} read in {}, {}/s",
        number::grouped(totals.read),
        number::duration(seconds),
        number::rate(totals.read as f64 / seconds.max(1e-6))
    );
    if let Some(windows) = totals.windows {
        // Writing to a string can't fail.
        let _ = write!(text, " · {} windows fired", number::grouped(windows));
    }
    if totals.late > 0 {
        let _ = write!(text, " · {} late", number::grouped(totals.late));
    }
    text
}

/// A table of the chains and their operators: rows in and out over all subtasks, and where the
/// chains' time went.
pub fn table(report: &JobReport) -> String {
    let graph = &report.metrics.graph;
    let mut text = format!(
        "   {:<NAME$} {:>4} {:>16} {:>16}\n",
        "", "", "rows in", "rows out"
    );
    for (index, vertex) in graph.vertices.iter().enumerate() {
        let tasks = || {
            report
                .metrics
                .tasks
                .iter()
                .filter(move |task| task.vertex == index)
        };
        let times = tasks().fold(TimesSnapshot::default(), |sum, task| {
            let times = task.times.read();
            TimesSnapshot {
                busy: sum.busy + times.busy,
                idle: sum.idle + times.idle,
                back_pressured: sum.back_pressured + times.back_pressured,
            }
        });
        let (busy, _, back_pressured) = times.per_second_since(&TimesSnapshot::default());
        for (position, operator) in vertex.operators.iter().enumerate() {
            let Some(node) = graph.operators.get(*operator) else {
                continue;
            };
            let counted = tasks()
                .flat_map(|task| &task.operators)
                .filter(|o| o.index == *operator);
            let (rows_in, rows_out) = counted.fold((0, 0), |(rows_in, out), operator| {
                (
                    rows_in + operator.metrics.records_in(),
                    out + operator.metrics.records_out(),
                )
            });
            let (name, count, share) = match position {
                0 => (
                    shortened(&node.name, NAME),
                    format!("×{}", vertex.parallelism),
                    format!(
                        "  {:>3.0} % busy, {:>3.0} % back-pressured",
                        busy / 10.0,
                        back_pressured / 10.0
                    ),
                ),
                _ => (
                    format!("→ {}", shortened(&node.name, NAME - 2)),
                    String::new(),
                    String::new(),
                ),
            };
            let (rows_in, rows_out) = (number::grouped(rows_in), number::grouped(rows_out));
            let _ = writeln!(
                text,
                "   {name:<NAME$} {count:>4} {rows_in:>16} {rows_out:>16}{share}"
            );
        }
    }
    text
}
