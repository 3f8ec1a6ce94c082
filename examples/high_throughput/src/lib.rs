//! The main job: departures in, counts and sums of every carrier and five minutes out.
//!
//! `HighThroughputStreamProcessor.java`, operator for operator: events → validity filter → enrichment →
//! a session a user → five-minute windows a category, late events aside → asynchronous look-up behind a
//! circuit breaker → sinks. See the README beside it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`arguments`] | the flags of the job |
//! | [`job`] | the pipeline |
//! | [`event`] | its rows |
//! | [`session`], [`window`] | its functions |
//! | [`tables`] | what events are enriched from and categories looked up in |
//! | [`generator`] | events that are made |
//! | [`recount`] | what a run should come to, made without the engine |
//! | `services` | the job's connections to Kafka, PostgreSQL, Elasticsearch and Redis (feature `services`) |
//! | [`outputs`] | what a run wrote |
//! | [`summary`] | what a run did, and whether it is right |

pub mod arguments;
pub mod event;
pub mod generator;
pub mod job;
pub mod outputs;
pub mod recount;
#[cfg(feature = "services")]
pub mod services;
pub mod session;
pub mod summary;
pub mod tables;
pub mod window;
