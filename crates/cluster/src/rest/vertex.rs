//! One vertex of a job, and its subtasks together.

use rheos_core::id::{OperatorId, VertexId};
use rheos_core::job_graph::JobVertex;
use rheos_core::key_group::KEY_GROUPS;
use rheos_core::time::Millis;
use rheos_runtime::metrics::metric::Metric;
use serde_json::{Map, Value, json};

use super::aggregate::{Statistics, object};
use super::answer::{Answer, Refusal};
use super::io_metrics::IoMetrics;
use super::jobs::count_states;
use super::metrics::{self, Of};
use super::route::Asked;
use super::state::{ENDPOINT, State, TASK_MANAGER, or_never, vertex};
use super::subtask;
use crate::embedded::JobView;
use crate::schedule::ExecutionState;
use crate::schedule::execution_graph::ExecutionTask;

/// What a vertex is at.
pub(super) fn state(view: &JobView, vertex: usize) -> ExecutionState {
    let tasks = view.execution.of_vertex(vertex);
    ExecutionState::of_all(tasks.map(|task| task.current.state()))
}

/// When its first task was deployed, and when its last one ended, if all have.
pub(super) fn span(view: &JobView, vertex: usize) -> (Option<Millis>, Option<Millis>) {
    let tasks = || view.execution.of_vertex(vertex);
    let deployed = tasks().map(|task| task.current.entered(ExecutionState::Deploying));
    let start = deployed.filter(|at| *at > 0).min();
    let ended: Option<Vec<Millis>> = tasks().map(|task| task.current.ended()).collect();
    (start, ended.and_then(|ended| ended.into_iter().max()))
}

/// The id of its slot sharing group, in Flink's form.
pub(super) fn slot_sharing_group(vertex: &JobVertex) -> String {
    VertexId(OperatorId::of_uid(&vertex.slot_sharing_group)).to_string()
}

/// `GET /jobs/:jobid/vertices/:vertexid`
pub(super) fn details(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, now) = (state.job(asked)?, state.now());
    let (vertex, view) = (vertex(&job, asked)?, job.view());
    let metrics = IoMetrics::of_vertex(&job, vertex.index);
    let tasks: Vec<&ExecutionTask> = view.execution.of_vertex(vertex.index).collect();
    let subtasks = tasks.iter().zip(&metrics);
    let subtasks = subtasks.map(|(task, metrics)| subtask::json(task, &task.current, metrics, now));
    Ok(Answer::Json(json!({
        "id": vertex.id.to_string(),
        "name": vertex.of.name,
        "parallelism": vertex.of.parallelism,
        "maxParallelism": job.at_most().get(vertex.index).copied().unwrap_or(KEY_GROUPS),
        "now": now,
        "subtasks": subtasks.collect::<Vec<_>>(),
        "aggregated": aggregated(&tasks, &metrics, now),
    })))
}

fn aggregated(tasks: &[&ExecutionTask], metrics: &[IoMetrics], now: Millis) -> Value {
    let mut by_state: Vec<(ExecutionState, Vec<i64>)> = Vec::new();
    for (state, millis) in tasks.iter().flat_map(|task| task.current.durations(now)) {
        match by_state.iter_mut().find(|(of, _)| *of == state) {
            Some((_, all)) => all.push(millis),
            None => by_state.push((state, vec![millis])),
        }
    }
    let durations = by_state
        .into_iter()
        .map(|(state, all)| (state.name(), Statistics::of(all).json()));
    json!({
        "metrics": IoMetrics::statistics(metrics),
        "status-duration": object(durations),
    })
}

/// `GET /jobs/:jobid/vertices/:vertexid/taskmanagers`
pub(super) fn task_managers(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, now) = (state.job(asked)?, state.now());
    let (vertex, view) = (vertex(&job, asked)?, job.view());
    let metrics = IoMetrics::of_vertex(&job, vertex.index);
    let tasks: Vec<&ExecutionTask> = view.execution.of_vertex(vertex.index).collect();
    let states: Vec<_> = tasks.iter().map(|task| task.current.state()).collect();
    let (start, end) = span(&view, vertex.index);
    Ok(Answer::Json(json!({
        "id": vertex.id.to_string(),
        "name": vertex.of.name,
        "now": now,
        "taskmanagers": [{
            "endpoint": ENDPOINT,
            "status": ExecutionState::of_all(states.iter().copied()).name(),
            "start-time": or_never(start),
            "end-time": or_never(end),
            "duration": start.map_or(-1, |start| end.unwrap_or(now) - start),
            "metrics": IoMetrics::sum(&metrics).json(),
            "status-counts": count_states(&states, str::to_owned),
            "taskmanager-id": TASK_MANAGER,
            "aggregated": aggregated(&tasks, &metrics, now),
        }],
    })))
}

/// `GET /jobs/:jobid/vertices/:vertexid/subtasktimes`
pub(super) fn times(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, now) = (state.job(asked)?, state.now());
    let (vertex, view) = (vertex(&job, asked)?, job.view());
    let subtasks = view.execution.of_vertex(vertex.index).map(|task| {
        let of = &task.current;
        let states = ExecutionState::ALL.iter();
        let timestamps = states.map(|state| (state.name(), of.entered(*state).into()));
        let start = of.entered(ExecutionState::Scheduled);
        json!({
            "subtask": task.subtask,
            "endpoint": ENDPOINT,
            "duration": if start > 0 { of.ended().unwrap_or(now) - start } else { -1 },
            "timestamps": object(timestamps),
        })
    });
    Ok(Answer::Json(json!({
        "id": vertex.id.to_string(),
        "name": vertex.of.name,
        "now": now,
        "subtasks": subtasks.collect::<Vec<_>>(),
    })))
}

/// `GET /jobs/:jobid/vertices/:vertexid/watermarks`
pub(super) fn watermarks(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let vertex = vertex(&job, asked)?;
    let metrics = job.metrics();
    let tasks = metrics.tasks.iter();
    let tasks = tasks.filter(|task| task.vertex == vertex.index);
    let each = tasks.filter_map(|task| {
        let watermark = task.operators.first()?.metrics.watermark();
        Some(json!({
            "id": format!("{}.{}", task.place.subtask, Metric::CurrentInputWatermark.name()),
            "value": watermark.to_string(),
        }))
    });
    Ok(Answer::Json(each.collect()))
}

/// `GET /jobs/:jobid/vertices/:vertexid/backpressure`: of the last second, as measured, not sampled.
pub(super) fn back_pressure(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let vertex = vertex(&job, asked)?;
    let found = metrics::of(state, &Of::Vertex(job.id(), vertex.id));
    let ratio = |subtask: u32, metric: Metric| {
        let id = format!("{subtask}.{}", metric.name());
        let value = found.iter().find(|value| value.id == id);
        value.map_or(0.0, |value| (value.number / 1000.0).clamp(0.0, 1.0))
    };
    let mut worst: f64 = 0.0;
    let mut subtasks = Vec::new();
    for subtask in 0..vertex.of.parallelism {
        let back_pressured = ratio(subtask, Metric::BackPressuredTimeMsPerSecond);
        worst = worst.max(back_pressured);
        let mut fields = object([
            ("subtask", Value::from(subtask)),
            ("ratio", back_pressured.into()),
            (
                "idleRatio",
                ratio(subtask, Metric::IdleTimeMsPerSecond).into(),
            ),
            (
                "busyRatio",
                ratio(subtask, Metric::BusyTimeMsPerSecond).into(),
            ),
        ]);
        say_level(&mut fields, back_pressured);
        subtasks.push(Value::Object(fields));
    }
    let mut fields = object([
        ("status", Value::from("ok")),
        ("end-timestamp", state.now().into()),
        ("subtasks", subtasks.into()),
    ]);
    say_level(&mut fields, worst);
    Ok(Answer::Json(Value::Object(fields)))
}

/// Flink says it under two names, and draws the lines there.
fn say_level(fields: &mut Map<String, Value>, ratio: f64) {
    let level = match ratio {
        ratio if ratio <= 0.1 => "ok",
        ratio if ratio <= 0.5 => "low",
        _ => "high",
    };
    for name in ["backpressureLevel", "backpressure-level"] {
        fields.insert(name.to_owned(), level.into());
    }
}

/// `GET /jobs/:jobid/vertices/:vertexid/accumulators`
pub(super) fn accumulators(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let vertex = vertex(&job, asked)?;
    Ok(Answer::Json(
        json!({ "id": vertex.id.to_string(), "user-accumulators": [] }),
    ))
}

/// `GET /jobs/:jobid/vertices/:vertexid/subtasks/accumulators`
pub(super) fn subtask_accumulators(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let (vertex, view) = (vertex(&job, asked)?, job.view());
    let subtasks = view.execution.of_vertex(vertex.index).map(|task| {
        json!({
            "subtask": task.subtask,
            "attempt": task.current.attempt.0,
            "endpoint": ENDPOINT,
            "user-accumulators": [],
        })
    });
    Ok(Answer::Json(json!({
        "id": vertex.id.to_string(),
        "parallelism": vertex.of.parallelism,
        "subtasks": subtasks.collect::<Vec<_>>(),
    })))
}
