//! Where CSV records and their cells begin and end.
//!
//! A cell is quoted if its first byte is the quote; within it, a doubled quote stands for one, and
//! line breaks belong to it. A quote in the middle of a cell that does not begin with one is a
//! character like any other.

use std::ops::Range;

use rheos_core::row::RowError;

use super::Csv;
use crate::format::{Frame, line};

/// A cell of the record at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// Within the record, or within what was unescaped.
    range: Range<usize>,
    unescaped: bool,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

/// The cells of one record, for reuse.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub cells: Vec<Cell>,
    /// Cells that had doubled quotes, without them.
    unescaped: String,
}

/// Behind the closing quote of a cell, from behind its opening one.
fn closing(data: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr(quote, data.get(at..)?)? + 1;
        if data.get(at) != Some(&quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// Finds the end of the first record; a closing quote that is the last byte at hand may yet prove
/// to be half of a doubled one.
pub(super) fn frame(csv: &Csv, data: &[u8], end: bool) -> Frame {
    let first = match memchr::memchr(b'\n', data) {
        Some(at) => at + 1,
        None if end => data.len(),
        None => return Frame::Incomplete,
    };
    let whole = data.get(..first).unwrap_or(data);
    if memchr::memchr(csv.quote, whole).is_none() {
        return Frame::Record {
            content: line::content(whole),
            consumed: first,
            lines: 1,
        };
    }
    let mut at = 0;
    let mut cell_starts = true;
    loop {
        if cell_starts && data.get(at) == Some(&csv.quote) {
            match closing(data, at + 1, csv.quote) {
                Some(closed) if closed < data.len() || end => at = closed,
                None if end => {
                    return Frame::Broken {
                        content: line::content(whole),
                        consumed: first,
                        message: format!("the quote at column {} is never closed", at + 1),
                    };
                }
                _ => return Frame::Incomplete,
            }
        }
        let rest = data.get(at..).unwrap_or(&[]);
        let (consumed, content_end) = match memchr::memchr2(csv.delimiter, b'\n', rest) {
            Some(stop) if rest.get(stop) == Some(&csv.delimiter) => {
                at += stop + 1;
                cell_starts = true;
                continue;
            }
            Some(stop) => (at + stop + 1, at + stop + 1),
            None if end => (data.len(), data.len()),
            None => return Frame::Incomplete,
        };
        let record = data.get(..content_end).unwrap_or(data);
        let lines = memchr::memchr_iter(b'\n', record).count().max(1) as u64;
        return Frame::Record {
            content: line::content(record),
            consumed,
            lines,
        };
    }
}

impl Cells {
    /// The text of a cell of `record`.
    pub fn text<'a>(&'a self, record: &'a str, cell: &Cell) -> &'a str {
        let source = if cell.unescaped {
            &self.unescaped
        } else {
            record
        };
        source.get(cell.range.clone()).unwrap_or("")
    }

    /// Splits a record.
    pub fn split(&mut self, csv: &Csv, record: &str) -> Result<(), RowError> {
        self.cells.clear();
        self.unescaped.clear();
        let bytes = record.as_bytes();
        if memchr::memchr(csv.quote, bytes).is_none() {
            let mut start = 0;
            for at in memchr::memchr_iter(csv.delimiter, bytes) {
                self.cells.push(Cell {
                    range: start..at,
                    unescaped: false,
                    quoted: false,
                });
                start = at + 1;
            }
            self.cells.push(Cell {
                range: start..bytes.len(),
                unescaped: false,
                quoted: false,
            });
            return Ok(());
        }
        let mut at = 0;
        loop {
            let end = if bytes.get(at) == Some(&csv.quote) {
                let end = closing(bytes, at + 1, csv.quote).ok_or_else(|| {
                    RowError::corrupt(format!("the quote at column {} is never closed", at + 1))
                })?;
                self.quoted(csv, record, at + 1..end - 1);
                match bytes.get(end) {
                    None => end,
                    Some(byte) if *byte == csv.delimiter => end,
                    Some(_) => {
                        return Err(RowError::corrupt(format!(
                            "text behind the closing quote at column {end}; double a quote that \
                             belongs to the cell"
                        )));
                    }
                }
            } else {
                let rest = bytes.get(at..).unwrap_or(&[]);
                let end = memchr::memchr(csv.delimiter, rest).map_or(bytes.len(), |n| at + n);
                self.cells.push(Cell {
                    range: at..end,
                    unescaped: false,
                    quoted: false,
                });
                end
            };
            if end >= bytes.len() {
                return Ok(());
            }
            at = end + 1;
        }
    }

    fn quoted(&mut self, csv: &Csv, record: &str, inner: Range<usize>) {
        let text = record.get(inner.clone()).unwrap_or("");
        let quote = char::from(csv.quote);
        if !text.contains(quote) {
            self.cells.push(Cell {
                range: inner,
                unescaped: false,
                quoted: true,
            });
            return;
        }
        let start = self.unescaped.len();
        let mut doubled = false;
        for c in text.chars() {
            if c == quote && !doubled {
                doubled = true;
                continue;
            }
            doubled = false;
            self.unescaped.push(c);
        }
        let range = start..self.unescaped.len();
        self.cells.push(Cell {
            range,
            unescaped: true,
            quoted: true,
        });
    }
}
