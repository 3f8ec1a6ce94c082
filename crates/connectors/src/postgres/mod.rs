//! PostgreSQL: a sink that writes batches, and a pooled client for look-ups.
//!
//! | file | what it holds |
//! |---|---|
//! | `cell` | values of columns, and batches of them |
//! | `statement` | the SQL of a sink |
//! | `connection` | a connection, and what becomes of one that was lost |
//! | `fault` | which failures pass, which are a row's, and which end the job |
//! | `courier` | a batch on its way |
//! | `epoch`, `committer` | exactly once: rows in the checkpoint, and out of it |
//! | `sink` | what users describe |
//! | `lookup` | the client for look-ups |

mod cell;
mod committer;
mod connection;
mod courier;
mod epoch;
mod fault;
mod lookup;
mod sink;
mod statement;

pub use cell::{CellType, IntoCell, Json, Timestamp};
pub use connection::PostgresOptions;
pub use lookup::PostgresLookup;
pub use sink::PostgresSink;
