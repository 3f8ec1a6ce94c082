//! Rows to CSV records.

use std::io::Write;
use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::row::{FieldVisitor, RowError, Schema};

use super::{Columns, Csv};
use crate::format::json::{JsonNesting, JsonWriter};
use crate::format::{Encoder, base64};

/// Encodes [`Csv`]: cells of records, lists, maps and variants with fields hold JSON.
#[derive(Debug)]
pub struct CsvEncoder<T> {
    csv: Csv,
    nesting: JsonNesting,
    nested: Vec<u8>,
    row: PhantomData<fn() -> T>,
}

impl<T> CsvEncoder<T> {
    pub(super) fn new(csv: Csv) -> Self {
        Self {
            csv,
            nesting: JsonNesting::default(),
            nested: Vec::new(),
            row: PhantomData,
        }
    }
}

impl<T: Row> Encoder<T> for CsvEncoder<T> {
    fn start(&mut self, out: &mut Vec<u8>) {
        if self.csv.columns != Columns::Header {
            return;
        }
        match T::schema() {
            Schema::Record(record) => {
                for (position, field) in record.fields.iter().enumerate() {
                    if position > 0 {
                        out.push(self.csv.delimiter);
                    }
                    put_text(&self.csv, &field.name, out);
                }
            }
            _ => out.extend_from_slice(b"value"),
        }
        out.push(b'\n');
    }

    fn encode(&mut self, row: &T, out: &mut Vec<u8>) -> Result<(), RowError> {
        let start = out.len();
        self.nested.clear();
        let mut writer = CsvWriter {
            csv: &self.csv,
            out,
            json: JsonWriter::new(&mut self.nested, &mut self.nesting),
            depth: 0,
        };
        row.visit(&mut writer)?;
        if out.len() == start {
            // A lone null would be an empty line, which is no record.
            out.extend_from_slice(&[self.csv.quote, self.csv.quote]);
        }
        out.push(b'\n');
        Ok(())
    }
}

/// Writes a cell, in quotes if it must be: where it would not read back as it is, or as null.
fn put_text(csv: &Csv, text: &str, out: &mut Vec<u8>) {
    let special = |byte: u8| byte == csv.delimiter || matches!(byte, b'\n' | b'\r');
    let needs_quotes = text.is_empty()
        || text.as_bytes().first() == Some(&csv.quote)
        || text.bytes().any(|byte| byte == csv.quote || special(byte))
        || csv.null_values.iter().any(|value| value == text);
    if needs_quotes {
        put_quoted(csv, text.as_bytes(), out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn put_quoted(csv: &Csv, text: &[u8], out: &mut Vec<u8>) {
    out.push(csv.quote);
    for byte in text {
        if *byte == csv.quote {
            out.push(csv.quote);
        }
        out.push(*byte);
    }
    out.push(csv.quote);
}

/// Takes a row: at depth 1 values are cells, below they go into a cell as JSON.
struct CsvWriter<'a> {
    csv: &'a Csv,
    out: &'a mut Vec<u8>,
    json: JsonWriter<'a>,
    depth: usize,
}

impl CsvWriter<'_> {
    fn nested(&self) -> bool {
        self.depth > 1
    }

    fn put(&mut self, value: std::fmt::Arguments<'_>) -> Result<(), RowError> {
        // Writing to a vector does not fail.
        let _ = self.out.write_fmt(value);
        Ok(())
    }

    /// Begins what is nested in a cell; a row that is no record is its only cell.
    fn open(&mut self) {
        self.depth = self.depth.max(1) + 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        if self.depth == 1 {
            put_quoted(self.csv, self.json.text(), self.out);
            self.json.clear();
        }
    }
}

impl FieldVisitor for CsvWriter<'_> {
    fn null(&mut self) -> Result<(), RowError> {
        if self.nested() {
            return self.json.null();
        }
        if let Some(text) = self.csv.null_values.first() {
            self.out.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    fn bool(&mut self, value: bool) -> Result<(), RowError> {
        if self.nested() {
            self.json.bool(value)
        } else {
            self.put(format_args!("{value}"))
        }
    }

    fn i64(&mut self, value: i64) -> Result<(), RowError> {
        if self.nested() {
            self.json.i64(value)
        } else {
            self.put(format_args!("{value}"))
        }
    }

    fn u64(&mut self, value: u64) -> Result<(), RowError> {
        if self.nested() {
            self.json.u64(value)
        } else {
            self.put(format_args!("{value}"))
        }
    }

    fn f32(&mut self, value: f32) -> Result<(), RowError> {
        if self.nested() {
            self.json.f32(value)
        } else {
            self.put(format_args!("{value:?}"))
        }
    }

    fn f64(&mut self, value: f64) -> Result<(), RowError> {
        if self.nested() {
            self.json.f64(value)
        } else {
            self.put(format_args!("{value:?}"))
        }
    }

    fn str(&mut self, value: &str) -> Result<(), RowError> {
        if self.nested() {
            return self.json.str(value);
        }
        put_text(self.csv, value, self.out);
        Ok(())
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), RowError> {
        if self.nested() {
            return self.json.bytes(value);
        }
        if value.is_empty() {
            put_quoted(self.csv, value, self.out);
        }
        base64::encode(value, self.out);
        Ok(())
    }

    fn begin_variant(&mut self, owner: &str, name: &str) -> Result<(), RowError> {
        self.open();
        self.json.begin_variant(owner, name)
    }

    fn end_variant(&mut self) -> Result<(), RowError> {
        self.json.end_variant()?;
        self.close();
        Ok(())
    }

    fn begin_record(&mut self, name: &str, len: usize, positional: bool) -> Result<(), RowError> {
        if self.depth == 0 {
            self.depth = 1;
            return Ok(());
        }
        self.open();
        self.json.begin_record(name, len, positional)
    }

    fn field(&mut self, position: usize, name: &str) -> Result<(), RowError> {
        if self.nested() {
            return self.json.field(position, name);
        }
        if position > 0 {
            self.out.push(self.csv.delimiter);
        }
        Ok(())
    }

    fn end_record(&mut self) -> Result<(), RowError> {
        if self.nested() {
            self.json.end_record()?;
            self.close();
        }
        Ok(())
    }

    fn begin_list(&mut self, len: usize) -> Result<(), RowError> {
        self.open();
        self.json.begin_list(len)
    }

    fn item(&mut self, position: usize) -> Result<(), RowError> {
        self.json.item(position)
    }

    fn end_list(&mut self) -> Result<(), RowError> {
        self.json.end_list()?;
        self.close();
        Ok(())
    }

    fn begin_map(&mut self, len: usize) -> Result<(), RowError> {
        self.open();
        self.json.begin_map(len)
    }

    fn key(&mut self, position: usize) -> Result<(), RowError> {
        self.json.key(position)
    }

    fn value(&mut self) -> Result<(), RowError> {
        self.json.value()
    }

    fn end_map(&mut self) -> Result<(), RowError> {
        self.json.end_map()?;
        self.close();
        Ok(())
    }
}
