//! Asks a job's REST: one request a connection.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use rheos::cluster::http::client::{Answered, AskError, Question, ask};
use rheos::runtime::BoxError;
use serde_json::Value;

/// How long a connection and an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long one may take to a piece of a program, the last of which makes the server hash it all.
const PIECE_TIMEOUT: Duration = Duration::from_secs(300);

/// Where REST is.
pub(crate) struct Client {
    /// `HOST:PORT`
    address: String,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// A client of the REST at `http://HOST:PORT`, or only `HOST:PORT`.
    pub(crate) fn new(address: &str, token: Option<String>) -> Result<Self, BoxError> {
        if address.starts_with("https://") {
            return Err(
                "REST has no TLS: name the proxy's address without it, or use a tunnel".into(),
            );
        }
        let address = address.strip_prefix("http://").unwrap_or(address);
        let address = address.trim_end_matches('/');
        let has_port = address
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if !has_port {
            return Err(format!("'{address}' is no address: HOST:PORT").into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            address: address.to_owned(),
            token,
            runtime,
        })
    }

    /// What is at a path.
    pub(crate) fn get(&self, path: &str) -> Result<Value, BoxError> {
        let text = self.ask(Method::GET, path, None)?;
        self.json(path, &text)
    }

    /// The text at a path.
    pub(crate) fn text(&self, path: &str) -> Result<String, BoxError> {
        let bytes = self.ask(Method::GET, path, None)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Tells something.
    pub(crate) fn tell(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, BoxError> {
        let text = self.ask(method, path, body)?;
        self.json(path, &text)
    }

    fn json(&self, path: &str, text: &[u8]) -> Result<Value, BoxError> {
        serde_json::from_slice(text).map_err(|error| {
            format!(
                "http://{}{path} answers what is no JSON: {error}",
                self.address
            )
            .into()
        })
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, BoxError> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        self.send(method, path, body, TIMEOUT)
    }

    /// Sends a body of this kind; what is answered, within so long.
    fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
        timeout: Duration,
    ) -> Result<Bytes, BoxError> {
        let mut address = self.address.clone();
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            let token = HeaderValue::from_str(&format!("Bearer {token}"));
            headers.insert(
                AUTHORIZATION,
                token.map_err(|_| "the token is no text of a header")?,
            );
        }
        let body = body.map(|(kind, body)| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            body
        });
        let question = Question {
            method,
            path: path.to_owned(),
            headers,
            body: body.unwrap_or_default(),
        };
        let mut answer = self.answer(&address, &question, timeout)?;
        // A JobManager that stands by says where the one is that leads; which may change meanwhile.
        for _ in 0..2 {
            match answer.location.as_deref().and_then(address_in) {
                Some(leader) if answer.status == StatusCode::TEMPORARY_REDIRECT => {
                    address = leader.to_owned();
                    answer = self.answer(&address, &question, timeout)?;
                }
                _ => break,
            }
        }
        let (status, bytes) = (answer.status, answer.body);
        if status.is_success() {
            return Ok(bytes);
        }
        let said: Option<Value> = serde_json::from_slice(&bytes).ok();
        let errors = said
            .as_ref()
            .and_then(|said| said.get("errors")?.as_array());
        let errors = errors.map(|errors| {
            let errors = errors.iter().filter_map(Value::as_str);
            errors.collect::<Vec<_>>().join("; ")
        });
        let hint = match status {
            StatusCode::UNAUTHORIZED => ": give the token in RHEOS_REST_TOKEN, or rheos.rest.token",
            _ => "",
        };
        let errors = errors.unwrap_or_default();
        Err(format!("http://{address}{path}: {status}: {errors}{hint}").into())
    }

    /// Sends a piece of a file.
    pub(crate) fn piece(&self, path: &str, bytes: Vec<u8>) -> Result<Value, BoxError> {
        let body = Some(("application/octet-stream", Bytes::from(bytes)));
        let text = self.send(Method::PUT, path, body, PIECE_TIMEOUT)?;
        self.json(path, &text)
    }

    fn answer(
        &self,
        address: &str,
        question: &Question,
        timeout: Duration,
    ) -> Result<Answered, BoxError> {
        let asked = ask(address, question.clone(), timeout);
        let answer = self.runtime.block_on(asked);
        answer.map_err(|error| match error {
            AskError::Connect { address, error } => format!(
                "no REST at http://{address}: {error}; is the job running with --rest, and is this \
                 its address (--rest, rest.port)?"
            )
            .into(),
            error => error.into(),
        })
    }
}

/// The `HOST:PORT` of a URL.
fn address_in(location: &str) -> Option<&str> {
    location.strip_prefix("http://")?.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_no_tls() {
        assert!(Client::new("http://127.0.0.1:8081/", None).is_ok());
        assert!(Client::new("localhost:1", None).is_ok());
        for wrong in ["localhost", "https://localhost:1", "http://a:b"] {
            assert!(Client::new(wrong, None).is_err(), "{wrong}");
        }
    }
}
