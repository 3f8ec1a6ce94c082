//! All rows of a store as frames of a canonical [image](crate::image): what a savepoint holds of it, so
//! that any backend can read it.
//!
//! A record of the store is one key's entries in one state; so is a frame. Records are turned into
//! frames as bytes, without the types of the job.

use rheos_core::row::{RowError, Writer};
use rheos_core::time::Millis;

use super::record::{Entries, GROUP_BYTES};
use super::saver::StateForm;
use crate::error::StateError;

/// Bytes of frames that are given at one time, or a little more.
const PIECE: usize = 256 * 1024;

/// Collects frames.
pub(super) struct Export<'a> {
    states: &'a [StateForm],
    /// What counts as the last update of an entry that has none, where the state has a time to live.
    now: Millis,
    frame: Writer,
    done: Writer,
    give: &'a mut dyn FnMut(Vec<u8>) -> Result<(), StateError>,
}

impl<'a> Export<'a> {
    pub(super) fn new(
        states: &'a [StateForm],
        now: Millis,
        give: &'a mut dyn FnMut(Vec<u8>) -> Result<(), StateError>,
    ) -> Self {
        Self {
            states,
            now,
            frame: Writer::new(),
            done: Writer::new(),
            give,
        }
    }

    /// Takes a record of the state of this number.
    pub(super) fn row(&mut self, state: usize, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        let states = self.states;
        let Some(form) = states.get(state) else {
            return Ok(());
        };
        let cut = || StateError::Decode {
            name: form.name.clone(),
            part: "key",
            source: RowError::corrupt("a key cut short"),
        };
        let (group, bytes) = key.split_at_checked(GROUP_BYTES).ok_or_else(cut)?;
        let group: [u8; GROUP_BYTES] = group.try_into().map_err(|_| cut())?;
        let entries = Entries::of(&form.name, value)?;
        let frame = &mut self.frame;
        frame.clear();
        frame.long(0);
        frame.bytes(entries.key().unwrap_or(bytes));
        let tag = i64::try_from(state + 1).unwrap_or(i64::MAX);
        let (timed, now) = (form.timed, self.now);
        entries.show(&form.name, form.entries, |piece| {
            frame.long(tag);
            if let Some(namespace) = piece.namespace {
                frame.long(namespace as i64);
            }
            if timed {
                frame.long(piece.updated.unwrap_or(now));
            }
            if let Some(map_key) = piece.map_key {
                frame.bytes(map_key);
            }
            frame.bytes(piece.value);
            Ok(())
        })?;
        self.done.long(i64::from(u16::from_be_bytes(group)));
        self.done.bytes(self.frame.as_slice());
        match self.done.len() >= PIECE {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Gives what has not been given.
    pub(super) fn flush(&mut self) -> Result<(), StateError> {
        let checked = self.done.check().and_then(|()| self.frame.check());
        checked.map_err(|source| StateError::Decode {
            name: "keyed state".to_owned(),
            part: "record",
            source,
        })?;
        if !self.done.is_empty() {
            (self.give)(std::mem::take(&mut self.done).into_vec())?;
        }
        Ok(())
    }
}
