//! A partition, with the position reached in it.

use rheos_core::Row;
use rheos_core::row::Str;

/// A partition to be read from a position on.
#[derive(Row, Clone, Debug, PartialEq, Eq)]
pub struct KafkaSplit {
    /// The topic.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// The offset of the next record.
    pub offset: i64,
    /// The offset that is not read any more, if the source ends.
    pub stop: Option<i64>,
}
