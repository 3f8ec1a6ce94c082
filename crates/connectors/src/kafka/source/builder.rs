//! The source as jobs describe it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::clock::SystemClock;
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::{
    Boundedness, ReaderContext, Source, SourceReader, SplitEnumerator,
};

use super::bad_records::BadRecordHandler;
use super::decoder::RecordFormat;
use super::enumerator::{KafkaEnumerator, Subscription};
use super::fetcher::Fetcher;
#[cfg(feature = "kafka-librdkafka")]
use super::librdkafka;
use super::offsets::Offsets;
use super::reader::SplitsReader;
use super::shared::Shared;
use super::split::KafkaSplit;
use super::stops::Stops;
use crate::bad_records::BadRecords;
use crate::error::ConnectorError;
use crate::kafka::client::{CLIENT_PROPERTIES, ClientSettings};
use crate::kafka::error::KafkaError;
use crate::kafka::properties::Properties;
use crate::kafka::protocol::offsets::{EARLIEST, LATEST};

/// Properties of consumers, beside those of every client.
const CONSUMER_PROPERTIES: &[&str] = &[
    "group.id",
    "auto.offset.reset",
    "isolation.level",
    "enable.auto.commit",
    "commit.offsets.on.checkpoint",
    "auto.commit.interval.ms",
    "fetch.min.bytes",
    "fetch.max.wait.ms",
    "fetch.max.bytes",
    "max.partition.fetch.bytes",
    "check.crcs",
    "partition.discovery.interval.ms",
];

/// By which client a source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KafkaReader {
    /// The one of this crate, which takes whole record batches.
    #[default]
    Own,
    /// librdkafka (Cargo feature `kafka-librdkafka`): slower, and tried by more brokers than any other.
    /// Finding partitions and offsets is the own client's in either case; the properties are the same.
    #[cfg(feature = "kafka-librdkafka")]
    Librdkafka,
}

/// How a reader fetches.
#[derive(Debug)]
pub(super) struct FetchSettings {
    pub client: Arc<ClientSettings>,
    pub min_bytes: i32,
    pub max_wait_millis: i32,
    pub max_bytes: i32,
    pub max_partition_bytes: i32,
    /// Bytes that may wait for the reader.
    pub max_buffered: usize,
    pub read_committed: bool,
    pub check_crcs: bool,
    /// Where to go on where an offset is not in the log.
    pub reset: Option<i64>,
    /// The group to commit offsets of, if any.
    pub group: Option<String>,
    /// How often they are committed; none if a checkpoint says so.
    pub commit_interval: Option<Duration>,
}

/// Reads topics of Kafka. Flink's `KafkaSource`.
///
/// Every partition is a split, with watermarks of its own, and is read by one subtask. Without
/// [`KafkaSource::bounded`] the source goes on until the job is stopped.
///
/// ```no_run
/// use rheos::prelude::*;
/// use rheos_connectors::JsonLines;
/// use rheos_connectors::kafka::{KafkaSource, Offsets, Values};
///
/// #[derive(Row, Clone)]
/// struct Click {
///     user: String,
/// }
///
/// let env = StreamEnv::default();
/// let source = KafkaSource::new(Values(JsonLines))
///     .bootstrap_servers("localhost:9092")
///     .topics(["clicks"])
///     .group_id("click-counts")
///     .starting_offsets(Offsets::Earliest);
/// let clicks: DataStream<Click> =
///     env.from_source(source, WatermarkStrategy::no_watermarks(), "clicks");
/// ```
#[derive(Debug, Clone)]
pub struct KafkaSource<F> {
    format: F,
    subscription: Subscription,
    properties: Properties,
    start: Offsets,
    stop: Option<Offsets>,
    stops_in: Option<PathBuf>,
    bad_records: BadRecords,
    reader: KafkaReader,
}

impl<F> KafkaSource<F> {
    /// A source whose records are decoded by `format`, from the first record on.
    pub fn new(format: F) -> Self {
        Self {
            format,
            subscription: Subscription::Topics(Vec::new()),
            properties: Properties::default(),
            start: Offsets::Earliest,
            stop: None,
            stops_in: None,
            bad_records: BadRecords::default(),
            reader: KafkaReader::default(),
        }
    }

    /// By which client records are read.
    #[must_use]
    pub fn reader(mut self, reader: KafkaReader) -> Self {
        self.reader = reader;
        self
    }

    /// `HOST:PORT,…` of some brokers; the others are found through them.
    #[must_use]
    pub fn bootstrap_servers(self, servers: impl Into<String>) -> Self {
        self.property("bootstrap.servers", servers)
    }

    /// The topics.
    #[must_use]
    pub fn topics<S: Into<String>>(mut self, topics: impl IntoIterator<Item = S>) -> Self {
        self.subscription = Subscription::Topics(topics.into_iter().map(Into::into).collect());
        self
    }

    /// All topics whose whole name a regular expression matches, also those that come later; those
    /// that Kafka keeps for itself are left out.
    #[must_use]
    pub fn topic_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.subscription = Subscription::Pattern(pattern.into());
        self
    }

    /// The consumer group, whose offsets show how far the job is.
    #[must_use]
    pub fn group_id(self, group: impl Into<String>) -> Self {
        self.property("group.id", group)
    }

    /// A property of Kafka's consumers, by its name there.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set(name, value);
        self
    }

    /// Where to begin; [`Offsets::Earliest`] unless told.
    #[must_use]
    pub fn starting_offsets(mut self, offsets: Offsets) -> Self {
        self.start = offsets;
        self
    }

    /// Ends where these offsets are when the job starts.
    #[must_use]
    pub fn bounded(mut self, offsets: Offsets) -> Self {
        self.stop = Some(offsets);
        self
    }

    /// Keeps the offsets that a bounded source ends at in this file, before the first record is read;
    /// where there is one, ends where it says. So a job that is killed before its first checkpoint, and
    /// started again, ends where it was to end at first.
    #[must_use]
    pub fn stops_kept_in(mut self, file: impl Into<PathBuf>) -> Self {
        self.stops_in = Some(file.into());
        self
    }

    /// What becomes of records that can't be decoded. The first ends the job unless told otherwise;
    /// dead letters leave through [`kafka_dead_letters`](super::kafka_dead_letters).
    #[must_use]
    pub fn bad_records(mut self, bad_records: BadRecords) -> Self {
        self.bad_records = bad_records;
        self
    }

    /// How often to look for new partitions and topics: every five minutes unless told, never if 0.
    #[must_use]
    pub fn partition_discovery_interval(self, interval: Duration) -> Self {
        let millis = interval.as_millis().to_string();
        self.property("partition.discovery.interval.ms", millis)
    }

    fn settings(&self) -> Result<FetchSettings, KafkaError> {
        let properties = &self.properties;
        properties.check(&[CLIENT_PROPERTIES, CONSUMER_PROPERTIES])?;
        let max_wait = properties.millis("fetch.max.wait.ms", 500)?;
        let max_bytes = properties.bytes("fetch.max.bytes", 50 << 20)?;
        let isolation =
            properties.choice("isolation.level", &["read_uncommitted", "read_committed"])?;
        let periodic = properties.parse("enable.auto.commit", false, "true or false")?;
        let at_checkpoints =
            properties.parse("commit.offsets.on.checkpoint", true, "true or false")?;
        let group = properties.get("group.id").map(str::to_owned);
        if periodic && group.is_none() {
            return Err(KafkaError::setting(
                "enable.auto.commit is on and there is no group: set group.id",
            ));
        }
        let reset = match properties.get("auto.offset.reset") {
            None => self.start.default_reset(),
            Some("earliest") => Some(EARLIEST),
            Some("latest") => Some(LATEST),
            Some("none") => None,
            Some(other) => {
                return Err(KafkaError::setting(format!(
                    "auto.offset.reset must be earliest, latest or none, not '{other}'"
                )));
            }
        };
        Ok(FetchSettings {
            client: Arc::new(ClientSettings::new(properties)?),
            min_bytes: properties.bytes("fetch.min.bytes", 1)?,
            max_wait_millis: i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX),
            max_bytes,
            max_partition_bytes: properties.bytes("max.partition.fetch.bytes", 1 << 20)?,
            max_buffered: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            read_committed: isolation == "read_committed",
            check_crcs: properties.parse("check.crcs", true, "true or false")?,
            reset,
            group: group.filter(|_| periodic || at_checkpoints),
            commit_interval: if periodic {
                Some(properties.millis("auto.commit.interval.ms", 5_000)?)
            } else {
                None
            },
        })
    }

    fn discovery_interval(&self) -> Result<Option<Duration>, KafkaError> {
        let interval = self
            .properties
            .millis("partition.discovery.interval.ms", 300_000)?;
        Ok(Some(interval).filter(|interval| !interval.is_zero() && self.stop.is_none()))
    }
}

impl<T: Row, F: RecordFormat<T>> Source<T> for KafkaSource<F> {
    type Split = KafkaSplit;

    fn boundedness(&self) -> Boundedness {
        match self.stop {
            Some(_) => Boundedness::Bounded,
            None => Boundedness::Unbounded,
        }
    }

    fn enumerator(
        &self,
        parallelism: u32,
    ) -> Result<Box<dyn SplitEnumerator<KafkaSplit>>, BoxError> {
        let settings = self.settings()?;
        let stop = self.stop.clone();
        let stop = stop.map(|stop| Stops::new(stop, self.stops_in.clone()));
        Ok(Box::new(KafkaEnumerator::new(
            self.subscription.clone(),
            (self.start.clone(), stop),
            &settings,
            self.properties.get("group.id").map(str::to_owned),
            self.discovery_interval()?,
            parallelism,
            // Brokers answer in the time of the world, also where a job's own clock is moved by hand.
            SystemClock::shared(),
        )?))
    }

    fn reader(
        &self,
        context: &ReaderContext,
    ) -> Result<Box<dyn SourceReader<T, KafkaSplit>>, BoxError> {
        let settings = Arc::new(self.settings()?);
        let Some(io) = context.io.clone() else {
            let problem = "a Kafka source needs the runtime that I/O runs on";
            return Err(ConnectorError::Setting(problem.to_owned()).into());
        };
        let bad_records = BadRecordHandler::new(self.bad_records, context)?;
        let decoder = self.format.decoder(context)?;
        let shared = Arc::new(Shared::new(context.signal.clone()));
        let client = settings.client.clone();
        let periodic = settings.group.is_some() && settings.commit_interval.is_some();
        let fetcher = match self.reader {
            KafkaReader::Own => io.spawn(Fetcher::new(shared.clone(), settings, client).run()),
            #[cfg(feature = "kafka-librdkafka")]
            KafkaReader::Librdkafka => {
                let config = librdkafka::config(&self.properties.revealed()?, &settings)?;
                let shared = shared.clone();
                io.spawn(librdkafka::Fetcher::new(shared, settings, &config, io.clone())?.run())
            }
        };
        Ok(Box::new(SplitsReader::new(
            (shared, fetcher),
            io,
            context,
            decoder,
            bad_records,
            self.stop.is_some(),
            periodic,
        )))
    }
}
