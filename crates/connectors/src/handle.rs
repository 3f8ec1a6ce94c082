//! The handle of a staged epoch, as it lies in checkpoints: a byte of version, then the epoch as a row.
//!
//! A handle is read whole or refused: one of another version, or one that is cut off, is never taken
//! for a shorter epoch.

use rheos_core::Row;
use rheos_core::row::{Reader, RowError, Writer};

/// The handle of an epoch, which has about `len` bytes: room is made for them at once, for this is done
/// while the task stands at a barrier.
pub(crate) fn to_handle<E: Row>(version: u8, epoch: &E, len: usize) -> Vec<u8> {
    let mut handle = Vec::with_capacity(1 + len);
    handle.push(version);
    let mut out = Writer::from_vec(handle);
    epoch.encode(&mut out);
    out.into_vec()
}

/// The epoch of a handle.
///
/// # Errors
/// Why it can't be read.
pub(crate) fn from_handle<E: Row>(version: u8, handle: &[u8]) -> Result<E, String> {
    match handle.split_first() {
        Some((&found, rest)) if found == version => {
            let read = || -> Result<E, RowError> {
                let mut reader = Reader::new(rest);
                let epoch = E::decode(&mut reader)?;
                reader.finish()?;
                Ok(epoch)
            };
            read().map_err(|error| error.to_string())
        }
        Some((found, _)) => Err(format!(
            "it is of format {found}, and this build reads {version}"
        )),
        None => Err("it is empty".to_owned()),
    }
}
