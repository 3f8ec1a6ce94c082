//! One connection to one broker: a request at a time.
//!
//! After an error the connection is of no use any more: whoever owns it drops it and opens another.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::settings::ClientSettings;
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::Request;
use crate::kafka::protocol::session::ApiVersionsRequest;
use crate::kafka::protocol::wire::{Decoder, Encoder, Malformed};
use crate::net;

/// Bytes of the longest answer that is taken.
const MAX_RESPONSE: usize = 1 << 30;

/// A connection that is authenticated.
pub struct Connection {
    stream: Box<dyn net::Stream>,
    broker: String,
    correlation: i32,
    settings: Arc<ClientSettings>,
    /// Of each message the versions that the broker understands.
    versions: Vec<(i16, i16, i16)>,
}

impl Connection {
    /// Connects to a broker, and authenticates where that is set.
    ///
    /// # Errors
    /// If it can't be reached, is no broker, or refuses us.
    pub async fn open(
        settings: &Arc<ClientSettings>,
        host: &str,
        port: u16,
    ) -> Result<Self, KafkaError> {
        let broker = format!("{host}:{port}");
        let stream = net::connect(host, port, settings.tls.as_ref(), &settings.connect)
            .await
            .map_err(|error| {
                if error.kind() == io::ErrorKind::InvalidData {
                    KafkaError::Security {
                        broker: broker.clone(),
                        what: error.to_string(),
                    }
                } else {
                    unreachable(&broker, &error)
                }
            })?;
        let mut connection = Self {
            stream,
            broker,
            correlation: 0,
            settings: settings.clone(),
            versions: Vec::new(),
        };
        match connection.call(&ApiVersionsRequest).await? {
            Ok(versions) => connection.versions = versions,
            Err(code) => return Err(KafkaError::broker("which versions it speaks", code)),
        }
        if let Some(credentials) = &settings.credentials {
            credentials.authenticate(&mut connection).await?;
        }
        Ok(connection)
    }

    /// That this broker and we do not trust each other.
    pub(super) fn distrust(&self, what: String) -> KafkaError {
        KafkaError::Security {
            broker: self.broker.clone(),
            what,
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// If the connection breaks, the answer takes too long or is none.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, KafkaError> {
        if !self.versions.is_empty() {
            let range = self.versions.iter().find(|(key, ..)| *key == R::KEY);
            if !range.is_some_and(|(_, least, most)| (*least..=*most).contains(&R::VERSION)) {
                let has = range.map_or("no version of it".to_owned(), |(_, least, most)| {
                    format!("versions {least} to {most}")
                });
                return Err(KafkaError::setting(format!(
                    "{} does not speak {} {}, but {has}; Kafka 2.3 or newer is needed",
                    self.broker,
                    R::NAME,
                    R::VERSION
                )));
            }
        }
        let timeout = self.settings.request_timeout;
        let answer = tokio::time::timeout(timeout, self.exchange(request)).await;
        let body = match answer {
            Ok(body) => body.map_err(|error| unreachable(&self.broker, &error))?,
            Err(_) => {
                return Err(KafkaError::Unreachable {
                    broker: self.broker.clone(),
                    what: format!("no answer to {} within {} ms", R::NAME, timeout.as_millis()),
                });
            }
        };
        let mut input = Decoder::new(body);
        let response = match input.i32() {
            Ok(correlation) if correlation == self.correlation => request.decode(&mut input),
            Ok(_) => Err(Malformed("the answer to another request".to_owned())),
            Err(error) => Err(error),
        };
        response.map_err(|error| KafkaError::Protocol {
            broker: self.broker.clone(),
            message: R::NAME,
            error,
        })
    }

    async fn exchange<R: Request>(&mut self, request: &R) -> io::Result<Bytes> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut out = Encoder::default();
        out.i32(0);
        out.i16(R::KEY);
        out.i16(R::VERSION);
        out.i32(self.correlation);
        out.nullable_str(Some(&self.settings.client_id));
        request.encode(&mut out);
        let mut message = out.into_vec();
        let len = u32::try_from(message.len() - 4).map_err(io::Error::other)?;
        if let Some(place) = message.first_chunk_mut::<4>() {
            *place = len.to_be_bytes();
        }
        self.stream.write_all(&message).await?;
        self.stream.flush().await?;
        let len = usize::try_from(self.stream.read_u32().await?).unwrap_or(usize::MAX);
        if len > MAX_RESPONSE {
            let message = format!("an answer of {len} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        // What is announced is believed up to a bound, so that noise reserves no gigabyte.
        let mut body = BytesMut::with_capacity(len.min(64 << 20));
        let mut rest = (&mut self.stream).take(len as u64);
        while body.len() < len {
            if rest.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(body.freeze())
    }
}

fn unreachable(broker: &str, error: &io::Error) -> KafkaError {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
        _ => error.to_string(),
    };
    KafkaError::Unreachable {
        broker: broker.to_owned(),
        what,
    }
}
