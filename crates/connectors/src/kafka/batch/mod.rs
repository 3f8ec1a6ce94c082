//! Record batches: how Kafka keeps records, on the wire as on the disk.
//!
//! A batch's records stay in the bytes they came in: [`decode`] checks and decompresses a batch as a
//! whole, [`RecordCursor`] then shows one record at a time and copies nothing. Whatever the bytes
//! hold, nothing here panics, and no more memory is taken than the bytes or [`MAX_BATCH_BYTES`] allow.

mod buffers;
mod builder;
mod compression;
mod cursor;
mod header;
#[cfg(test)]
mod tests;
mod varint;

pub use buffers::Buffers;
pub use builder::{BatchBuilder, stamp, stamp_transactional};
pub use compression::Compression;
pub use cursor::{Headers, Record, RecordCursor};
pub use header::{Batch, decode};

/// Bytes that a batch may have decompressed.
pub const MAX_BATCH_BYTES: usize = 512 << 20;
