//! What every connection needs to know, out of the properties.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::time::Duration;

use rheos_core::rng::splitmix64;

use super::sasl::Credentials;
use crate::kafka::error::KafkaError;
use crate::kafka::properties::Properties;
use crate::net::{ConnectOptions, Identity, Tls, Trust};

/// The properties that [`ClientSettings`] reads.
pub const CLIENT_PROPERTIES: &[&str] = &[
    "bootstrap.servers",
    "client.id",
    "request.timeout.ms",
    "default.api.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "retry.backoff.ms",
    "retry.backoff.max.ms",
    "receive.buffer.bytes",
    "send.buffer.bytes",
    "security.protocol",
    "sasl.mechanism",
    "sasl.jaas.config",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.certificates",
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.endpoint.identification.algorithm",
];

/// How to reach the brokers.
#[derive(Clone)]
pub struct ClientSettings {
    /// Host and port of some brokers.
    pub bootstrap: Vec<(String, u16)>,
    /// Our name in the brokers' logs and quotas.
    pub client_id: String,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long what is tried again and again may take.
    pub api_timeout: Duration,
    /// The first pause before something is tried again.
    pub backoff: Duration,
    /// The longest such pause.
    pub max_backoff: Duration,
    /// What the pauses of this client differ by from those of others.
    pub seed: u64,
    /// Sockets.
    pub connect: ConnectOptions,
    /// TLS, if it is used.
    pub tls: Option<Tls>,
    /// Who we are, if the brokers ask.
    pub credentials: Option<Credentials>,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("bootstrap", &self.bootstrap)
            .field("client_id", &self.client_id)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// The hosts and ports of a list.
fn addresses(text: &str) -> Result<Vec<(String, u16)>, KafkaError> {
    let mut addresses = Vec::new();
    for address in text.split(',').map(str::trim).filter(|a| !a.is_empty()) {
        let wrong = || {
            KafkaError::setting(format!(
                "bootstrap.servers: '{address}' is no HOST:PORT, as localhost:9092 is"
            ))
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        addresses.push((host.to_owned(), port));
    }
    if addresses.is_empty() {
        return Err(KafkaError::setting(
            "bootstrap.servers names no broker: give HOST:PORT of one at least",
        ));
    }
    Ok(addresses)
}

fn read(name: &str, path: &str) -> Result<Vec<u8>, KafkaError> {
    std::fs::read(Path::new(path))
        .map_err(|error| KafkaError::setting(format!("{name}: {path}: {error}")))
}

impl ClientSettings {
    /// What the properties say; `${env:NAME}` and `${file:PATH}` in their values are replaced.
    ///
    /// # Errors
    /// The property that can't be used.
    pub fn new(properties: &Properties) -> Result<Self, KafkaError> {
        let properties = &properties.revealed()?;
        let buffer = |name| -> Result<Option<u32>, KafkaError> {
            match properties.parse(name, -1i32, "a number of bytes")? {
                -1 => Ok(None),
                bytes => u32::try_from(bytes)
                    .map(Some)
                    .map_err(|_| KafkaError::setting(format!("{name} is {bytes}"))),
            }
        };
        let protocol = properties.choice(
            "security.protocol",
            &["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        )?;
        let backoff = properties.millis("retry.backoff.ms", 100)?;
        Ok(Self {
            bootstrap: addresses(properties.get("bootstrap.servers").unwrap_or_default())?,
            client_id: properties.get("client.id").unwrap_or("rheos").to_owned(),
            request_timeout: properties.millis("request.timeout.ms", 30_000)?,
            api_timeout: properties.millis("default.api.timeout.ms", 60_000)?,
            backoff: backoff.max(Duration::from_millis(1)),
            max_backoff: properties
                .millis("retry.backoff.max.ms", 1000)?
                .max(backoff),
            seed: RandomState::new().hash_one(std::process::id()),
            connect: ConnectOptions {
                timeout: Some(properties.millis("socket.connection.setup.timeout.ms", 10_000)?),
                receive_buffer: buffer("receive.buffer.bytes")?,
                send_buffer: buffer("send.buffer.bytes")?,
            },
            tls: if protocol.ends_with("SSL") {
                Some(tls(properties)?)
            } else {
                None
            },
            credentials: if protocol.starts_with("SASL") {
                Some(Credentials::new(properties)?)
            } else {
                None
            },
        })
    }

    /// The pause before the `attempt`-th repetition, from 0: as Kafka's own clients do, longer or
    /// shorter by up to a fifth, so that many do not come back at once.
    pub fn pause(&self, attempt: u32) -> Duration {
        let factor = 1u32 << attempt.min(16);
        let pause = self.backoff.saturating_mul(factor).min(self.max_backoff);
        let drawn = splitmix64(self.seed ^ u64::from(attempt)) >> 11;
        pause.mul_f64(0.8 + 0.4 * (drawn as f64 / (1u64 << 53) as f64))
    }
}

fn tls(properties: &Properties) -> Result<Tls, KafkaError> {
    for (kind, name) in [
        ("ssl.truststore.type", "certificates to trust"),
        ("ssl.keystore.type", "our certificate"),
    ] {
        if properties.get(kind).is_some_and(|value| value != "PEM") {
            return Err(KafkaError::setting(format!(
                "{kind}: only PEM is read; export {name} to a PEM file"
            )));
        }
    }
    if properties.get("ssl.endpoint.identification.algorithm") == Some("") {
        return Err(KafkaError::setting(
            "ssl.endpoint.identification.algorithm: brokers' names are always checked; give the \
             brokers certificates with the names they are reached by",
        ));
    }
    let file = |name: &str| {
        properties
            .get(name)
            .map(|path| read(name, path))
            .transpose()
    };
    let text = |name: &str| properties.get(name).map(|pem| pem.as_bytes().to_vec());
    let trusted = match text("ssl.truststore.certificates") {
        Some(pem) => Some(pem),
        None => match file("ssl.truststore.location")? {
            Some(pem) => Some(pem),
            None => file("ssl.ca.location")?,
        },
    };
    let own = match text("ssl.keystore.certificate.chain") {
        Some(certificates) => Some((certificates, text("ssl.keystore.key"))),
        None => match file("ssl.keystore.location")? {
            Some(both) => Some((both.clone(), Some(both))),
            None => match file("ssl.certificate.location")? {
                Some(certificates) => Some((certificates, file("ssl.key.location")?)),
                None => None,
            },
        },
    };
    let identity = match own {
        None => None,
        Some((certificates, Some(key))) => Some(Identity { certificates, key }),
        Some((_, None)) => {
            return Err(KafkaError::setting(
                "our certificate is there without its key: give ssl.keystore.key or ssl.key.location",
            ));
        }
    };
    Tls::new(
        &trusted.map_or(Trust::System, Trust::Pem),
        identity.as_ref(),
    )
    .map_err(|error| KafkaError::setting(format!("TLS to the Kafka brokers: {error}")))
}
