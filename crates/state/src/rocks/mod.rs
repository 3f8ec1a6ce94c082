//! State in RocksDB.
//!
//! One database a subtask of an operator, a column family a state, no write-ahead log: what makes it
//! durable are checkpoints. The block cache and the write buffers of all databases of a process are
//! charged to one budget.
//!
//! | module | what it holds |
//! |---|---|
//! | [`options`] | what a configuration says, and RocksDB's options made of it |
//! | [`backend`] | what the databases of a process share: memory, folders |
//! | [`database`] | a database as a [`StateStore`](crate::store::StateStore) |
//! | [`import`] | a database from the files of former subtasks |
//! | [`ttl_filter`] | expired records go when files are compacted |

pub mod backend;
pub mod database;
mod import;
pub mod options;
mod ttl_filter;

pub use backend::RocksBackend;
pub use database::RocksStore;
pub use options::RocksOptions;

use crate::error::StateError;

/// An error of RocksDB, with the place and what was done.
fn failed(location: &std::path::Path, what: &'static str, reason: impl ToString) -> StateError {
    StateError::Store {
        location: location.display().to_string(),
        what,
        reason: reason.to_string(),
    }
}
