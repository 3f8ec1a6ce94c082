//! How wide a job is to be, and what has come of changes to that. Under Flink's paths and fields.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::aggregate::object;
use super::answer::{Answer, Refusal};
use super::route::Asked;
use super::state::{State, or_never, vertices};
use super::vertex::slot_sharing_group;
use crate::embedded::{JobHandle, RescaleRefused};
use crate::schedule::scaling::{ScalingMode, ScalingSettings};
use crate::schedule::{Bounds, Requirements};
use crate::submit::rescales::{REMEMBERED, Rescale, RescaleEnd};

/// `GET /jobs/:jobid/resource-requirements`: how many subtasks each vertex may have.
pub(super) fn requirements(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let view = job.view();
    let each = vertices(&job).zip(view.requirements.bounds());
    let each = each.map(|(vertex, bounds)| {
        let bounds = json!({
            "parallelism": { "lowerBound": bounds.lower, "upperBound": bounds.upper },
        });
        (vertex.id.to_string(), bounds)
    });
    Ok(Answer::Json(Value::Object(object(each))))
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::BadRequest(message.into())
}

/// A bound, as JSON has it.
fn bound(of: &Value, vertex: &str, name: &str) -> Result<u32, Refusal> {
    let found = of.get("parallelism").and_then(|of| of.get(name));
    let Some(found) = found.filter(|found| !found.is_null()) else {
        return Err(bad(format!(
            "vertex '{vertex}': parallelism.{name} is missing"
        )));
    };
    let number = found.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| {
        bad(format!(
            "vertex '{vertex}': parallelism.{name} is {found}; it is a whole number from 1 on"
        ))
    })
}

/// What a body asks for, of the vertices of a job.
fn asked_for(job: &JobHandle, body: &Value) -> Result<Requirements, Refusal> {
    let Some(given) = body.as_object() else {
        return Err(bad(
            "the body is {\"<vertex id>\": {\"parallelism\": {\"lowerBound\": 1, \"upperBound\": 4}}}, \
             with every vertex of the job",
        ));
    };
    let mut given: BTreeMap<&str, &Value> =
        given.iter().map(|(id, of)| (id.as_str(), of)).collect();
    let mut bounds = Vec::new();
    for vertex in vertices(job) {
        let (id, name) = (vertex.id.to_string(), &vertex.of.name);
        let Some(of) = given.remove(id.as_str()) else {
            return Err(bad(format!(
                "vertex '{name}' ({id}) is missing: every vertex of the job has its bounds"
            )));
        };
        bounds.push(Bounds {
            lower: bound(of, name, "lowerBound")?,
            upper: bound(of, name, "upperBound")?,
        });
    }
    match given.keys().next() {
        Some(unknown) => Err(bad(format!("the job has no vertex {unknown}"))),
        None => Ok(Requirements::new(bounds)),
    }
}

fn refused(job: &JobHandle, error: RescaleRefused) -> Refusal {
    let message = format!("Job {}: {error}", job.id());
    match error {
        RescaleRefused::Requirements(_) | RescaleRefused::NoCheckpoints => bad(message),
        RescaleRefused::Ended(_) | RescaleRefused::UnderWay(_) => Refusal::Conflict(message),
    }
}

/// `PUT /jobs/:jobid/resource-requirements`
pub(super) fn change(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let requirements = asked_for(&job, &asked.body)?;
    let id = job.rescale(requirements);
    let id = id.map_err(|error| refused(&job, error))?;
    // Flink answers an empty body; what has come of it is at rescales/details.
    Ok(Answer::Json(json!({ "rheos.rescaleUuid": id })))
}

/// `PATCH /jobs/:jobid/rescaling`: one parallelism for all vertices that can have more than one subtask.
pub(super) fn rescale(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let wanted = asked.query("parallelism").unwrap_or("");
    let wanted: u32 = wanted.parse().map_err(|_| {
        bad(format!(
            "parallelism is '{wanted}'; it is a whole number from 1 on"
        ))
    })?;
    let graph = job.graph();
    let widest = Requirements::widest(&graph, job.at_most());
    let view = job.view();
    let bounds = widest.bounds().iter().zip(view.requirements.bounds());
    let bounds = bounds.map(|(most, now)| {
        // What sees all rows in one subtask stays as it is.
        let upper = if most.upper == 1 { 1 } else { wanted };
        Bounds {
            // What was fixed stays so.
            lower: match now.lower == now.upper {
                true => upper,
                false => now.lower.min(upper),
            },
            upper,
        }
    });
    let id = job.rescale(Requirements::new(bounds.collect()));
    let id = id.map_err(|error| refused(&job, error))?;
    Ok(Answer::Json(json!({ "request-id": id })))
}

/// The rescale that the path names.
fn find(state: &State, asked: &Asked, param: &str) -> Result<(JobHandle, Rescale), Refusal> {
    let (job, id) = (state.job(asked)?, asked.param(param));
    let view = job.view();
    let found = view.rescales.last().find(|rescale| rescale.id == id);
    let found = found.ok_or_else(|| {
        Refusal::NotFound(format!(
            "Job {} knows no rescale with the id {id}",
            job.id()
        ))
    })?;
    Ok((job, Rescale::clone(found)))
}

/// `GET /jobs/:jobid/rescaling/:triggerid`
pub(super) fn status(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (_, rescale) = find(state, asked, "triggerid")?;
    let (at, operation) = match &rescale.end {
        None => ("IN_PROGRESS", Value::Null),
        Some(RescaleEnd::Completed | RescaleEnd::Unchanged) => ("COMPLETED", json!({})),
        Some(end) => {
            let cause = match end {
                RescaleEnd::Failed(cause) => cause.as_str(),
                other => other.reason(),
            };
            let cause = json!({ "class": "rheos.RescaleFailed", "stack-trace": cause });
            ("COMPLETED", json!({ "failure-cause": cause }))
        }
    };
    Ok(Answer::Json(
        json!({ "status": { "id": at }, "operation": operation }),
    ))
}

/// A step of a rescale, under the name that Flink's scheduler has for the state.
fn step(state: &str, entered: i64, left: Option<i64>, failure: Option<&str>) -> Value {
    json!({
        "state": state,
        "enterTimestampInMillis": entered,
        "leaveTimestampInMillis": or_never(left),
        "durationInMillis": left.map_or(-1, |left| left - entered),
        "stringifiedException": failure,
    })
}

fn details_of(job: &JobHandle, rescale: &Rescale) -> Value {
    let mut of_vertices = Map::new();
    let mut of_groups = BTreeMap::<String, (String, [u32; 4])>::new();
    let after = rescale.after.as_ref();
    let after = after.or_else(|| rescale.end.as_ref().map(|_| &rescale.before));
    for vertex in vertices(job) {
        let at = vertex.index;
        let (Some(bounds), Some(before)) = (rescale.bounds.get(at), rescale.before.get(at)) else {
            continue;
        };
        let post = after.and_then(|after| after.get(at)).copied();
        let group = (
            slot_sharing_group(&vertex.of),
            vertex.of.slot_sharing_group.clone(),
        );
        let numbers = [bounds.upper, bounds.lower, *before, post.unwrap_or(0)];
        let slots = of_groups.entry(group.0.clone()).or_default();
        slots.0.clone_from(&group.1);
        for (slots, number) in slots.1.iter_mut().zip(numbers) {
            *slots = (*slots).max(number);
        }
        let id = vertex.id.to_string();
        let told = json!({
            "jobVertexId": id,
            "jobVertexName": vertex.of.name,
            "slotSharingGroupId": group.0,
            "slotSharingGroupName": group.1,
            "desiredParallelism": bounds.upper,
            "sufficientParallelism": bounds.lower,
            "preRescaleParallelism": before,
            "postRescaleParallelism": post,
        });
        of_vertices.insert(id, told);
    }
    let slots = of_groups.into_iter().map(|(id, (name, numbers))| {
        let [desired, least, before, post] = numbers;
        let told = json!({
            "slotSharingGroupId": id,
            "slotSharingGroupName": name,
            "desiredSlots": desired,
            "minimalRequiredSlots": least,
            "preRescaleSlots": before,
            "postRescaleSlots": (post > 0).then_some(post),
        });
        (id, told)
    });
    let failure = match &rescale.end {
        Some(RescaleEnd::Failed(cause)) => Some(cause.as_str()),
        _ => None,
    };
    let ended = rescale.ended_at;
    let steps = match rescale.paused_at {
        None => vec![step("Executing", rescale.begun_at, ended, failure)],
        Some(at) => vec![
            step("Executing", rescale.begun_at, Some(at), None),
            step("Restarting", at, ended, failure),
        ],
    };
    json!({
        "rescaleUuid": rescale.id,
        "resourceRequirementsUuid": rescale.id,
        "rescaleAttemptId": rescale.number,
        "vertices": of_vertices,
        "slots": object(slots),
        "schedulerStates": steps,
        "startTimestampInMillis": rescale.begun_at,
        "endTimestampInMillis": or_never(ended),
        "terminalState": rescale.end.as_ref().map(RescaleEnd::state),
        "triggerCause": rescale.cause.name(),
        "terminatedReason": rescale.end.as_ref().map(RescaleEnd::reason),
        "rheos.checkpoint": rescale.checkpoint,
        "rheos.pauseInMillis": rescale.pause_millis,
    })
}

/// `GET /jobs/:jobid/rescales/history`: the newest first.
pub(super) fn history(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let view = job.view();
    let all = view.rescales.last().rev();
    Ok(Answer::Json(
        all.map(|rescale| details_of(&job, rescale)).collect(),
    ))
}

/// `GET /jobs/:jobid/rescales/details/:rescaleuuid`
pub(super) fn details(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, rescale) = find(state, asked, "rescaleuuid")?;
    Ok(Answer::Json(details_of(&job, &rescale)))
}

/// `GET /jobs/:jobid/rescales/config`
pub(super) fn config(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let _exists = state.job(asked)?;
    let settings = ScalingSettings::of(&state.configuration);
    let settings = settings.map_err(|error| bad(error.to_string()))?;
    let millis = |of: Duration| i64::try_from(of.as_millis()).unwrap_or(i64::MAX);
    Ok(Answer::Json(json!({
        "rescaleHistoryMax": REMEMBERED,
        "schedulerExecutionMode": match settings.mode {
            ScalingMode::Reactive => Value::from("REACTIVE"),
            ScalingMode::Fixed | ScalingMode::Adaptive => Value::Null,
        },
        "submissionResourceWaitTimeoutInMillis": millis(settings.patience),
        "submissionResourceStabilizationTimeoutInMillis": millis(settings.settled_at_start),
        // A TaskManager keeps its slots for as long as it is there.
        "slotIdleTimeoutInMillis": i64::MAX,
        "executingCooldownTimeoutInMillis": millis(settings.cooldown),
        "executingResourceStabilizationTimeoutInMillis": millis(settings.settled),
        // A rescale takes its own checkpoint, at once.
        "maximumDelayForTriggeringRescaleInMillis": 0,
        "rescaleOnFailedCheckpointCount": 0,
    })))
}

/// `GET /jobs/:jobid/rescales/overview`
pub(super) fn overview(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let view = job.view();
    let (completed, failed, ignored) = view.rescales.counts();
    let latest = |state: &str| {
        let mut all = view.rescales.last().rev();
        let found = all.find(|rescale| {
            let end = rescale.end.as_ref();
            end.is_some_and(|end| end.state() == state)
        });
        found.map_or(Value::Null, |rescale| details_of(&job, rescale))
    };
    Ok(Answer::Json(json!({
        "rescalesCounts": {
            "ignored": ignored,
            "inProgress": usize::from(view.rescales.under_way().is_some()),
            "completed": completed,
            "failed": failed,
        },
        "latest": {
            "completed": latest("COMPLETED"),
            "failed": latest("FAILED"),
            "ignored": latest("IGNORED"),
        },
    })))
}
