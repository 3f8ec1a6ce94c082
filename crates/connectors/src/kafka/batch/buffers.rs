//! Buffers for decompressed batches, used again and again.
//!
//! A buffer's life: [`Buffers::fill`] takes a spare one, or a new one, lets it be filled, and gives it
//! away as [`Bytes`]; when the last of the batch's records has been read the bytes are dropped, and the
//! buffer is spare again. So the thread that decompresses neither waits for the kernel to clear a
//! megabyte for each batch, nor clears it once more itself: measured on an LZ4 topic, that was a tenth
//! of all CPU time.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::MAX_BATCH_BYTES;

/// What spare buffers hold at most, in bytes.
const SPARE_BYTES: usize = 32 << 20;
/// How long a new buffer is.
const FIRST_LEN: usize = 64 << 10;

#[derive(Debug, Default)]
struct Spares {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// The spare buffers of one fetcher.
#[derive(Debug, Clone, Default)]
pub struct Buffers(Arc<Mutex<Spares>>);

/// A buffer that is in use.
struct Used {
    buffer: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Used {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.home.put(std::mem::take(&mut self.buffer));
    }
}

/// A buffer that is being filled: all of it can be written, up to `filled` it has been.
#[derive(Debug)]
pub(super) struct Filling {
    buffer: Vec<u8>,
    filled: usize,
}

impl Filling {
    /// Room for at least `more` bytes, to be written.
    ///
    /// # Errors
    /// If that is more than a batch may have.
    pub(super) fn room(&mut self, more: usize) -> Result<&mut [u8], String> {
        let wanted = self.filled.saturating_add(more);
        if wanted > MAX_BATCH_BYTES {
            return Err(format!("more than {MAX_BATCH_BYTES} bytes decompressed"));
        }
        if wanted > self.buffer.len() {
            let len = wanted.max(self.buffer.len() * 2).max(FIRST_LEN);
            self.buffer.resize(len.min(MAX_BATCH_BYTES), 0);
        }
        Ok(self.buffer.get_mut(self.filled..).unwrap_or_default())
    }

    /// So many bytes of the room have been written.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.buffer.len());
    }
}

impl Buffers {
    /// What `fill` writes.
    pub(super) fn fill(
        &self,
        fill: impl FnOnce(&mut Filling) -> Result<(), String>,
    ) -> Result<Bytes, String> {
        let mut filling = Filling {
            buffer: self.take(),
            filled: 0,
        };
        let result = fill(&mut filling);
        let used = Used {
            buffer: filling.buffer,
            home: self.clone(),
        };
        result?;
        Ok(Bytes::from_owner(used).slice(..filling.filled))
    }

    fn take(&self) -> Vec<u8> {
        let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = spares.buffers.pop().unwrap_or_default();
        spares.bytes -= buffer.len();
        buffer
    }

    fn put(&self, buffer: Vec<u8>) {
        let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.bytes + buffer.len() <= SPARE_BYTES {
            spares.bytes += buffer.len();
            spares.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn write(buffers: &Buffers, bytes: &[u8]) -> Bytes {
        buffers
            .fill(|filling| {
                let room = filling.room(bytes.len())?;
                room.get_mut(..bytes.len()).unwrap().copy_from_slice(bytes);
                filling.advance(bytes.len());
                Ok(())
            })
            .unwrap()
    }

    #[test]
    fn a_buffer_comes_back_when_the_last_of_its_bytes_is_dropped() {
        let buffers = Buffers::default();
        let first = write(&buffers, b"first");
        let at = first.as_ptr();
        let part = first.slice(1..3);
        let second = write(&buffers, b"second");
        assert_ne!(second.as_ptr(), at);
        drop(first);
        assert_eq!(&part[..], b"ir");
        assert_ne!(write(&buffers, b"third").as_ptr(), at);
        drop(part);
        let fourth = write(&buffers, b"x");
        assert_eq!(fourth.as_ptr(), at);
        assert_eq!(&fourth[..], b"x", "nothing of what it held before");
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_buffer_comes_back() {
        let buffers = Buffers::default();
        let refused = buffers.fill(|filling| filling.room(MAX_BATCH_BYTES + 1).map(|_| ()));
        assert!(refused.is_err());
        assert_eq!(buffers.0.lock().unwrap().buffers.len(), 1);
    }

    #[test]
    fn spare_buffers_are_bounded() {
        let buffers = Buffers::default();
        let large = vec![1; SPARE_BYTES / 2];
        let used: Vec<_> = (0..4).map(|_| write(&buffers, &large)).collect();
        drop(used);
        assert!(buffers.0.lock().unwrap().bytes <= SPARE_BYTES);
    }
}
