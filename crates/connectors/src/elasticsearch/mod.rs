//! Elasticsearch and OpenSearch: a sink that writes by `_bulk`.
//!
//! What a server answers is judged by its status, item by item, never by the names of its errors, so
//! it need not be asked which it is.

mod actions;
mod bulk;
mod committer;
mod courier;
mod epoch;
mod sink;

pub use sink::ElasticsearchSink;
