//! Reads topics.
//!
//! The enumerator finds the partitions and gives each to one subtask for good. A subtask's reader
//! takes whole record batches from its [`fetcher`], which fetches ahead of it on the I/O threads, and
//! makes rows of them on the task's thread. With the feature `kafka-librdkafka`, another fetcher can
//! take its place.

pub(super) mod aborted;
mod bad_records;
mod builder;
mod decoder;
mod enumerator;
mod fetcher;
mod headers;
#[cfg(feature = "kafka-librdkafka")]
mod librdkafka;
mod metrics;
mod offsets;
mod reader;
mod shared;
mod split;
mod stops;

pub use bad_records::{KafkaDeadLetter, kafka_dead_letters};
pub use builder::{KafkaReader, KafkaSource};
pub use decoder::{Decoded, KafkaRecord, RecordDecoder, RecordFormat, Values};
pub use headers::of_text as dead_letter_headers;
pub use offsets::Offsets;
pub use split::KafkaSplit;
