//! Sources, sinks and formats of Rheos.
//!
//! | module | what it holds |
//! |---|---|
//! | [`datagen`] | a source that makes its rows |
//! | [`collection`] | rows from a value, rows into one |
//! | [`print`](mod@print) | rows to the standard output |
//! | [`blackhole`] | rows dropped |
//! | `file` | files in and out |
//! | [`format`](mod@format) | JSON lines, CSV, raw lines |
//! | [`bad_records`] | what becomes of records that can't be read |
#![deny(missing_docs)]

#[cfg(feature = "avro")]
pub mod avro;
pub mod bad_records;
pub mod blackhole;
pub mod collection;
pub mod datagen;
pub mod error;
#[cfg(feature = "filesystem")]
pub mod file;
pub mod format;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "net")]
pub mod net;
pub mod print;

pub use bad_records::{BadRecords, DeadLetter, dead_letters};
pub use blackhole::{BlackholeSink, DiscardingSink};
pub use collection::{CollectSink, CollectionSource};
pub use datagen::DataGeneratorSource;
pub use error::ConnectorError;
#[cfg(feature = "filesystem")]
pub use file::{Compression, FileSink, FileSource, Rolling};
#[cfg(feature = "csv")]
pub use format::csv::Csv;
pub use format::json::JsonLines;
pub use format::raw::RawLines;
pub use print::PrintSink;
