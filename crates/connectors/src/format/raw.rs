//! Raw lines: a row is a line, as it is.

use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::row::RowError;

use super::text::{TextSource, TextWriter};
use super::{Decoder, DecodingFormat, Encoder, EncodingFormat, Frame, line};

/// A row a line, empty lines included: a string or a number, bytes (`Vec<u8>`) that need not be
/// UTF-8, or a record of one such field.
///
/// A string that holds a line break is written as it is, and read back as two rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawLines;

/// Decodes and encodes [`RawLines`].
#[derive(Debug)]
pub struct RawCodec<T> {
    row: PhantomData<fn() -> T>,
}

impl<T: Row> DecodingFormat<T> for RawLines {
    type Decoder = RawCodec<T>;

    fn decoder(&self) -> RawCodec<T> {
        RawCodec { row: PhantomData }
    }
}

impl<T: Row> Decoder<T> for RawCodec<T> {
    fn frame(&mut self, data: &[u8], end: bool) -> Frame {
        line::frame(data, end)
    }

    fn decode(&mut self, record: &[u8], emit: impl FnMut(T)) -> Result<(), RowError> {
        T::from_source(&mut TextSource::line(record)).map(emit)
    }
}

impl<T: Row> EncodingFormat<T> for RawLines {
    type Encoder = RawCodec<T>;

    fn encoder(&self) -> RawCodec<T> {
        RawCodec { row: PhantomData }
    }

    fn extension(&self) -> &'static str {
        "txt"
    }
}

impl<T: Row> Encoder<T> for RawCodec<T> {
    fn encode(&mut self, row: &T, out: &mut Vec<u8>) -> Result<(), RowError> {
        row.visit(&mut TextWriter::new(out))?;
        out.push(b'\n');
        Ok(())
    }
}
