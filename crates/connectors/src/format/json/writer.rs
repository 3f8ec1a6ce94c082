//! Writes a row as JSON while it is being shown, without a tree in between.

use std::io::Write;

use rheos_core::row::{FieldVisitor, RowError};

use crate::format::base64;

/// The state of an encoder, for reuse from row to row.
#[derive(Debug, Default)]
pub(crate) struct JsonNesting {
    /// Of each open record, whether it is written as a list.
    positional: Vec<bool>,
}

/// Appends one value to `out`. After an error `out` may end in half a value.
pub(crate) struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    nesting: &'a mut JsonNesting,
    /// The value being shown is the key of a map: a string whatever its type.
    in_key: bool,
}

impl<'a> JsonWriter<'a> {
    pub fn new(out: &'a mut Vec<u8>, nesting: &'a mut JsonNesting) -> Self {
        nesting.positional.clear();
        Self {
            out,
            nesting,
            in_key: false,
        }
    }

    /// What has been written.
    #[cfg(feature = "csv")]
    pub fn text(&self) -> &[u8] {
        self.out
    }

    /// Starts anew.
    #[cfg(feature = "csv")]
    pub fn clear(&mut self) {
        self.out.clear();
    }

    fn put(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn comma(&mut self, position: usize) {
        if position > 0 {
            self.put(b',');
        }
    }

    /// A value whose text needs no escapes.
    fn scalar(&mut self, text: std::fmt::Arguments<'_>) -> Result<(), RowError> {
        if self.in_key {
            self.put(b'"');
        }
        // Writing to a vector does not fail.
        let _ = self.out.write_fmt(text);
        if self.in_key {
            self.put(b'"');
        }
        Ok(())
    }

    fn refuse_in_key(&self, what: &str) -> Result<(), RowError> {
        if self.in_key {
            return Err(RowError::mismatch(format!(
                "{what} can't be the key of a map in JSON: keys are strings, numbers or booleans"
            )));
        }
        Ok(())
    }

    fn float(&mut self, finite: bool, text: std::fmt::Arguments<'_>) -> Result<(), RowError> {
        if finite {
            self.scalar(text)
        } else {
            Err(RowError::mismatch(format!("{text} is no number in JSON")))
        }
    }
}

impl FieldVisitor for JsonWriter<'_> {
    fn null(&mut self) -> Result<(), RowError> {
        self.refuse_in_key("null")?;
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn bool(&mut self, value: bool) -> Result<(), RowError> {
        self.scalar(format_args!("{value}"))
    }

    fn i64(&mut self, value: i64) -> Result<(), RowError> {
        self.scalar(format_args!("{value}"))
    }

    fn u64(&mut self, value: u64) -> Result<(), RowError> {
        self.scalar(format_args!("{value}"))
    }

    fn f32(&mut self, value: f32) -> Result<(), RowError> {
        self.float(value.is_finite(), format_args!("{value:?}"))
    }

    fn f64(&mut self, value: f64) -> Result<(), RowError> {
        self.float(value.is_finite(), format_args!("{value:?}"))
    }

    fn str(&mut self, value: &str) -> Result<(), RowError> {
        put_string(value, self.out);
        Ok(())
    }

    fn bytes(&mut self, value: &[u8]) -> Result<(), RowError> {
        self.put(b'"');
        base64::encode(value, self.out);
        self.put(b'"');
        Ok(())
    }

    fn begin_variant(&mut self, _owner: &str, name: &str) -> Result<(), RowError> {
        self.refuse_in_key("a variant with fields")?;
        self.put(b'{');
        put_string(name, self.out);
        self.put(b':');
        Ok(())
    }

    fn end_variant(&mut self) -> Result<(), RowError> {
        self.put(b'}');
        Ok(())
    }

    fn begin_record(&mut self, _name: &str, _len: usize, positional: bool) -> Result<(), RowError> {
        self.refuse_in_key("a record")?;
        self.nesting.positional.push(positional);
        self.put(if positional { b'[' } else { b'{' });
        Ok(())
    }

    fn field(&mut self, position: usize, name: &str) -> Result<(), RowError> {
        self.comma(position);
        if self.nesting.positional.last() != Some(&true) {
            put_string(name, self.out);
            self.put(b':');
        }
        Ok(())
    }

    fn end_record(&mut self) -> Result<(), RowError> {
        let positional = self.nesting.positional.pop() == Some(true);
        self.put(if positional { b']' } else { b'}' });
        Ok(())
    }

    fn begin_list(&mut self, _len: usize) -> Result<(), RowError> {
        self.refuse_in_key("a list")?;
        self.put(b'[');
        Ok(())
    }

    fn item(&mut self, position: usize) -> Result<(), RowError> {
        self.comma(position);
        Ok(())
    }

    fn end_list(&mut self) -> Result<(), RowError> {
        self.put(b']');
        Ok(())
    }

    fn begin_map(&mut self, _len: usize) -> Result<(), RowError> {
        self.refuse_in_key("a map")?;
        self.put(b'{');
        Ok(())
    }

    fn key(&mut self, position: usize) -> Result<(), RowError> {
        self.comma(position);
        self.in_key = true;
        Ok(())
    }

    fn value(&mut self) -> Result<(), RowError> {
        self.in_key = false;
        self.put(b':');
        Ok(())
    }

    fn end_map(&mut self) -> Result<(), RowError> {
        self.put(b'}');
        Ok(())
    }
}

/// Appends a string with quotes and escapes.
fn put_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(stop) = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
    {
        let (clean, tail) = rest.split_at(stop);
        out.extend_from_slice(clean);
        let Some((special, tail)) = tail.split_first() else {
            break;
        };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                let _ = write!(out, "\\u{other:04x}");
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
