//! All jobs: their list, and what is told of each in it.

use rheos_core::time::Millis;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::route::Asked;
use super::state::{State, or_never};
use crate::embedded::{JobHandle, JobView};
use crate::schedule::ExecutionState;
use crate::submit::JobStatus;

/// `GET /jobs`
pub(super) fn list(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    let jobs = state.jobs();
    let jobs = jobs
        .iter()
        .map(|job| json!({ "id": job.id().to_string(), "status": job.status().name() }));
    Ok(Answer::Json(json!({ "jobs": jobs.collect::<Vec<_>>() })))
}

/// `GET /jobs/overview`
pub(super) fn overview(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    let (jobs, now) = (state.jobs(), state.now());
    let jobs = jobs.iter().map(|job| {
        let view = job.view();
        let timeline = &view.timeline;
        let mut tasks = counts(&view, str::to_lowercase);
        tasks.insert("total".to_owned(), view.execution.tasks().len().into());
        json!({
            "jid": job.id().to_string(),
            "name": job.graph().name,
            "jobType": "STREAMING",
            "schedulerType": "Default",
            "start-time": timeline.started(),
            "end-time": or_never(timeline.ended()),
            "duration": duration(&view, now),
            "state": timeline.status().name(),
            "last-modification": timeline.changed(),
            "tasks": tasks,
            "pending-operators": 0,
        })
    });
    Ok(Answer::Json(json!({ "jobs": jobs.collect::<Vec<_>>() })))
}

/// `GET /applications/overview`: each job is an application of its own.
pub(super) fn applications(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    let (jobs, now) = (state.jobs(), state.now());
    let jobs = jobs.iter().map(|job| {
        let view = job.view();
        let status = view.timeline.status().name();
        json!({
            "id": job.id().to_string(),
            "name": format!("SingleJobApplication({})", job.graph().name),
            "start-time": view.timeline.started(),
            "end-time": or_never(view.timeline.ended()),
            "duration": duration(&view, now),
            "status": status,
            "jobs": { status: 1 },
        })
    });
    Ok(Answer::Json(
        json!({ "applications": jobs.collect::<Vec<_>>() }),
    ))
}

/// How long a job has run.
pub(super) fn duration(view: &JobView, now: Millis) -> Millis {
    view.timeline.ended().unwrap_or(now) - view.timeline.started()
}

/// How many tasks are at each state.
pub(super) fn counts(view: &JobView, name: fn(&str) -> String) -> Map<String, Value> {
    let states: Vec<_> = view
        .execution
        .tasks()
        .iter()
        .map(|t| t.current.state())
        .collect();
    count_states(&states, name)
}

pub(super) fn count_states(
    states: &[ExecutionState],
    name: fn(&str) -> String,
) -> Map<String, Value> {
    let count = |of: &ExecutionState| states.iter().filter(|state| *state == of).count();
    let all = ExecutionState::ALL.iter();
    all.map(|state| (name(state.name()), count(state).into()))
        .collect()
}

/// How many jobs are at one of these states.
pub(super) fn number_at(jobs: &[JobHandle], states: &[JobStatus]) -> usize {
    let at = jobs.iter().filter(|job| states.contains(&job.status()));
    at.count()
}
