//! Asks a job's REST: one request a connection.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rheos::runtime::BoxError;
use serde_json::Value;

/// How long a connection and an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is taken.
const LONGEST: usize = 64 << 20;

/// Where REST is.
pub(super) struct Client {
    /// `HOST:PORT`
    address: String,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// A client of the REST at `http://HOST:PORT`, or only `HOST:PORT`.
    pub(super) fn new(address: &str, token: Option<String>) -> Result<Self, BoxError> {
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
    pub(super) fn get(&self, path: &str) -> Result<Value, BoxError> {
        let text = self.ask(Method::GET, path, None)?;
        self.json(path, &text)
    }

    /// The text at a path.
    pub(super) fn text(&self, path: &str) -> Result<String, BoxError> {
        let bytes = self.ask(Method::GET, path, None)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Tells something.
    pub(super) fn tell(
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
        let mut address = self.address.clone();
        let (mut status, mut bytes) = (StatusCode::TEMPORARY_REDIRECT, Bytes::new());
        // A JobManager that stands by says where the one is that leads; which may change meanwhile.
        for _ in 0..3 {
            let asked = self.answer(&address, method.clone(), path, body);
            let answered = async { tokio::time::timeout(TIMEOUT, asked).await };
            let answer = self.runtime.block_on(answered).map_err(|_| {
                let seconds = TIMEOUT.as_secs();
                format!("http://{address} does not answer within {seconds} s")
            })??;
            (status, bytes) = (answer.0, answer.1);
            match answer.2.as_deref().and_then(address_in) {
                Some(leader) if status == StatusCode::TEMPORARY_REDIRECT => {
                    address = leader.to_owned();
                }
                _ => break,
            }
        }
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

    /// The status, the body, and where else to ask.
    async fn answer(
        &self,
        address: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes, Option<String>), BoxError> {
        let stream = tokio::net::TcpStream::connect(address).await;
        let stream = stream.map_err(|error| {
            format!(
                "no REST at http://{address}: {error}; is the job running with --rest, and is this \
                 its address (--rest, rest.port)?"
            )
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, address);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(body))?;
        let asked = async move {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let location = answer.headers().get(LOCATION);
            let location = location
                .and_then(|text| text.to_str().ok())
                .map(str::to_owned);
            let body = Limited::new(answer.into_body(), LONGEST).collect().await?;
            Ok::<_, BoxError>((status, body.to_bytes(), location))
        };
        let connected = async { connection.await.map_err(BoxError::from) };
        tokio::pin!(asked, connected);
        // The connection ends by itself once the answer is read, or breaks: then asking fails.
        tokio::select! {
            answer = &mut asked => answer,
            broken = &mut connected => {
                broken?;
                asked.await
            }
        }
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
