//! A file, with the position reached in it.

use rheos_core::Row;
use rheos_core::row::Str;

/// A file to be read from a position on. Positions are those of the decompressed text.
#[derive(Row, Clone, Debug, PartialEq, Eq)]
pub struct FileSplit {
    /// The file.
    pub path: Str,
    /// Bytes before the next record.
    pub offset: u64,
    /// Lines before the next record.
    pub line: u64,
    /// Rows of the next record that were emitted or told to be bad: of a block they are a few at a
    /// time.
    #[row(default)]
    pub rows: u64,
}

impl FileSplit {
    /// A whole file.
    pub fn whole(path: &str) -> Self {
        Self {
            path: Str::from(path),
            offset: 0,
            line: 0,
            rows: 0,
        }
    }
}
