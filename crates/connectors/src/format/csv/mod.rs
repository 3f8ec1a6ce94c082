//! CSV: RFC 4180 with the dialects of the wild.
//!
//! Columns become fields by the names of the header, by names that are given, or by position.
//! Cells of records, lists and maps hold JSON. A cell is null if it is empty and not quoted, or if
//! it is one of the texts that stand for null; where a row has no `Option`, an empty cell is the
//! empty string, and no number.

mod decoder;
mod encoder;
mod record;
#[cfg(test)]
mod tests;

pub use decoder::CsvDecoder;
pub use encoder::CsvEncoder;
use rheos_core::Row;

use super::{DecodingFormat, EncodingFormat};

/// Where the names of the columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Columns {
    Header,
    Named(Vec<String>),
    Positional,
}

/// A row a record; with a header unless told otherwise. Empty lines are skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    columns: Columns,
    delimiter: u8,
    quote: u8,
    null_values: Vec<String>,
    ragged: bool,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// Commas, double quotes, a header in each file.
    pub fn new() -> Self {
        Self {
            columns: Columns::Header,
            delimiter: b',',
            quote: b'"',
            null_values: Vec::new(),
            ragged: false,
        }
    }

    /// There is no header: the first column is the first field, and so on.
    #[must_use]
    pub fn without_header(mut self) -> Self {
        self.columns = Columns::Positional;
        self
    }

    /// There is no header; these are the columns of what is read. Rows are written with all their
    /// fields in their order.
    #[must_use]
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.columns = Columns::Named(names.into_iter().map(Into::into).collect());
        self
    }

    /// What stands between cells: one ASCII character.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// What cells are quoted by: one ASCII character, doubled within a quoted cell.
    #[must_use]
    pub fn quote(mut self, quote: u8) -> Self {
        self.quote = quote;
        self
    }

    /// A text that stands for null besides the empty one, where it is not quoted: `NA`, `\N`. The
    /// first that is given is also written for null.
    #[must_use]
    pub fn null_value(mut self, text: impl Into<String>) -> Self {
        self.null_values.push(text.into());
        self
    }

    /// Records may have fewer cells than there are columns, the fields of the others are missing
    /// then, and more, which are not looked at.
    #[must_use]
    pub fn ragged(mut self) -> Self {
        self.ragged = true;
        self
    }
}

impl<T: Row> DecodingFormat<T> for Csv {
    type Decoder = CsvDecoder<T>;

    fn decoder(&self) -> CsvDecoder<T> {
        CsvDecoder::new(self.clone())
    }
}

impl<T: Row> EncodingFormat<T> for Csv {
    type Encoder = CsvEncoder<T>;

    fn encoder(&self) -> CsvEncoder<T> {
        CsvEncoder::new(self.clone())
    }

    fn extension(&self) -> &'static str {
        "csv"
    }
}
