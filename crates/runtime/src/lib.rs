//! What a TaskManager does, in the direction of the data:
//! [`source`] → [`chain`] → [`exchange`] → [`keyed`] → [`window`] → [`sink`], and across them
//! [`task`] (the state machine and its thread), [`time`] (watermarks), [`checkpoint`], [`metrics`],
//! and [`deploy`]
//! (from a decision of the JobManager to a running task).
//!
//! A task is synchronous and lives on one thread: [`task::task::Task::step`]. Threads meet only in
//! [`exchange::channel`], [`task::mailbox`], [`task::signal`], in counters and, where tasks of several
//! processes exchange rows, at the queue of a connection ([`network`]).
#![deny(missing_docs)]

pub mod async_io;
pub mod chain;
pub mod checkpoint;
pub mod connect;
pub mod deploy;
pub mod error;
pub mod exchange;
pub mod join;
pub mod keyed;
#[cfg(all(test, loom))]
mod loom_tests;
pub mod metrics;
pub mod network;
pub mod rate;
pub mod sink;
pub mod source;
mod sync;
pub mod task;
pub mod time;
pub mod window;

pub use error::{BoxError, TaskError};
