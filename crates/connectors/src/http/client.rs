//! A client for HTTP/1.1 with kept connections, TLS by rustls, and a bound on time and on answers.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::error::ConnectorError;
use crate::net::Trust;

/// The longest answer that is taken.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// What is asked.
pub(crate) struct Ask<'a> {
    pub method: Method,
    pub url: &'a str,
    pub content_type: Option<&'static str>,
    pub body: Bytes,
}

/// Why there is no answer, in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The way to the server, or the server, is in trouble: it passes.
    Passing(String),
    /// One does not trust the other: it will not pass.
    Refused(String),
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// A client; cheap to clone, and clones share connections.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    timeout: Duration,
}

impl HttpClient {
    /// A client that gives up a question after `timeout`.
    pub fn new(trust: &Trust, timeout: Duration) -> Result<Self, ConnectorError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout.min(Duration::from_secs(10))));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(trust.client()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(Self {
            client,
            headers: Vec::new(),
            timeout,
        })
    }

    /// A header of every question. It is marked as a secret.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), ConnectorError> {
        let refused =
            || ConnectorError::Setting(format!("'{name}' can't be a header as it is set"));
        let name_of = HeaderName::try_from(name).map_err(|_| refused())?;
        let mut value = HeaderValue::try_from(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        self.headers.push((name_of, value));
        Ok(())
    }

    /// Says who asks.
    pub fn basic_auth(&mut self, user: &str, password: &str) -> Result<(), ConnectorError> {
        let token = base64_of(format!("{user}:{password}").as_bytes());
        self.header(AUTHORIZATION.as_str(), &format!("Basic {token}"))
    }

    /// Asks.
    ///
    /// # Errors
    /// What went wrong on the way; an answer of any status is none.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Unanswered> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.url)
            .header(USER_AGENT, concat!("rheos/", env!("CARGO_PKG_VERSION")));
        if let Some(kind) = ask.content_type {
            request = request.header(CONTENT_TYPE, kind);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(ask.body))
            .map_err(|error| Unanswered::Refused(error.to_string()))?;
        let answered = async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| unanswered(&error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), MAX_ANSWER)
                .collect()
                .await;
            let body =
                body.map_err(|error| Unanswered::Passing(format!("reading the answer: {error}")))?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(Unanswered::Passing(format!(
                "no answer within {} ms",
                self.timeout.as_millis()
            ))),
        }
    }
}

/// An error with its causes, in a line.
fn unanswered(error: &(dyn Error + 'static)) -> Unanswered {
    let mut text = error.to_string();
    let mut refused = false;
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        refused |= cause.is::<rustls::Error>();
        // What an I/O error wraps is no source of it.
        source = match cause.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => cause.source(),
        };
    }
    match refused {
        true => Unanswered::Refused(text),
        false => Unanswered::Passing(text),
    }
}

/// Bytes in base64.
fn base64_of(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    crate::format::base64::encode(bytes, &mut out);
    String::from_utf8(out).unwrap_or_default()
}
