//! Rows of two streams as rows of one, so that joins by window are windows.

use rheos_core::Row;

/// A row of one of two streams. Flink's `TaggedUnion`.
#[derive(Row, Debug, Clone, PartialEq)]
pub enum Tagged<Left, Right> {
    /// Of the left stream.
    Left(Left),
    /// Of the right stream.
    Right(Right),
}
