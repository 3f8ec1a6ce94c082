//! Takes connections and reads requests, within limits.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{Request, Response, Service, StatusCode};

/// How long a client may take to ask.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the body of a request may take that may be a long one.
const BODY_TIMEOUT: Duration = Duration::from_secs(300);

/// What a server takes.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Connections at a time; further ones are closed at once.
    pub connections: usize,
    /// Bytes of a request's body.
    pub body: usize,
}

/// How long answers may take that are under way when a server closes.
const CLOSING: Duration = Duration::from_secs(1);

/// A server that answers until it is dropped, or closed in good order.
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    /// Answers what comes in at `listener`. `what` names the server in the log.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn start(
        listener: std::net::TcpListener,
        what: &'static str,
        limits: ServerLimits,
        service: Arc<dyn Service>,
        io: &Handle,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let listener = {
            let _runtime = io.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = watch::channel(false);
        let accepting = io.spawn(accept(listener, what, limits, service, stopped));
        Ok(Self {
            address,
            accepting,
            stop,
        })
    }

    /// Takes nothing more in, and gives the answers that are under way.
    pub async fn close(mut self) {
        if self.stop.send(true).is_ok() {
            // Who reads too slowly is left.
            let _late = tokio::time::timeout(CLOSING, &mut self.accepting).await;
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Lives until it is stopped, or aborted; its connections end with it.
async fn accept(
    listener: tokio::net::TcpListener,
    what: &'static str,
    limits: ServerLimits,
    service: Arc<dyn Service>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < limits.connections => {
                    // Answers are small and wanted now; where that is refused they come later.
                    let _refused = stream.set_nodelay(true);
                    let service = service.clone();
                    let mut stopped = stopped.clone();
                    connections.spawn(async move {
                        let each = service_fn(move |request| {
                            let service = service.clone();
                            async move { Ok::<_, Infallible>(answer(request, limits, &*service).await) }
                        });
                        // A client that breaks off is no concern of the job's.
                        let mut builder = hyper::server::conn::http1::Builder::new();
                        let connection = builder
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEADER_TIMEOUT)
                            .serve_connection(TokioIo::new(stream), each);
                        tokio::pin!(connection);
                        tokio::select! {
                            _ended = connection.as_mut() => return,
                            _stopped = stopped.changed() => {}
                        }
                        connection.as_mut().graceful_shutdown();
                        let _ended = connection.await;
                    });
                }
                Ok(_) => tracing::warn!(
                    "{what}: more than {} connections at a time: one is refused",
                    limits.connections
                ),
                Err(error) => {
                    tracing::warn!("{what}: a connection: {error}");
                    tokio::task::yield_now().await;
                }
            },
            Some(_ended) = connections.join_next() => {}
            _stopped = stopped.changed() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn answer(
    request: hyper::Request<Incoming>,
    limits: ServerLimits,
    service: &dyn Service,
) -> hyper::Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let mut request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or("").to_owned(),
        headers: head.headers,
        body: Vec::new(),
    };
    let longer = service.longest_body(&request);
    let longest = longer.unwrap_or(limits.body);
    let timeout = match longer {
        Some(_) => BODY_TIMEOUT,
        None => HEADER_TIMEOUT,
    };
    let read = Limited::new(body, longest).collect();
    let answer = match tokio::time::timeout(timeout, read).await {
        Ok(Ok(body)) => {
            request.body = body.to_bytes().to_vec();
            service.answer(request).await
        }
        Ok(Err(error)) => {
            let text = format!("the request's body: {error}; it may have {longest} bytes");
            Response::new(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", text)
        }
        Err(_) => Response::new(
            StatusCode::REQUEST_TIMEOUT,
            "text/plain",
            "the request's body did not come",
        ),
    };
    let mut response = hyper::Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    if let Ok(kind) = HeaderValue::from_str(&answer.content_type) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    for (name, value) in answer.headers {
        // A value that can't be a header is left out: what it was for is in the body.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
