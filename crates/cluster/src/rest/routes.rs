//! The routes there are, and those of Flink's that there are not.

use super::answer::{Answer, Refusal};
use super::route::{Asked, Handler, Route};
use super::state::State;
use super::{
    checkpoints, cluster, exceptions, job, jobs, metrics, rescales, savepoints, server, subtask,
    task_manager, vertex,
};
use crate::http::Method;

const fn get(path: &'static str, about: &'static str, handler: Handler) -> Route {
    asking(path, &[], about, handler)
}

const fn asking(
    path: &'static str,
    query: &'static [&'static str],
    about: &'static str,
    handler: Handler,
) -> Route {
    Route {
        method: Method::GET,
        path,
        query,
        about,
        accepted: false,
        handler,
    }
}

const GET: &[&str] = &["get"];

/// The routes; those without names come before those with.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    get("/overview", "How much there is of the cluster", cluster::overview),
    get("/config", "What a dashboard has to know", cluster::config),
    get("/datasets", "What batch jobs left: nothing", cluster::datasets),
    get("/openapi.json", "This document", server::describe),
    get("/applications/overview", "The jobs as applications", jobs::applications),
    get("/jobmanager/config", "The configuration, without its secrets", cluster::configuration),
    get("/jobmanager/environment", "What runs", cluster::environment),
    asking("/jobmanager/metrics", GET, "Metrics of the JobManager", metrics::of_job_manager),
    get("/jobmanager/log", "The end of the log", cluster::log),
    get("/jobmanager/logs", "The logs there are", cluster::logs),
    get("/jobmanager/logs/:filename", "The end of a log", cluster::log_file),
    get("/jobmanager/thread-dump", "The threads", cluster::threads),
    get("/taskmanagers", "The TaskManagers", task_manager::list),
    asking("/taskmanagers/metrics", &["get", "agg", "taskmanagers"],
        "Metrics over the TaskManagers", metrics::of_task_managers),
    get("/taskmanagers/:taskmanagerid", "One TaskManager", task_manager::details),
    asking("/taskmanagers/:taskmanagerid/metrics", GET,
        "Metrics of a TaskManager", metrics::of_task_manager),
    get("/taskmanagers/:taskmanagerid/log", "The end of its log", task_manager::log),
    get("/taskmanagers/:taskmanagerid/logs", "The logs it has", task_manager::logs),
    get("/taskmanagers/:taskmanagerid/logs/:filename", "The end of a log", task_manager::log_file),
    get("/taskmanagers/:taskmanagerid/thread-dump", "Its threads", task_manager::threads),
    get("/jobs", "The jobs and what they are at", jobs::list),
    get("/jobs/overview", "The jobs", jobs::overview),
    asking("/jobs/metrics", &["get", "agg", "jobs"], "Metrics over the jobs", metrics::of_jobs),
    get("/jobs/:jobid", "One job", job::details),
    Route { method: Method::PATCH, path: "/jobs/:jobid", query: &["mode"], accepted: true,
        about: "Cancels it", handler: job::terminate },
    get("/jobs/:jobid/checkpoints", "Its checkpoints", checkpoints::overview),
    get("/jobs/:jobid/checkpoints/config", "How they are taken", checkpoints::config),
    get("/jobs/:jobid/checkpoints/details/:checkpointid", "One of them, by vertex", checkpoints::details),
    get("/jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid",
        "One of them, by subtask of a vertex", checkpoints::subtasks),
    Route { method: Method::POST, path: "/jobs/:jobid/checkpoints", query: &[], accepted: true,
        about: "Takes one", handler: savepoints::trigger_checkpoint },
    get("/jobs/:jobid/checkpoints/:triggerid", "What has become of it", savepoints::status),
    asking("/jobs/:jobid/exceptions", &["maxExceptions"], "Its failures", exceptions::history),
    Route { method: Method::POST, path: "/jobs/:jobid/savepoints", query: &[], accepted: true,
        about: "Takes a savepoint", handler: savepoints::trigger },
    get("/jobs/:jobid/savepoints/:triggerid", "What has become of it", savepoints::status),
    Route { method: Method::POST, path: "/jobs/:jobid/stop", query: &[], accepted: true,
        about: "Stops it with a savepoint", handler: savepoints::stop },
    get("/jobs/:jobid/yarn-cancel", "Cancels it, for clients that can only GET", yarn_cancel),
    get("/jobs/:jobid/status", "What it is at", job::status),
    get("/jobs/:jobid/plan", "Its vertices and what feeds them", job::plan),
    get("/jobs/:jobid/config", "How it is configured", job::config),
    get("/jobs/:jobid/accumulators", "Its accumulators: none", job::accumulators),
    get("/jobs/:jobid/execution-result", "How it ended", job::result),
    asking("/jobs/:jobid/metrics", GET, "Its metrics", metrics::of_job),
    get("/jobs/:jobid/resource-requirements", "How wide it may be", rescales::requirements),
    Route { method: Method::PUT, path: "/jobs/:jobid/resource-requirements", query: &[],
        accepted: false, about: "Changes that while it runs", handler: rescales::change },
    Route { method: Method::PATCH, path: "/jobs/:jobid/rescaling", query: &["parallelism"],
        accepted: false, about: "Gives all vertices one parallelism", handler: rescales::rescale },
    get("/jobs/:jobid/rescaling/:triggerid", "What has become of it", rescales::status),
    get("/jobs/:jobid/rescales/config", "What slots change", rescales::config),
    get("/jobs/:jobid/rescales/overview", "How often it was rescaled", rescales::overview),
    get("/jobs/:jobid/rescales/history", "The last times", rescales::history),
    get("/jobs/:jobid/rescales/details/:rescaleuuid", "One of them", rescales::details),
    get("/jobs/:jobid/jobmanager/config", "The configuration", cluster::configuration),
    get("/jobs/:jobid/jobmanager/environment", "What runs", cluster::environment),
    get("/jobs/:jobid/jobmanager/log-url", "Where its log is", cluster::log_url),
    get("/jobs/:jobid/taskmanagers/:taskmanagerid/log-url", "Where that log is", cluster::log_url),
    get("/jobs/:jobid/vertices/:vertexid", "One vertex and its subtasks", vertex::details),
    get("/jobs/:jobid/vertices/:vertexid/accumulators",
        "Its accumulators: none", vertex::accumulators),
    get("/jobs/:jobid/vertices/:vertexid/backpressure",
        "Where its time goes", vertex::back_pressure),
    asking("/jobs/:jobid/vertices/:vertexid/metrics", GET, "Its metrics", metrics::of_vertex),
    get("/jobs/:jobid/vertices/:vertexid/subtasktimes",
        "When its subtasks came into their states", vertex::times),
    get("/jobs/:jobid/vertices/:vertexid/taskmanagers",
        "It by TaskManagers", vertex::task_managers),
    get("/jobs/:jobid/vertices/:vertexid/watermarks", "Its watermarks", vertex::watermarks),
    get("/jobs/:jobid/vertices/:vertexid/subtasks/accumulators",
        "Accumulators of its subtasks: none", vertex::subtask_accumulators),
    asking("/jobs/:jobid/vertices/:vertexid/subtasks/metrics", &["get", "agg", "subtasks"],
        "Metrics over its subtasks", metrics::of_subtasks),
    get("/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex",
        "One subtask", subtask::details),
    asking("/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/metrics", GET,
        "Metrics of a subtask", metrics::of_subtask),
    get("/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/attempts/:attempt",
        "One attempt of a subtask", subtask::details),
];

fn yarn_cancel(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    job::terminate(state, asked)
}

const NO_JARS: &str = "a job is a program of its own; those of others a session takes";
const NO_BATCH: &str = "there are no data sets of batch jobs";
const COUNTED: &str = "what users count is a metric";
const BY_PERF: &str = "a native process is profiled with perf; threads have their operators' names";
const LATER: &str = "not yet";

/// Flink's routes that are not there, each with the reason.
#[rustfmt::skip]
pub const LEFT_OUT: &[(&str, &str, &str)] = &[
    ("GET", "/applications/:applicationid", "a job is its application: /jobs/:jobid"),
    ("POST", "/applications/:applicationid/cancel", "a job is its application: /jobs/:jobid"),
    ("GET", "/applications/:applicationid/exceptions", "a job is its application: /jobs/:jobid"),
    ("GET", "/applications/:applicationid/jobmanager/config", "a job is its application"),
    ("DELETE", "/cluster", "it ends with its job, and a session by a signal"),
    ("DELETE", "/datasets/:datasetid", NO_BATCH),
    ("GET", "/datasets/delete/:triggerid", NO_BATCH),
    ("GET", "/jars", NO_JARS),
    ("DELETE", "/jars/:jarid", NO_JARS),
    ("GET", "/jars/:jarid/plan", NO_JARS),
    ("POST", "/jars/:jarid/plan", NO_JARS),
    ("POST", "/jars/:jarid/run", NO_JARS),
    ("POST", "/jars/:jarid/run-application", NO_JARS),
    ("POST", "/jars/upload", NO_JARS),
    ("POST", "/jobs", "a JobGraph has no code: a session takes programs"),
    ("GET", "/jobmanager/profiler", BY_PERF),
    ("POST", "/jobmanager/profiler", BY_PERF),
    ("GET", "/jobmanager/profiler/:filename", BY_PERF),
    ("GET", "/taskmanagers/:taskmanagerid/profiler", BY_PERF),
    ("POST", "/taskmanagers/:taskmanagerid/profiler", BY_PERF),
    ("GET", "/taskmanagers/:taskmanagerid/profiler/:filename", BY_PERF),
    ("GET", "/taskmanagers/:taskmanagerid/stdout", "stdout is the job's own"),
    ("GET", "/jobs/:jobid/vertices/:vertexid/flamegraph", BY_PERF),
    ("GET", "/jobs/:jobid/vertices/:vertexid/jm-operator-metrics", LATER),
    ("GET", "/jobs/:jobid/vertices/:vertexid/subtasks/:subtaskindex/attempts/:attempt/accumulators",
        COUNTED),
    ("PATCH", "/jobs/:jobid/clientHeartbeat", "a job does not depend on its client"),
    ("POST", "/jobs/:jobid/coordinators/:operatorUid", "internal to Flink"),
    ("GET", "/jobs/:jobid/yarn-stop", "there is no YARN"),
    ("POST", "/savepoint-disposal", LATER),
    ("GET", "/savepoint-disposal/:triggerid", LATER),
    ("GET", "/jobs/:jobid/rescales/summary", "/jobs/:jobid/rescales/overview has the counts"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Flink 2.3's, from its sources.
    const FLINK: &str = include_str!("../../tests/flink-rest/endpoints-all.tsv");

    #[test]
    fn each_of_flink_s_routes_is_there_or_left_out_with_a_reason() {
        let flink: BTreeSet<(&str, &str)> = FLINK
            .lines()
            .filter_map(|line| {
                let mut columns = line.split('\t');
                let (path, method) = (columns.next()?, columns.next()?);
                path.starts_with('/').then_some((method, path))
            })
            .collect();
        assert!(flink.len() > 80, "{}", flink.len());
        let own: BTreeSet<(&str, &str)> =
            ROUTES.iter().map(|r| (r.method.as_str(), r.path)).collect();
        let out: BTreeSet<(&str, &str)> = LEFT_OUT.iter().map(|(m, path, _)| (*m, *path)).collect();
        assert_eq!(own.len(), ROUTES.len(), "twice");
        assert_eq!(own.intersection(&out).next(), None, "there, and left out");
        let either: BTreeSet<_> = own.union(&out).copied().collect();
        let missing: Vec<_> = flink.difference(&either).collect();
        assert!(missing.is_empty(), "{missing:#?}");
        let unknown: Vec<_> = out.difference(&flink).collect();
        assert!(
            unknown.is_empty(),
            "left out, and not Flink's: {unknown:#?}"
        );
    }

    #[test]
    fn no_route_hides_another() {
        use super::super::route::{Found, find};
        for route in ROUTES {
            let Found::Route(found, _) = find(ROUTES, &route.method, route.path) else {
                panic!("{}", route.path);
            };
            assert_eq!((found.path, &found.method), (route.path, &route.method));
        }
    }
}
