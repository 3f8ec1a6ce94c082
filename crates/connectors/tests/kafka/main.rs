//! Kafka and the schema registry: source, sink, formats, and what becomes of jobs when brokers die.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests, on real servers and real time"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/kafka.rs"]
mod kafka;
#[path = "../common/registry.rs"]
mod registry;
#[path = "../common/staged.rs"]
mod staged;

mod avro;
mod avro_evolution;
mod debezium;
mod exactly_once;
mod faults;
mod leaders;
mod sink;
mod source;
