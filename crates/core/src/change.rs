//! Rows of a changelog: a row, and what has become of it.
//!
//! An update is two rows, the old one and the new one, in this order. Where only the new one is known
//! the changelog is one of upserts: whoever reads it must know rows by a key.

use std::fmt;

use crate::row::Row;

/// What has become of a row. Flink's `RowKind`.
#[derive(Row, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// It is there now.
    Insert,
    /// What it was before it changed.
    UpdateBefore,
    /// What it has changed to.
    UpdateAfter,
    /// It is gone.
    Delete,
}

impl RowKind {
    /// Flink's short name: `+I`, `-U`, `+U`, `-D`.
    pub fn short(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }

    /// Whether the row holds from now on; otherwise it held until now.
    pub fn is_addition(self) -> bool {
        matches!(self, Self::Insert | Self::UpdateAfter)
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

/// A row of a changelog.
#[derive(Row, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change<T> {
    /// What has become of it.
    pub kind: RowKind,
    /// The row.
    pub row: T,
}

impl<T> Change<T> {
    /// A row with what has become of it.
    pub fn new(kind: RowKind, row: T) -> Self {
        Self { kind, row }
    }

    /// The same change of what a row is mapped to.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Change<U> {
        Change {
            kind: self.kind,
            row: map(self.row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Reader, Writer};

    #[test]
    fn a_change_is_a_row_of_any_row() {
        let change = Change::new(RowKind::UpdateBefore, ("a".to_owned(), 7_i64));
        let mut out = Writer::new();
        change.encode(&mut out);
        let read = Change::<(String, i64)>::decode(&mut Reader::new(out.as_slice()));
        assert_eq!(read.unwrap(), change);
        let added: Vec<_> = [
            RowKind::Insert,
            RowKind::UpdateBefore,
            RowKind::UpdateAfter,
            RowKind::Delete,
        ]
        .map(|kind| (kind.to_string(), kind.is_addition()))
        .into();
        let expected = [("+I", true), ("-U", false), ("+U", true), ("-D", false)];
        assert_eq!(
            added,
            expected.map(|(kind, added)| (kind.to_owned(), added))
        );
        assert_eq!(change.map(|(name, _)| name).row, "a");
    }
}
