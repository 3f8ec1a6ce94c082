//! Keys and values of a store.
//!
//! ```text
//! key     key group: u16 big-endian │ the key
//! value   form: u8 │ last update: i64 big-endian, where there is a TTL │ key?  │ entry*
//! entry   namespace? │ updated? │ map key? │ value
//! ```
//!
//! The form's low bits are its version, 1; the highest says that there is a time: that of the newest
//! entry, by which a compaction drops the record, while each entry has its own. The key stands as its
//! binary encoding, which is self-delimiting, wherever equal keys have equal encodings. Floats (−0.0,
//! NaN) and maps (their order) don't: of a key with such parts the canonical bytes stand in the
//! store's key, and its encoding in the value.

use rheos_core::Row;
use rheos_core::key_group::key_group_of;
use rheos_core::row::{Reader, RowError, Schema, Writer};
use rheos_core::time::Millis;

use crate::error::StateError;
use crate::snapshot::Piece;

/// The version of the form.
const VERSION: u8 = 1;
/// There is a time.
const TIMED: u8 = 0x80;
/// There is a key.
const KEYED: u8 = 0x40;

/// Bytes of the key group in front of a key.
pub const GROUP_BYTES: usize = 2;

/// Whether equal values of a type have equal encodings.
fn is_canonical(schema: &Schema) -> bool {
    match schema {
        Schema::Float | Schema::Double | Schema::Map(_) => false,
        Schema::Array(item) => is_canonical(item),
        Schema::Union(branches) => branches.iter().all(is_canonical),
        Schema::Record(record) => record
            .fields
            .iter()
            .all(|field| is_canonical(&field.schema)),
        _ => true,
    }
}

/// How the keys of a type stand in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyForm {
    canonical: bool,
}

impl KeyForm {
    /// That of a type.
    pub fn of<K: Row>() -> Self {
        Self {
            canonical: is_canonical(&K::schema()),
        }
    }

    /// Appends the store's key of a key.
    pub fn put<K: Row>(self, hash: u64, key: &K, out: &mut Vec<u8>) {
        out.extend_from_slice(&key_group_of(hash).to_be_bytes());
        if self.canonical {
            let mut writer = Writer::from_vec(std::mem::take(out));
            key.encode(&mut writer);
            *out = writer.into_vec();
        } else {
            key.key_bytes(out);
        }
    }

    /// Begins a record of a key: see [`end`].
    pub fn begin<K: Row>(self, key: &K, timed: bool, out: &mut Writer) {
        let timed_bit = if timed { TIMED } else { 0 };
        let keyed_bit = if self.canonical { 0 } else { KEYED };
        out.clear();
        out.raw(&[VERSION | timed_bit | keyed_bit]);
        if timed {
            out.raw(&[0; 8]);
        }
        if !self.canonical {
            let mut bytes = Writer::new();
            key.encode(&mut bytes);
            out.bytes(bytes.as_slice());
        }
    }
}

/// Appends an entry; of those with a time, the newest is remembered in `newest`.
pub fn put_entry(piece: &Piece<'_>, newest: &mut Millis, out: &mut Writer) {
    if let Some(namespace) = piece.namespace {
        out.long(namespace as i64);
    }
    if let Some(updated) = piece.updated {
        out.long(updated);
        *newest = updated.max(*newest);
    }
    if let Some(map_key) = piece.map_key {
        out.bytes(map_key);
    }
    out.bytes(piece.value);
}

/// Ends a record: its bytes into `out`, with the time of its newest entry.
pub fn end(record: &Writer, newest: Millis, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(record.as_slice());
    if record
        .as_slice()
        .first()
        .is_some_and(|form| form & TIMED != 0)
        && let Some(place) = out.get_mut(start + 1..start + 9)
    {
        place.copy_from_slice(&newest.to_be_bytes());
    }
}

/// The time of a record, if it has one.
pub fn updated(record: &[u8]) -> Option<Millis> {
    let (form, rest) = record.split_first()?;
    if form & TIMED == 0 {
        return None;
    }
    let bytes: [u8; 8] = rest.get(..8)?.try_into().ok()?;
    Some(Millis::from_be_bytes(bytes))
}

/// What a record's entries consist of, beside the value.
#[derive(Debug, Clone, Copy)]
pub struct EntryForm {
    /// A namespace.
    pub namespaced: bool,
    /// A map key.
    pub mapped: bool,
}

fn damaged(state: &str, source: RowError) -> StateError {
    StateError::Decode {
        name: state.to_owned(),
        part: "record",
        source,
    }
}

/// A record that is being read.
pub struct Entries<'a> {
    reader: Reader<'a>,
    timed: bool,
    key: Option<&'a [u8]>,
}

impl<'a> Entries<'a> {
    /// Reads the head of a record.
    ///
    /// # Errors
    /// If it is of another version, or damaged.
    pub fn of(state: &str, record: &'a [u8]) -> Result<Self, StateError> {
        let (&form, rest) = record
            .split_first()
            .ok_or_else(|| damaged(state, RowError::corrupt("an empty record")))?;
        if form & !(TIMED | KEYED) != VERSION {
            let version = form & !(TIMED | KEYED);
            let what = format!("a record of version {version}, and this is {VERSION}");
            return Err(damaged(state, RowError::corrupt(what)));
        }
        let timed = form & TIMED != 0;
        let rest = if timed { rest.get(8..) } else { Some(rest) };
        let rest = rest.ok_or_else(|| damaged(state, RowError::corrupt("a record cut short")))?;
        let mut reader = Reader::new(rest);
        let key = match form & KEYED {
            0 => None,
            _ => Some(reader.bytes().map_err(|error| damaged(state, error))?),
        };
        Ok(Self { reader, timed, key })
    }

    /// What stands before the first entry of `record`, which this was made of.
    pub fn head<'r>(&self, record: &'r [u8]) -> &'r [u8] {
        let head = record.len().saturating_sub(self.reader.remaining());
        record.get(..head).unwrap_or_default()
    }

    /// The key's encoding, where it does not stand in the store's key.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// Shows the entries.
    ///
    /// # Errors
    /// If the record is damaged, or what `show` says.
    pub fn show(
        mut self,
        state: &str,
        form: EntryForm,
        mut show: impl FnMut(Piece<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        while !self.reader.is_empty() {
            let reader = &mut self.reader;
            let timed = self.timed;
            let mut read = || -> Result<Piece<'a>, RowError> {
                Ok(Piece {
                    namespace: match form.namespaced {
                        true => Some(reader.long()? as u64),
                        false => None,
                    },
                    updated: match timed {
                        true => Some(reader.long()?),
                        false => None,
                    },
                    map_key: match form.mapped {
                        true => Some(reader.bytes()?),
                        false => None,
                    },
                    value: reader.bytes()?,
                })
            };
            let piece = read().map_err(|error| damaged(state, error))?;
            show(piece)?;
        }
        Ok(())
    }
}

/// The key of a record, as it was written.
///
/// # Errors
/// If the bytes are no such key.
pub fn key_of<K: Row>(state: &str, store_key: &[u8], record: &[u8]) -> Result<K, StateError> {
    let entries = Entries::of(state, record)?;
    let bytes = entries
        .key()
        .or_else(|| store_key.get(GROUP_BYTES..))
        .unwrap_or_default();
    let mut reader = Reader::new(bytes);
    K::decode(&mut reader)
        .and_then(|key| reader.finish().map(|()| key))
        .map_err(|source| StateError::Decode {
            name: state.to_owned(),
            part: "key",
            source,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn equal_keys_have_one_place_and_others_another() {
        let place = |key: f64| {
            let mut out = Vec::new();
            KeyForm::of::<f64>().put(key.key_hash(), &key, &mut out);
            out
        };
        assert_eq!(place(0.0), place(-0.0));
        assert_ne!(place(0.0), place(1.0));
        assert!(KeyForm::of::<(String, i64)>().canonical);
        assert!(!KeyForm::of::<(String, Option<f32>)>().canonical);
    }

    #[test]
    fn a_record_shows_what_was_put_into_it() {
        let key = -0.0_f64;
        let form = KeyForm::of::<f64>();
        let mut record = Writer::new();
        form.begin(&key, true, &mut record);
        let pieces = [(7u64, 30, b"a".as_slice()), (9, 40, b"bc"), (9, 20, b"")];
        let mut newest = Millis::MIN;
        for (namespace, updated, value) in pieces {
            let piece = Piece {
                namespace: Some(namespace),
                updated: Some(updated),
                map_key: Some(b"mk"),
                value,
            };
            put_entry(&piece, &mut newest, &mut record);
        }
        let mut bytes = Vec::new();
        end(&record, newest, &mut bytes);
        assert_eq!(updated(&bytes), Some(40));
        let back: f64 = key_of("s", &[], &bytes).unwrap();
        assert_eq!(back.to_bits(), key.to_bits());
        let form = EntryForm {
            namespaced: true,
            mapped: true,
        };
        let mut seen = Vec::new();
        let entries = Entries::of("s", &bytes).unwrap();
        entries
            .show("s", form, |piece| {
                assert_eq!(piece.map_key, Some(b"mk".as_slice()));
                let value = piece.value.to_vec();
                seen.push((piece.namespace.unwrap(), piece.updated.unwrap(), value));
                Ok(())
            })
            .unwrap();
        let put: Vec<_> = pieces.map(|(n, u, v)| (n, u, v.to_vec())).into();
        assert_eq!(seen, put);
        for cut in 0..bytes.len() {
            let Ok(entries) = Entries::of("s", &bytes[..cut]) else {
                continue;
            };
            // Cut between two entries it is a shorter record; nothing panics.
            let _ = entries.show("s", form, |_| Ok(()));
        }
    }
}
