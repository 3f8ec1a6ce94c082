//! The handle of a staged epoch, as it lies in checkpoints: a byte of version, then the epoch as a row.
//!
//! A handle is read whole or refused: one of another version, or one that is cut off, is never taken
//! for a shorter epoch.

use rheos_core::Row;
use rheos_core::row::{Reader, RowError, Writer};

/// The handle of an epoch.
pub(crate) fn to_handle<E: Row>(version: u8, epoch: &E) -> Vec<u8> {
    let mut out = Writer::new();
    epoch.encode(&mut out);
    let mut handle = vec![version];
    handle.append(&mut out.into_vec());
    handle
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
