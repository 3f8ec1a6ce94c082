//! HTTP as the process speaks it: small answers from memory, on a runtime that was passed in. Used by
//! the metrics' [reporter](crate::reporter) and by [REST](crate::rest); and [asked](client), by who passes
//! on what others answer.
//!
//! Life of a server: [`listen`] finds a port → [`Server::start`] → it answers, each request from what
//! is so at that moment → it is dropped, and its connections end.

pub mod client;
mod server;

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;

pub use hyper::header;
pub use hyper::{HeaderMap, Method, StatusCode};
pub use server::{Server, ServerLimits};

/// A request, read whole.
#[derive(Debug)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// With what: still encoded, without its query.
    pub path: String,
    /// What stands behind the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// What came of it.
    pub status: StatusCode,
    /// Of what kind the body is.
    pub content_type: Cow<'static, str>,
    /// Further headers.
    pub headers: Vec<(header::HeaderName, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer without further headers.
    pub fn new(
        status: StatusCode,
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            status,
            content_type: content_type.into(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The same, with another header.
    #[must_use]
    pub fn with(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// How an address begins that is reached so.
pub fn scheme(encrypted: bool) -> &'static str {
    match encrypted {
        true => "https",
        false => "http",
    }
}

/// An answer that may have to be waited for.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers requests. Implemented by what a server shows; called on the threads of its runtime, for
/// several requests at a time; must not block for long.
pub trait Service: Send + Sync + 'static {
    /// The answer.
    fn answer(&self, request: Request) -> Answering;

    /// Bytes that the body of this request may have, which is not read yet; those of all without it.
    fn longest_body(&self, _request: &Request) -> Option<usize> {
        None
    }
}

/// An answer that is there.
pub fn at_once(response: Response) -> Answering {
    Box::pin(std::future::ready(response))
}

/// Listens on the first of these ports that is free; 0 is any.
///
/// # Errors
/// What the system said of the last of them.
pub fn listen(host: &str, ports: &[u16]) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no port is given");
    for port in ports {
        let bound = TcpListener::bind((host, *port));
        match bound.and_then(|bound| bound.set_nonblocking(true).map(|()| bound)) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Ports as Flink's `PortRange` reads them: one, a list, a range.
pub fn ports(text: &str) -> Option<Vec<u16>> {
    let mut ports = Vec::new();
    for part in text.split(',') {
        let (from, to) = match part.split_once('-') {
            Some((from, to)) => (from.trim().parse().ok()?, to.trim().parse().ok()?),
            None => {
                let port: u16 = part.trim().parse().ok()?;
                (port, port)
            }
        };
        if from > to {
            return None;
        }
        ports.extend(from..=to);
    }
    Some(ports)
}

#[cfg(all(test, feature = "tls"))]
mod tests;
