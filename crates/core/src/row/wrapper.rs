//! `Option`, `Box` and `Arc`.

use std::sync::Arc;

use super::Row;
use super::error::RowError;
use super::key::KeySink;
use super::schema::Schema;
use super::source::FieldSource;
use super::visitor::FieldVisitor;
use super::wire::{Reader, Writer};

impl<T: Row> Row for Option<T> {
    const HAS_HEAP: bool = T::HAS_HEAP;

    fn schema() -> Schema {
        T::schema().optional()
    }

    #[inline]
    fn encode(&self, out: &mut Writer) {
        match self {
            None => out.long(0),
            Some(value) => {
                out.long(1);
                value.encode(out);
            }
        }
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        match input.index(2)? {
            0 => Ok(None),
            _ => T::decode(input).map(Some),
        }
    }

    #[inline]
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        if source.is_null() {
            return Ok(None);
        }
        source.enter_some();
        T::from_source(source).map(Some)
    }

    #[inline]
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        match self {
            None => visitor.null(),
            Some(value) => {
                visitor.some();
                value.visit(visitor)
            }
        }
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }

    #[inline]
    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        match self {
            None => out.put(&[0]),
            Some(value) => {
                out.put(&[1]);
                value.key_bytes(out);
            }
        }
    }

    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        match (self, other) {
            (None, None) => true,
            (Some(a), Some(b)) => a.key_eq(b),
            _ => false,
        }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

/// A pointer is its target in all but memory. It may be what makes a type contain itself, so it
/// counts as a level of nesting.
macro_rules! pointer {
    ($pointer:ident, $overhead:expr $(, $bound:ident)?) => {
        impl<T: Row $(+ $bound)?> Row for $pointer<T> {
            const HAS_HEAP: bool = true;

            fn schema() -> Schema {
                T::schema()
            }

            fn encode(&self, out: &mut Writer) {
                out.nested(|out| (**self).encode(out));
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
                input.nested(T::decode).map(Self::new)
            }

            fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
                T::from_source(source).map(Self::new)
            }

            fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
                (**self).visit(visitor)
            }

            fn heap_bytes(&self) -> usize {
                size_of::<T>() + $overhead + (**self).heap_bytes()
            }

            fn key_bytes<S: KeySink>(&self, out: &mut S) {
                (**self).key_bytes(out);
            }

            fn key_eq(&self, other: &Self) -> bool {
                (**self).key_eq(other)
            }

            fn missing() -> Option<Self> {
                T::missing().map(Self::new)
            }
        }
    };
}

pointer!(Box, 0);
// Counted in full at each owner: what is shared is not known here.
pointer!(Arc, 2 * size_of::<usize>(), Sync);
