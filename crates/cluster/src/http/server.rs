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
use rheos_runtime::network::{SecurityError, ServerSecurity, Wire};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{Answering, Request, Response, Service, StatusCode, at_once, header};

/// How long a client may take to say who it is, and then to ask.
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
        (limits, security): (ServerLimits, ServerSecurity),
        service: Arc<dyn Service>,
        io: &Handle,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let listener = {
            let _runtime = io.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = watch::channel(false);
        let accepting = io.spawn(accept(
            listener,
            Serving {
                what,
                limits,
                security,
                service,
            },
            stopped,
        ));
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

/// What is done with each connection.
#[derive(Clone)]
struct Serving {
    what: &'static str,
    limits: ServerLimits,
    security: ServerSecurity,
    service: Arc<dyn Service>,
}

/// Lives until it is stopped, or aborted; its connections end with it.
async fn accept(
    listener: tokio::net::TcpListener,
    serving: Serving,
    mut stopped: watch::Receiver<bool>,
) {
    let (what, most) = (serving.what, serving.limits.connections);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) if connections.len() < most => {
                    // Answers are small and wanted now; where that is refused they come later.
                    let _refused = stream.set_nodelay(true);
                    connections.spawn(serving.clone().serve(stream, from, stopped.clone()));
                }
                Ok(_) => tracing::warn!(
                    "{what}: more than {most} connections at a time: one is refused"
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

impl Serving {
    /// Answers what comes over one connection.
    async fn serve(
        mut self,
        stream: TcpStream,
        from: SocketAddr,
        mut stopped: watch::Receiver<bool>,
    ) {
        let admitted = tokio::select! {
            admitted = self.admit(stream) => admitted,
            _stopped = stopped.changed() => return,
        };
        let wire = match admitted {
            Ok(wire) => wire,
            // Who only looks whether somebody listens.
            Err(SecurityError::Ended) => return,
            Err(error) => {
                tracing::warn!(
                    "{}: a connection from {from} is refused: {error}",
                    self.what
                );
                return;
            }
        };
        let (limits, service) = (self.limits, self.service);
        let each = service_fn(move |request| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(answer(request, limits, &*service).await) }
        });
        // A client that breaks off is no concern of the job's.
        let mut builder = hyper::server::conn::http1::Builder::new();
        let connection = builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(wire), each);
        tokio::pin!(connection);
        tokio::select! {
            _ended = connection.as_mut() => return,
            _stopped = stopped.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ended = connection.await;
    }

    /// Makes a connection safe, in a bounded time. Who speaks HTTP where TLS is spoken is told so in
    /// HTTP, and nothing else.
    async fn admit(&mut self, stream: TcpStream) -> Result<Wire, SecurityError> {
        if !self.security.is_on() {
            return Ok(Wire::Plain(stream));
        }
        let admitted = tokio::time::timeout(HEADER_TIMEOUT, async {
            let mut first = [0];
            match stream.peek(&mut first).await {
                Ok(1..) if first[0].is_ascii_uppercase() => {
                    self.service = Arc::new(WithoutTls);
                    Ok(Wire::Plain(stream))
                }
                Ok(1..) => self.security.accept(stream).await,
                Ok(0) | Err(_) => Err(SecurityError::Ended),
            }
        });
        admitted.await.unwrap_or_else(|_| {
            let waited = HEADER_TIMEOUT.as_secs();
            Err(SecurityError::Handshake(format!(
                "it has not begun to speak TLS within {waited} s"
            )))
        })
    }
}

/// Answers who speaks HTTP where TLS is spoken.
struct WithoutTls;

impl Service for WithoutTls {
    fn answer(&self, _request: Request) -> Answering {
        let text = "only HTTP over TLS is answered here: ask at https://";
        let response = Response::new(StatusCode::BAD_REQUEST, "text/plain", text);
        at_once(response.with(header::CONNECTION, "close"))
    }
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
