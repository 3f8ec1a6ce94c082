//! One subtask of a vertex, in one of its attempts.

use rheos_core::time::Millis;
use serde_json::{Value, json};

use super::aggregate::object;
use super::answer::{Answer, Refusal};
use super::io_metrics::IoMetrics;
use super::route::Asked;
use super::state::{ENDPOINT, State, TASK_MANAGER, or_never, vertex};
use crate::schedule::ExecutionState;
use crate::schedule::execution_graph::{Execution, ExecutionTask};

/// An attempt of a subtask.
pub(super) fn json(
    task: &ExecutionTask,
    of: &Execution,
    metrics: &IoMetrics,
    now: Millis,
) -> Value {
    let start = Some(of.entered(ExecutionState::Deploying)).filter(|at| *at > 0);
    let durations = of.durations(now);
    let durations = durations
        .into_iter()
        .filter(|(state, _)| !state.has_ended())
        .map(|(state, millis)| (state.name(), millis.into()));
    json!({
        "subtask": task.subtask,
        "status": of.state().name(),
        "attempt": of.attempt.0,
        "endpoint": ENDPOINT,
        "start-time": or_never(start),
        "end-time": or_never(of.ended()),
        "duration": start.map_or(-1, |start| of.ended().unwrap_or(now) - start),
        "metrics": metrics.json(),
        "taskmanager-id": TASK_MANAGER,
        "status-duration": object(durations),
        "start_time": or_never(start),
    })
}

/// `GET /jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex`, and the same of an attempt
pub(super) fn details(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let (vertex, view) = (vertex(&job, asked)?, job.view());
    let number = |name: &str, what: &str| {
        let text = asked.param(name);
        let number = text.parse::<u32>();
        number.map_err(|_| Refusal::BadRequest(format!("'{text}' is no {what}")))
    };
    let subtask = number("subtaskindex", "subtask's index")?;
    let mut tasks = view.execution.of_vertex(vertex.index);
    let found = tasks.find(|task| task.subtask == subtask);
    let Some(task) = found else {
        let message = format!(
            "subtask {subtask}: the vertex has {}",
            vertex.of.parallelism
        );
        return Err(Refusal::NotFound(message));
    };
    let metrics = IoMetrics::of_vertex(&job, vertex.index);
    let of_now = metrics.get(subtask as usize).copied().unwrap_or_default();
    if asked.param("attempt").is_empty() {
        return Ok(Answer::Json(json(
            task,
            &task.current,
            &of_now,
            state.now(),
        )));
    }
    let attempt = number("attempt", "attempt's number")?;
    if task.current.attempt.0 == attempt {
        return Ok(Answer::Json(json(
            task,
            &task.current,
            &of_now,
            state.now(),
        )));
    }
    let mut before = task.before.iter();
    let before = before.find(|before| before.attempt.0 == attempt);
    // Counters begin anew with each attempt.
    let before = before.map(|before| json(task, before, &IoMetrics::default(), state.now()));
    before.map(Answer::Json).ok_or_else(|| {
        let message = format!("attempt {attempt} of subtask {subtask} is not remembered");
        Refusal::NotFound(message)
    })
}
