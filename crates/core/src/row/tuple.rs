//! Tuples of two to six: records with the fields `f0`, `f1` …, as Flink names them.

use std::sync::Arc;

use super::Row;
use super::error::RowError;
use super::key::KeySink;
use super::schema::{Field, RecordSchema, Schema};
use super::source::{FieldNames, FieldSource};
use super::visitor::FieldVisitor;
use super::wire::{Reader, Writer};

macro_rules! tuple {
    ($arity:literal, $($type:ident $index:tt $name:literal),+) => {
        impl<$($type: Row),+> Row for ($($type,)+) {
            const HAS_HEAP: bool = $($type::HAS_HEAP)||+;

            fn schema() -> Schema {
                let fields = vec![$(Field::new($name, $type::schema())),+];
                let words: Vec<_> = fields.iter().map(|f| f.schema.identifier()).collect();
                Schema::Record(Arc::new(RecordSchema {
                    name: format!("Tuple{}_{}", $arity, words.join("_")).into(),
                    variant: None,
                    aliases: Vec::new(),
                    fields,
                }))
            }

            #[inline]
            fn encode(&self, out: &mut Writer) {
                $(self.$index.encode(out);)+
            }

            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
                Ok(($($type::decode(input).map_err(|e| e.in_field($name))?,)+))
            }

            fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
                static NAMES: FieldNames = FieldNames {
                    owner: "tuple",
                    fields: &[$(&[$name]),+],
                    positional: true,
                    default: None,
                };
                let mut fields = ($(None::<$type>,)+);
                source.record(&NAMES, &mut |position, source| {
                    match position {
                        $($index => {
                            let value = $type::from_source(source);
                            fields.$index = Some(value.map_err(|e| e.in_field($name))?);
                        })+
                        _ => {}
                    }
                    Ok(())
                })?;
                Ok(($(
                    match fields.$index.or_else($type::missing) {
                        Some(value) => value,
                        None => return Err(RowError::missing($name)),
                    },
                )+))
            }

            fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
                visitor.begin_record("tuple", $arity, true)?;
                $(
                    visitor.field($index, $name)?;
                    self.$index.visit(visitor).map_err(|e| e.in_field($name))?;
                )+
                visitor.end_record()
            }

            #[inline]
            fn heap_bytes(&self) -> usize {
                if Self::HAS_HEAP { 0 $(+ self.$index.heap_bytes())+ } else { 0 }
            }

            #[inline]
            fn key_bytes<S: KeySink>(&self, out: &mut S) {
                $(self.$index.key_bytes(out);)+
            }

            #[inline]
            fn key_eq(&self, other: &Self) -> bool {
                $(self.$index.key_eq(&other.$index))&&+
            }
        }
    };
}

tuple!(2, A 0 "f0", B 1 "f1");
tuple!(3, A 0 "f0", B 1 "f1", C 2 "f2");
tuple!(4, A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3");
tuple!(5, A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3", E 4 "f4");
tuple!(6, A 0 "f0", B 1 "f1", C 2 "f2", D 3 "f3", E 4 "f4", F 5 "f5");
