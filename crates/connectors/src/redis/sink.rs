//! What users describe of a sink into Redis.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::connection::RedisOptions;
use super::courier::{Batch, Command, RedisCourier};
use super::nodes::Nodes;
use super::resp::{LONGEST_TEXT, put_command};
use super::slot::slot;
use crate::error::ConnectorError;
use crate::format::json::{JsonNesting, JsonWriter};
use crate::outbox::{BatchLimits, BatchWriter, Delivery, Gather, Patience, delivery_setters};
use crate::secret::Secret;

type Text<T> = Arc<dyn Fn(&T) -> String + Send + Sync>;
type Fields<T> = Arc<dyn Fn(&T) -> Vec<(String, Vec<u8>)> + Send + Sync>;

/// What is written of a row under a key or to a channel.
enum Value<T> {
    /// The row as JSON.
    Json,
    Read(Arc<dyn Fn(&T) -> Vec<u8> + Send + Sync>),
}

/// What is done with each row.
enum Action<T> {
    Set(Text<T>, Value<T>),
    Newest(Text<T>, Vec<String>),
    Hash(Text<T>, Fields<T>),
    Publish(Text<T>, Value<T>),
}

/// Writes rows into Redis: strings, hashes, messages to subscribers, each as often as it is said; at
/// least once. One server, or a cluster.
///
/// A row is written in the order in which this is described, and rows of a key in their order. What is
/// written twice under a key is there once; a message may be published twice after a failure. A row
/// that Redis does not take, such as one whose key holds another type, is a bad record.
///
/// ```
/// use std::time::Duration;
///
/// use rheos::prelude::*;
/// use rheos_connectors::RedisSink;
///
/// #[derive(Row, Clone)]
/// struct Count {
///     word: String,
///     hour: i64,
///     count: u64,
/// }
///
/// fn write(counts: &DataStream<Count>) {
///     let sink = RedisSink::new("redis-cluster://:${env:REDIS_PASSWORD}@a:6379,b:6379")
///         .set_newest(|count: &Count| format!("word:{}:latest", count.word), ["hour"])
///         .hash(
///             |count: &Count| format!("word:{}", count.word),
///             |count: &Count| vec![(count.hour.to_string(), count.count.to_string())],
///         )
///         .expire(Duration::from_secs(86_400))
///         .publish_json(|_: &Count| "counts".to_owned());
///     counts.sink_to(sink).name("redis-sink");
/// }
/// ```
pub struct RedisSink<T> {
    options: RedisOptions,
    actions: Arc<Vec<Action<T>>>,
    expire: Option<Duration>,
    delivery: Delivery,
}

impl<T: 'static> RedisSink<T> {
    /// A sink into the server or cluster at `url`; see [`RedisOptions::url`].
    pub fn new(url: impl Into<Secret>) -> Self {
        Self::with(RedisOptions::new(url))
    }

    /// As [`RedisSink::new`], with these options.
    pub fn with(options: RedisOptions) -> Self {
        Self {
            options,
            actions: Arc::default(),
            expire: None,
            delivery: Delivery::new(BatchLimits {
                max_rows: 1_000,
                max_bytes: 4 * 1024 * 1024,
                interval: Duration::from_secs(1),
            }),
        }
    }

    fn action(mut self, action: Action<T>) -> Self {
        // Nobody else has them while they are described.
        if let Some(actions) = Arc::get_mut(&mut self.actions) {
            actions.push(action);
        }
        self
    }

    /// Sets a key to a value (`SET`).
    #[must_use]
    pub fn set<V: Into<Vec<u8>>>(
        self,
        key: impl Fn(&T) -> String + Send + Sync + 'static,
        value: impl Fn(&T) -> V + Send + Sync + 'static,
    ) -> Self {
        let value = Value::Read(Arc::new(move |row: &T| value(row).into()));
        self.action(Action::Set(Arc::new(key), value))
    }

    /// Sets a key to the row as JSON (`SET`).
    #[must_use]
    pub fn set_json(self, key: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.action(Action::Set(Arc::new(key), Value::Json))
    }

    /// Sets a key to the row as JSON, unless the document that is there is newer: by the first of
    /// these fields, which hold numbers up to 2⁵³, in which the two differ; of two that are alike in
    /// all of them the later one is kept. What is there and is no such document is replaced. Compared
    /// and set in one step by the server (a script), also in a cluster.
    #[must_use]
    pub fn set_newest<F: Into<String>>(
        self,
        key: impl Fn(&T) -> String + Send + Sync + 'static,
        fields: impl IntoIterator<Item = F>,
    ) -> Self {
        let fields = fields.into_iter().map(Into::into).collect();
        self.action(Action::Newest(Arc::new(key), fields))
    }

    /// Sets fields of a hash (`HSET`); other fields of it stay.
    #[must_use]
    pub fn hash<F: Into<String>, V: Into<Vec<u8>>>(
        self,
        key: impl Fn(&T) -> String + Send + Sync + 'static,
        fields: impl Fn(&T) -> Vec<(F, V)> + Send + Sync + 'static,
    ) -> Self {
        let fields = move |row: &T| {
            let fields = fields(row).into_iter();
            fields
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        self.action(Action::Hash(Arc::new(key), Arc::new(fields)))
    }

    /// Publishes a message on a channel (`PUBLISH`), behind what was described before it: who hears
    /// of a row finds it under its key.
    #[must_use]
    pub fn publish<V: Into<Vec<u8>>>(
        self,
        channel: impl Fn(&T) -> String + Send + Sync + 'static,
        message: impl Fn(&T) -> V + Send + Sync + 'static,
    ) -> Self {
        let message = Value::Read(Arc::new(move |row: &T| message(row).into()));
        self.action(Action::Publish(Arc::new(channel), message))
    }

    /// Publishes the row as JSON on a channel, as [`RedisSink::publish`] does.
    #[must_use]
    pub fn publish_json(self, channel: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.action(Action::Publish(Arc::new(channel), Value::Json))
    }

    /// How long keys live after they were last written; for ever unless told.
    #[must_use]
    pub fn expire(mut self, after: Duration) -> Self {
        self.expire = Some(after);
        self
    }

    delivery_setters!("1,000 rows, 4 MiB or a second");
}

/// Gathers rows as commands.
struct Commands<T> {
    actions: Arc<Vec<Action<T>>>,
    /// In milliseconds; none is "0".
    expire: Arc<str>,
    /// The script's digest, by which servers know it.
    digest: Arc<str>,
    nesting: JsonNesting,
    json: Vec<u8>,
    batch: Batch,
}

/// Sets a key unless what is there is newer.
const NEWEST: &str = include_str!("newest.lua");

impl<T: Row> Commands<T> {
    fn append(&mut self, slot: u16, arguments: &[&[u8]]) -> Result<(), String> {
        let longest = arguments.iter().map(|argument| argument.len()).max();
        if longest > Some(LONGEST_TEXT) {
            return Err(format!(
                "a key or value has more than the {LONGEST_TEXT} bytes that Redis takes"
            ));
        }
        let from = self.batch.bytes.len();
        put_command(&mut self.batch.bytes, arguments.iter().copied());
        self.batch.commands.push(Command {
            from,
            to: self.batch.bytes.len(),
            row: self.batch.rows,
            slot,
        });
        Ok(())
    }

    fn row(&mut self, row: &T) -> Result<(), String> {
        let actions = self.actions.clone();
        let wants_json = |action: &Action<T>| {
            matches!(
                action,
                Action::Newest(..) | Action::Set(_, Value::Json) | Action::Publish(_, Value::Json)
            )
        };
        let mut json = std::mem::take(&mut self.json);
        json.clear();
        if actions.iter().any(wants_json) {
            let mut writer = JsonWriter::new(&mut json, &mut self.nesting);
            row.visit(&mut writer).map_err(|error| error.to_string())?;
        }
        let expire = self.expire.clone();
        let expires = &*expire != "0";
        let mut before = None;
        for action in actions.iter() {
            match action {
                Action::Set(key, value) => {
                    let key = key(row);
                    let read;
                    let value = match value {
                        Value::Json => &json,
                        Value::Read(value) => {
                            read = value(row);
                            &read
                        }
                    };
                    let at = slot(key.as_bytes());
                    before = Some(at);
                    let set: [&[u8]; 5] = [b"SET", key.as_bytes(), value, b"PX", expire.as_bytes()];
                    let count = if expires { 5 } else { 3 };
                    self.append(at, set.get(..count).unwrap_or_default())?;
                }
                Action::Newest(key, fields) => {
                    let key = key(row);
                    let at = slot(key.as_bytes());
                    before = Some(at);
                    let digest = self.digest.clone();
                    let mut call: Vec<&[u8]> = vec![
                        b"EVALSHA",
                        digest.as_bytes(),
                        b"1",
                        key.as_bytes(),
                        &json,
                        expire.as_bytes(),
                    ];
                    call.extend(fields.iter().map(|field| field.as_bytes()));
                    self.append(at, &call)?;
                }
                Action::Hash(key, fields) => {
                    let (key, fields) = (key(row), fields(row));
                    let at = slot(key.as_bytes());
                    before = Some(at);
                    if fields.is_empty() {
                        return Err(format!("there are no fields for the hash '{key}'"));
                    }
                    let mut set: Vec<&[u8]> = vec![b"HSET", key.as_bytes()];
                    for (name, value) in &fields {
                        set.extend([name.as_bytes(), value.as_slice()]);
                    }
                    self.append(at, &set)?;
                    if expires {
                        self.append(at, &[b"PEXPIRE", key.as_bytes(), expire.as_bytes()])?;
                    }
                }
                Action::Publish(channel, message) => {
                    let channel = channel(row);
                    let read;
                    let message = match message {
                        Value::Json => &json,
                        Value::Read(message) => {
                            read = message(row);
                            &read
                        }
                    };
                    // Every server of a cluster tells all others: the one that has the key, so that
                    // the message comes behind what is written under it.
                    let at = before.unwrap_or_else(|| slot(channel.as_bytes()));
                    self.append(at, &[b"PUBLISH", channel.as_bytes(), message])?;
                }
            }
        }
        self.json = json;
        Ok(())
    }
}

impl<T: Row> Gather<T> for Commands<T> {
    type Batch = Batch;

    fn put(&mut self, row: &T) -> Result<usize, String> {
        let (bytes, commands) = (self.batch.bytes.len(), self.batch.commands.len());
        if let Err(message) = self.row(row) {
            self.batch.bytes.truncate(bytes);
            self.batch.commands.truncate(commands);
            return Err(message);
        }
        self.batch.rows += 1;
        Ok(self.batch.rows - 1)
    }

    fn bytes(&self) -> usize {
        self.batch.bytes.len()
    }

    fn take(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }
}

impl<T: Row> Sink<T> for RedisSink<T> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        let wrong = |message: &str| ConnectorError::Setting(format!("the Redis sink {message}"));
        if self.actions.is_empty() {
            return Err(
                wrong("writes nothing: describe what, by `set`, `hash` or `publish`").into(),
            );
        }
        let expire = match self.expire.map(|after| after.as_millis()) {
            Some(0) => return Err(wrong("can't have keys expire within a millisecond").into()),
            Some(millis) => millis.to_string(),
            None => "0".to_owned(),
        };
        let scripted = |action: &Action<T>| matches!(action, Action::Newest(..));
        let script = self.actions.iter().any(scripted).then_some(NEWEST);
        let (connector, address) = self.options.connector(script)?;
        let target = format!("Redis at {}", address.hosts.join(","));
        let courier = RedisCourier {
            nodes: Nodes::new(connector, address),
            patience: Patience::new(
                target.clone(),
                self.delivery.backoff(&context.place, &context.clock),
            ),
            clock: context.clock.clone(),
        };
        let digest =
            ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, NEWEST.as_bytes());
        let digest: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let gather = Commands {
            actions: self.actions.clone(),
            expire: expire.into(),
            digest: digest.into(),
            nesting: JsonNesting::default(),
            json: Vec::new(),
            batch: Batch::default(),
        };
        let writer = BatchWriter::open(context, &target, gather, courier, self.delivery)?;
        Ok(Box::new(writer))
    }

    fn rate_limit(&self) -> Option<f64> {
        self.delivery.rate
    }
}
