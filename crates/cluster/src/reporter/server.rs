//! The HTTP server that Prometheus scrapes.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rheos_core::config::Configuration;
use rheos_runtime::metrics::prometheus::{self, ProcessLabels, render};
use rheos_runtime::metrics::registry::MetricRegistry;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};

use super::process::Process;
use super::{ReporterError, Settings};

/// Connections at a time; further ones are closed at once.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to ask.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

struct Page {
    registry: MetricRegistry,
    process: Process,
    labels: ProcessLabels,
}

/// A server that shows metrics until it is dropped.
pub struct Reporter {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
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
        let listener = listen(settings)?;
        let refused = |error| ReporterError::Port {
            host: settings.host.clone(),
            ports: settings.ports_text.clone(),
            error,
        };
        let address = listener.local_addr().map_err(refused)?;
        let listener = {
            let _runtime = io.enter();
            tokio::net::TcpListener::from_std(listener).map_err(refused)?
        };
        let page = Arc::new(Page {
            registry,
            process: Process::of(configuration)?,
            labels: ProcessLabels {
                host: "localhost".to_owned(),
                tm_id: "embedded".to_owned(),
                filter_values: settings.filter_values,
            },
        });
        let accepting = io.spawn(accept(listener, page)).abort_handle();
        tracing::info!("metrics for Prometheus at http://{address}/metrics");
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(settings: &Settings) -> Result<TcpListener, ReporterError> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no port is given");
    for port in &settings.ports {
        let bound = TcpListener::bind((settings.host.as_str(), *port));
        match bound.and_then(|bound| bound.set_nonblocking(true).map(|()| bound)) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(ReporterError::Port {
        host: settings.host.clone(),
        ports: settings.ports_text.clone(),
        error: last,
    })
}

/// Lives until it is aborted; its connections end with it.
async fn accept(listener: tokio::net::TcpListener, page: Arc<Page>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    let page = page.clone();
                    connections.spawn(async move {
                        let service = service_fn(move |request| {
                            let response = answer(&request, &page);
                            async move { Ok::<_, Infallible>(response) }
                        });
                        // A client that breaks off is no concern of the job's.
                        let _ended = hyper::server::conn::http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEADER_TIMEOUT)
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
                Ok(_) => tracing::warn!("more than {MAX_CONNECTIONS} connections ask for metrics: one is refused"),
                Err(error) => {
                    tracing::warn!("a connection that asks for metrics: {error}");
                    tokio::task::yield_now().await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

fn answer(request: &Request<Incoming>, page: &Page) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        let allowed = hyper::header::HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    // Flink's reporter answers at every path.
    let mut samples = page.registry.snapshot();
    samples.extend(page.process.samples(&samples));
    let text = render(&samples, &page.labels);
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let kind = hyper::header::HeaderValue::from_static(prometheus::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
