//! The sink as jobs describe it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::committer::{Committer, CommitterContext, Fence};
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::committer::KafkaCommitter;
use super::outbox::Outbox;
use super::sender::Sender;
use super::serializer::RecordSerializer;
use super::staging::StagingWriter;
use super::writer::KafkaWriter;
use crate::delivery::DeliveryGuarantee;
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
    "transaction.timeout.ms",
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

/// How epochs are committed.
#[derive(Debug, Clone)]
pub(super) struct ExactlyOnce {
    pub prefix: String,
    pub fence_topic: String,
    /// How long the brokers let a transaction be open.
    pub timeout: Duration,
}

impl ExactlyOnce {
    /// Under which the epochs of a writer are committed, by whoever does.
    pub fn transactional_id(&self, fence: &Fence) -> String {
        let Fence {
            lineage,
            sink,
            writer,
            ..
        } = fence;
        format!("{}-{lineage}-{sink}-{writer}", self.prefix)
    }
}

/// Writes records to topics of Kafka: at least once, or exactly once for those who read committed
/// records only. Flink's `KafkaSink`.
///
/// Exactly once, records are kept with the checkpoint as finished batches. When it is complete they are
/// written in a transaction that is open no longer than that takes, and that also says, in a topic of
/// fences, which epoch it was. Nothing is lost to a time-out however long the job is down.
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
    delivery: DeliveryGuarantee,
    prefix: String,
    fence_topic: String,
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
            delivery: DeliveryGuarantee::default(),
            prefix: "rheos".to_owned(),
            fence_topic: "rheos-fences".to_owned(),
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

    /// At least once unless told.
    #[must_use]
    pub fn delivery_guarantee(mut self, delivery: DeliveryGuarantee) -> Self {
        self.delivery = delivery;
        self
    }

    /// What transactional ids begin with; `rheos` unless told. Exactly once.
    #[must_use]
    pub fn transactional_id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The topic that says which epochs are committed; `rheos-fences` unless told. It is made where it
    /// is not there, with one partition and `cleanup.policy=compact`, and may be shared by jobs.
    #[must_use]
    pub fn fence_topic(mut self, topic: impl Into<String>) -> Self {
        self.fence_topic = topic.into();
        self
    }

    fn exactly_once(&self) -> Result<ExactlyOnce, KafkaError> {
        let timeout = self.properties.millis("transaction.timeout.ms", 60_000)?;
        Ok(ExactlyOnce {
            prefix: self.prefix.clone(),
            fence_topic: self.fence_topic.clone(),
            timeout,
        })
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
        if !idempotent && self.delivery == DeliveryGuarantee::ExactlyOnce {
            return Err(KafkaError::setting(
                "exactly once needs acks=all and enable.idempotence=true, as transactions do",
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
        if self.delivery == DeliveryGuarantee::ExactlyOnce && context.checkpointed {
            let writer = StagingWriter::new(serializer, settings, io, context);
            return Ok(Box::new(writer));
        }
        let outbox = Arc::new(Outbox::new(context.signal.clone()));
        let sender = Sender::new(outbox.clone(), settings.clone(), context.clock.clone());
        let sender = io.spawn(sender.run());
        Ok(Box::new(KafkaWriter::new(
            serializer, settings, outbox, sender, io, context,
        )))
    }

    fn committer(
        &self,
        context: &CommitterContext,
    ) -> Result<Option<Box<dyn Committer>>, BoxError> {
        if self.delivery == DeliveryGuarantee::AtLeastOnce {
            return Ok(None);
        }
        let (clock, io) = (context.clock.clone(), context.io.clone());
        let (settings, exactly_once) = (Arc::new(self.settings()?), self.exactly_once()?);
        let committer = KafkaCommitter::open(settings, exactly_once, clock, io)?;
        Ok(Some(Box::new(committer)))
    }

    fn rate_limit(&self) -> Option<f64> {
        self.rate
    }
}
