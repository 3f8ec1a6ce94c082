//! The job's connections to the servers it lives among: events from Kafka, results into PostgreSQL,
//! Elasticsearch and Redis, late events and dead letters back into Kafka.
//!
//! What the job needs there (topics, a table to look up in) is made before a run that begins afresh;
//! the sinks make their own table and index.

use std::future::Future;
use std::sync::Arc;

use rheos::core::clock::SystemClock;
use rheos::prelude::*;
use rheos_connectors::avro::{ConfluentAvro, RegistrySettings};
use rheos_connectors::kafka::client::{ClientSettings, Cluster, Patience};
use rheos_connectors::kafka::error::KafkaError;
use rheos_connectors::kafka::properties::Properties;
use rheos_connectors::kafka::protocol::topics::NewTopic;
use rheos_connectors::kafka::{
    AvroRecords, KafkaDeadLetter, KafkaSink, KafkaSource, Offsets, dead_letter_records,
    kafka_dead_letters,
};
use rheos_connectors::{
    DeadLetter, DeliveryGuarantee, ElasticsearchSink, PostgresLookup, PostgresOptions,
    PostgresSink, RedisSink, Timestamp, dead_letters,
};

use crate::arguments::{Arguments, Services, SourceKind, Start};
use crate::event::{EnrichedResult, Event};

/// The topic of late events.
const LATE: &str = "events-late";
/// The topic of messages that no event can be read from.
const DEAD_LETTERS: &str = "events-dead-letter";
/// The file, beside the job's checkpoints, that keeps where `--bounded` ends.
const STOPS: &str = "bounded-offsets";
/// Connections for look-ups, a process.
const LOOKUP_CONNECTIONS: usize = 8;

/// An event in Avro.
pub const EVENT_SCHEMA: &str = r#"{"type":"record","name":"Event","fields":[
{"name":"event_id","type":"string"},
{"name":"user_id","type":"string"},
{"name":"category","type":"string"},
{"name":"event_type","type":"string"},
{"name":"event_time","type":{"type":"long","logicalType":"timestamp-millis"}},
{"name":"value","type":["null","double"]}]}"#;

const WINDOWS_TABLE: &str = "CREATE TABLE IF NOT EXISTS category_windows (\
    category text, window_start timestamptz, window_end timestamptz, events bigint, \
    value_sum double precision, category_name text, PRIMARY KEY (category, window_start))";

const PROFILES_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS category_profiles (category text PRIMARY KEY, name text)";

/// Without a mapping of its own the index would keep sums as floats.
const WINDOWS_INDEX: &str = r#"{"mappings":{"properties":{
"category":{"type":"keyword"},"window_start":{"type":"long"},"window_end":{"type":"long"},
"events":{"type":"long"},"value_sum":{"type":"double"},"category_name":{"type":"keyword"}}}}"#;

/// Makes what the job needs of the servers before it begins.
pub fn prepare(env: &StreamEnv, arguments: &Arguments) {
    if let Some(url) = &arguments.services.postgres {
        let options = PostgresOptions::new(url.as_str());
        env.before_run(move || wait_for(async move { Ok(options.execute(PROFILES_TABLE).await?) }));
    }
    if let Some(brokers) = &arguments.services.kafka {
        let brokers = brokers.clone();
        let topic = arguments.services.topic().to_owned();
        let must_be = arguments.source == SourceKind::Kafka;
        env.before_run(move || {
            wait_for(async move { Ok(make_topics(&brokers, &topic, must_be).await?) })
        });
    }
}

fn wait_for(work: impl Future<Output = Result<(), BoxError>>) -> Result<(), BoxError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Makes the job's topics, with as many partitions as that of the events.
async fn make_topics(brokers: &str, events: &str, must_be: bool) -> Result<(), KafkaError> {
    let mut properties = Properties::default();
    properties.set("bootstrap.servers", brokers);
    let settings = Arc::new(ClientSettings::new(&properties)?);
    let clock = SystemClock::shared();
    let mut cluster = Cluster::new(settings.clone());
    let mut patience = Patience::new(&settings, &clock, "making topics");
    loop {
        match try_topics(&mut cluster, events, must_be).await {
            Ok(()) => return Ok(()),
            Err(error) => patience.wait(error).await?,
        }
    }
}

async fn try_topics(cluster: &mut Cluster, events: &str, must_be: bool) -> Result<(), KafkaError> {
    let metadata = cluster.metadata(Some(vec![events.to_owned()])).await?;
    let mut partitions = -1;
    for topic in &metadata.topics {
        match topic.error.check() {
            Ok(()) => partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            Err(code) if must_be => {
                let what = format!("the partitions of the topic '{events}'");
                return Err(KafkaError::broker(what, code));
            }
            Err(_) => {}
        }
    }
    // Records keep the time of their events, which may be long past or to come.
    let configs = [
        ("retention.ms", "-1"),
        ("message.timestamp.after.max.ms", "9223372036854775807"),
    ];
    let topics = [LATE, DEAD_LETTERS].map(|name| NewTopic {
        name: name.to_owned(),
        partitions,
        replicas: -1,
        configs: configs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .to_vec(),
    });
    cluster.create_topics(topics.to_vec()).await
}

/// Events from Kafka.
///
/// # Errors
/// If the configuration of checkpoints makes no sense.
pub fn source(
    env: &StreamEnv,
    arguments: &Arguments,
) -> Result<KafkaSource<ConfluentAvro>, BoxError> {
    let services = &arguments.services;
    let start = match services.start.unwrap_or_default() {
        Start::Earliest => Offsets::Earliest,
        Start::Latest => Offsets::Latest,
        Start::Group => Offsets::Committed,
        Start::Timestamp(time) => Offsets::Timestamp(time),
    };
    let mut source = KafkaSource::new(ConfluentAvro::new(registry(services)))
        .bootstrap_servers(services.kafka.clone().unwrap_or_default())
        .topics([services.topic()])
        .group_id(services.group())
        .property("isolation.level", "read_committed")
        .starting_offsets(start)
        .bad_records(arguments.bad_record);
    // A group that has read nothing yet begins at the first event.
    if services.start == Some(Start::Group) {
        source = source.property("auto.offset.reset", "earliest");
    }
    if arguments.bounded {
        source = source.bounded(Offsets::Latest);
        if let Some(folder) = env.checkpoint_folder()? {
            source = source.stops_kept_in(folder.join(STOPS));
        }
    }
    Ok(source)
}

fn registry(services: &Services) -> RegistrySettings {
    RegistrySettings::new(services.registry.clone().unwrap_or_default())
}

/// Each result into each server that is given.
pub fn write_results(results: &DataStream<EnrichedResult>, services: &Services) {
    if let Some(url) = &services.elasticsearch {
        let sink = ElasticsearchSink::new([url.as_str()], "category-windows")
            .id(|row: &EnrichedResult| format!("{}-{}", row.category, row.window_start))
            .create_index(WINDOWS_INDEX)
            .delivery_guarantee(DeliveryGuarantee::ExactlyOnce);
        results
            .sink_to(sink)
            .name("elasticsearch-sink")
            .uid("elasticsearch-sink");
    }
    if let Some(url) = &services.postgres {
        let sink = PostgresSink::new(url.as_str(), "category_windows")
            .prepare(WINDOWS_TABLE)
            .column("category", |row: &EnrichedResult| row.category.to_string())
            .column("window_start", |row: &EnrichedResult| {
                Timestamp(row.window_start)
            })
            .column("window_end", |row: &EnrichedResult| {
                Timestamp(row.window_end)
            })
            .column("events", |row: &EnrichedResult| row.events)
            .column("value_sum", |row: &EnrichedResult| row.value_sum)
            .column("category_name", |row: &EnrichedResult| {
                row.category_name.to_string()
            })
            .key(["category", "window_start"])
            .delivery_guarantee(DeliveryGuarantee::ExactlyOnce);
        results
            .sink_to(sink)
            .name("postgres-sink")
            .uid("postgres-sink");
    }
    if let Some(url) = &services.redis {
        let sink = RedisSink::new(url.as_str())
            .set_newest(
                |row: &EnrichedResult| format!("category:{}:latest", row.category),
                ["window_start"],
            )
            .publish_json(|_: &EnrichedResult| "category-updates".to_owned())
            .delivery_guarantee(DeliveryGuarantee::ExactlyOnce);
        results.sink_to(sink).name("redis-sink").uid("redis-sink");
    }
}

/// Events in Avro into a topic, by user, at the time of the event.
pub fn events_into(topic: &str, registry: RegistrySettings) -> AvroRecords<Event> {
    AvroRecords::new(topic, registry)
        .schema(EVENT_SCHEMA)
        .key(|event: &Event| Some(event.user_id.as_bytes().to_vec()))
        .timestamp(|event| event.event_time.max(1))
}

/// A sink into topics that is exactly once where the job takes checkpoints: no replay doubles a record
/// for those who read what is committed.
fn once<S>(sink: KafkaSink<S>, brokers: &str) -> KafkaSink<S> {
    sink.bootstrap_servers(brokers)
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
}

/// Where late events go, if there are brokers.
pub fn late_sink(services: &Services) -> Option<KafkaSink<AvroRecords<Event>>> {
    let brokers = services.kafka.as_ref()?;
    Some(once(
        KafkaSink::new(events_into(LATE, registry(services))),
        brokers,
    ))
}

/// Dead letters into their topic; whether there are brokers for it.
pub fn write_dead_letters(events: &DataStream<Event>, arguments: &Arguments) -> bool {
    let Some(brokers) = &arguments.services.kafka else {
        return false;
    };
    let letters: DataStream<KafkaDeadLetter> = match arguments.source {
        SourceKind::Kafka => events.side_output(&kafka_dead_letters()),
        SourceKind::Datagen => return true,
        SourceKind::Flights => {
            let lines: DataStream<DeadLetter> = events.side_output(&dead_letters());
            lines
                .map(|line| KafkaDeadLetter {
                    topic: line.source,
                    partition: 0,
                    offset: i64::try_from(line.offset).unwrap_or(i64::MAX),
                    timestamp: -1,
                    key: None,
                    value: Some(line.bytes),
                    headers: None,
                    error: format!("line {}: {}", line.line, line.error),
                })
                .name("dead-letters")
                .uid("dead-letters")
        }
    };
    let sink = once(KafkaSink::new(dead_letter_records(DEAD_LETTERS)), brokers);
    letters
        .sink_to(sink)
        .name("dead-letter-sink")
        .uid("dead-letter-sink");
    true
}

/// What looks names up in PostgreSQL, if there is one.
///
/// # Errors
/// If its address can't be used.
pub fn lookup(services: &Services) -> Result<Option<PostgresLookup>, BoxError> {
    let Some(url) = &services.postgres else {
        return Ok(None);
    };
    let sql = "SELECT name FROM category_profiles WHERE category = $1";
    let options = PostgresOptions::new(url.as_str());
    Ok(Some(PostgresLookup::new(options, sql, LOOKUP_CONNECTIONS)?))
}

/// The name of a category, none if it has none.
///
/// # Errors
/// If PostgreSQL does not answer.
pub async fn name_of(lookup: &PostgresLookup, category: &Str) -> Result<Option<Str>, BoxError> {
    let found = lookup.ask(&[&category.as_str()]).await?;
    let name = found.first().map(|row| row.try_get::<_, Option<String>>(0));
    Ok(name
        .transpose()?
        .flatten()
        .map(|name| Str::from(name.as_str())))
}
