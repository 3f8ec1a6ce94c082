//! Apache Kafka: topics in and out.
//!
//! The client is our own and speaks the protocol of Kafka 2.3 to 4.x: what is read is taken a record
//! batch at a time, and no object is made for a record before it is a row.

pub mod batch;
pub mod client;
pub mod error;
pub mod properties;
pub mod protocol;
pub mod sink;
pub mod source;

pub use error::KafkaError;
pub use sink::{
    AvroRecords, KafkaSink, OutRecord, RecordSerializer, RowSerializer, Serialized,
    dead_letter_records,
};
pub use source::{
    Decoded, KafkaDeadLetter, KafkaReader, KafkaRecord, KafkaSource, KafkaSplit, Offsets,
    RecordDecoder, RecordFormat, Values, dead_letter_headers, kafka_dead_letters,
};
