//! Look-ups at an API over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;

use super::client::{Answer, Ask, HttpClient, Unanswered};
use crate::error::ConnectorError;
use crate::net::Trust;
use crate::secret::{Secret, without_user};

/// What an API answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status: 200, or 404 if there is no such thing.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks an API over HTTP or HTTPS, for asynchronous I/O: connections are kept and shared, and retries,
/// time-out, limits and the circuit breaker are the operator's
/// ([`AsyncOptions`](rheos_runtime::async_io::AsyncOptions)). Cheap to clone.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::HttpLookup;
///
/// # fn lookup(words: &DataStream<String>) -> Result<(), BoxError> {
/// let api = HttpLookup::new("https://api.example.org/meanings/")?
///     .bearer("${env:API_TOKEN}")?;
/// let ask = move |word: String| {
///     let api = api.clone();
///     async move {
///         let answer = api.get(&word).await?;
///         Ok::<_, BoxError>([(word, answer.status == 200)])
///     }
/// };
/// # let _ = ask;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpLookup {
    base: Arc<str>,
    client: HttpClient,
}

impl HttpLookup {
    /// A client for what lies below this address; a question may take 30 seconds.
    ///
    /// # Errors
    /// If the address can't be used.
    pub fn new(base: impl Into<Secret>) -> Result<Self, ConnectorError> {
        Self::with(base, &Trust::System, Duration::from_secs(30))
    }

    /// As [`HttpLookup::new`], with this trust and time-out.
    ///
    /// # Errors
    /// If the address or the certificates can't be used.
    pub fn with(
        base: impl Into<Secret>,
        trust: &Trust,
        timeout: Duration,
    ) -> Result<Self, ConnectorError> {
        let base = base.into().reveal()?;
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(ConnectorError::Setting(format!(
                "'{}' is no address of an API: it begins with http:// or https://",
                without_user(&base)
            )));
        }
        Ok(Self {
            base: base.into(),
            client: HttpClient::new(trust, timeout)?,
        })
    }

    /// A header of every question, such as an API's key.
    ///
    /// # Errors
    /// If it can't be a header.
    pub fn header(mut self, name: &str, value: impl Into<Secret>) -> Result<Self, ConnectorError> {
        self.client.header(name, &value.into().reveal()?)?;
        Ok(self)
    }

    /// A token of every question.
    ///
    /// # Errors
    /// If it can't be in a header.
    pub fn bearer(self, token: impl Into<Secret>) -> Result<Self, ConnectorError> {
        let token = token.into().reveal()?;
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Asks for what has this name below the address. Whatever a path can't hold is escaped.
    ///
    /// # Errors
    /// If there is no answer, or one whose status is neither a success nor 404.
    pub async fn get(&self, name: &str) -> Result<HttpAnswer, ConnectorError> {
        self.ask(Method::GET, name, None, Bytes::new()).await
    }

    /// Asks by a JSON document.
    ///
    /// # Errors
    /// As [`HttpLookup::get`].
    pub async fn post_json(
        &self,
        name: &str,
        json: impl Into<Vec<u8>>,
    ) -> Result<HttpAnswer, ConnectorError> {
        let body = Bytes::from(json.into());
        self.ask(Method::POST, name, Some("application/json"), body)
            .await
    }

    async fn ask(
        &self,
        method: Method,
        name: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<HttpAnswer, ConnectorError> {
        let url = format!("{}{}", self.base, escaped(name));
        let failed = |message: String| ConnectorError::Lookup {
            target: without_user(&url),
            message,
        };
        let ask = Ask {
            method,
            url: &url,
            content_type,
            body,
        };
        let answer = self.client.ask(ask).await;
        let Answer { status, body } = answer.map_err(|unanswered| match unanswered {
            Unanswered::Passing(message) | Unanswered::Refused(message) => failed(message),
        })?;
        if (200..300).contains(&status) || status == 404 {
            Ok(HttpAnswer {
                status,
                body: body.to_vec(),
            })
        } else {
            let said: String = String::from_utf8_lossy(&body).chars().take(300).collect();
            Err(failed(format!("HTTP {status}: {said}")))
        }
    }
}

/// A name as a part of a path.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a b/ü?"), "a%20b/%C3%BC%3F");
    }

    #[test]
    fn an_address_must_be_one() {
        assert!(HttpLookup::new("api.example.org").is_err());
    }
}
