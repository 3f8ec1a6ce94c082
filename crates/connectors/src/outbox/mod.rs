//! Sinks that write in batches to a system outside, without holding up their task.
//!
//! ```text
//! task's thread                                │ I/O runtime
//! rows ─▶ Gather ─▶ batch ─▶ Outbox::send ─────┼─▶ Courier::deliver, which retries while the job lives
//!                            signal ◀──────────┼── Delivered, or what ends the job
//! ```
//!
//! Life of a row: gathered → its batch is full, old enough, or a barrier waits → on its way → written,
//! or rejected by the system outside and dealt with as a bad row. One batch of a subtask is on its way
//! at a time, in order, and one waits; when a third is full the sink takes no rows, which is how a slow
//! system shows as back-pressure. A barrier passes, and the task ends, when nothing is on its way.
//!
//! An exactly-once sink has no outbox: its rows are gathered into the batches of an epoch
//! ([`staging`]), which its committer sends.

mod courier;
mod delivery;
mod left_out;
mod patience;
mod retries;
mod staging;
mod writer;

pub use retries::Retries;

pub(crate) use courier::{Courier, Delivered, Rejected};
pub(crate) use delivery::{Delivery, delivery_setters};
pub(crate) use left_out::LeftOut;
#[cfg(feature = "redis")]
pub(crate) use left_out::refused;
pub(crate) use patience::Patience;
pub(crate) use retries::Backoff;
pub(crate) use staging::{Epoch, StagingWriter};
pub(crate) use writer::{BatchWriter, Gather};

use std::time::Duration;

/// When a batch is sent, besides at a barrier and at the end: whatever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows.
    pub max_rows: usize,
    /// Bytes, as far as they are known before the batch is sent.
    pub max_bytes: usize,
    /// Time since its first row.
    pub interval: Duration,
}
