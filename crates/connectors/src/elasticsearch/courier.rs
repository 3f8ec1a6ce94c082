//! A batch on its way to `_bulk`.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use rheos_core::clock::SharedClock;

use super::bulk::{Batch, Fate, Item, fates, reason};
use crate::error::ConnectorError;
use crate::http::{Answer, Ask, HttpClient, Unanswered};
use crate::outbox::{Courier, Delivered, Patience, Rejected};
use crate::secret::without_user;

/// Sends batches, to one host after the other as they fail.
pub(super) struct BulkCourier {
    pub client: HttpClient,
    /// Addresses without a slash at the end.
    pub hosts: Vec<String>,
    pub host: usize,
    /// An index to make before the first batch, with its settings and mappings.
    pub create: Option<(String, String)>,
    pub patience: Patience,
    pub clock: SharedClock,
}

/// What a request as a whole came to.
enum Whole {
    Fates(Vec<Fate>),
    /// It was larger than the server takes.
    TooLarge,
    /// The server read none of it for what it holds.
    Refused(String),
    Again(String),
    Fatal(String),
}

impl BulkCourier {
    fn host(&self) -> &str {
        let at = self.host.checked_rem(self.hosts.len()).unwrap_or(0);
        self.hosts.get(at).map_or("", String::as_str)
    }

    /// What was said, and by whom.
    fn said(&self, message: &str) -> String {
        format!("{}: {message}", without_user(self.host()))
    }

    fn failed(&self, message: &str) -> ConnectorError {
        self.patience.failed(&self.said(message))
    }

    /// Waits before the next attempt, at the next host.
    async fn wait(&mut self, message: &str) -> Result<(), ConnectorError> {
        let said = self.said(message);
        self.host = self.host.wrapping_add(1);
        self.patience.wait(&said).await
    }

    async fn create(&mut self) -> Result<(), ConnectorError> {
        while let Some((index, body)) = self.create.clone() {
            let url = format!("{}/{index}", self.host());
            let asked = self.client.ask(Ask {
                method: Method::PUT,
                url: &url,
                content_type: Some("application/json"),
                body: Bytes::from(body),
            });
            match asked.await {
                Ok(answer) if (200..300).contains(&answer.status) => self.create = None,
                Ok(answer) => {
                    let why = told(&answer);
                    match answer.status {
                        // It is there, most often: another subtask was first.
                        400 if why.contains("already_exists") => self.create = None,
                        429 | 500..=599 => self.wait(&why).await?,
                        _ => return Err(self.failed(&format!("making the index {index}: {why}"))),
                    }
                }
                Err(Unanswered::Passing(message)) => self.wait(&message).await?,
                Err(Unanswered::Refused(message)) => return Err(self.failed(&message)),
            }
        }
        Ok(())
    }

    async fn send(&self, batch: &Batch, items: &[Item]) -> Whole {
        let mut body = Vec::new();
        for item in items {
            body.extend_from_slice(batch.text.get(item.from..item.to).unwrap_or_default());
        }
        let url = format!("{}/_bulk", self.host());
        let asked = self.client.ask(Ask {
            method: Method::POST,
            url: &url,
            content_type: Some("application/x-ndjson"),
            body: Bytes::from(body),
        });
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(Unanswered::Passing(message)) => return Whole::Again(message),
            Err(Unanswered::Refused(message)) => return Whole::Fatal(message),
        };
        match answer.status {
            200..=299 => match fates(items, &answer.body) {
                Ok(fates) => Whole::Fates(fates),
                Err(message) => Whole::Fatal(message),
            },
            413 => Whole::TooLarge,
            400 => Whole::Refused(told(&answer)),
            408 | 429 | 500 | 502 | 503 | 504 => Whole::Again(told(&answer)),
            401 | 403 => Whole::Fatal(format!(
                "{}; give a user and password, or an API key, that may write",
                told(&answer)
            )),
            _ => Whole::Fatal(told(&answer)),
        }
    }
}

/// What a server says of a request, in a line.
fn told(answer: &Answer) -> String {
    let why = match serde_json::from_slice::<serde_json::Value>(&answer.body) {
        Ok(error) => reason(&error),
        Err(_) => String::from_utf8_lossy(&answer.body)
            .chars()
            .take(300)
            .collect(),
    };
    format!("HTTP {}: {why}", answer.status)
}

impl Courier<Batch> for BulkCourier {
    async fn deliver(&mut self, batch: Batch) -> Result<Delivered, ConnectorError> {
        let began = self.clock.monotonic_micros();
        let mut rejected = Vec::new();
        self.create().await?;
        // Parts of the batch that are still to be written, the first last.
        let mut parts: Vec<Vec<Item>> = vec![batch.items.clone()];
        while let Some(items) = parts.pop() {
            if items.is_empty() {
                continue;
            }
            match self.send(&batch, &items).await {
                Whole::Fates(fates) => {
                    let mut again = Vec::new();
                    let mut why = String::new();
                    let mut done = false;
                    for (item, fate) in items.iter().zip(fates) {
                        match fate {
                            Fate::Done => done = true,
                            Fate::Rejected(message) => {
                                done = true;
                                rejected.push(Rejected {
                                    index: item.row,
                                    message,
                                });
                            }
                            Fate::Again(message) => {
                                again.push(*item);
                                why = message;
                            }
                            Fate::Fatal(message) => return Err(self.failed(&message)),
                        }
                    }
                    if done {
                        self.patience.answered();
                    }
                    if !again.is_empty() {
                        parts.push(again);
                        self.wait(&why).await?;
                    }
                }
                Whole::TooLarge | Whole::Refused(_) if items.len() > 1 => {
                    let mut first = items;
                    let second = first.split_off(first.len() / 2);
                    parts.push(second);
                    parts.push(first);
                }
                Whole::TooLarge => rejected.extend(items.iter().map(|item| Rejected {
                    index: item.row,
                    message: format!(
                        "{} bytes are more than the server takes (http.max_content_length)",
                        item.to - item.from
                    ),
                })),
                Whole::Refused(message) => rejected.extend(items.iter().map(|item| Rejected {
                    index: item.row,
                    message: message.clone(),
                })),
                Whole::Again(message) => {
                    parts.push(items);
                    self.wait(&message).await?;
                }
                Whole::Fatal(message) => return Err(self.failed(&message)),
            }
        }
        let micros = self.clock.monotonic_micros() - began;
        rejected.sort_by_key(|rejected| rejected.index);
        Ok(Delivered {
            bytes: batch.text.len() as u64,
            millis: u64::try_from(micros / 1_000).unwrap_or(0),
            rejected,
        })
    }
}

/// How long a request may take unless told.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
