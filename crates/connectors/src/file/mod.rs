//! Files in and out.
//!
//! [`FileSource`] reads files, folders and globs, once or as they grow; [`FileSink`] writes files
//! that appear when they are complete. What lies in the files is a [format](crate::format), and
//! either may be compressed.

mod buffer;
mod compression;
mod enumerator;
mod in_progress;
mod reader;
#[cfg(all(test, feature = "csv", feature = "zstd"))]
mod reader_tests;
mod sink;
mod source;
mod split;
mod writer;

pub use compression::Compression;
pub use sink::{FileName, FileSink, Rolling};
pub use source::FileSource;
pub use split::FileSplit;
