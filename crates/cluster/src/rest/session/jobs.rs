//! The jobs of a session: their list, and what is asked of one.

use std::collections::BTreeMap;
use std::time::Duration;

use rheos_core::id::JobId;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::super::answer::{Answer, Refusal, errors};
use super::super::jobs::count_states;
use super::super::route::Asked;
use super::Rest;
use crate::http::client::{Answered, AskError, Question, Site, ask};
use crate::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use crate::session::dispatcher::Refused;
use crate::session::job::{JobView, Reached};

/// How long an answer of a job's JobManager may take: to what it answers from memory.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether a job has ended whose JobManager does not answer, and how many times.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: usize = 20;
/// How long the list waits for each.
const GLANCE: Duration = Duration::from_secs(2);

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::NoJob(_) | Refused::NoArtifact(_) => Self::NotFound(message),
            Refused::Ended(..) | Refused::Closing | Refused::System { .. } => {
                Self::Conflict(message)
            }
        }
    }
}

fn headers(reached: &Reached, content_type: Option<&header::HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(token) = header::HeaderValue::from_str(&format!("Bearer {}", reached.token)) {
        headers.insert(header::AUTHORIZATION, token);
    }
    if let Some(kind) = content_type {
        headers.insert(header::CONTENT_TYPE, kind.clone());
    }
    headers
}

/// A job's own JobManager, which the session has told to listen on loopback, for itself alone.
fn site(reached: &Reached) -> Site {
    Site::plain(reached.address.as_str())
}

/// Asks a job's own JobManager for what is at a path.
async fn get(reached: &Reached, path: String) -> Result<Answered, AskError> {
    let question = Question {
        method: Method::GET,
        path,
        headers: headers(reached, None),
        body: Default::default(),
    };
    ask(&site(reached), question, GLANCE).await
}

/// What a list says of a job that is not asked.
fn entry(view: &JobView, now: i64) -> Value {
    let archived = view.ended.as_ref().map(|ended| &ended.archive.overview);
    if let Some(archived) = archived.filter(|entry| entry.get("jid").is_some()) {
        return archived.clone();
    }
    let mut tasks = count_states(&[], str::to_lowercase);
    tasks.insert("total".to_owned(), 0.into());
    let (start, end) = span(view);
    json!({
        "jid": view.id.to_string(),
        "name": view.name,
        "jobType": "STREAMING",
        "schedulerType": "Default",
        "start-time": start,
        "end-time": end.unwrap_or(-1),
        "duration": end.unwrap_or(now) - start,
        "state": view.state(),
        "last-modification": end.unwrap_or(start),
        "tasks": tasks,
        "pending-operators": 0,
    })
}

fn span(view: &JobView) -> (i64, Option<i64>) {
    let end = view.ended.as_ref().map(|ended| ended.at);
    (view.submission.submitted_at, end)
}

/// What is told of a job whose own JobManager can't be asked.
fn details(view: &JobView, now: i64) -> Value {
    let (start, end) = span(view);
    let state = view.state();
    json!({
        "jid": view.id.to_string(),
        "application-id": view.id.to_string(),
        "name": view.name,
        "isStoppable": false,
        "state": state,
        "job-type": "STREAMING",
        "schedulerType": "Default",
        "start-time": start,
        "end-time": end.unwrap_or(-1),
        "duration": end.unwrap_or(now) - start,
        "maxParallelism": -1,
        "now": now,
        "timestamps": { state: end.unwrap_or(start), "INITIALIZING": start },
        "vertices": [],
        "status-counts": count_states(&[], str::to_owned),
        "plan": {
            "jid": view.id.to_string(),
            "name": view.name,
            "type": "STREAMING",
            "nodes": [],
        },
        "pending-operators": 0,
    })
}

/// What the list says of each job, in its order.
async fn entries(rest: &Rest) -> Vec<Value> {
    let (views, now) = (rest.dispatcher.jobs(), rest.state.now());
    let mut asking = JoinSet::new();
    for view in &views {
        if let (Some(reached), None) = (view.reached.clone(), &view.ended) {
            let id = view.id;
            asking.spawn(async move {
                let answer = get(&reached, "/jobs/overview".to_owned()).await.ok()?;
                let value: Value = serde_json::from_slice(&answer.body).ok()?;
                let own = value.pointer("/jobs/0")?;
                Some((id, own.clone()))
            });
        }
    }
    let answers = asking.join_all().await;
    let mut told: BTreeMap<JobId, Value> = answers.into_iter().flatten().collect();
    let entries = views
        .iter()
        .map(|view| told.remove(&view.id).unwrap_or_else(|| entry(view, now)));
    entries.collect()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry.get(field).and_then(Value::as_str).unwrap_or("")
}

/// `GET /jobs`
pub(super) async fn list(rest: &Rest) -> Result<Answer, Refusal> {
    let entries = entries(rest).await;
    let jobs = entries
        .iter()
        .map(|entry| json!({ "id": text(entry, "jid"), "status": text(entry, "state") }));
    Ok(Answer::Json(json!({ "jobs": jobs.collect::<Vec<_>>() })))
}

/// `GET /jobs/overview`
pub(super) async fn overview(rest: &Rest) -> Result<Answer, Refusal> {
    Ok(Answer::Json(json!({ "jobs": entries(rest).await })))
}

/// `GET /applications/overview`
pub(super) async fn applications(rest: &Rest) -> Result<Answer, Refusal> {
    let entries = entries(rest).await;
    let applications = entries.iter().map(|entry| {
        let state = text(entry, "state");
        json!({
            "id": text(entry, "jid"),
            "name": format!("SingleJobApplication({})", text(entry, "name")),
            "start-time": entry.get("start-time"),
            "end-time": entry.get("end-time"),
            "duration": entry.get("duration"),
            "status": state,
            "jobs": { state: 1 },
        })
    });
    Ok(Answer::Json(
        json!({ "applications": applications.collect::<Vec<_>>() }),
    ))
}

/// The job that an id names.
pub(super) fn find(rest: &Rest, id: &str) -> Result<JobView, Refusal> {
    let id: JobId = id
        .parse()
        .map_err(|error| Refusal::BadRequest(format!("the job's id: {error}")))?;
    let found = rest.dispatcher.job(id);
    found.ok_or_else(|| Refused::NoJob(id).into())
}

/// `PATCH /jobs/:jobid`: of a job that its own JobManager does not know yet, here.
pub(super) async fn cancel(rest: &Rest, asked: &Asked, request: &Request) -> Response {
    let id = asked.param("jobid");
    let view = match find(rest, id) {
        Ok(view) => view,
        Err(refusal) => return refusal.response(),
    };
    let mode = asked.query("mode");
    if view.reached.is_some() || mode.is_some_and(|mode| mode != "cancel") {
        let path = super::without_version(&request.path);
        return pass_on(rest, request, path.strip_prefix("/jobs/").unwrap_or(id)).await;
    }
    match rest.dispatcher.cancel(view.id) {
        Ok(()) => Answer::Accepted(json!({})).response(),
        Err(refused) => Refusal::from(refused).response(),
    }
}

/// Answers what is below `/jobs/`: a job's own JobManager does, as long as it lives.
pub(super) async fn pass_on(rest: &Rest, request: &Request, below: &str) -> Response {
    let (id, path) = match below.find('/') {
        Some(at) => below.split_at(at),
        None => (below, ""),
    };
    let mut view = match find(rest, id) {
        Ok(view) => view,
        Err(refusal) => return refusal.response(),
    };
    if let Some(reached) = view.reached.take() {
        let query = match request.query.as_str() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let question = Question {
            method: request.method.clone(),
            path: format!("/jobs/{id}{path}{query}"),
            headers: headers(&reached, request.headers.get(header::CONTENT_TYPE)),
            body: request.body.clone().into(),
        };
        match ask(&site(&reached), question, PATIENCE).await {
            Ok(answer) => {
                return Response::new(answer.status, answer.content_type, answer.body);
            }
            Err(error) => match ended(rest, id).await {
                Some(now) => view = now,
                None => {
                    let message = format!("the job's JobManager does not answer: {error}");
                    return errors(StatusCode::SERVICE_UNAVAILABLE, message);
                }
            },
        }
    }
    answer(&view, &request.method, path, rest.state.now())
}

/// A job whose JobManager is gone, if it has ended: which is known a moment later.
async fn ended(rest: &Rest, id: &str) -> Option<JobView> {
    let mut looks = tokio::time::interval(LOOK);
    for _ in 0..LOOKS {
        looks.tick().await;
        if let Some(view) = find(rest, id).ok().filter(|view| view.ended.is_some()) {
            return Some(view);
        }
    }
    None
}

/// Answers for a job whose own JobManager can't be asked.
fn answer(view: &JobView, method: &Method, path: &str, now: i64) -> Response {
    let path = path.trim_end_matches('/');
    let state = view.state();
    let archive = view.ended.as_ref().map(|ended| &ended.archive);
    if !matches!(*method, Method::GET | Method::HEAD) {
        let message = match archive {
            Some(_) => format!("Job {} has ended: it is {state}", view.id),
            None => format!("Job {} is {state}: ask again when it runs", view.id),
        };
        return Refusal::Conflict(message).response();
    }
    let kept = archive.and_then(|archive| archive.answers.get(path).cloned());
    let known = kept.or_else(|| match path {
        "" => Some(details(view, now)),
        "/status" => Some(json!({ "status": state })),
        "/exceptions" => Some(json!({ "exceptionHistory": { "entries": [], "truncated": false } })),
        _ => None,
    });
    match (known, archive) {
        (Some(value), _) => Answer::Json(value).response(),
        (None, Some(_)) => Refusal::NotFound(format!(
            "Job {} has ended, and this is not kept of it",
            view.id
        ))
        .response(),
        (None, None) => {
            let message = format!("Job {} is {state}: ask again when it runs", view.id);
            errors(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

/// How many jobs are at each state.
pub(super) fn counts(rest: &Rest) -> Map<String, Value> {
    let views = rest.dispatcher.jobs();
    let at = |states: &[&str]| {
        views
            .iter()
            .filter(|view| states.contains(&view.state()))
            .count()
    };
    let counts = [
        (
            "jobs-running",
            at(&["RUNNING", "RESTARTING", "INITIALIZING"]),
        ),
        ("jobs-finished", at(&["FINISHED"])),
        ("jobs-cancelled", at(&["CANCELED"])),
        ("jobs-failed", at(&["FAILED"])),
    ];
    counts
        .into_iter()
        .map(|(key, count)| (key.to_owned(), count.into()))
        .collect()
}
