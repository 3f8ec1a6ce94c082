//! The schema registry, by Confluent's interface, and its framing of values: a zero byte, the
//! schema's number in four bytes, the value.
//!
//! A schema is asked for once a subtask. While the registry can't be reached, whoever needs a schema
//! waits and the job goes on with what it has; only the registry's own word that there is no such
//! schema makes a record bad.

mod client;
mod decoder;
mod encoder;
mod http;
mod readers;

pub use client::RegistrySettings;
pub use decoder::{ConfluentAvro, ConfluentAvroDecoder};
pub use encoder::{AvroEncoder, SubjectNames};
pub(crate) use readers::{Schemas, WriterReaders};
