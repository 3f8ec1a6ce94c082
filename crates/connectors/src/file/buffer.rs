//! The bytes that were read and not yet decoded.

use std::io::{self, Read};

/// Bytes read at a time.
pub(super) const CHUNK: usize = 256 * 1024;

/// A window that moves over a file; grows with the longest record.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
    /// What a read met behind bytes that were good.
    trouble: Option<io::Error>,
}

impl ReadBuffer {
    /// What is there.
    pub fn data(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or(&[])
    }

    /// Goes past the first bytes.
    pub fn consume(&mut self, count: usize) {
        self.from = (self.from + count).min(self.to);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.from = 0;
        self.to = 0;
        self.trouble = None;
    }

    /// Reads up to [`CHUNK`] more; 0 at the end of the input.
    ///
    /// # Errors
    /// What the input says, once everything that came before has been handed out.
    pub fn fill(&mut self, input: &mut dyn Read) -> io::Result<usize> {
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        if self.from > 0 {
            self.bytes.copy_within(self.from..self.to, 0);
            self.to -= self.from;
            self.from = 0;
        }
        if self.bytes.len() < self.to + CHUNK {
            self.bytes.resize(self.to + CHUNK, 0);
        }
        let end = self.to + CHUNK;
        let mut count = 0;
        while let Some(room) = self.bytes.get_mut(self.to..end)
            && !room.is_empty()
        {
            match input.read(room) {
                Ok(0) => break,
                Ok(read) => {
                    self.to += read;
                    count += read;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if count > 0 => {
                    self.trouble = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}
