//! What users describe of a sink into an index.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::bulk::{Batch, Item};
use super::courier::{BulkCourier, REQUEST_TIMEOUT};
use crate::error::ConnectorError;
use crate::format::json::{JsonNesting, JsonWriter};
use crate::http::HttpClient;
use crate::net::Trust;
use crate::outbox::{BatchLimits, BatchWriter, Delivery, Gather, Patience, delivery_setters};
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

/// Writes rows as documents, by `_bulk`: at least once. With [`ElasticsearchSink::id`] a document that
/// is written twice is there once. Works with Elasticsearch and OpenSearch.
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
    index: String,
    index_by: Option<Text<T>>,
    id: Option<Text<T>>,
    version: Option<Arc<dyn Fn(&T) -> u64 + Send + Sync>>,
    deletes: Option<Arc<dyn Fn(&T) -> bool + Send + Sync>>,
    create: Option<String>,
    credentials: Credentials,
    username: Option<Secret>,
    trust: Trust,
    timeout: Duration,
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

    delivery_setters!("1,000 rows, 2 MiB or a second");

    /// Sets an option by the name that Flink's Elasticsearch connector has for it: `hosts`
    /// (`;` between them), `index`, `username`, `password`, `connection.request-timeout`,
    /// `sink.bulk-flush.max-actions`, `sink.bulk-flush.max-size`, `sink.bulk-flush.interval`,
    /// `sink.bulk-flush.backoff.delay`, `sink.bulk-flush.backoff.max-retries`.
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

/// Gathers rows as actions.
struct Actions<T> {
    sink: ElasticsearchSink<T>,
    nesting: JsonNesting,
    /// Where an id of an index is in the batch.
    places: HashMap<String, usize>,
    batch: Batch,
}

/// What the server takes as an id, in bytes.
const LONGEST_ID: usize = 512;

impl<T: Row> Actions<T> {
    /// Appends the lines of a row.
    fn lines(&mut self, row: &T, id: Option<&str>, index: &str) -> Result<(bool, bool), String> {
        let deletes = self
            .sink
            .deletes
            .as_ref()
            .is_some_and(|deletes| deletes(row));
        let text = &mut self.batch.text;
        let string = |value: &str| serde_json::Value::from(value).to_string();
        let verb = if deletes { "delete" } else { "index" };
        text.extend_from_slice(format!("{{\"{verb}\":{{\"_index\":{}", string(index)).as_bytes());
        if let Some(id) = id {
            text.extend_from_slice(format!(",\"_id\":{}", string(id)).as_bytes());
        }
        let version = self.sink.version.as_ref().map(|version| version(row));
        if let Some(version) = version {
            let version = format!(",\"version\":{version},\"version_type\":\"external\"");
            text.extend_from_slice(version.as_bytes());
        }
        text.extend_from_slice(b"}}\n");
        if !deletes {
            let mut writer = JsonWriter::new(text, &mut self.nesting);
            row.visit(&mut writer).map_err(|error| error.to_string())?;
            text.push(b'\n');
        }
        Ok((deletes, version.is_some()))
    }
}

impl<T: Row> Gather<T> for Actions<T> {
    type Batch = Batch;

    fn put(&mut self, row: &T) -> Result<usize, String> {
        let id = self.sink.id.as_ref().map(|id| id(row));
        if let Some(id) = &id
            && !(1..=LONGEST_ID).contains(&id.len())
        {
            return Err(format!(
                "its _id has {} bytes, and may have 1 to {LONGEST_ID}: '{}'",
                id.len(),
                id.chars().take(80).collect::<String>()
            ));
        }
        let index = match &self.sink.index_by {
            Some(index) => index(row),
            None => self.sink.index.clone(),
        };
        let from = self.batch.text.len();
        let (deletes, versioned) = match self.lines(row, id.as_deref(), &index) {
            Ok(lines) => lines,
            Err(error) => {
                self.batch.text.truncate(from);
                return Err(error);
            }
        };
        let next = self.batch.items.len();
        let mut place = next;
        // Versions settle which of two holds; without them the order would be lost where one of two
        // is retried and the other is not.
        if let Some(id) = id
            && !versioned
        {
            place = *self.places.entry(format!("{index}/{id}")).or_insert(next);
        }
        let item = Item {
            from,
            to: self.batch.text.len(),
            row: place,
            deletes,
            versioned,
        };
        match self.batch.items.get_mut(place) {
            Some(replaced) => *replaced = item,
            None => self.batch.items.push(item),
        }
        Ok(place)
    }

    fn bytes(&self) -> usize {
        self.batch.text.len()
    }

    fn take(&mut self) -> Batch {
        self.places.clear();
        std::mem::take(&mut self.batch)
    }
}

impl<T: Row> Sink<T> for ElasticsearchSink<T> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        let wrong = |message: String| ConnectorError::Setting(message);
        let mut hosts = Vec::new();
        for host in &self.hosts {
            let host = host.reveal()?;
            let host = host.trim_end_matches('/').to_owned();
            if !host.starts_with("http://") && !host.starts_with("https://") {
                return Err(wrong(format!(
                    "'{}' is no address of a search server: it begins with http:// or https://",
                    without_user(&host)
                ))
                .into());
            }
            hosts.push(host);
        }
        if hosts.is_empty() {
            return Err(wrong("the Elasticsearch sink has no hosts".to_owned()).into());
        }
        if self.id.is_none() && (self.version.is_some() || self.deletes.is_some()) {
            return Err(wrong("versions and deletions need an id: give `id`".to_owned()).into());
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
            host: context.place.subtask as usize,
            hosts,
            create: create.map(|settings| (self.index.clone(), settings)),
            patience: Patience::new(
                target.clone(),
                self.delivery.backoff(&context.place, &context.clock),
            ),
            clock: context.clock.clone(),
        };
        let gather = Actions {
            sink: self.clone(),
            nesting: JsonNesting::default(),
            places: HashMap::new(),
            batch: Batch::default(),
        };
        let writer = BatchWriter::open(context, &target, gather, courier, self.delivery)?;
        Ok(Box::new(writer))
    }

    fn rate_limit(&self) -> Option<f64> {
        self.delivery.rate
    }
}
