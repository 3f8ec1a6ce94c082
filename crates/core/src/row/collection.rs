//! `Vec`, `BTreeMap` and `HashMap`.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use super::Row;
use super::error::RowError;
use super::key::KeySink;
use super::schema::{Field, RecordSchema, Schema};
use super::source::FieldSource;
use super::visitor::FieldVisitor;
use super::wire::{Reader, Writer};

impl<T: Row> Row for Vec<T> {
    const HAS_HEAP: bool = true;

    fn schema() -> Schema {
        T::list_schema()
    }

    #[inline]
    fn encode(&self, out: &mut Writer) {
        T::encode_list(self, out);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        T::decode_list(input)
    }

    #[inline]
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        T::list_from_source(source)
    }

    #[inline]
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        T::visit_list(self, visitor)
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        let items = if T::HAS_HEAP {
            self.iter().map(T::heap_bytes).sum()
        } else {
            0
        };
        self.capacity() * size_of::<T>() + items
    }

    #[inline]
    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        T::list_key_bytes(self, out);
    }

    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(a, b)| a.key_eq(b))
    }
}

/// With string keys `map`, else a list of records `key`, `value`; the bytes are the same.
fn map_schema<K: Row, V: Row>() -> Schema {
    match K::schema() {
        Schema::String => Schema::map(V::schema()),
        key => {
            let value = V::schema();
            let name = format!("Entry_{}_{}", key.identifier(), value.identifier());
            Schema::array(Schema::Record(Arc::new(RecordSchema {
                name: name.into(),
                variant: None,
                aliases: Vec::new(),
                fields: vec![Field::new("key", key), Field::new("value", value)],
            })))
        }
    }
}

fn entry_from_source<K: Row, V: Row>(
    key: &mut dyn FieldSource,
    value: &mut dyn FieldSource,
    insert: impl FnOnce(K, V),
) -> Result<(), RowError> {
    let key = K::from_source(key).map_err(|e| e.in_field("key of the map"))?;
    match V::from_source(value) {
        Ok(value) => {
            insert(key, value);
            Ok(())
        }
        Err(e) => Err(e.in_key(key.to_value().to_string())),
    }
}

fn visit_entries<'a, K: Row, V: Row>(
    entries: impl ExactSizeIterator<Item = (&'a K, &'a V)>,
    visitor: &mut dyn FieldVisitor,
) -> Result<(), RowError> {
    visitor.begin_map(entries.len())?;
    for (i, (key, value)) in entries.enumerate() {
        visitor.key(i)?;
        key.visit(visitor)?;
        visitor.value()?;
        value
            .visit(visitor)
            .map_err(|e| e.in_key(key.to_value().to_string()))?;
    }
    visitor.end_map()
}

/// Puts entries in the order of their key bytes, so that equal maps have equal bytes.
fn put_entries<'a, K: Row, V: Row, S: KeySink>(
    entries: impl Iterator<Item = (&'a K, &'a V)>,
    out: &mut S,
) {
    let mut sorted: Vec<Vec<u8>> = entries
        .map(|(key, value)| {
            let mut bytes = Vec::new();
            key.key_bytes(&mut bytes);
            value.key_bytes(&mut bytes);
            bytes
        })
        .collect();
    sorted.sort_unstable();
    for entry in sorted {
        out.put(&[1]);
        out.put(&entry);
    }
    out.put(&[0]);
}

fn entries_heap<'a, K: Row, V: Row>(entries: impl Iterator<Item = (&'a K, &'a V)>) -> usize {
    if K::HAS_HEAP || V::HAS_HEAP {
        entries
            .map(|(key, value)| key.heap_bytes() + value.heap_bytes())
            .sum()
    } else {
        0
    }
}

impl<K: Row + Ord, V: Row> Row for BTreeMap<K, V> {
    const HAS_HEAP: bool = true;

    fn schema() -> Schema {
        map_schema::<K, V>()
    }

    fn encode(&self, out: &mut Writer) {
        out.block(self.len(), |out| {
            for (key, value) in self {
                key.encode(out);
                value.encode(out);
            }
        });
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        let mut map = Self::new();
        input.blocks(|input| {
            let key = K::decode(input)?;
            map.insert(key, V::decode(input)?);
            Ok(())
        })?;
        Ok(map)
    }

    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        let mut map = Self::new();
        source.map(&mut |key, value| {
            entry_from_source(key, value, |key, value| {
                map.insert(key, value);
            })
        })?;
        Ok(map)
    }

    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visit_entries(self.iter(), visitor)
    }

    fn heap_bytes(&self) -> usize {
        // Nodes hold up to eleven entries and are about two thirds full.
        self.len() * size_of::<(K, V)>() * 3 / 2 + entries_heap(self.iter())
    }

    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        put_entries(self.iter(), out);
    }

    fn key_eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .zip(other)
                .all(|(a, b)| a.0.key_eq(b.0) && a.1.key_eq(b.1))
    }
}

impl<K, V, H> Row for HashMap<K, V, H>
where
    K: Row + Eq + Hash,
    V: Row,
    H: BuildHasher + Default + Clone + Send + 'static,
{
    const HAS_HEAP: bool = true;

    fn schema() -> Schema {
        map_schema::<K, V>()
    }

    fn encode(&self, out: &mut Writer) {
        out.block(self.len(), |out| {
            for (key, value) in self {
                key.encode(out);
                value.encode(out);
            }
        });
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        let mut map = Self::with_capacity_and_hasher(input.size_hint::<(K, V)>(), H::default());
        input.blocks(|input| {
            let key = K::decode(input)?;
            map.insert(key, V::decode(input)?);
            Ok(())
        })?;
        Ok(map)
    }

    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        let mut map = Self::default();
        source.map(&mut |key, value| {
            entry_from_source(key, value, |key, value| {
                map.insert(key, value);
            })
        })?;
        Ok(map)
    }

    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visit_entries(self.iter(), visitor)
    }

    fn heap_bytes(&self) -> usize {
        // One control byte an entry, and an eighth of the table stays free.
        self.capacity() * 8 / 7 * (size_of::<(K, V)>() + 1) + entries_heap(self.iter())
    }

    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        put_entries(self.iter(), out);
    }

    fn key_eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get(key).is_some_and(|o| value.key_eq(o)))
    }
}
