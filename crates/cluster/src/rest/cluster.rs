//! The cluster: how much there is of it, how it is configured, what it logs.

use rheos_core::config::options::SENSITIVE;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::jobs::number_at;
use super::route::Asked;
use super::state::State;
use crate::submit::JobStatus;

/// The name of the only log there is.
const LOG: &str = "rheos.log";

/// `GET /overview`
pub(super) fn overview(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    let jobs = state.jobs();
    let (total, free) = state.slot_counts();
    Ok(Answer::Json(json!({
        "taskmanagers": state.agents.as_ref().map_or(1, |agents| agents.views().len()),
        "slots-total": total,
        "slots-available": free,
        "jobs-running": number_at(&jobs, &RUNNING),
        "jobs-finished": number_at(&jobs, &[JobStatus::Finished]),
        "jobs-cancelled": number_at(&jobs, &[JobStatus::Canceled]),
        "jobs-failed": number_at(&jobs, &[JobStatus::Failed]),
        "flink-version": VERSION,
        "flink-commit": "",
    })))
}

/// States of a job that has not ended.
const RUNNING: [JobStatus; 6] = [
    JobStatus::Initializing,
    JobStatus::Created,
    JobStatus::Running,
    JobStatus::Failing,
    JobStatus::Cancelling,
    JobStatus::Restarting,
];

/// Of Rheos: tools that ask for Flink's version get what answers them.
pub(super) const VERSION: &str = concat!("rheos-", env!("CARGO_PKG_VERSION"));

/// `GET /config`
pub(super) fn config(_state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    Ok(Answer::Json(json!({
        "refresh-interval": 3000,
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": VERSION,
        "flink-revision": "",
        "features": {
            "web-submit": false,
            "web-cancel": true,
            "web-rescale": false,
            "web-history": false,
        },
    })))
}

/// `GET /jobmanager/config`, and the same of a job
pub(super) fn configuration(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    let pairs = state.configuration.iter().map(|(key, value)| {
        let lower = key.to_lowercase();
        let secret = SENSITIVE.iter().any(|part| lower.contains(part));
        json!({ "key": key, "value": if secret { "******" } else { value } })
    });
    Ok(Answer::Json(pairs.collect()))
}

/// `GET /jobmanager/environment`, and the same of a job: there is no JVM, and what is said instead of
/// it is what runs.
pub(super) fn environment(_state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    Ok(Answer::Json(json!({
        "jvm": {
            "version": VERSION,
            "arch": std::env::consts::ARCH,
            "options": [],
        },
        "classpath": [],
    })))
}

/// `GET /jobmanager/logs`
pub(super) fn logs(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    let logs = state
        .logs
        .iter()
        .map(|log| json!({ "name": LOG, "size": log.size(), "mtime": state.now() }));
    Ok(Answer::Json(json!({ "logs": logs.collect::<Vec<_>>() })))
}

/// `GET /jobmanager/log`
pub(super) fn log(state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    match &state.logs {
        Some(log) => Ok(Answer::Text(log.text())),
        None => Err(Refusal::NotFound(
            "the program keeps its log itself: see where it writes it".to_owned(),
        )),
    }
}

/// `GET /jobmanager/logs/:filename`
pub(super) fn log_file(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    match asked.param("filename") {
        LOG => log(state, asked),
        other => Err(Refusal::NotFound(format!(
            "there is no log '{other}', but {LOG}"
        ))),
    }
}

/// `GET /jobs/:jobid/jobmanager/log-url`, and the same of a TaskManager
pub(super) fn log_url(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let _exists = state.job(asked)?;
    let host = asked.host.as_deref().unwrap_or(super::state::ENDPOINT);
    let url = format!("{}://{host}/jobmanager/log", state.scheme);
    Ok(Answer::Json(json!({ "url": url })))
}

/// `GET /datasets`: what a batch job would leave for the next.
pub(super) fn datasets(_state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    Ok(Answer::Json(json!({ "dataSets": [] })))
}

/// `GET /jobmanager/thread-dump`: the threads with what they are at, as the system tells it.
pub(super) fn threads(_state: &State, _asked: &Asked) -> Result<Answer, Refusal> {
    let mut infos: Vec<(u64, Value)> = Vec::new();
    let tasks = std::fs::read_dir("/proc/self/task");
    for entry in tasks.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u64>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            // It has ended meanwhile.
            continue;
        };
        infos.push((id, thread(id, &stat)));
    }
    infos.sort_by_key(|(id, _)| *id);
    let infos: Vec<Value> = infos.into_iter().map(|(_, info)| info).collect();
    Ok(Answer::Json(json!({ "threadInfos": infos })))
}

fn thread(id: u64, stat: &str) -> Value {
    // `ID (NAME) STATE …`, where the name may hold anything.
    let (head, fields) = stat.rsplit_once(") ").unwrap_or((stat, ""));
    let name = head.split_once('(').map_or("", |(_, name)| name);
    let mut fields = fields.split(' ');
    let state = match fields.next() {
        Some("R") => "RUNNABLE",
        Some("D") => "BLOCKED",
        _ => "WAITING",
    };
    let mut ticks = fields.skip(10).map_while(|field| field.parse::<u64>().ok());
    let (user, system) = (ticks.next().unwrap_or(0), ticks.next().unwrap_or(0));
    json!({
        "threadName": name,
        "stringifiedThreadInfo": format!(
            "\"{name}\" Id={id} {state}\n\tprocessor time: {} ms user, {} ms system\n",
            user * 10,
            system * 10
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_told_by_its_name() {
        let stat = "77 (odd ) name) R 1 77 77 0 -1 4 5 0 0 0 12 3 0 0 20 0 9 0";
        let told = thread(77, stat);
        assert_eq!(told["threadName"], "odd ) name");
        let text = told["stringifiedThreadInfo"].as_str().unwrap();
        assert!(text.contains("Id=77 RUNNABLE"), "{text}");
        assert!(text.contains("120 ms user, 30 ms system"), "{text}");
    }
}
