//! A client for HTTP/1.1 with kept connections, TLS by rustls, and a bound on time and on answers.

use std::borrow::Cow;
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
        let value = basic(user, password).map_err(|_| {
            ConnectorError::Setting("a user and a password that can't be in a header".to_owned())
        })?;
        self.headers.push((AUTHORIZATION, value));
        Ok(())
    }

    /// Asks.
    ///
    /// # Errors
    /// What went wrong on the way; an answer of any status is none.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Unanswered> {
        // Clients log the address that they are given: it must not say who asks.
        let (url, login) = apart(ask.url);
        let mut request = Request::builder()
            .method(ask.method)
            .uri(url.as_ref())
            .header(USER_AGENT, concat!("rheos/", env!("CARGO_PKG_VERSION")));
        if let Some((user, password)) = login
            && !self.headers.iter().any(|(name, _)| *name == AUTHORIZATION)
        {
            request = request.header(AUTHORIZATION, basic(&user, &password)?);
        }
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

/// Says who asks, as a secret.
fn basic(user: &str, password: &str) -> Result<HeaderValue, Unanswered> {
    let token = base64_of(format!("{user}:{password}").as_bytes());
    let mut value = HeaderValue::try_from(format!("Basic {token}")).map_err(|_| {
        Unanswered::Refused("a user and a password that can't be in a header".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// An address without who asks there, and who that is: `http://USER:PASSWORD@HOST/PATH`, where `%40` is
/// an `@`.
fn apart(url: &str) -> (Cow<'_, str>, Option<(String, String)>) {
    let plain = (Cow::Borrowed(url), None);
    let Some((scheme, rest)) = url.split_once("://") else {
        return plain;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((login, host)) = authority.rsplit_once('@') else {
        return plain;
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let login = (unescaped(user), unescaped(password));
    (Cow::Owned(format!("{scheme}://{host}{path}")), Some(login))
}

/// A text in which `%XX` is a byte.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let byte = (first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Bytes in base64.
fn base64_of(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    crate::format::base64::encode(bytes, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_taken_out_of_an_address() {
        let of = |url: &str| {
            let (shown, login) = apart(url);
            (shown.into_owned(), login)
        };
        let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        for (url, shown, who) in [
            ("http://h:1/a@b?c@d", "http://h:1/a@b?c@d", None),
            ("http://h?u:p@x", "http://h?u:p@x", None),
            ("https://u:p:q@h:1/a", "https://h:1/a", login("u", "p:q")),
            ("http://u@h", "http://h", login("u", "")),
            ("http://u:p@w@h/", "http://h/", login("u", "p@w")),
            (
                "http://a%40b:%C3%BC%zz%4@h",
                "http://h",
                login("a@b", "ü%zz%4"),
            ),
        ] {
            assert_eq!(of(url), (shown.to_owned(), who), "{url}");
        }
    }
}
