//! The server: its thread, and what it does with a request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rheos_core::clock::SharedClock;
use rheos_core::config::Configuration;
use rheos_core::spawn::SharedSpawner;
use rheos_runtime::metrics::registry::MetricRegistry;
use tokio::sync::Notify;

use super::answer::{Refusal, errors};
use super::guard;
use super::logs::LogTail;
use super::route::{Found, asked, find};
use super::routes::ROUTES;
use super::settings::RestSettings;
use super::state::State;
use super::{RestError, openapi, standby};
use crate::embedded::JobHandle;
use crate::ha::Standing;
use crate::http::{
    self, Answering, Request, Response, Server, ServerLimits, Service, StatusCode, header,
};
use crate::remote::Agents;
use crate::reporter::process::Process;

const LIMITS: ServerLimits = ServerLimits {
    connections: 256,
    body: 1 << 20,
};

/// What is served beside jobs.
pub struct Served {
    /// The metrics of what runs.
    pub registry: MetricRegistry,
    /// The process's configuration.
    pub configuration: Arc<Configuration>,
    /// Time.
    pub clock: SharedClock,
    /// Slots, if they are limited.
    pub slots: Option<u32>,
    /// The end of the log, if it is kept.
    pub logs: Option<LogTail>,
    /// The TaskManagers, where they are processes of their own.
    pub agents: Option<Agents>,
    /// Whether this JobManager leads, where there are several.
    pub standing: Option<Standing>,
}

/// See the [module above](super).
pub struct RestServer {
    address: SocketAddr,
    state: Arc<State>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for RestServer {
    fn drop(&mut self) {
        self.stop.notify_one();
        // The process may end next: who has been answered is to have the answer.
        let ended = self.thread.take().map(JoinHandle::join);
        if ended.is_some_and(|ended| ended.is_err()) {
            tracing::error!("the thread of REST ended by a panic, which is a fault of Rheos");
        }
    }
}

struct Rest {
    settings: RestSettings,
    state: Arc<State>,
    standing: Option<Standing>,
}

impl RestServer {
    /// Starts to answer, on a thread of its own.
    ///
    /// # Errors
    /// If no port is free, the configured memory can't be divided, or the system refuses a thread.
    pub fn start(
        settings: RestSettings,
        served: Served,
        spawner: &SharedSpawner,
    ) -> Result<Self, RestError> {
        let listener =
            http::listen(&settings.host, &settings.ports).map_err(|error| RestError::Port {
                host: settings.host.clone(),
                ports: settings.ports_text.clone(),
                error,
            })?;
        let process = Process::of(&served.configuration)
            .map_err(|error| RestError::Configuration(error.to_string()))?;
        let state = Arc::new(State {
            jobs: Mutex::default(),
            registry: served.registry,
            process,
            configuration: served.configuration,
            clock: served.clock,
            slots: served.slots,
            logs: served.logs,
            agents: served.agents,
            scheme: http::scheme(settings.security.is_on()),
        });
        let secured = (LIMITS, settings.security.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(RestError::System)?;
        let service = Arc::new(Rest {
            settings,
            state: state.clone(),
            standing: served.standing,
        });
        let server = Server::start(listener, "REST", secured, service, runtime.handle())
            .map_err(RestError::System)?;
        let (address, stop) = (server.address(), Arc::new(Notify::new()));
        let stopped = stop.clone();
        let body = Box::new(move || {
            runtime.block_on(async {
                stopped.notified().await;
                server.close().await;
            });
            runtime.shutdown_background();
        });
        let thread = spawner.spawn("rheos-rest".to_owned(), body);
        let thread = Some(thread.map_err(RestError::System)?);
        tracing::info!("REST at {}://{address}", state.scheme);
        Ok(Self {
            address,
            state,
            stop,
            thread,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as others write it who reach it by this host.
    pub fn url_at(&self, host: &str) -> String {
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        format!("{}://{host}:{}", self.state.scheme, self.address.port())
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Shows a job too.
    pub fn add(&self, job: JobHandle) {
        self.state.add(job);
    }
}

impl Service for Rest {
    fn answer(&self, request: Request) -> Answering {
        http::at_once(self.respond(&request))
    }
}

impl Rest {
    fn respond(&self, request: &Request) -> Response {
        if let Some(refused) = guard::refusal(&self.settings, request) {
            return refused;
        }
        if let Some(standing) = &self.standing
            && !standing.leads()
        {
            return standby::elsewhere(standing.leader().as_ref(), request);
        }
        match find(ROUTES, &request.method, &request.path) {
            Found::Route(route, params) => {
                let answer =
                    asked(request, params).and_then(|asked| (route.handler)(&self.state, &asked));
                match answer {
                    Ok(answer) => answer.response(),
                    Err(refusal) => refusal.response(),
                }
            }
            Found::Methods(methods) => not_by_this_method(request, &methods),
            Found::Nothing => Refusal::NotFound(format!("Not found: {}", request.path)).response(),
        }
    }
}

/// The answer to a request for a known path with a method that it does not take.
pub(super) fn not_by_this_method(request: &Request, methods: &[&str]) -> Response {
    let methods = methods.join(", ");
    let message = format!("{} takes {methods}, not {}", request.path, request.method);
    errors(StatusCode::METHOD_NOT_ALLOWED, message).with(header::ALLOW, methods)
}

/// The OpenAPI document of what is answered here.
pub(super) fn describe(
    _state: &State,
    _asked: &super::route::Asked,
) -> Result<super::answer::Answer, Refusal> {
    Ok(super::answer::Answer::Json(openapi::document()))
}
