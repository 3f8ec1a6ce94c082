//! Asks another process over HTTP: one request a connection.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, LOCATION};
use hyper_util::rt::TokioIo;

use super::{HeaderMap, Method};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("nobody listens at http://{address}: {error}")]
    Connect {
        /// Where.
        address: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The answer does not come.
    #[error("http://{address} does not answer within {seconds} s")]
    Late {
        /// Who.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection breaks, the answer is too long, or none.
    #[error("http://{address}: {error}")]
    Broken {
        /// Who.
        address: String,
        /// What is wrong.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
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

/// Asks the server at `HOST:PORT`, and waits at most so long.
///
/// # Errors
/// If there is no answer.
pub async fn ask(
    address: &str,
    question: Question,
    timeout: Duration,
) -> Result<Answered, AskError> {
    match tokio::time::timeout(timeout, answer(address, question)).await {
        Ok(answer) => answer,
        Err(_) => Err(AskError::Late {
            address: address.to_owned(),
            seconds: timeout.as_secs(),
        }),
    }
}

async fn answer(address: &str, question: Question) -> Result<Answered, AskError> {
    let stream = tokio::net::TcpStream::connect(address).await;
    let stream = stream.map_err(|error| AskError::Connect {
        address: address.to_owned(),
        error,
    })?;
    over(stream, address, question)
        .await
        .map_err(|error| AskError::Broken {
            address: address.to_owned(),
            error,
        })
}

async fn over(
    stream: tokio::net::TcpStream,
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
