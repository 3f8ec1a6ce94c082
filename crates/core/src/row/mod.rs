//! `Row`: what a user's row, key or state type must be able to do, all of it by one derive.
//!
//! | use | what it needs | from |
//! |---|---|---|
//! | exchange between processes, savepoints, state in RocksDB | a binary codec | [`Row::encode`], [`Row::decode`] |
//! | state and writers of another version | a named schema with defaults, and resolution | [`Row::schema`], [`Row::decode_resolved`] |
//! | Avro, JSON, CSV, Debezium into typed rows | filling by field name | [`Row::from_fields`] |
//! | JSON and CSV out, state read without the user's type | a visitor | [`Row::visit`] |
//! | credit, cache, memory budget | a size | [`Row::heap_bytes`] |
//! | key-by, key groups, order in RocksDB | canonical bytes | [`Row::key_bytes`], [`Row::key_hash`] |
//!
//! The binary encoding and the rules of evolution are Avro's: see `rfcs/0001-rows.md`.

mod error;
mod fields;
mod key;
mod primitive;
mod resolve;
mod schema;
mod value;
mod wire;

pub use error::RowError;
pub use fields::{FieldSource, FieldVisitor, ListSource, MapSource};
pub use resolve::Resolution;
pub use rheos_derive::Row;
pub use schema::{Field, Schema};
pub use value::{Str, Value};
pub use wire::{Reader, Writer};

/// A type that can be a row, a key or a state value. Implement it with `#[derive(Row)]`.
///
/// Called by the engine from the thread of the task that holds the value.
pub trait Row: Clone + Send + Sized + 'static {
    /// Whether a value can own heap memory. Where it can't, sizes cost nothing to know.
    const HAS_HEAP: bool;

    /// Names and types of the fields, with the defaults of those that may be missing.
    fn schema() -> Schema;

    /// Appends the binary form.
    fn encode(&self, out: &mut Writer);

    /// Reads the binary form that [`Row::encode`] of this very schema wrote.
    ///
    /// # Errors
    /// Where the bytes are truncated or are no value of the type.
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError>;

    /// Reads a value written under another schema, by the resolution of the two.
    ///
    /// # Errors
    /// Where the bytes are truncated or are no value of the writer's schema.
    fn decode_resolved(input: &mut Reader<'_>, resolution: &Resolution) -> Result<Self, RowError> {
        let value = resolution.read_value(input)?;
        Self::from_value(&value)
    }

    /// Builds a value from whatever a decoder offers at this place.
    ///
    /// # Errors
    /// Where a field is missing without a default, or has another type; the error has the path.
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError>;

    /// Shows the value to a visitor.
    ///
    /// # Errors
    /// What the visitor answers.
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError>;

    /// Builds a value from a dynamic one.
    ///
    /// # Errors
    /// Where its shape is another.
    fn from_value(value: &Value) -> Result<Self, RowError>;

    /// Bytes of heap memory that the value owns, without its own size.
    fn heap_bytes(&self) -> usize;

    /// Appends the canonical key bytes: self-delimiting, equal for equal keys, ordered as the keys
    /// are; −0.0 is 0.0 and there is one NaN.
    fn key_bytes(&self, out: &mut Vec<u8>);

    /// xxh3-64 of the canonical key bytes.
    fn key_hash(&self) -> u64 {
        let mut bytes = Vec::with_capacity(32);
        self.key_bytes(&mut bytes);
        crate::key_group::hash_bytes(&bytes)
    }

    /// Whether two keys are the same, by their canonical bytes.
    fn key_eq(&self, other: &Self) -> bool;
}
