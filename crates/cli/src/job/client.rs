//! Asks a job's REST: one request a connection.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use rheos::cluster::http::client::{Answered, AskError, Question, Site, ask};
use rheos::cluster::tls;
use rheos::core::config::options::SSL_REST_ENABLED;
use rheos::core::config::{ConfigError, Configuration};
use rheos::runtime::BoxError;
use serde_json::Value;

/// How long a connection and an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long one may take to a piece of a program, the last of which makes the server hash it all.
const PIECE_TIMEOUT: Duration = Duration::from_secs(300);

/// Where REST is.
pub(crate) struct Client {
    site: Site,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// A client of the REST at `https://HOST:PORT` or `http://HOST:PORT`; for only `HOST:PORT` the
    /// configuration says which.
    pub(crate) fn new(
        address: &str,
        token: Option<String>,
        configuration: &Configuration,
    ) -> Result<Self, BoxError> {
        let (encrypted, address) = match address.split_once("://") {
            Some(("https", address)) => (true, address),
            Some(("http", address)) => (false, address),
            Some((other, _)) => {
                return Err(format!("'{other}' is not spoken here: https:// or http://").into());
            }
            None => (configuration.get(&SSL_REST_ENABLED)?, address),
        };
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
        let site = match encrypted {
            true => Site {
                address: address.to_owned(),
                security: tls::to_rest(configuration).map_err(to_mend)?,
            },
            false => Site::plain(address),
        };
        Ok(Self {
            site,
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
            format!("{}{path} answers what is no JSON: {error}", self.site.url()).into()
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
        let mut site = self.site.clone();
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
        let mut answer = self.answer(&site, &question, timeout)?;
        // A JobManager that stands by says where the one is that leads; which may change meanwhile.
        for _ in 0..2 {
            let location = answer.location.as_deref();
            match location.filter(|_| answer.status == StatusCode::TEMPORARY_REDIRECT) {
                Some(location) => {
                    site = elsewhere(&site, location)?;
                    answer = self.answer(&site, &question, timeout)?;
                }
                None => break,
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
        let errors = errors.unwrap_or_else(|| match &*answer.content_type {
            "text/plain" => String::from_utf8_lossy(&bytes).into_owned(),
            _ => String::new(),
        });
        let url = site.url();
        Err(format!("{url}{path}: {status}: {errors}{hint}").into())
    }

    /// Sends a piece of a file.
    pub(crate) fn piece(&self, path: &str, bytes: Vec<u8>) -> Result<Value, BoxError> {
        let body = Some(("application/octet-stream", Bytes::from(bytes)));
        let text = self.send(Method::PUT, path, body, PIECE_TIMEOUT)?;
        self.json(path, &text)
    }

    fn answer(
        &self,
        site: &Site,
        question: &Question,
        timeout: Duration,
    ) -> Result<Answered, BoxError> {
        let asked = ask(site, question.clone(), timeout);
        let answer = self.runtime.block_on(asked);
        answer.map_err(|error| match error {
            AskError::Connect { url, error } => format!(
                "no REST at {url}: {error}; is the job running with --rest, and is this \
                 its address (--rest, rest.port)?"
            )
            .into(),
            error => error.into(),
        })
    }
}

/// Who is asked next, as who was asked says. What is encrypted stays so: there may be a secret in it.
fn elsewhere(asked: &Site, location: &str) -> Result<Site, BoxError> {
    let unfit = || {
        let url = asked.url();
        format!("{url} says to ask at {location}: ask there yourself, if that is right")
    };
    let (scheme, behind) = location.split_once("://").ok_or_else(unfit)?;
    if asked.url().split_once("://").map(|(own, _)| own) != Some(scheme) {
        return Err(unfit().into());
    }
    let address = behind.split('/').next().unwrap_or(behind);
    Ok(Site {
        address: address.to_owned(),
        security: asked.security.clone(),
    })
}

/// What keeps a client from speaking TLS.
fn to_mend(error: ConfigError) -> BoxError {
    match error {
        ConfigError::Missing { key } => format!(
            "`{key}` is not set: with security.ssl.rest.authentication-enabled it names a PEM file \
             with a certificate and its key, to be shown to REST"
        )
        .into(),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str, keys: &[(&str, &str)]) -> Result<Client, BoxError> {
        let mut configuration = Configuration::new();
        for (key, value) in keys {
            configuration.set(key, value);
        }
        Client::new(address, None, &configuration)
    }

    #[test]
    fn an_address_has_a_port_and_says_how_it_is_spoken_to() {
        let plain = |address| client(address, &[]).unwrap().site.url();
        assert_eq!(plain("http://127.0.0.1:8081/"), "http://127.0.0.1:8081");
        assert_eq!(plain("localhost:1"), "http://localhost:1");
        for wrong in ["localhost", "https://localhost", "http://a:b", "ftp://a:1"] {
            assert!(client(wrong, &[]).is_err(), "{wrong}");
        }
        let on = [("security.ssl.rest.enabled", "true")];
        let plain = client("http://localhost:1", &on).unwrap();
        assert_eq!(plain.site.url(), "http://localhost:1");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_tls_it_says_so() {
        let on = [("security.ssl.rest.enabled", "true")];
        for (address, keys) in [("https://localhost:1", &[][..]), ("localhost:1", &on)] {
            let error = client(address, keys).err().unwrap().to_string();
            assert!(error.contains("feature `tls`"), "{error}");
        }
    }

    #[test]
    fn who_stands_by_sends_on_to_what_is_as_safe() {
        let plain = Site::plain("a:1");
        let there = elsewhere(&plain, "http://b:2/jobs/overview").unwrap();
        assert_eq!(there.url(), "http://b:2");
        for unfit in ["https://b:2/jobs/overview", "/jobs/overview"] {
            let error = elsewhere(&plain, unfit).unwrap_err().to_string();
            assert!(error.contains(unfit), "{error}");
        }
    }
}
