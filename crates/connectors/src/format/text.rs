//! One value that stands as text: a CSV cell, a key of a JSON map, a raw line.

use rheos_core::row::{FieldNames, FieldSource, FieldVisitor, RowError, mismatch};

use super::base64;
use super::json::JsonParser;
use super::line::{quoted, utf8};

/// What a text is, which says what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// The key of a map: a scalar.
    Key,
    /// A cell: a scalar, or JSON for what is more.
    Cell,
    /// A line: a scalar, bytes as they are.
    Line,
}

/// Reads a value out of its text.
pub(crate) struct TextSource<'a> {
    bytes: &'a [u8],
    kind: TextKind,
    null: bool,
    decoded: Vec<u8>,
}

impl<'a> TextSource<'a> {
    pub fn key(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            kind: TextKind::Key,
            null: false,
            decoded: Vec::new(),
        }
    }

    #[cfg_attr(not(feature = "csv"), allow(dead_code, reason = "only CSV has cells"))]
    pub fn cell(text: &'a str, null: bool) -> Self {
        Self {
            bytes: text.as_bytes(),
            kind: TextKind::Cell,
            null,
            decoded: Vec::new(),
        }
    }

    pub fn line(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            kind: TextKind::Line,
            null: false,
            decoded: Vec::new(),
        }
    }

    fn text(&self) -> Result<&'a str, RowError> {
        utf8(self.bytes)
    }

    fn found(&self) -> String {
        match self.text() {
            Ok("") => "nothing".to_owned(),
            Ok(text) => quoted(text),
            Err(_) => "bytes that are not UTF-8".to_owned(),
        }
    }

    fn parse<V: std::str::FromStr>(&self, expected: &str) -> Result<V, RowError> {
        let text = self.text()?.trim_ascii();
        text.parse().map_err(|_| {
            let digits = text.trim_start_matches(['-', '+']);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                RowError::mismatch(format!("{text} is out of range for {expected}"))
            } else {
                mismatch(expected, self.found())
            }
        })
    }

    /// The text as JSON, where a cell may hold it.
    fn json(&self, expected: &str, open: char) -> Result<JsonParser<'a>, RowError> {
        let text = self.text()?;
        if self.kind == TextKind::Cell && text.trim_ascii_start().starts_with(open) {
            return Ok(JsonParser::new(text));
        }
        Err(mismatch(expected, self.found()))
    }

    fn in_json(
        &self,
        expected: &str,
        open: char,
        read: impl FnOnce(&mut JsonParser<'a>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let mut json = self.json(expected, open)?;
        read(&mut json)?;
        json.end()
    }
}

impl FieldSource for TextSource<'_> {
    fn is_null(&mut self) -> bool {
        self.null
    }

    fn bool(&mut self) -> Result<bool, RowError> {
        let text = self.text()?.trim_ascii();
        if text.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if text.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err(mismatch("true or false", self.found()))
        }
    }

    fn i64(&mut self) -> Result<i64, RowError> {
        self.parse("an integer")
    }

    fn u64(&mut self) -> Result<u64, RowError> {
        if self.text()?.trim_ascii_start().starts_with('-') {
            return Err(mismatch("an integer that is not negative", self.found()));
        }
        self.parse("an integer")
    }

    fn f64(&mut self) -> Result<f64, RowError> {
        self.parse("a number")
    }

    fn str(&mut self) -> Result<&str, RowError> {
        self.text()
    }

    fn bytes(&mut self) -> Result<&[u8], RowError> {
        if self.kind == TextKind::Line {
            return Ok(self.bytes);
        }
        if base64::decode(self.bytes, &mut self.decoded) {
            Ok(&self.decoded)
        } else {
            Err(mismatch("base64", self.found()))
        }
    }

    fn record(
        &mut self,
        names: &'static FieldNames,
        field: &mut dyn FnMut(usize, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        if self.kind == TextKind::Line && names.fields.len() == 1 {
            return field(0, self);
        }
        let open = if names.positional { '[' } else { '{' };
        self.in_json("a record", open, |json| json.record(names, field))
    }

    fn variant(
        &mut self,
        names: &'static FieldNames,
        variant: &mut dyn FnMut(usize, Option<&mut dyn FieldSource>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let text = self.text()?;
        if self.kind == TextKind::Cell && text.starts_with('{') {
            return self.in_json("a variant", '{', |json| json.variant(names, variant));
        }
        variant(names.variant(text)?, None)
    }

    fn list(
        &mut self,
        item: &mut dyn FnMut(&mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.in_json("a list", '[', |json| json.list(item))
    }

    fn map(
        &mut self,
        entry: &mut dyn FnMut(&mut dyn FieldSource, &mut dyn FieldSource) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.in_json("a map", '{', |json| json.map(entry))
    }
}

/// Takes the one value that a row is, as its mere text.
pub(crate) struct TextWriter<'a> {
    out: &'a mut Vec<u8>,
    base64: bool,
}

impl<'a> TextWriter<'a> {
    /// Bytes are written as they are.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, base64: false }
    }

    /// Bytes are written as base64.
    pub fn printable(out: &'a mut Vec<u8>) -> Self {
        Self { out, base64: true }
    }

    fn put(&mut self, value: impl std::fmt::Display) -> Result<(), RowError> {
        use std::io::Write;
        // Writing to a vector does not fail.
        let _ = write!(self.out, "{value}");
        Ok(())
    }

    fn more<R>(what: &str) -> Result<R, RowError> {
        Err(RowError::mismatch(format!(
            "{what} is more than one value, which is all that a raw line holds; \
             write JSON lines or CSV"
        )))
    }
}

impl FieldVisitor for TextWriter<'_> {
    fn null(&mut self) -> Result<(), RowError> {
        Ok(())
    }
    fn bool(&mut self, value: bool) -> Result<(), RowError> {
        self.put(value)
    }
    fn i64(&mut self, value: i64) -> Result<(), RowError> {
        self.put(value)
    }
    fn u64(&mut self, value: u64) -> Result<(), RowError> {
        self.put(value)
    }
    fn f32(&mut self, value: f32) -> Result<(), RowError> {
        self.put(value)
    }
    fn f64(&mut self, value: f64) -> Result<(), RowError> {
        self.put(value)
    }
    fn str(&mut self, value: &str) -> Result<(), RowError> {
        self.out.extend_from_slice(value.as_bytes());
        Ok(())
    }
    fn bytes(&mut self, value: &[u8]) -> Result<(), RowError> {
        if self.base64 {
            base64::encode(value, self.out);
        } else {
            self.out.extend_from_slice(value);
        }
        Ok(())
    }
    fn begin_variant(&mut self, _owner: &str, _name: &str) -> Result<(), RowError> {
        Self::more("a variant with fields")
    }
    fn end_variant(&mut self) -> Result<(), RowError> {
        Ok(())
    }
    fn begin_record(&mut self, name: &str, len: usize, _positional: bool) -> Result<(), RowError> {
        if len == 1 { Ok(()) } else { Self::more(name) }
    }
    fn field(&mut self, _position: usize, _name: &str) -> Result<(), RowError> {
        Ok(())
    }
    fn end_record(&mut self) -> Result<(), RowError> {
        Ok(())
    }
    fn begin_list(&mut self, _len: usize) -> Result<(), RowError> {
        Self::more("a list")
    }
    fn item(&mut self, _position: usize) -> Result<(), RowError> {
        Ok(())
    }
    fn end_list(&mut self) -> Result<(), RowError> {
        Ok(())
    }
    fn begin_map(&mut self, _len: usize) -> Result<(), RowError> {
        Self::more("a map")
    }
    fn key(&mut self, _position: usize) -> Result<(), RowError> {
        Ok(())
    }
    fn value(&mut self) -> Result<(), RowError> {
        Ok(())
    }
    fn end_map(&mut self) -> Result<(), RowError> {
        Ok(())
    }
}
