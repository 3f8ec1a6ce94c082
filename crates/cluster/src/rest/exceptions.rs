//! The failures of a job, under Flink's path and fields.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::route::Asked;
use super::state::{ENDPOINT, State, TASK_MANAGER};
use crate::submit::failures::Failure;

/// How many are told of when nothing is said.
const MOST: usize = 20;

fn fields(failure: &Failure) -> Map<String, Value> {
    let place = failure.place.as_ref();
    // As Flink names a task: its chain, and which of how many.
    let task = place.map(|place| {
        format!(
            "{} ({}/{})",
            place.operator,
            place.subtask + 1,
            place.parallelism
        )
    });
    let fields = json!({
        "exceptionName": format!("rheos.{}", failure.kind),
        "stacktrace": failure.text,
        "timestamp": failure.at,
        "failureLabels": {},
        "taskName": task,
        "endpoint": place.map(|_| ENDPOINT),
        "taskManagerId": place.map(|_| TASK_MANAGER),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// `GET /jobs/:jobid/exceptions`
pub(super) fn history(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let job = state.job(asked)?;
    let most = match asked.query("maxExceptions") {
        None => MOST,
        Some(text) => text.parse().map_err(|_| {
            Refusal::BadRequest(format!("maxExceptions is '{text}'; it is a whole number"))
        })?,
    };
    let view = job.view();
    let newest = view.failures.newest();
    let truncated = newest.len() > most || view.failures.total() > newest.len() as u64;
    let entries = newest.take(most).map(|failure| {
        let mut entry = fields(failure);
        let concurrent = failure.concurrent.iter();
        let concurrent: Vec<Value> = concurrent.map(|other| fields(other).into()).collect();
        entry.insert("concurrentExceptions".to_owned(), concurrent.into());
        Value::Object(entry)
    });
    Ok(Answer::Json(json!({
        "exceptionHistory": {
            "entries": entries.collect::<Vec<_>>(),
            "truncated": truncated,
        },
    })))
}
