//! Formats: bytes to rows and rows to bytes.
//!
//! A connector that reads bytes asks a [`DecodingFormat`] for a decoder a split, offers it what it
//! has read, is told where the first record ends, and has that record decoded. A connector that
//! writes them asks an [`EncodingFormat`] for an encoder. Rows are filled and shown field by field,
//! so a format needs to know nothing of their types.

pub(crate) mod base64;
#[cfg(feature = "csv")]
pub mod csv;
pub mod json;
pub(crate) mod line;
pub mod raw;
pub(crate) mod text;

use rheos_core::row::RowError;

/// Bytes to rows. Implemented by formats, shared between threads.
pub trait DecodingFormat<T>: Clone + Send + Sync + 'static {
    /// See [`Decoder`].
    type Decoder: Decoder<T> + 'static;

    /// A decoder for one split.
    fn decoder(&self) -> Self::Decoder;
}

/// Where the first record of the bytes at hand ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Not within these bytes.
    Incomplete,
    /// After `content` bytes; the next record begins `consumed` bytes on, `lines` lines further.
    Record {
        /// Bytes of the record, without what ends it.
        content: usize,
        /// Bytes up to the next record; none while there is more to be decoded of this one, which is
        /// then framed again.
        consumed: usize,
        /// Lines up to the next record.
        lines: u64,
    },
    /// No record begins here; the next may, `consumed` bytes on, one line further.
    Broken {
        /// Bytes of what is broken, without what ends it.
        content: usize,
        /// Bytes up to where to go on.
        consumed: usize,
        /// What is wrong.
        message: String,
    },
}

/// Decodes one split. Implemented by formats; called by connectors on the task's thread, first
/// [`Decoder::frame`] and then [`Decoder::decode`] with what it found, from the split's start on.
pub trait Decoder<T> {
    /// Finds the end of the record that `data` begins with; `data` is not empty. With `end`, nothing
    /// follows `data`, and the answer is not [`Frame::Incomplete`].
    fn frame(&mut self, data: &[u8], end: bool) -> Frame;

    /// Decodes a record and hands its rows to `emit`: none of an empty line or a header, several of
    /// a change or a block. The same record always gives the same rows, in the same order.
    ///
    /// # Errors
    /// What is wrong with it, with the path of the field. What was emitted before stays.
    fn decode(&mut self, record: &[u8], emit: impl FnMut(T)) -> Result<(), RowError>;

    /// The bytes that the last error is of, where they are not those of the record.
    fn rejected(&self) -> Option<&[u8]> {
        None
    }

    /// Whether the first record of a split must be decoded before those in its middle.
    fn has_header(&self) -> bool {
        false
    }
}

/// Rows to bytes. Implemented by formats, shared between threads.
pub trait EncodingFormat<T>: Clone + Send + Sync + 'static {
    /// See [`Encoder`].
    type Encoder: Encoder<T> + 'static;

    /// An encoder for one file or the like.
    fn encoder(&self) -> Self::Encoder;

    /// How names of files of this format end, without the dot.
    fn extension(&self) -> &'static str;
}

/// Encodes rows. Implemented by formats; called by connectors on the task's thread.
pub trait Encoder<T> {
    /// Appends what comes before the first row.
    fn start(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Appends a row with what ends it, or keeps it until there are enough for a block. After an
    /// error the caller removes what was appended, and the row is not kept.
    ///
    /// # Errors
    /// Where the format has no way to say what the row holds, with the path of the field.
    fn encode(&mut self, row: &T, out: &mut Vec<u8>) -> Result<(), RowError>;

    /// Appends what was kept, and what comes behind the last row.
    ///
    /// # Errors
    /// If that can't be done; the rows are lost then.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), RowError> {
        let _ = out;
        Ok(())
    }
}
