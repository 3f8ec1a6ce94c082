//! Rows from a value, and rows into one: for small jobs, examples and tests.

mod sink;
mod source;

pub use sink::CollectSink;
pub use source::{CollectionSource, CollectionSplit};
