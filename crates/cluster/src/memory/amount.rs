//! Amounts of memory, for people.

use crate::bottleneck::grouped;

/// As `1,234 MiB`, or `1.2 MiB` where it is little.
pub(crate) fn mebibytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / 1_048_576.0;
    if mebibytes >= 10.0 {
        format!("{} MiB", grouped(mebibytes.round() as u64))
    } else {
        format!("{mebibytes:.1} MiB")
    }
}
