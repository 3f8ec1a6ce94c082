//! What users describe of a sink into Redis.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, CommitterContext};
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::commands::{Commands, NEWEST, digest_of};
use super::committer::RedisCommitter;
use super::connection::RedisOptions;
use super::courier::RedisCourier;
use super::epoch::{APPLY, Epoch};
use super::nodes::Nodes;
use crate::delivery::DeliveryGuarantee;
use crate::error::ConnectorError;
use crate::outbox::{
    BatchLimits, BatchWriter, Delivery, LeftOut, Patience, StagingWriter, delivery_setters,
};
use crate::secret::Secret;

pub(super) type Text<T> = Arc<dyn Fn(&T) -> String + Send + Sync>;
pub(super) type Fields<T> = Arc<dyn Fn(&T) -> Vec<(String, Vec<u8>)> + Send + Sync>;

/// What is written of a row under a key or to a channel.
pub(super) enum Value<T> {
    /// The row as JSON.
    Json,
    Read(Arc<dyn Fn(&T) -> Vec<u8> + Send + Sync>),
}

/// What is done with each row.
pub(super) enum Action<T> {
    Set(Text<T>, Value<T>),
    Newest(Text<T>, Vec<String>),
    Hash(Text<T>, Fields<T>),
    Publish(Text<T>, Value<T>),
}

/// Writes rows into Redis: strings, hashes, messages to subscribers, each as often as it is said; at
/// least once, or exactly once ([`RedisSink::delivery_guarantee`]). One server, or a cluster.
///
/// A row is written in the order in which this is described, and rows of a key in their order. At least
/// once, what is written twice under a key is there once; a message may be published twice after a
/// failure. A row
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
    guarantee: DeliveryGuarantee,
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
            guarantee: DeliveryGuarantee::default(),
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

    /// Exactly once, commands are staged in the job's checkpoint and done when it is complete, under
    /// fences: keys `rheos:fence:…`, of which a cluster has one a slot that the sink has written to.
    /// At least once unless told. A job without checkpoints writes at once, whatever this says.
    ///
    /// A fence that is lost with what it stands for, because a master died before its replicas had
    /// either, is not missed: see [`RedisOptions::replicas`].
    #[must_use]
    pub fn delivery_guarantee(mut self, guarantee: DeliveryGuarantee) -> Self {
        self.guarantee = guarantee;
        self
    }

    delivery_setters!("1,000 rows, 4 MiB or a second");
}

impl<T> RedisSink<T> {
    /// What brings batches to the servers, for a subtask, which know this script; and where that is,
    /// for messages.
    fn courier(
        &self,
        script: Option<&'static str>,
        place: &Place,
        clock: &SharedClock,
    ) -> Result<(RedisCourier, String), ConnectorError> {
        let (connector, address) = self.options.connector(script)?;
        let target = format!("Redis at {}", address.hosts.join(","));
        let courier = RedisCourier {
            nodes: Nodes::new(connector, address),
            patience: Patience::new(target.clone(), self.delivery.backoff(place, clock)),
            clock: clock.clone(),
            told: Vec::new(),
        };
        Ok((courier, target))
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
        let (courier, target) = self.courier(script, &context.place, &context.clock)?;
        let gather = Commands::new(self.actions.clone(), expire);
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
            let problem = "a Redis sink needs the runtime that I/O runs on";
            return Err(ConnectorError::Setting(problem.to_owned()).into());
        };
        let (courier, target) = self.courier(Some(APPLY), &context.place, &context.clock)?;
        Ok(Some(Box::new(RedisCommitter {
            courier,
            left_out,
            digest: digest_of(APPLY),
            target,
            io,
        })))
    }

    fn rate_limit(&self) -> Option<f64> {
        self.delivery.rate
    }
}
