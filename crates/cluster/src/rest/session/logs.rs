//! The logs of the jobs' processes: of their JobManagers here, of their workers where those run.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::answer::{Answer, Refusal};
use super::super::route::Asked;
use super::{Rest, jobs, managers};
use crate::session::dispatcher::ManagerView;

/// How long a TaskManager may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The log of a job's JobManager.
const JOBMANAGER: &str = "jobmanager.log";

async fn list(rest: &Rest, manager: &ManagerView) -> Vec<Value> {
    let text = rest.dispatcher.log_of(manager.number, "", PATIENCE).await;
    let logs = text.and_then(|text| serde_json::from_str(&text).ok());
    logs.unwrap_or_default()
}

fn no_log(name: &str) -> Refusal {
    Refusal::NotFound(format!(
        "there is no log '{name}', or its TaskManager does not answer"
    ))
}

/// `GET /taskmanagers/:taskmanagerid/logs`
pub(super) async fn of_manager(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let logs = list(rest, &managers::find(rest, asked)?).await;
    Ok(Answer::Json(json!({ "logs": logs })))
}

/// `GET /taskmanagers/:taskmanagerid/logs/:filename`
pub(super) async fn file_of_manager(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let (manager, name) = (managers::find(rest, asked)?, asked.param("filename"));
    let asking = rest.dispatcher.log_of(manager.number, name, PATIENCE);
    asking.await.map(Answer::Text).ok_or_else(|| no_log(name))
}

/// `GET /jobs/:jobid/logs`
pub(super) async fn of_job(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let id = jobs::find(rest, asked.param("jobid"))?.id;
    let own = rest.dispatcher.log(id).map_or(0, |text| text.len());
    let mut logs = vec![json!({ "name": JOBMANAGER, "size": own })];
    let prefix = format!("{id}-");
    for manager in rest.dispatcher.managers() {
        for log in list(rest, &manager).await {
            let name = log.get("name").and_then(Value::as_str);
            if let Some(name) = name.and_then(|name| name.strip_prefix(&prefix)) {
                logs.push(json!({
                    "name": name,
                    "size": log.get("size"),
                    "rheos.taskmanager": manager.name,
                }));
            }
        }
    }
    Ok(Answer::Json(json!({ "logs": logs })))
}

/// `GET /jobs/:jobid/logs/:filename`
pub(super) async fn file_of_job(rest: &Rest, asked: &Asked) -> Result<Answer, Refusal> {
    let (id, name) = (
        jobs::find(rest, asked.param("jobid"))?.id,
        asked.param("filename"),
    );
    if name == JOBMANAGER {
        let log = rest.dispatcher.log(id);
        return log.map(Answer::Text).ok_or_else(|| no_log(name));
    }
    let file = format!("{id}-{name}");
    for manager in rest.dispatcher.managers() {
        let asking = rest.dispatcher.log_of(manager.number, &file, PATIENCE);
        if let Some(text) = asking.await {
            return Ok(Answer::Text(text));
        }
    }
    Err(no_log(name))
}
