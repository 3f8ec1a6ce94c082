//! The pages for users, so that their examples are compiled with the crate's.

#[cfg(all(feature = "csv", feature = "filesystem"))]
#[doc = include_str!("../../../docs/connectors.md")]
pub struct Connectors;

#[cfg(all(feature = "csv", feature = "filesystem"))]
#[doc = include_str!("../../../docs/connectors/files.md")]
pub struct Files;

#[doc = include_str!("../../../docs/connectors/generators.md")]
pub struct Generators;

#[doc = include_str!("../../../docs/connectors/in-memory.md")]
pub struct InMemory;

#[cfg(feature = "kafka")]
#[doc = include_str!("../../../docs/connectors/kafka.md")]
pub struct Kafka;

#[cfg(feature = "kafka")]
#[doc = include_str!("../../../docs/connectors/debezium.md")]
pub struct Debezium;

#[cfg(feature = "postgres")]
#[doc = include_str!("../../../docs/connectors/postgres.md")]
pub struct Postgres;

#[cfg(feature = "elasticsearch")]
#[doc = include_str!("../../../docs/connectors/elasticsearch.md")]
pub struct Elasticsearch;

#[cfg(feature = "redis")]
#[doc = include_str!("../../../docs/connectors/redis.md")]
pub struct Redis;

#[cfg(feature = "http")]
#[doc = include_str!("../../../docs/connectors/http.md")]
pub struct Http;
