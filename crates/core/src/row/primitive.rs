//! Numbers, `bool`, `char` and `()`.

use super::Row;
use super::error::RowError;
use super::key::{KeySink, ordered_f32, ordered_f64, put_escaped};
use super::schema::{Integer, Schema};
use super::source::{FieldSource, mismatch};
use super::visitor::FieldVisitor;
use super::wire::{Reader, Writer};
use crate::key_group::hash_bytes;

#[cold]
fn out_of_range(value: impl std::fmt::Display, range: Integer) -> RowError {
    RowError::mismatch(format!("{value} is out of range for {}", range.word()))
}

/// An integer type: `$wide` is how sources and visitors see it, `$bytes` its ordered bytes.
macro_rules! integer {
    ($type:ty, $integer:ident, $wide:ident, $bytes:expr $(, { $($list:tt)* })?) => {
        impl Row for $type {
            const HAS_HEAP: bool = false;

            fn schema() -> Schema {
                Schema::Integer(Integer::$integer)
            }

            #[inline]
            fn encode(&self, out: &mut Writer) {
                out.long(*self as i64);
            }

            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
                let value = input.long()? as $wide;
                value.try_into().map_err(|_| {
                    RowError::corrupt(out_of_range(value, Integer::$integer).message())
                })
            }

            #[inline]
            fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
                let value = source.$wide()?;
                value.try_into().map_err(|_| out_of_range(value, Integer::$integer))
            }

            #[inline]
            fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
                visitor.$wide($wide::from(*self))
            }

            #[inline]
            fn heap_bytes(&self) -> usize {
                0
            }

            #[inline]
            fn key_bytes<S: KeySink>(&self, out: &mut S) {
                let bytes: fn($type) -> _ = $bytes;
                out.put(&bytes(*self));
            }

            #[inline]
            fn key_hash(&self) -> u64 {
                let bytes: fn($type) -> _ = $bytes;
                hash_bytes(&bytes(*self))
            }

            #[inline]
            fn key_eq(&self, other: &Self) -> bool {
                self == other
            }

            $($($list)*)?
        }
    };
}

integer!(i8, I8, i64, |v| (v ^ i8::MIN).to_be_bytes());
integer!(i16, I16, i64, |v| (v ^ i16::MIN).to_be_bytes());
integer!(i32, I32, i64, |v| (v ^ i32::MIN).to_be_bytes());
integer!(i64, I64, i64, |v| (v ^ i64::MIN).to_be_bytes());
integer!(u16, U16, u64, |v| v.to_be_bytes());
integer!(u32, U32, u64, |v| v.to_be_bytes());
integer!(u64, U64, u64, |v| v.to_be_bytes());
integer!(u8, U8, u64, |v| v.to_be_bytes(), {
    // A list of `u8` is `bytes`.
    fn list_schema() -> Schema {
        Schema::Bytes
    }
    fn encode_list(list: &[Self], out: &mut Writer) {
        out.bytes(list);
    }
    fn decode_list(input: &mut Reader<'_>) -> Result<Vec<Self>, RowError> {
        input.bytes().map(<[u8]>::to_vec)
    }
    fn list_from_source(source: &mut dyn FieldSource) -> Result<Vec<Self>, RowError> {
        source.bytes().map(<[u8]>::to_vec)
    }
    fn visit_list(list: &[Self], visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.bytes(list)
    }
    fn list_key_bytes<S: KeySink>(list: &[Self], out: &mut S) {
        put_escaped(list, out);
    }
});

macro_rules! float {
    ($type:ident, $schema:ident, $wire:ident, $ordered:ident, $from:expr) => {
        impl Row for $type {
            const HAS_HEAP: bool = false;

            fn schema() -> Schema {
                Schema::$schema
            }

            #[inline]
            fn encode(&self, out: &mut Writer) {
                out.$wire(*self);
            }

            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
                input.$wire()
            }

            #[inline]
            fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
                let found = source.f64()?;
                let from: fn(f64) -> $type = $from;
                let value = from(found);
                // A number that is there must not become one that is not.
                if found.is_finite() && !value.is_finite() {
                    return Err(RowError::mismatch(format!(
                        "{found:e} is out of range for {}",
                        stringify!($type)
                    )));
                }
                Ok(value)
            }

            #[inline]
            fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
                visitor.$type(*self)
            }

            #[inline]
            fn heap_bytes(&self) -> usize {
                0
            }

            #[inline]
            fn key_bytes<S: KeySink>(&self, out: &mut S) {
                out.put(&$ordered(*self).to_be_bytes());
            }

            #[inline]
            fn key_hash(&self) -> u64 {
                hash_bytes(&$ordered(*self).to_be_bytes())
            }

            #[inline]
            fn key_eq(&self, other: &Self) -> bool {
                self == other || self.is_nan() && other.is_nan()
            }
        }
    };
}

float!(f32, Float, float, ordered_f32, |v| v as f32);
float!(f64, Double, double, ordered_f64, |v| v);

impl Row for bool {
    const HAS_HEAP: bool = false;

    fn schema() -> Schema {
        Schema::Boolean
    }

    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.bool(*self);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        input.bool()
    }

    #[inline]
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        source.bool()
    }

    #[inline]
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.bool(*self)
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        0
    }

    #[inline]
    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        out.put(&[u8::from(*self)]);
    }

    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
}

/// A string of one character.
fn single(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

impl Row for char {
    const HAS_HEAP: bool = false;

    fn schema() -> Schema {
        Schema::String
    }

    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.str(self.encode_utf8(&mut [0; 4]));
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        let text = input.str()?;
        single(text).ok_or_else(|| RowError::corrupt(format!("{text:?} is not one character")))
    }

    #[inline]
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        let text = source.str()?;
        single(text).ok_or_else(|| mismatch("one character", format!("{text:?}")))
    }

    #[inline]
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.str(self.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        0
    }

    #[inline]
    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        out.put(&u32::from(*self).to_be_bytes());
    }

    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
}

impl Row for () {
    const HAS_HEAP: bool = false;

    fn schema() -> Schema {
        Schema::Null
    }

    #[inline]
    fn encode(&self, _out: &mut Writer) {}

    #[inline]
    fn decode(_input: &mut Reader<'_>) -> Result<Self, RowError> {
        Ok(())
    }

    #[inline]
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        if source.is_null() {
            Ok(())
        } else {
            Err(mismatch("null", "a value"))
        }
    }

    #[inline]
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.null()
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        0
    }

    #[inline]
    fn key_bytes<S: KeySink>(&self, _out: &mut S) {}

    #[inline]
    fn key_eq(&self, _other: &Self) -> bool {
        true
    }

    fn missing() -> Option<Self> {
        Some(())
    }
}
