//! Sources, sinks and formats of Rheos.
//!
//! | module | what it holds |
//! |---|---|
//! | [`debezium`] | change events of databases as rows of a changelog |
//! | [`datagen`] | a source that makes its rows |
//! | `avro` | Avro: files, and values by a schema registry |
//! | [`collection`] | rows from a value, rows into one |
//! | [`print`](mod@print) | rows to the standard output |
//! | [`blackhole`] | rows dropped |
//! | `file` | files in and out |
//! | [`format`](mod@format) | JSON lines, CSV, raw lines |
//! | `postgres` | rows into tables of PostgreSQL, and look-ups in them |
//! | `elasticsearch` | rows as documents of Elasticsearch and OpenSearch |
//! | `redis` | rows into keys, hashes and channels of Redis |
//! | `http` | look-ups at an API |
//! | `outbox` | batches on their way to a system outside |
//! | [`secret`] | secrets in options |
//! | [`delivery`] | how often a row is written if the job fails |
//! | [`bad_records`] | what becomes of records that can't be read |
#![deny(missing_docs)]

#[cfg(feature = "avro")]
pub mod avro;
#[cfg(feature = "kafka")]
mod awaited;
pub mod bad_records;
pub mod blackhole;
pub mod collection;
pub mod datagen;
pub mod debezium;
pub mod delivery;
#[cfg(feature = "elasticsearch")]
pub mod elasticsearch;
pub mod error;
#[cfg(feature = "filesystem")]
pub mod file;
pub mod format;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(feature = "kafka", feature = "outbox"))]
mod handle;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "outbox")]
pub mod outbox;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod print;
#[cfg(feature = "redis")]
pub mod redis;
pub mod secret;
#[cfg(any(feature = "elasticsearch", feature = "postgres"))]
mod setting;
#[cfg(any(feature = "http", feature = "postgres"))]
mod tls;

#[cfg(doctest)]
mod pages;

#[cfg(all(feature = "avro", feature = "filesystem"))]
pub use avro::AvroFiles;
pub use bad_records::{BadRecords, DeadLetter, dead_letters};
pub use blackhole::{BlackholeSink, DiscardingSink};
pub use collection::{CollectSink, CollectionSource};
pub use datagen::DataGeneratorSource;
pub use debezium::DebeziumJson;
pub use delivery::DeliveryGuarantee;
#[cfg(feature = "elasticsearch")]
pub use elasticsearch::ElasticsearchSink;
pub use error::ConnectorError;
#[cfg(feature = "filesystem")]
pub use file::{Compression, FileSink, FileSource, Rolling};
#[cfg(feature = "csv")]
pub use format::csv::Csv;
pub use format::json::JsonLines;
pub use format::raw::RawLines;
#[cfg(feature = "http")]
pub use http::{HttpAnswer, HttpLookup};
#[cfg(feature = "net")]
pub use net::Trust;
#[cfg(feature = "outbox")]
pub use outbox::{BatchLimits, Retries};
#[cfg(feature = "postgres")]
pub use postgres::{Json, PostgresLookup, PostgresOptions, PostgresSink, Timestamp};
pub use print::PrintSink;
#[cfg(feature = "redis")]
pub use redis::{RedisOptions, RedisSink};
pub use secret::Secret;
