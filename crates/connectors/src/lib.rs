//! Sources, sinks and formats of Rheos.
//!
//! | module | what it holds |
//! |---|---|
//! | [`datagen`] | a source that makes its rows |
//! | [`collection`] | rows from a value, rows into one |
//! | [`print`] | rows to the standard output |
//! | [`blackhole`] | rows dropped |
//! | [`format`](mod@format) | JSON |
#![deny(missing_docs)]

pub mod blackhole;
pub mod collection;
pub mod datagen;
pub mod format;
pub mod print;

pub use blackhole::{BlackholeSink, DiscardingSink};
pub use collection::{CollectSink, CollectionSource};
pub use datagen::DataGeneratorSource;
#[cfg(feature = "csv")]
pub use format::csv::Csv;
pub use format::json::JsonLines;
pub use format::raw::RawLines;
pub use print::PrintSink;
