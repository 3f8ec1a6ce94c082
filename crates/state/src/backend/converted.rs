//! A store whose values were written as another type than the one declared now: rewritten once, when it is
//! taken over, so that no read has to ask. Only states whose type has changed are; what they hold is read
//! and written, a batch at a time.

use rheos_core::Row;
use rheos_core::key_group::KEY_GROUPS;
use rheos_core::row::Writer;

use super::KeyedBackend;
use crate::error::StateError;
use crate::evolution::Conversion;
use crate::image::KeyedImage;
use crate::store::record::{Entries, put_entry};
use crate::store::{StateStore, Writes};

/// Bytes that are written at one time, or a little more.
const BATCH: usize = 1024 * 1024;

impl<K: Row> KeyedBackend<K> {
    /// Rewrites the values of the store as what is declared now; `image` says as what they were written.
    /// Called when the store has been taken over, before any key is used.
    ///
    /// # Errors
    /// If a value can't be read as what is declared, by its state; what the store says.
    pub fn convert_store(&mut self, image: &KeyedImage) -> Result<(), StateError> {
        let stored = self.stored.borrow();
        let Some(stored) = &*stored else {
            return Ok(());
        };
        for (number, table) in self.states.iter().enumerate() {
            let table = table.borrow();
            let name = table.name();
            let header = image.states.iter().find(|header| header.name == name);
            // A state of another kind is refused when the rest of the image is taken back.
            let Some(header) = header.filter(|header| {
                header.kind == table.kind().name() && header.namespaced == table.is_namespaced()
            }) else {
                continue;
            };
            let (_, declared) = table.schemas();
            let migrate = table.migrate();
            let conversion = Conversion::of(name, &header.value_schema, &declared, migrate)?;
            if conversion.is_needed() {
                let Some(form) = stored.states.get(number) else {
                    continue;
                };
                let convert = |value: &[u8], out: &mut Vec<u8>| {
                    let resolved =
                        conversion.apply(name, value, |how, value| table.resolve(how, value))?;
                    out.extend_from_slice(&resolved);
                    Ok(())
                };
                let state = (number, name, form.entries);
                rewrite(stored.store.as_ref(), state, convert)?;
            }
        }
        Ok(())
    }
}

fn rewrite(
    store: &dyn StateStore,
    (number, name, form): (usize, &str, crate::store::record::EntryForm),
    convert: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut writes = Writes::default();
    let (mut record, mut value) = (Writer::new(), Vec::new());
    // A scan sees what there was when it began.
    store.scan(number, &(0..KEY_GROUPS), &mut |key, bytes| {
        let entries = Entries::of(name, bytes)?;
        record.clear();
        record.raw(entries.head(bytes));
        // The head has the time of the newest entry, which stays.
        let mut newest = 0;
        entries.show(name, form, |piece| {
            value.clear();
            convert(piece.value, &mut value)?;
            let piece = crate::snapshot::Piece {
                value: &value,
                ..piece
            };
            put_entry(&piece, &mut newest, &mut record);
            Ok(())
        })?;
        record.check().map_err(|source| StateError::Decode {
            name: name.to_owned(),
            part: "record",
            source,
        })?;
        writes.put(number, key, record.as_slice());
        if writes.byte_len() >= BATCH {
            store.write(&writes)?;
            writes.clear();
        }
        Ok(())
    })?;
    store.write(&writes)
}
