//! PostgreSQL, Redis and Elasticsearch: what sinks and look-ups do with servers that are well. What
//! becomes of them in trouble is in `tests/faults/`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests, on real servers and real time"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/staged.rs"]
mod staged;

mod elasticsearch;
mod elasticsearch_exactly_once;
mod postgres;
mod postgres_exactly_once;
mod redis;
mod redis_exactly_once;
mod secrets;
mod secure;
