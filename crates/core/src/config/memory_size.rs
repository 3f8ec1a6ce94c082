//! A number of bytes, as Flink writes it.

use std::fmt;

const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
const GB: u64 = 1024 * MB;
const TB: u64 = 1024 * GB;

/// A number of bytes. Units are binary and their case does not matter: `8g`, `256mb`, `64 KB`; a
/// bare number is bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MemorySize(pub u64);

impl MemorySize {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads a size; `None` if it is not one, or too large for 64 bits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let scale = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" | "bytes" => 1,
            "k" | "kb" | "kibibytes" => KB,
            "m" | "mb" | "mebibytes" => MB,
            "g" | "gb" | "gibibytes" => GB,
            "t" | "tb" | "tebibytes" => TB,
            _ => return None,
        };
        number.checked_mul(scale).map(Self)
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(TB, "tb"), (GB, "gb"), (MB, "mb"), (KB, "kb")];
        match units
            .iter()
            .find(|(scale, _)| self.0 > 0 && self.0.is_multiple_of(*scale))
        {
            Some((scale, unit)) => write!(f, "{} {unit}", self.0 / scale),
            None => write!(f, "{} bytes", self.0),
        }
    }
}
