//! What a handler gives: an answer, or why there is none.

use serde_json::{Value, json};

use crate::http::{Response, StatusCode};

const JSON: &str = "application/json; charset=UTF-8";

/// What was asked for.
pub enum Answer {
    /// It.
    Json(Value),
    /// It will be done.
    Accepted(Value),
    /// It, as text.
    Text(String),
}

impl Answer {
    /// For the wire.
    pub(super) fn response(self) -> Response {
        match self {
            Self::Json(value) => Response::new(StatusCode::OK, JSON, value.to_string()),
            Self::Accepted(value) => Response::new(StatusCode::ACCEPTED, JSON, value.to_string()),
            Self::Text(text) => Response::new(StatusCode::OK, "text/plain; charset=UTF-8", text),
        }
    }
}

/// Why a request is not answered, sorted by what the client can do.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such thing: ask for another.
    NotFound(String),
    /// The request is not sound: mend it.
    BadRequest(String),
    /// It makes no sense as things are.
    Conflict(String),
}

impl Refusal {
    /// For the wire.
    pub(super) fn response(self) -> Response {
        let (status, message) = match self {
            Self::NotFound(message) => (StatusCode::NOT_FOUND, message),
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, message),
            Self::Conflict(message) => (StatusCode::CONFLICT, message),
        };
        errors(status, message)
    }
}

/// An error's body, as Flink's.
pub(super) fn errors(status: StatusCode, message: impl Into<String>) -> Response {
    let body = json!({ "errors": [message.into()] });
    Response::new(status, JSON, body.to_string())
}
