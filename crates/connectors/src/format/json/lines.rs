//! JSON lines: a row is a line with one JSON value.

use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::row::RowError;

use super::{JsonNesting, JsonParser, JsonWriter};
use crate::format::{Decoder, DecodingFormat, Encoder, EncodingFormat, Frame, line};

/// A JSON value a line; lines of white space only are skipped.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonLines;

/// Decodes [`JsonLines`].
#[derive(Debug)]
pub struct JsonDecoder<T> {
    row: PhantomData<fn() -> T>,
}

impl<T: Row> DecodingFormat<T> for JsonLines {
    type Decoder = JsonDecoder<T>;

    fn decoder(&self) -> JsonDecoder<T> {
        JsonDecoder { row: PhantomData }
    }
}

impl<T: Row> Decoder<T> for JsonDecoder<T> {
    fn frame(&mut self, data: &[u8], end: bool) -> Frame {
        line::frame(data, end)
    }

    fn decode(&mut self, record: &[u8], mut emit: impl FnMut(T)) -> Result<(), RowError> {
        if record.trim_ascii().is_empty() {
            return Ok(());
        }
        let mut parser = JsonParser::new(line::utf8(record)?);
        let row = T::from_source(&mut parser)?;
        parser.end()?;
        emit(row);
        Ok(())
    }
}

/// Encodes [`JsonLines`].
#[derive(Debug)]
pub struct JsonEncoder<T> {
    nesting: JsonNesting,
    row: PhantomData<fn() -> T>,
}

impl<T: Row> EncodingFormat<T> for JsonLines {
    type Encoder = JsonEncoder<T>;

    fn encoder(&self) -> JsonEncoder<T> {
        JsonEncoder {
            nesting: JsonNesting::default(),
            row: PhantomData,
        }
    }

    fn extension(&self) -> &'static str {
        "jsonl"
    }
}

impl<T: Row> Encoder<T> for JsonEncoder<T> {
    fn encode(&mut self, row: &T, out: &mut Vec<u8>) -> Result<(), RowError> {
        row.visit(&mut JsonWriter::new(out, &mut self.nesting))?;
        out.push(b'\n');
        Ok(())
    }
}
