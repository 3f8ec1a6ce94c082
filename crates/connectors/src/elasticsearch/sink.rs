//! What users describe of a sink into an index.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, CommitterContext};
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::actions::Actions;
use super::committer::ElasticsearchCommitter;
use super::courier::{BulkCourier, REQUEST_TIMEOUT};
use super::epoch::Epoch;
use crate::delivery::DeliveryGuarantee;
use crate::error::ConnectorError;
use crate::http::HttpClient;
use crate::net::Trust;
use crate::outbox::{
    BatchLimits, BatchWriter, Delivery, LeftOut, Patience, StagingWriter, delivery_setters,
};
use crate::secret::{Secret, without_user};

type Text<T> = Arc<dyn Fn(&T) -> String + Send + Sync>;

/// Who writes.
#[derive(Debug, Clone, Default)]
enum Credentials {
    #[default]
    None,
    Basic(Secret, Secret),
    ApiKey(Secret),
}

/// Writes rows as documents, by `_bulk`: at least once, or exactly once
/// ([`ElasticsearchSink::delivery_guarantee`]). At least once, with [`ElasticsearchSink::id`], a document
/// that is written twice is there once. Works with Elasticsearch and OpenSearch.
///
/// A document is the row as JSON. One that the index does not take is a bad record; the rest of its
/// batch is written. A server that is busy (429, for a request or for some of its documents) is waited
/// for, which shows as back-pressure.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::ElasticsearchSink;
///
/// #[derive(Row, Clone)]
/// struct Count {
///     word: String,
///     count: u64,
/// }
///
/// fn write(counts: &DataStream<Count>) {
///     let sink = ElasticsearchSink::new(["https://search:9200"], "counts")
///         .basic_auth("rheos", "${env:SEARCH_PASSWORD}")
///         .id(|count: &Count| count.word.clone());
///     counts.sink_to(sink).name("elasticsearch-sink");
/// }
/// ```
#[derive(Clone)]
pub struct ElasticsearchSink<T> {
    hosts: Vec<Secret>,
    pub(super) index: String,
    pub(super) index_by: Option<Text<T>>,
    pub(super) id: Option<Text<T>>,
    pub(super) version: Option<Arc<dyn Fn(&T) -> u64 + Send + Sync>>,
    pub(super) deletes: Option<Arc<dyn Fn(&T) -> bool + Send + Sync>>,
    create: Option<String>,
    credentials: Credentials,
    username: Option<Secret>,
    trust: Trust,
    timeout: Duration,
    guarantee: DeliveryGuarantee,
    delivery: Delivery,
}

impl<T> ElasticsearchSink<T> {
    /// A sink into an index of the server at these addresses, of which the next is tried when one
    /// fails. `${env:NAME}` and `${file:PATH}` in an address are replaced.
    pub fn new<H: Into<Secret>>(
        hosts: impl IntoIterator<Item = H>,
        index: impl Into<String>,
    ) -> Self {
        Self {
            hosts: hosts.into_iter().map(Into::into).collect(),
            index: index.into(),
            index_by: None,
            id: None,
            version: None,
            deletes: None,
            create: None,
            credentials: Credentials::None,
            username: None,
            trust: Trust::System,
            timeout: REQUEST_TIMEOUT,
            guarantee: DeliveryGuarantee::default(),
            delivery: Delivery::new(BatchLimits {
                max_rows: 1_000,
                max_bytes: 2 * 1024 * 1024,
                interval: Duration::from_secs(1),
            }),
        }
    }

    /// The document's `_id`, of 1 to 512 bytes. Of documents of one id in a batch the last is sent.
    #[must_use]
    pub fn id(mut self, id: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.id = Some(Arc::new(id));
        self
    }

    /// The document's version (`external`): one that is not above the version that is there changes
    /// nothing, so documents that come late do no harm. Needs an id.
    #[must_use]
    pub fn version(mut self, version: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Self {
        self.version = Some(Arc::new(version));
        self
    }

    /// Rows that delete the document of their id. Needs an id.
    #[must_use]
    pub fn delete_if(mut self, deletes: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.deletes = Some(Arc::new(deletes));
        self
    }

    /// The index of each row, instead of one for all.
    #[must_use]
    pub fn index_by(mut self, index: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.index_by = Some(Arc::new(index));
        self
    }

    /// Makes the index before the first document, if it is not there, with these settings and
    /// mappings in JSON.
    #[must_use]
    pub fn create_index(mut self, settings: impl Into<String>) -> Self {
        self.create = Some(settings.into());
        self
    }

    /// User and password.
    #[must_use]
    pub fn basic_auth(mut self, user: impl Into<Secret>, password: impl Into<Secret>) -> Self {
        self.credentials = Credentials::Basic(user.into(), password.into());
        self
    }

    /// An API key, as the server gave it: `id:key` in base64.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.credentials = Credentials::ApiKey(key.into());
        self
    }

    /// Whose certificates are trusted, at addresses that begin with `https://`.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// How long a request may take; 60 seconds unless told.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Exactly once, documents are staged in the job's checkpoint and written when it is complete, with
    /// versions (`external`) that rise with the checkpoints: what is written again changes nothing.
    /// At least once unless told. A job without checkpoints writes at once, whatever this says.
    #[must_use]
    pub fn delivery_guarantee(mut self, guarantee: DeliveryGuarantee) -> Self {
        self.guarantee = guarantee;
        self
    }

    delivery_setters!("1,000 rows, 2 MiB or a second");

    /// Sets an option by the name that Flink's Elasticsearch connector has for it: `hosts`
    /// (`;` between them), `index`, `username`, `password`, `connection.request-timeout`,
    /// `sink.bulk-flush.max-actions`, `sink.bulk-flush.max-size`, `sink.bulk-flush.interval`,
    /// `sink.bulk-flush.backoff.delay`, `sink.bulk-flush.backoff.max-retries`,
    /// `sink.delivery-guarantee`.
    ///
    /// # Errors
    /// If there is no such option, or the value is none of its type.
    pub fn option(mut self, key: &str, value: &str) -> Result<Self, ConnectorError> {
        use crate::setting::{count, duration, size};
        // Zero and -1 turn Flink's bounds off.
        let bound = |bound: usize| if bound == 0 { usize::MAX } else { bound };
        match key {
            "hosts" => self.hosts = value.split(';').map(|h| h.trim().into()).collect(),
            "index" => value.clone_into(&mut self.index),
            "username" => {
                self.username = Some(value.into());
                if let Credentials::Basic(user, _) = &mut self.credentials {
                    *user = value.into();
                }
            }
            "password" => {
                let user = self.username.clone().unwrap_or_default();
                self.credentials = Credentials::Basic(user, value.into());
            }
            "sink.delivery-guarantee" => self.guarantee = value.parse()?,
            "connection.request-timeout" => self.timeout = duration(key, value)?,
            "sink.bulk-flush.max-actions" => {
                self.delivery.limits.max_rows = bound(count(key, value)?)
            }
            "sink.bulk-flush.max-size" => self.delivery.limits.max_bytes = bound(size(key, value)?),
            "sink.bulk-flush.interval" => self.delivery.limits.interval = duration(key, value)?,
            "sink.bulk-flush.backoff.delay" => {
                self.delivery.retries.initial_backoff = duration(key, value)?;
            }
            "sink.bulk-flush.backoff.max-retries" => {
                self.delivery.retries.max_retries = Some(count(key, value)?);
            }
            _ => {
                return Err(ConnectorError::Setting(format!(
                    "'{key}' is no option of the Elasticsearch sink"
                )));
            }
        }
        Ok(self)
    }
}

impl<T> ElasticsearchSink<T> {
    /// What brings batches to the index, for a subtask; and where that is, for messages.
    fn courier(
        &self,
        place: &Place,
        clock: &SharedClock,
    ) -> Result<(BulkCourier, String), ConnectorError> {
        let wrong = |message: String| ConnectorError::Setting(message);
        let mut hosts = Vec::new();
        for host in &self.hosts {
            let host = host.reveal()?;
            let host = host.trim_end_matches('/').to_owned();
            if !host.starts_with("http://") && !host.starts_with("https://") {
                return Err(wrong(format!(
                    "'{}' is no address of a search server: it begins with http:// or https://",
                    without_user(&host)
                )));
            }
            hosts.push(host);
        }
        if hosts.is_empty() {
            return Err(wrong("the Elasticsearch sink has no hosts".to_owned()));
        }
        if self.id.is_none() && (self.version.is_some() || self.deletes.is_some()) {
            return Err(wrong(
                "versions and deletions need an id: give `id`".to_owned(),
            ));
        }
        let mut client = HttpClient::new(&self.trust, self.timeout)?;
        match &self.credentials {
            Credentials::None => {}
            Credentials::Basic(user, password) => {
                client.basic_auth(&user.reveal()?, &password.reveal()?)?;
            }
            Credentials::ApiKey(key) => {
                client.header("authorization", &format!("ApiKey {}", key.reveal()?))?;
            }
        }
        let first = hosts.first().map_or("", String::as_str);
        let target = format!("index {} at {}", self.index, without_user(first));
        let create = self.create.clone();
        let courier = BulkCourier {
            client,
            host: place.subtask as usize,
            hosts,
            create: create.map(|settings| (self.index.clone(), settings)),
            patience: Patience::new(target.clone(), self.delivery.backoff(place, clock)),
            clock: clock.clone(),
        };
        Ok((courier, target))
    }
}

impl<T: Row> Sink<T> for ElasticsearchSink<T> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        let (courier, target) = self.courier(&context.place, &context.clock)?;
        let gather = Actions::new(self.clone());
        if self.guarantee == DeliveryGuarantee::ExactlyOnce && context.checkpointed {
            let writer: StagingWriter<_, Epoch> =
                StagingWriter::open(context, &target, gather, self.delivery)?;
            return Ok(Box::new(writer));
        }
        let writer = BatchWriter::open(context, &target, gather, courier, self.delivery)?;
        Ok(Box::new(writer))
    }

    fn committer(
        &self,
        context: &CommitterContext,
    ) -> Result<Option<Box<dyn Committer>>, BoxError> {
        if self.guarantee == DeliveryGuarantee::AtLeastOnce {
            return Ok(None);
        }
        let left_out = LeftOut::new(self.delivery.bad_records, context.metrics.clone())?;
        let Some(io) = context.io.clone() else {
            let problem = "an Elasticsearch sink needs the runtime that I/O runs on";
            return Err(ConnectorError::Setting(problem.to_owned()).into());
        };
        let (courier, target) = self.courier(&context.place, &context.clock)?;
        Ok(Some(Box::new(ElasticsearchCommitter {
            courier,
            left_out,
            target,
            io,
        })))
    }

    fn rate_limit(&self) -> Option<f64> {
        self.delivery.rate
    }
}
