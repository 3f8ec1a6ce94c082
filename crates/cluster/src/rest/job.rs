//! One job.

use rheos_core::config::options::RESTART_STRATEGY;
use rheos_core::key_group::KEY_GROUPS;
use serde_json::{Value, json};

use super::aggregate::object;
use super::answer::{Answer, Refusal};
use super::io_metrics::IoMetrics;
use super::jobs::{count_states, duration};
use super::route::Asked;
use super::state::{State, Vertex, or_never, vertices};
use super::{plan, vertex};
use crate::embedded::{JobHandle, JobView};
use crate::schedule::ExecutionState;
use crate::schedule::scaling::{ScalingMode, ScalingSettings};
use crate::submit::JobStatus;

/// `GET /jobs/:jobid`
pub(super) fn details(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, now) = (state.job(asked)?, state.now());
    let view = job.view();
    let timeline = &view.timeline;
    let timestamps = JobStatus::ALL.iter();
    let timestamps = timestamps.map(|status| (status.name(), timeline.entered(*status).into()));
    let of_vertices: Vec<Value> = vertices(&job)
        .map(|vertex| in_job(&job, &view, &vertex, now))
        .collect();
    let states: Vec<ExecutionState> = vertices(&job)
        .map(|vertex| vertex::state(&view, vertex.index))
        .collect();
    Ok(Answer::Json(json!({
        "jid": job.id().to_string(),
        "application-id": job.id().to_string(),
        "name": job.graph().name,
        "isStoppable": job.savepoints().are_taken(),
        "state": timeline.status().name(),
        "job-type": "STREAMING",
        "schedulerType": match ScalingSettings::of(&state.configuration).map(|of| of.mode) {
            Ok(ScalingMode::Adaptive | ScalingMode::Reactive) => "Adaptive",
            Ok(ScalingMode::Fixed) | Err(_) => "Default",
        },
        "start-time": timeline.started(),
        "end-time": or_never(timeline.ended()),
        "duration": duration(&view, now),
        "maxParallelism": -1,
        "now": now,
        "timestamps": object(timestamps),
        "vertices": of_vertices,
        "status-counts": count_states(&states, str::to_owned),
        "plan": plan::json(&job),
        "pending-operators": 0,
    })))
}

fn in_job(job: &JobHandle, view: &JobView, vertex: &Vertex, now: i64) -> Value {
    let states: Vec<_> = view
        .execution
        .of_vertex(vertex.index)
        .map(|task| task.current.state())
        .collect();
    let (start, end) = vertex::span(view, vertex.index);
    json!({
        "id": vertex.id.to_string(),
        "slotSharingGroupId": vertex::slot_sharing_group(&vertex.of),
        "name": vertex.of.name,
        "maxParallelism": job.at_most().get(vertex.index).copied().unwrap_or(KEY_GROUPS),
        "parallelism": vertex.of.parallelism,
        "status": ExecutionState::of_all(states.iter().copied()).name(),
        "start-time": or_never(start),
        "end-time": or_never(end),
        "duration": start.map_or(-1, |start| end.unwrap_or(now) - start),
        "tasks": count_states(&states, str::to_owned),
        "metrics": IoMetrics::sum(&IoMetrics::of_vertex(job, vertex.index)).json(),
    })
}

/// `PATCH /jobs/:jobid`: cancels it.
pub(super) fn terminate(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    match asked.query("mode") {
        None | Some("cancel") => {}
        Some("stop") => {
            return Err(Refusal::BadRequest(
                "mode=stop is no more: POST to /jobs/:jobid/stop".to_owned(),
            ));
        }
        Some(other) => {
            let message = format!("mode is '{other}'; it can be cancel");
            return Err(Refusal::BadRequest(message));
        }
    }
    let status = job.status();
    if status.has_ended() && status != JobStatus::Canceled {
        let message = format!("Job {} has ended: it is {status}", job.id());
        return Err(Refusal::Conflict(message));
    }
    job.control().cancel();
    Ok(Answer::Accepted(json!({})))
}

/// `GET /jobs/:jobid/status`
pub(super) fn status(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    Ok(Answer::Json(json!({ "status": job.status().name() })))
}

/// `GET /jobs/:jobid/plan`
pub(super) fn plan(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    Ok(Answer::Json(json!({ "plan": plan::json(&job) })))
}

/// `GET /jobs/:jobid/config`
pub(super) fn config(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let strategy = state.configuration.get_set(&RESTART_STRATEGY);
    let strategy = strategy.ok().flatten();
    let graph = job.graph();
    let widest = graph.vertices.iter().map(|vertex| vertex.parallelism).max();
    Ok(Answer::Json(json!({
        "jid": job.id().to_string(),
        "name": graph.name,
        "execution-config": {
            "restart-strategy": strategy
                .unwrap_or_else(|| "Cluster level default restart strategy".to_owned()),
            "job-parallelism": widest.unwrap_or(1),
            "object-reuse-mode": true,
            "user-config": {},
        },
    })))
}

/// `GET /jobs/:jobid/accumulators`: what users count are metrics here.
pub(super) fn accumulators(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let _exists = state.job(asked)?;
    Ok(Answer::Json(json!({
        "job-accumulators": [],
        "user-task-accumulators": [],
        "serialized-user-task-accumulators": {},
    })))
}

/// `GET /jobs/:jobid/execution-result`
pub(super) fn result(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let Some(result) = job.wait_for(std::time::Duration::ZERO) else {
        return Ok(Answer::Json(json!({ "status": { "id": "IN_PROGRESS" } })));
    };
    let view = job.view();
    let mut told = json!({
        "id": job.id().to_string(),
        "application-status": match view.timeline.status() {
            JobStatus::Finished => "SUCCEEDED",
            JobStatus::Canceled => "CANCELED",
            JobStatus::Failed => "FAILED",
            _ => "UNKNOWN",
        },
        "accumulator-results": {},
        "net-runtime": duration(&view, state.now()),
    });
    if let (Err(error), Some(told)) = (result, told.as_object_mut()) {
        let cause = json!({ "class": "JobError", "stack-trace": error.to_string() });
        told.insert("failure-cause".to_owned(), cause);
    }
    Ok(Answer::Json(json!({
        "status": { "id": "COMPLETED" },
        "job-execution-result": told,
    })))
}
