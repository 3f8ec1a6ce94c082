//! Asks another process over HTTP: one request a connection.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, LOCATION};
use hyper_util::rt::TokioIo;
use rheos_runtime::network::{ClientSecurity, SecurityError, Wire};

use super::{HeaderMap, Method, scheme};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("nobody listens at {url}: {error}")]
    Connect {
        /// Where.
        url: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The connection can't be made safe.
    #[error("{url}: {error}")]
    Unsafe {
        /// Who.
        url: String,
        /// Why not.
        error: SecurityError,
    },
    /// The answer does not come.
    #[error("{url} does not answer within {seconds} s")]
    Late {
        /// Who.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection breaks, the answer is too long, or none.
    #[error("{url}: {error}")]
    Broken {
        /// Who.
        url: String,
        /// What is wrong.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Who is asked.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where it listens, `HOST:PORT`.
    pub address: String,
    /// How connections to it are made safe.
    pub security: ClientSecurity,
}

impl Site {
    /// One that speaks no TLS.
    pub fn plain(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            security: ClientSecurity::default(),
        }
    }

    /// Its address as people write it.
    pub fn url(&self) -> String {
        format!("{}://{}", scheme(self.security.is_on()), self.address)
    }

    /// The host without its port.
    fn host(&self) -> &str {
        let host = self.address.rsplit_once(':');
        let host = host.map_or(self.address.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// What is to be done.
    pub method: Method,
    /// With what, and its query.
    pub path: String,
    /// Headers beside the host.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What came of it.
    pub status: StatusCode,
    /// Of what kind the body is.
    pub content_type: String,
    /// Where else to ask.
    pub location: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// The longest answer that is taken.
const LONGEST: usize = 64 << 20;

/// Asks a server, and waits at most so long.
///
/// # Errors
/// If there is no answer.
pub async fn ask(site: &Site, question: Question, timeout: Duration) -> Result<Answered, AskError> {
    match tokio::time::timeout(timeout, answer(site, question)).await {
        Ok(answer) => answer,
        Err(_) => Err(AskError::Late {
            url: site.url(),
            seconds: timeout.as_secs(),
        }),
    }
}

async fn answer(site: &Site, question: Question) -> Result<Answered, AskError> {
    let stream = tokio::net::TcpStream::connect(&site.address).await;
    let stream = stream.map_err(|error| AskError::Connect {
        url: site.url(),
        error,
    })?;
    let not_safe = |error| AskError::Unsafe {
        url: site.url(),
        error,
    };
    let wire = site.security.connect(site.host(), stream).await;
    over(wire.map_err(not_safe)?, &site.address, question)
        .await
        .map_err(|error| match site.security.said(&*error) {
            Some(said) => not_safe(said),
            None => AskError::Broken {
                url: site.url(),
                error,
            },
        })
}

async fn over(
    stream: Wire,
    address: &str,
    question: Question,
) -> Result<Answered, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = hyper::Request::builder()
        .method(question.method)
        .uri(question.path);
    if let Some(headers) = request.headers_mut() {
        *headers = question.headers;
    }
    let request = request.header(HOST, address);
    let request = request.body(Full::new(question.body))?;
    let asked = async move {
        let answer = sender.send_request(request).await?;
        let text = |name| {
            let value: &hyper::header::HeaderValue = answer.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let status = answer.status();
        let (content_type, location) = (text(CONTENT_TYPE), text(LOCATION));
        let body = Limited::new(answer.into_body(), LONGEST).collect().await?;
        Ok(Answered {
            status,
            content_type: content_type.unwrap_or_default(),
            location,
            body: body.to_bytes(),
        })
    };
    let connected = async { connection.await.map_err(Into::into) };
    tokio::pin!(asked, connected);
    // The connection ends by itself once the answer is read, or breaks: then asking fails.
    tokio::select! {
        answer = &mut asked => answer,
        broken = &mut connected => {
            let broken: Result<(), Box<dyn std::error::Error + Send + Sync>> = broken;
            broken?;
            asked.await
        }
    }
}
