//! The page that Prometheus scrapes.

use std::net::SocketAddr;
use std::sync::Arc;

use rheos_core::config::Configuration;
use rheos_runtime::metrics::prometheus::{self, ProcessLabels, render};
use rheos_runtime::metrics::registry::MetricRegistry;
use rheos_runtime::network::ServerSecurity;
use tokio::runtime::Handle;

use super::process::Process;
use super::{ReporterError, Settings};
use crate::http::{
    self, Answering, Method, Request, Response, Server, ServerLimits, Service, StatusCode,
};

/// Scrapes have no body, and come one at a time.
const LIMITS: ServerLimits = ServerLimits {
    connections: 64,
    body: 1024,
};

struct Page {
    registry: MetricRegistry,
    process: Process,
    labels: ProcessLabels,
}

/// A server that shows metrics until it is dropped.
pub struct Reporter {
    server: Server,
}

impl Reporter {
    /// Shows what `registry` holds, on the first port that is free.
    ///
    /// # Errors
    /// If none is, or the configured memory can't be divided.
    pub fn start(
        settings: &Settings,
        configuration: &Configuration,
        registry: MetricRegistry,
        io: &Handle,
    ) -> Result<Self, ReporterError> {
        let refused = |error| ReporterError::Port {
            host: settings.host.clone(),
            ports: settings.ports_text.clone(),
            error,
        };
        let listener = http::listen(&settings.host, &settings.ports).map_err(refused)?;
        let page = Arc::new(Page {
            registry,
            process: Process::of(configuration)?,
            labels: ProcessLabels {
                host: "localhost".to_owned(),
                tm_id: "embedded".to_owned(),
                filter_values: settings.filter_values,
            },
        });
        let server = Server::start(
            listener,
            "metrics",
            (LIMITS, ServerSecurity::default()),
            page,
            io,
        );
        let server = server.map_err(refused)?;
        tracing::info!(
            "metrics for Prometheus at http://{}/metrics",
            server.address()
        );
        Ok(Self { server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

impl Service for Page {
    fn answer(&self, request: Request) -> Answering {
        http::at_once(self.respond(&request))
    }
}

impl Page {
    fn respond(&self, request: &Request) -> Response {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Response::new(status, "text/plain", "").with(http::header::ALLOW, "GET, HEAD");
        }
        // Flink's reporter answers at every path.
        let mut samples = self.registry.snapshot();
        samples.extend(self.process.samples(&samples));
        let text = render(&samples, &self.labels);
        Response::new(StatusCode::OK, prometheus::CONTENT_TYPE, text)
    }
}
