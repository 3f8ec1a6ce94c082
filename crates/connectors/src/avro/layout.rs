//! Whether values of two schemas are the same bytes.

use rheos_core::row::{Integer, Schema};

/// Whether every value of `writer`, read as one of `reader`, is the value that Avro's rules make of
/// it: then there is nothing to resolve. False where it is not sure.
pub(super) fn is_same(writer: &Schema, reader: &Schema) -> bool {
    match (writer, reader) {
        (Schema::Null, Schema::Null)
        | (Schema::Boolean, Schema::Boolean)
        | (Schema::Float, Schema::Float)
        | (Schema::Double, Schema::Double)
        | (Schema::Bytes, Schema::Bytes)
        | (Schema::String, Schema::String)
        // An `int` is written as the same `long`.
        | (Schema::Integer(Integer::I32), Schema::Integer(Integer::I64)) => true,
        (Schema::Integer(writer), Schema::Integer(reader)) => writer == reader,
        (Schema::Array(writer), Schema::Array(reader))
        | (Schema::Map(writer), Schema::Map(reader)) => is_same(writer, reader),
        (Schema::Union(writer), Schema::Union(reader)) => {
            writer.len() == reader.len()
                && writer.iter().zip(reader).all(|(a, b)| is_same(a, b))
        }
        (Schema::Enum(writer), Schema::Enum(reader)) => writer.symbols == reader.symbols,
        (Schema::Record(writer), Schema::Record(reader)) => {
            writer.fields.len() == reader.fields.len()
                && writer.fields.iter().zip(&reader.fields).all(|(a, b)| {
                    (a.name == b.name || b.aliases.contains(&a.name)) && is_same(&a.schema, &b.schema)
                })
        }
        _ => false,
    }
}
