//! Asks the registry, and remembers what it said.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rheos_runtime::task::signal::Signal;
use serde_json::{Value as Json, json};

use super::http::{Answer, Endpoint};
use crate::error::ConnectorError;
use crate::format::base64;
use crate::net::{self, ConnectOptions, Tls, Trust};
use crate::secret::{Secret, without_user};

/// The first pause before an unreachable registry is asked again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long a connection may take; an answer twice as long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How many records are refused on one word of the registry.
const MAX_REPEATED: u32 = 10_000;

/// Where the registry is, and who we are there.
#[derive(Clone)]
pub struct RegistrySettings {
    url: Secret,
    login: Option<(Secret, Secret)>,
    certificates: Option<Vec<u8>>,
}

impl fmt::Debug for RegistrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrySettings")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl RegistrySettings {
    /// The registry at this URL, with the base path of its interface if it has one:
    /// `http://localhost:8081`, `https://registry.example/apis/ccompat/v7`. `${env:NAME}` and
    /// `${file:PATH}` in it are replaced.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self {
            url: url.into(),
            login: None,
            certificates: None,
        }
    }

    /// A user and the password, or an API key and its secret; `${env:NAME}` and `${file:PATH}` in them
    /// are replaced.
    #[must_use]
    pub fn basic_auth(mut self, user: impl Into<Secret>, password: impl Into<Secret>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// Trusts these certificates, in PEM, instead of those of the system.
    #[must_use]
    pub fn certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = Some(pem.into());
        self
    }

    fn endpoint(&self) -> Result<Endpoint, ConnectorError> {
        let url = self.url.reveal()?;
        let wrong = |what: &str| {
            let shown = without_user(&url);
            ConnectorError::Setting(format!("the schema registry's URL '{shown}' {what}"))
        };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("has no scheme: http:// or https://"))?;
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(wrong("has a scheme that is neither http nor https")),
        };
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        if address.contains('@') {
            return Err(ConnectorError::Setting(
                "a schema registry's URL holds no password: give it by basic_auth".to_owned(),
            ));
        }
        let (host, port) = match address.rsplit_once(':') {
            Some((host, given)) => (host, given.parse().map_err(|_| wrong("has no such port"))?),
            None => (address, port),
        };
        let tls = if scheme == "https" {
            let trust = self.certificates.clone().map_or(Trust::System, Trust::Pem);
            let tls = Tls::new(&trust, None)
                .map_err(|error| wrong(&format!("can't be trusted: {error}")))?;
            Some(tls)
        } else {
            None
        };
        let path = path.trim_end_matches('/');
        let authorization = match &self.login {
            None => None,
            Some((user, password)) => {
                let mut text = b"Basic ".to_vec();
                let login = format!("{}:{}", user.reveal()?, password.reveal()?);
                base64::encode(login.as_bytes(), &mut text);
                Some(String::from_utf8_lossy(&text).into_owned())
            }
        };
        Ok(Endpoint {
            host: host.to_owned(),
            port,
            base: if path.is_empty() {
                String::new()
            } else {
                format!("/{path}")
            },
            tls,
            authorization,
            options: ConnectOptions {
                timeout: Some(TIMEOUT),
                ..ConnectOptions::default()
            },
        })
    }
}

/// What is known of a schema's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Its text.
    Known(Arc<str>),
    /// The registry says that there is none, or that it is none of Avro.
    Refused(String),
    /// It is being asked for; the task is woken when it is known.
    Waiting,
}

/// A registry as one subtask sees it.
#[derive(Clone)]
pub(super) struct Client {
    endpoint: Arc<Endpoint>,
    io: tokio::runtime::Handle,
    signal: Arc<Signal>,
    schemas: Arc<Mutex<HashMap<u32, Lookup>>>,
    /// How often a refusal has been given again since it was heard.
    repeated: u32,
}

impl Client {
    pub fn new(
        settings: &RegistrySettings,
        io: Option<tokio::runtime::Handle>,
        signal: Arc<Signal>,
    ) -> Result<Self, ConnectorError> {
        Ok(Self {
            endpoint: Arc::new(settings.endpoint()?),
            io: io.ok_or_else(|| {
                let problem = "a schema registry needs the runtime that I/O runs on";
                ConnectorError::Setting(problem.to_owned())
            })?,
            signal,
            schemas: Arc::default(),
            repeated: 0,
        })
    }

    /// Wakes the task.
    pub fn signal(&self) -> Arc<Signal> {
        self.signal.clone()
    }

    /// Where futures run.
    pub fn io(&self) -> &tokio::runtime::Handle {
        &self.io
    }

    /// The schema of a number, asked for if it is not known yet. What was refused is asked for again
    /// now and then: it may have been registered since.
    pub fn schema(&mut self, id: u32) -> Lookup {
        let mut schemas = self
            .schemas
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match schemas.get(&id) {
            Some(Lookup::Refused(why)) => {
                let refused = Lookup::Refused(why.clone());
                self.repeated += 1;
                if self.repeated >= MAX_REPEATED {
                    self.repeated = 0;
                    schemas.remove(&id);
                }
                refused
            }
            Some(known) => known.clone(),
            None => {
                schemas.insert(id, Lookup::Waiting);
                drop(schemas);
                let client = self.clone();
                self.io.spawn(async move {
                    let found = client.fetch(id).await;
                    client
                        .schemas
                        .lock()
                        .unwrap_or_else(|poisoned| poisoned.into_inner())
                        .insert(id, found);
                    client.signal.raise();
                });
                Lookup::Waiting
            }
        }
    }

    async fn fetch(&self, id: u32) -> Lookup {
        let path = format!("/schemas/ids/{id}");
        let answer = self.patiently("GET", &path, "").await;
        let json: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status != 200 {
            let words = json.get("message").and_then(Json::as_str);
            return Lookup::Refused(format!(
                "the schema registry has no schema {id}: {}",
                words.unwrap_or("not found")
            ));
        }
        match json.get("schemaType").and_then(Json::as_str) {
            None | Some("AVRO") => {}
            Some(other) => {
                return Lookup::Refused(format!("the schema {id} is one of {other}, not of Avro"));
            }
        }
        match json.get("schema").and_then(Json::as_str) {
            Some(schema) => Lookup::Known(schema.into()),
            None => Lookup::Refused(format!("the schema registry's schema {id} is empty")),
        }
    }

    /// Registers a schema; its number, or why it is refused for good.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, String> {
        let subject: String = subject
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        let path = format!("/subjects/{subject}/versions");
        let body = json!({ "schema": schema }).to_string();
        let answer = self.patiently("POST", &path, &body).await;
        let json: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = json.get("id").and_then(Json::as_u64);
        match (answer.status, id.map(u32::try_from)) {
            (200, Some(Ok(id))) => Ok(id),
            (status, _) => {
                let words = json.get("message").and_then(Json::as_str);
                Err(format!(
                    "the schema registry refuses the schema of subject '{subject}' (status {status}): {}",
                    words.unwrap_or("no reason given")
                ))
            }
        }
    }

    /// Asks until the registry gives an answer that is its own: not while it can't be reached, is not
    /// ready, or is in trouble.
    async fn patiently(&self, method: &str, path: &str, body: &str) -> Answer {
        let (mut pause, longest) = PAUSES;
        let mut times = 0u32;
        loop {
            let problem = match self.endpoint.ask(method, path, body).await {
                Ok(answer) if is_final(answer.status) => return answer,
                Ok(answer) => io::Error::other(format!("status {}", answer.status)),
                Err(error) => error,
            };
            times += 1;
            if times.is_power_of_two() {
                let Endpoint { host, port, .. } = &*self.endpoint;
                tracing::warn!(
                    times,
                    "the schema registry {host}:{port} gives no answer to {method} {path}: {problem}; \
                     asking again"
                );
            }
            net::pause(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// Whether an answer is the registry's own: what was asked for, or that there is none. Refused
/// credentials are neither: they may be mended while the job waits.
fn is_final(status: u16) -> bool {
    matches!(status, 200 | 404 | 409 | 422)
}
