//! Writes topics.
//!
//! A subtask's writer collects rows into batches, one for each partition, on the task's thread; its
//! [`sender`] compresses and sends them on the I/O threads, one request a broker at a time, and tries
//! again what may pass. A barrier passes, and the task ends, when every batch has been acknowledged: at
//! least once. A writer never waits on its task's thread: rows whose topic or schema is being asked for
//! are held, and no more are taken, until there is an answer.
//!
//! Exactly once, the writer that is [`staging`] puts the same batches into the checkpoint, and the
//! [`committer`] sends them in a transaction once that is complete.

mod builder;
mod committer;
mod epoch;
mod fences;
mod held;
mod outbox;
mod partitioner;
mod routes;
mod sender;
mod serializer;
mod staging;
mod topics;
mod writer;

pub use builder::KafkaSink;
pub use partitioner::of_key as partition_of_key;
pub use serializer::{
    AvroRecords, OWN_HEADER, OutRecord, RecordSerializer, RowSerializer, Serialized,
    dead_letter_records,
};
