//! The sink as jobs describe it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::outbox::Outbox;
use super::sender::Sender;
use super::serializer::RecordSerializer;
use super::writer::KafkaWriter;
use crate::error::ConnectorError;
use crate::kafka::batch::Compression;
use crate::kafka::client::{CLIENT_PROPERTIES, ClientSettings};
use crate::kafka::error::KafkaError;
use crate::kafka::properties::Properties;

/// Properties of producers, beside those of every client.
const PRODUCER_PROPERTIES: &[&str] = &[
    "acks",
    "enable.idempotence",
    "compression.type",
    "batch.size",
    "linger.ms",
    "delivery.timeout.ms",
    "max.request.size",
];

/// How a writer writes.
#[derive(Debug)]
pub(super) struct ProduceSettings {
    pub client: Arc<ClientSettings>,
    pub acks: i16,
    pub idempotent: bool,
    pub compression: Compression,
    pub batch_bytes: usize,
    pub linger: Duration,
    pub delivery_timeout: Duration,
    pub max_request: usize,
}

/// Writes records to topics of Kafka, at least once. Flink's `KafkaSink`.
///
/// ```no_run
/// use rheos::prelude::*;
/// use rheos_connectors::CollectionSource;
/// use rheos_connectors::kafka::{KafkaSink, OutRecord};
///
/// let env = StreamEnv::default();
/// let source = CollectionSource::from_elements(["a".to_owned(), "b".to_owned()]);
/// let words: DataStream<String> =
///     env.from_source(source, WatermarkStrategy::no_watermarks(), "words");
/// let record = |word: &String| OutRecord {
///     topic: "words".into(),
///     key: Some(word.as_bytes().to_vec()),
///     value: Some(word.as_bytes().to_vec()),
///     ..OutRecord::default()
/// };
/// words.sink_to(KafkaSink::new(record).bootstrap_servers("localhost:9092"));
/// ```
#[derive(Clone)]
pub struct KafkaSink<S> {
    serializer: Arc<S>,
    properties: Properties,
    rate: Option<f64>,
}

impl<S> fmt::Debug for KafkaSink<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink")
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}

impl<S> KafkaSink<S> {
    /// A sink whose records are made by `serializer`: a function from a row to an
    /// [`OutRecord`](super::OutRecord), or [`AvroRecords`](super::AvroRecords).
    pub fn new(serializer: S) -> Self {
        Self {
            serializer: Arc::new(serializer),
            properties: Properties::default(),
            rate: None,
        }
    }

    /// `HOST:PORT,…` of some brokers; the others are found through them.
    #[must_use]
    pub fn bootstrap_servers(self, servers: impl Into<String>) -> Self {
        self.property("bootstrap.servers", servers)
    }

    /// A property of Kafka's producers, by its name there.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set(name, value);
        self
    }

    /// Records a second that all subtasks together may write.
    #[must_use]
    pub fn rate_limit(mut self, records_per_second: f64) -> Self {
        self.rate = Some(records_per_second);
        self
    }

    fn settings(&self) -> Result<ProduceSettings, KafkaError> {
        let properties = &self.properties;
        properties.check(&[CLIENT_PROPERTIES, PRODUCER_PROPERTIES])?;
        let acks = match properties.get("acks").unwrap_or("all") {
            "all" | "-1" => -1,
            "1" => 1,
            "0" => {
                return Err(KafkaError::setting(
                    "acks is 0: what a broker does not acknowledge would be lost unseen; use all or 1",
                ));
            }
            other => {
                return Err(KafkaError::setting(format!(
                    "acks must be all or 1, not '{other}'"
                )));
            }
        };
        let idempotent = properties.parse("enable.idempotence", acks == -1, "true or false")?;
        if idempotent && acks != -1 {
            return Err(KafkaError::setting(
                "enable.idempotence needs acks=all: an acknowledgement of the leader alone is not kept",
            ));
        }
        let compression = properties.get("compression.type").unwrap_or("none");
        let batch = properties.bytes("batch.size", 64 << 10)?;
        let request = properties.bytes("max.request.size", 1 << 20)?;
        Ok(ProduceSettings {
            client: Arc::new(ClientSettings::new(properties)?),
            acks,
            idempotent,
            compression: compression
                .parse()
                .map_err(|error| KafkaError::setting(format!("compression.type: {error}")))?,
            batch_bytes: usize::try_from(batch.min(request)).unwrap_or(usize::MAX),
            linger: properties.millis("linger.ms", 5)?,
            delivery_timeout: properties.millis("delivery.timeout.ms", 120_000)?,
            max_request: usize::try_from(request).unwrap_or(usize::MAX),
        })
    }
}

impl<T: Row, S: RecordSerializer<T>> Sink<T> for KafkaSink<S> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        let settings = Arc::new(self.settings()?);
        let Some(io) = context.io.clone() else {
            let problem = "a Kafka sink needs the runtime that I/O runs on";
            return Err(ConnectorError::Setting(problem.to_owned()).into());
        };
        let serializer = self.serializer.serializer(context)?;
        let outbox = Arc::new(Outbox::new(context.signal.clone()));
        let sender = Sender::new(outbox.clone(), settings.clone(), context.clock.clone());
        let sender = io.spawn(sender.run());
        Ok(Box::new(KafkaWriter::new(
            serializer, settings, outbox, sender, io, context,
        )))
    }

    fn rate_limit(&self) -> Option<f64> {
        self.rate
    }
}
