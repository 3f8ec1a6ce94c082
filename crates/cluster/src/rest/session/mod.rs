//! REST of a session: for all jobs under the paths of one. What is below `/jobs/:jobid` is asked of the job's
//! own JobManager, with its answer passed on as it is; of a job that has ended, what was kept.

mod jars;
mod jobs;
mod logs;
mod managers;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rheos_core::clock::SharedClock;
use rheos_core::config::{Configuration, options};
use rheos_runtime::metrics::registry::MetricRegistry;
use serde_json::{Map, json};
use tokio::runtime::Handle;

use super::answer::{Answer, Refusal};
use super::route::{Found, Route, asked, asked_without_body, find, without_version};
use super::routes::ROUTES;
use super::server::not_by_this_method;
use super::state::State;
use super::{LogTail, RestError, RestSettings, cluster, guard, openapi};
use crate::http::{self, Answering, Method, Request, Response, Server, ServerLimits, Service};
use crate::reporter::process::Process;
use crate::session::Dispatcher;

const LIMITS: ServerLimits = ServerLimits {
    connections: 256,
    body: 1 << 20,
};

/// What answers a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Overview,
    Config,
    Datasets,
    OpenApi,
    Configuration,
    Environment,
    Threads,
    Log,
    Logs,
    LogFile,
    Managers,
    Manager,
    ManagerLogs,
    ManagerLogFile,
    Jars,
    Upload,
    Received,
    Piece,
    DeleteJar,
    Run,
    Jobs,
    JobsOverview,
    Applications,
    Cancel,
    JobLogs,
    JobLogFile,
}

const fn route(method: Method, path: &'static str, about: &'static str, handler: By) -> Route<By> {
    Route {
        method,
        path,
        query: &[],
        about,
        accepted: matches!(handler, By::Cancel),
        handler,
    }
}

/// Its own routes; further ones are those of a job.
#[rustfmt::skip]
const OWN: &[Route<By>] = &[
    route(Method::GET, "/overview", "How much there is of the cluster", By::Overview),
    route(Method::GET, "/config", "What a dashboard has to know", By::Config),
    route(Method::GET, "/datasets", "What batch jobs left: nothing", By::Datasets),
    route(Method::GET, "/openapi.json", "This document", By::OpenApi),
    route(Method::GET, "/applications/overview", "The jobs as applications", By::Applications),
    route(Method::GET, "/jobmanager/config", "The configuration, without its secrets", By::Configuration),
    route(Method::GET, "/jobmanager/environment", "What runs", By::Environment),
    route(Method::GET, "/jobmanager/thread-dump", "The threads", By::Threads),
    route(Method::GET, "/jobmanager/log", "The end of the log", By::Log),
    route(Method::GET, "/jobmanager/logs", "The logs there are", By::Logs),
    route(Method::GET, "/jobmanager/logs/:filename", "The end of a log", By::LogFile),
    route(Method::GET, "/taskmanagers", "The TaskManagers", By::Managers),
    route(Method::GET, "/taskmanagers/:taskmanagerid", "One TaskManager", By::Manager),
    route(Method::GET, "/taskmanagers/:taskmanagerid/logs", "The logs of its workers", By::ManagerLogs),
    route(Method::GET, "/taskmanagers/:taskmanagerid/logs/:filename", "The end of a log", By::ManagerLogFile),
    route(Method::GET, "/jars", "The programs", By::Jars),
    Route { method: Method::POST, path: "/jars/upload", query: &["name"], accepted: false,
        about: "Takes a program, as the body", handler: By::Upload },
    Route { method: Method::POST, path: "/jars/:jarid/run",
        query: &["parallelism", "savepointPath", "allowNonRestoredState", "programArg"],
        accepted: false, about: "Submits a job", handler: By::Run },
    route(Method::GET, "/jars/:jarid", "How much there is of a program", By::Received),
    Route { method: Method::PUT, path: "/jars/:jarid", query: &["offset", "size", "name"],
        accepted: false, about: "Takes a piece of a program", handler: By::Piece },
    route(Method::DELETE, "/jars/:jarid", "Deletes a program", By::DeleteJar),
    route(Method::GET, "/jobs", "The jobs and what they are at", By::Jobs),
    route(Method::GET, "/jobs/overview", "The jobs", By::JobsOverview),
    Route { method: Method::PATCH, path: "/jobs/:jobid", query: &["mode"], accepted: true,
        about: "Cancels it", handler: By::Cancel },
    route(Method::GET, "/jobs/:jobid/yarn-cancel", "Cancels it, for clients that can only GET", By::Cancel),
    route(Method::GET, "/jobs/:jobid/logs", "The logs of its processes", By::JobLogs),
    route(Method::GET, "/jobs/:jobid/logs/:filename", "The end of one", By::JobLogFile),
];

/// Answers until it is dropped.
pub struct SessionRest {
    server: Server,
}

struct Rest {
    settings: RestSettings,
    dispatcher: Dispatcher,
    /// The session's own process, which runs no job.
    state: State,
    longest_upload: usize,
    io: Handle,
}

impl SessionRest {
    /// Starts to answer, on the threads of `io`.
    ///
    /// # Errors
    /// If no port is free, or a value of the configuration can't be used.
    pub fn start(
        dispatcher: Dispatcher,
        configuration: Arc<Configuration>,
        clock: SharedClock,
        logs: Option<LogTail>,
        io: &Handle,
    ) -> Result<Self, RestError> {
        let refused = |error: &dyn std::fmt::Display| RestError::Configuration(error.to_string());
        let settings = RestSettings::of(&configuration, true)?;
        let settings = settings.ok_or_else(|| refused(&"a session has REST"))?;
        let longest = configuration.get(&options::REST_SERVER_MAX_CONTENT_LENGTH);
        let longest_upload = longest.map_err(|error| refused(&error))? as usize;
        let listener =
            http::listen(&settings.host, &settings.ports).map_err(|error| RestError::Port {
                host: settings.host.clone(),
                ports: settings.ports_text.clone(),
                error,
            })?;
        let state = State {
            jobs: Mutex::default(),
            registry: MetricRegistry::default(),
            process: Process::of(&configuration).map_err(|error| refused(&error))?,
            configuration,
            clock,
            slots: Some(0),
            logs,
            agents: None,
            scheme: http::scheme(settings.security.is_on()),
        };
        let (scheme, secured) = (state.scheme, (LIMITS, settings.security.clone()));
        let rest = Rest {
            settings,
            dispatcher,
            state,
            longest_upload,
            io: io.clone(),
        };
        let service = Arc::new(Answers(Arc::new(rest)));
        let server = Server::start(listener, "REST", secured, service, io);
        let server = server.map_err(RestError::System)?;
        tracing::info!("REST at {scheme}://{}", server.address());
        Ok(Self { server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

/// What the server calls.
struct Answers(Arc<Rest>);

impl Service for Answers {
    fn answer(&self, request: Request) -> Answering {
        if let Some(refused) = guard::refusal(&self.0.settings, &request) {
            return http::at_once(refused);
        }
        let rest = self.0.clone();
        Box::pin(async move { rest.respond(request).await })
    }

    fn longest_body(&self, request: &Request) -> Option<usize> {
        let uploads = |by: By| matches!(by, By::Upload | By::Piece);
        match find(OWN, &request.method, &request.path) {
            // Who may not send it does not fill the memory with it.
            Found::Route(route, _) if uploads(route.handler) => {
                let refused = guard::refusal(&self.0.settings, request).is_some();
                (!refused).then_some(self.0.longest_upload)
            }
            _ => None,
        }
    }
}

fn answered(answer: Result<Answer, Refusal>) -> Response {
    match answer {
        Ok(answer) => answer.response(),
        Err(refusal) => refusal.response(),
    }
}

impl Rest {
    async fn respond(&self, request: Request) -> Response {
        match find(OWN, &request.method, &request.path) {
            Found::Route(route, params) => self.by(route.handler, request, params).await,
            found => {
                let below = without_version(&request.path).strip_prefix("/jobs/");
                match (below, found) {
                    (Some(below), _) => jobs::pass_on(self, &request, below).await,
                    (None, Found::Methods(methods)) => not_by_this_method(&request, &methods),
                    (None, _) => {
                        Refusal::NotFound(format!("Not found: {}", request.path)).response()
                    }
                }
            }
        }
    }

    async fn by(&self, by: By, request: Request, params: Vec<(&'static str, String)>) -> Response {
        let state = &self.state;
        if matches!(by, By::Upload | By::Piece) {
            let asked = asked_without_body(&request, params);
            return answered(jars::take(self, by == By::Upload, &asked, request.body).await);
        }
        let asked = match asked(&request, params) {
            Ok(asked) => asked,
            Err(refusal) => return refusal.response(),
        };
        answered(match by {
            By::Overview => managers::overview(self),
            By::Config => cluster::config(state, &asked).map(with_submission),
            By::Datasets => cluster::datasets(state, &asked),
            By::OpenApi => Ok(Answer::Json(document())),
            By::Configuration => cluster::configuration(state, &asked),
            By::Environment => cluster::environment(state, &asked),
            By::Threads => cluster::threads(state, &asked),
            By::Log => cluster::log(state, &asked),
            By::Logs => cluster::logs(state, &asked),
            By::LogFile => cluster::log_file(state, &asked),
            By::Managers => managers::list(self),
            By::Manager => managers::details(self, &asked),
            By::ManagerLogs => logs::of_manager(self, &asked).await,
            By::ManagerLogFile => logs::file_of_manager(self, &asked).await,
            By::Jars => jars::list(self, &asked),
            By::Received => jars::received(self, &asked),
            By::DeleteJar => jars::delete(self, &asked),
            By::Run => jars::run(self, &asked),
            By::Jobs => jobs::list(self).await,
            By::JobsOverview => jobs::overview(self).await,
            By::Applications => jobs::applications(self).await,
            By::Cancel => return jobs::cancel(self, &asked, &request).await,
            By::JobLogs => logs::of_job(self, &asked).await,
            By::JobLogFile => logs::file_of_job(self, &asked).await,
            // Taken above.
            By::Upload | By::Piece => Err(Refusal::BadRequest("it has no JSON".to_owned())),
        })
    }
}

/// Jobs can be submitted here.
fn with_submission(answer: Answer) -> Answer {
    match answer {
        Answer::Json(mut config) => {
            if let Some(submits) = config.pointer_mut("/features/web-submit") {
                *submits = json!(true);
            }
            Answer::Json(config)
        }
        other => other,
    }
}

/// The OpenAPI document: of what is answered here, and of what jobs answer.
fn document() -> serde_json::Value {
    let mut paths = Map::new();
    for route in OWN {
        openapi::add(&mut paths, route);
    }
    for route in ROUTES {
        if route.path.starts_with("/jobs/:jobid") {
            openapi::add(&mut paths, route);
        }
    }
    openapi::of_paths(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_hides_another_and_all_are_described() {
        let document = document();
        for route in OWN {
            let Found::Route(found, _) = find(OWN, &route.method, route.path) else {
                panic!("{}", route.path);
            };
            assert_eq!((found.path, &found.method), (route.path, &route.method));
        }
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.contains_key("/jars/{jarid}/run"));
        assert_eq!(paths["/jobs/{jobid}"].as_object().unwrap().len(), 2);
        assert!(paths.contains_key("/jobs/{jobid}/savepoints"));
    }
}
