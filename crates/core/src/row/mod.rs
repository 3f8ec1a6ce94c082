//! `Row`: what a user's row, key or state type must be able to do, all of it by one derive.
//!
//! | use | what it needs | from |
//! |---|---|---|
//! | exchange between processes, savepoints, state in RocksDB | a binary codec | [`Row::encode`], [`Row::decode`] |
//! | state and writers of another version | a named schema with defaults, and resolution | [`Row::schema`], [`Row::decode_resolved`] |
//! | Avro, JSON, CSV, Debezium into typed rows | filling by field name | [`Row::from_source`] |
//! | JSON and CSV out, state read without the user's type | a visitor | [`Row::visit`] |
//! | credit, cache, memory budget | a size | [`Row::heap_bytes`] |
//! | key-by, key groups, order in RocksDB | canonical bytes | [`Row::key_bytes`], [`Row::key_hash`] |
//!
//! The binary encoding and the rules of evolution are Avro's: see `rfcs/0001-rows.md`.
//!
//! ```
//! use rheos_core::Row;
//! use rheos_core::row::{Reader, Str, Writer};
//!
//! #[derive(Row, Clone, Debug, PartialEq)]
//! struct Flight {
//!     carrier: Str,
//!     #[row(alias = "dep_delay")]
//!     delay: Option<f64>,
//!     #[row(default = 1)]
//!     legs: u32,
//!     status: Status,
//! }
//!
//! #[derive(Row, Clone, Debug, PartialEq)]
//! enum Status {
//!     Scheduled,
//!     Landed { at: i64 },
//! }
//!
//! let flight = Flight {
//!     carrier: "UA".into(),
//!     delay: None,
//!     legs: 2,
//!     status: Status::Landed { at: 1_370_000_000_000 },
//! };
//! let mut out = Writer::new();
//! flight.encode(&mut out);
//! assert_eq!(Flight::decode(&mut Reader::new(out.as_slice()))?, flight);
//! # Ok::<(), rheos_core::row::RowError>(())
//! ```
//!
//! What is no row is refused where it stands. A field of a type that is none:
//!
//! ```compile_fail,E0277
//! #[derive(rheos_core::Row, Clone)]
//! struct Task {
//!     started: std::time::Instant,
//! }
//! ```
//!
//! borrowed data, as a row outlives where it came from:
//!
//! ```compile_fail
//! #[derive(rheos_core::Row, Clone)]
//! struct Line<'a> {
//!     text: &'a str,
//! }
//! ```
//!
//! an attribute that there is not:
//!
//! ```compile_fail
//! #[derive(rheos_core::Row, Clone)]
//! struct Flight {
//!     #[row(renamed = "carrier")]
//!     airline: String,
//! }
//! ```
//!
//! and a default of another type than the field's:
//!
//! ```compile_fail,E0308
//! #[derive(rheos_core::Row, Clone)]
//! struct Flight {
//!     #[row(default = 1.5)]
//!     legs: u32,
//! }
//! ```

mod collection;
#[doc(hidden)]
pub mod contract;
mod error;
mod key;
mod primitive;
mod resolve;
mod schema;
mod source;
mod string;
mod tuple;
mod value;
mod visitor;
mod wire;
mod wrapper;

pub use contract::Row;
pub use error::{RowError, RowErrorKind};
pub use key::{KeyBuffer, KeySink};
pub use resolve::Resolution;
pub use rheos_derive::Row;
pub use schema::{EnumSchema, Field, Integer, RecordSchema, Schema, named};
pub use source::{FieldNames, FieldSource, mismatch};
pub use string::Str;
pub use value::{Value, ValueBuilder, ValueSource};
pub use visitor::FieldVisitor;
pub use wire::{MAX_DEPTH, Reader, Writer};
