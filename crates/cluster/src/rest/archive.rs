//! What is kept of a job that has ended, for whoever answers then: the answers of this REST.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::Answer;
use super::jobs;
use super::route::{Asked, Found, find};
use super::routes::ROUTES;
use super::server::RestServer;
use super::state::{State, vertices};
use crate::embedded::JobHandle;
use crate::http::Method;
use crate::session::tether::Archive;

/// What is kept, below `/jobs/:jobid`.
const KEPT: [&str; 11] = [
    "",
    "/accumulators",
    "/checkpoints",
    "/checkpoints/config",
    "/config",
    "/exceptions",
    "/execution-result",
    "/plan",
    "/rescales/history",
    "/rescales/overview",
    "/status",
];
/// What is kept of each vertex, below its path.
const OF_VERTICES: [&str; 3] = ["", "/subtasktimes", "/taskmanagers"];

fn answer(state: &State, path: &str) -> Option<Value> {
    let Found::Route(route, params) = find(ROUTES, &Method::GET, path) else {
        return None;
    };
    let asked = Asked {
        params,
        ..Asked::default()
    };
    match (route.handler)(state, &asked) {
        Ok(Answer::Json(value)) => Some(value),
        _ => None,
    }
}

impl RestServer {
    /// What is to be kept of a job.
    pub fn archive(&self, job: &JobHandle) -> Archive {
        let state = self.state();
        let id = job.id().to_string();
        let vertices = vertices(job).flat_map(|vertex| {
            let path = format!("/vertices/{}", vertex.id);
            OF_VERTICES.map(|below| format!("{path}{below}"))
        });
        let paths = KEPT.iter().map(|path| (*path).to_owned()).chain(vertices);
        let answers = paths.filter_map(|path| {
            let answer = answer(state, &format!("/jobs/{id}{path}"))?;
            Some((path, answer))
        });
        let answers: BTreeMap<String, Value> = answers.collect();
        let overview = match jobs::overview(state, &Asked::default()) {
            Ok(Answer::Json(overview)) => overview,
            _ => Value::Null,
        };
        let entries = overview.get("jobs").and_then(Value::as_array);
        let entries = entries.into_iter().flatten();
        let own = entries
            .into_iter()
            .find(|job| job.get("jid").and_then(Value::as_str) == Some(&id));
        Archive {
            state: job.status().name().to_owned(),
            overview: own.cloned().unwrap_or_default(),
            answers,
        }
    }
}
