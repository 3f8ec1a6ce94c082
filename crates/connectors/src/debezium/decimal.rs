//! Decimals as Debezium writes them by default (`decimal.handling.mode=precise`).

use rheos_core::Row;
use rheos_core::row::{
    FieldSource, FieldVisitor, KeySink, Reader, RowError, Schema, Writer, mismatch,
};

/// A decimal without its scale: 1234 for 12.34. The scale is the column's, and only its schema knows
/// it. Up to 38 digits.
///
/// In JSON base64, in Avro bytes: the number in two's complement, the highest byte first.
///
/// ```
/// use rheos_connectors::debezium::Unscaled;
///
/// assert_eq!(Unscaled(1234).to_decimal(2), "12.34");
/// assert_eq!(Unscaled(-1).to_decimal(2), "-0.01");
/// assert_eq!(Unscaled(1234).to_f64(2), 12.34);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unscaled(pub i128);

/// A decimal of a column without a scale of its own (PostgreSQL's `numeric`), which brings its own.
#[derive(Row, Debug, Clone, Copy, PartialEq, Eq)]
pub struct VariableScale {
    /// Digits behind the point.
    pub scale: i32,
    /// All digits.
    pub value: Unscaled,
}

impl Unscaled {
    /// Reads a number in two's complement.
    ///
    /// # Errors
    /// Where there are no bytes, or the number has more than 128 bits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RowError> {
        let Some(first) = bytes.first() else {
            return Err(mismatch("the bytes of a decimal", "none"));
        };
        let fill = if *first >= 0x80 { 0xff } else { 0 };
        // A number may be written with more bytes than it needs.
        let mut bytes = bytes;
        while let [lead, rest @ ..] = bytes
            && bytes.len() > 16
        {
            if *lead != fill
                || rest
                    .first()
                    .is_some_and(|next| (*next >= 0x80) != (fill == 0xff))
            {
                return Err(RowError::mismatch(format!(
                    "a decimal of {} bytes; at most 16 can be read",
                    bytes.len()
                )));
            }
            bytes = rest;
        }
        let mut number = [fill; 16];
        let start = number.len() - bytes.len();
        for (to, from) in number.iter_mut().skip(start).zip(bytes) {
            *to = *from;
        }
        Ok(Self(i128::from_be_bytes(number)))
    }

    /// The fewest bytes that hold it, as Java's `BigInteger` has them.
    pub fn to_bytes(self) -> Vec<u8> {
        let all = self.0.to_be_bytes();
        let mut bytes = all.as_slice();
        while let [lead, rest @ ..] = bytes
            && let Some(next) = rest.first()
            && ((*lead == 0 && *next < 0x80) || (*lead == 0xff && *next >= 0x80))
        {
            bytes = rest;
        }
        bytes.to_vec()
    }

    /// The decimal with so many digits behind the point.
    pub fn to_decimal(self, scale: u32) -> String {
        let scale = scale as usize;
        let digits = self.0.unsigned_abs().to_string();
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, rest) = digits.split_at(digits.len() - scale);
        let sign = if self.0 < 0 { "-" } else { "" };
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{rest}")
    }

    /// The float nearest to the decimal with so many digits behind the point.
    pub fn to_f64(self, scale: u32) -> f64 {
        // By its text, which rounds once.
        self.to_decimal(scale).parse().unwrap_or(f64::NAN)
    }
}

impl VariableScale {
    /// The decimal.
    pub fn to_decimal(self) -> String {
        match u32::try_from(self.scale) {
            Ok(scale) => self.value.to_decimal(scale),
            // A negative scale stands for zeros.
            Err(_) => {
                let zeros = "0".repeat(self.scale.unsigned_abs() as usize);
                format!("{}{zeros}", self.value.to_decimal(0))
            }
        }
    }
}

impl Row for Unscaled {
    const HAS_HEAP: bool = false;

    fn schema() -> Schema {
        Schema::Bytes
    }

    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.to_bytes());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        Self::from_bytes(input.bytes()?)
    }

    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        Self::from_bytes(source.bytes()?)
    }

    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.bytes(&self.to_bytes())
    }

    fn heap_bytes(&self) -> usize {
        0
    }

    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        out.put(&(self.0 ^ i128::MIN).to_be_bytes());
    }

    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
}
