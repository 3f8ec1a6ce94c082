//! Savepoints by request: a trigger id now, what has become of it later. Under Flink's paths and fields.

use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::route::Asked;
use super::state::State;
use crate::checkpoint::savepoint::{SavepointRequest, SavepointStatus};
use crate::submit::JobStatus;

/// A field of the body, under Flink's name or an older one.
fn field<'a>(body: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let found = names.iter().find_map(|name| body.get(name));
    found.filter(|value| !value.is_null())
}

fn text(body: &Value, names: &[&str]) -> Result<Option<String>, Refusal> {
    match field(body, names) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            let name = names.first().unwrap_or(&"");
            let message = format!("{name} is {other}; it is a text");
            Err(Refusal::BadRequest(message))
        }
    }
}

fn flag(body: &Value, name: &str) -> Result<bool, Refusal> {
    match field(body, &[name]) {
        None => Ok(false),
        Some(Value::Bool(set)) => Ok(*set),
        Some(other) => {
            let message = format!("{name} is {other}; it is true or false");
            Err(Refusal::BadRequest(message))
        }
    }
}

/// Asks the job for a savepoint.
fn ask(
    state: &State,
    asked: &Asked,
    directory: &[&str],
    stop: impl FnOnce(&Value) -> Result<Option<bool>, Refusal>,
) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let body = &asked.body;
    match text(body, &["formatType"])?.as_deref() {
        None | Some("CANONICAL") => {}
        Some(other) => {
            return Err(Refusal::BadRequest(format!(
                "formatType is '{other}'; savepoints are CANONICAL"
            )));
        }
    }
    if job.status() != JobStatus::Running {
        let message = format!("Job {} is {}, not running", job.id(), job.status());
        return Err(Refusal::Conflict(message));
    }
    let request = SavepointRequest {
        directory: text(body, directory)?,
        stop: stop(body)?,
        trigger: text(body, &["triggerId"])?,
    };
    let trigger = job.savepoint(request);
    let trigger = trigger.map_err(|error| Refusal::BadRequest(error.to_string()))?;
    Ok(Answer::Accepted(json!({ "request-id": trigger })))
}

/// `POST /jobs/:jobid/savepoints`: with `cancel-job` it stops the job, without draining.
pub(super) fn trigger(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    ask(state, asked, &["target-directory"], |body| {
        Ok(flag(body, "cancel-job")?.then_some(false))
    })
}

/// `POST /jobs/:jobid/stop`
pub(super) fn stop(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let directory = ["targetDirectory", "target-directory"];
    ask(state, asked, &directory, |body| {
        Ok(Some(flag(body, "drain")?))
    })
}

/// `GET /jobs/:jobid/savepoints/:triggerid`
pub(super) fn status(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (job, id) = (state.job(asked)?, asked.param("triggerid"));
    let Some(status) = job.savepoints().status(id) else {
        let message = format!(
            "Job {} knows no savepoint with the trigger id {id}",
            job.id()
        );
        return Err(Refusal::NotFound(message));
    };
    let (at, operation) = match status {
        SavepointStatus::InProgress => ("IN_PROGRESS", Value::Null),
        SavepointStatus::Completed { location } => ("COMPLETED", json!({ "location": location })),
        SavepointStatus::Checkpoint(number) => ("COMPLETED", json!({ "checkpointId": number })),
        SavepointStatus::Failed { cause } => (
            "COMPLETED",
            json!({ "failure-cause": { "class": "rheos.SavepointFailed", "stack-trace": cause } }),
        ),
    };
    Ok(Answer::Json(
        json!({ "status": { "id": at }, "operation": operation }),
    ))
}

/// `POST /jobs/:jobid/checkpoints`
pub(super) fn trigger_checkpoint(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    match text(&asked.body, &["checkpointType"])?.as_deref() {
        None | Some("CONFIGURED") => {}
        Some(other) => {
            return Err(Refusal::BadRequest(format!(
                "checkpointType is '{other}'; checkpoints are as CONFIGURED: of state in RocksDB what is \
                 new, of the heap all"
            )));
        }
    }
    if job.status() != JobStatus::Running {
        let message = format!("Job {} is {}, not running", job.id(), job.status());
        return Err(Refusal::Conflict(message));
    }
    let trigger = job.checkpoint(text(&asked.body, &["triggerId"])?);
    let trigger = trigger.map_err(|error| Refusal::BadRequest(error.to_string()))?;
    Ok(Answer::Accepted(json!({ "request-id": trigger })))
}
