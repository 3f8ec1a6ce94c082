//! The metrics as the tables of the documentation.

use std::fmt::Write as _;

use super::{Metric, Scope, prometheus_name};

/// The table of all metrics in Markdown.
pub fn render_markdown() -> String {
    let mut text = String::new();
    for (scope, title) in [
        (Scope::Task, "Of a task (a chain's subtask)"),
        (Scope::Operator, "Of an operator in one subtask"),
        (Scope::Job, "Of a job, between its operators"),
        (Scope::JobManagerJob, "Of a job"),
        (Scope::TaskManager, "Of a process that holds tasks"),
        (Scope::JobManager, "Of a process that holds the JobManager"),
    ] {
        // Writing to a string can't fail.
        let _ = writeln!(text, "### {title}\n");
        let _ = writeln!(text, "| Metric | Prometheus | Kind | Unit | Meaning |");
        let _ = writeln!(text, "|---|---|---|---|---|");
        for metric in Metric::ALL {
            let description = metric.description();
            if !description.scopes.contains(&scope) {
                continue;
            }
            let own = if description.flinks {
                ""
            } else {
                " *(Rheos's own)*"
            };
            let _ = writeln!(
                text,
                "| `{}`{own} | `{}` | {} | {} | {} |",
                description.name,
                prometheus_name(scope, description.name),
                description.kind.name(),
                description.unit,
                description.meaning,
            );
        }
        text.push('\n');
    }
    text
}
