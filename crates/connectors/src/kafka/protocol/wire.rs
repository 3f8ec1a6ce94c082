//! The primitive types of Kafka's protocol.

use bytes::Bytes;

/// Bytes that are no message of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Appends the primitive types.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// What was written.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// An 8-bit integer.
    pub fn i8(&mut self, value: i8) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// A string of at most 32,767 bytes; what is longer is cut off, which no name in Kafka is.
    pub fn str(&mut self, value: &str) {
        let len = i16::try_from(value.len()).unwrap_or(i16::MAX);
        self.i16(len);
        let len = usize::try_from(len).unwrap_or_default();
        self.bytes
            .extend_from_slice(value.as_bytes().get(..len).unwrap_or_default());
    }

    /// A string or none.
    pub fn nullable_str(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.str(value),
            None => self.i16(-1),
        }
    }

    /// Bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.len(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// Parts of one run of bytes.
    pub fn bytes_of(&mut self, parts: &[&[u8]]) {
        self.len(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// The length of a list.
    pub fn len(&mut self, len: usize) {
        self.i32(i32::try_from(len).unwrap_or(i32::MAX));
    }

    /// A list.
    pub fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.len(items.len());
        for item in items {
            each(self, item);
        }
    }
}

/// Reads the primitive types from the front of shared bytes; records are not copied out of them.
#[derive(Debug)]
pub struct Decoder {
    bytes: Bytes,
}

macro_rules! integer {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        ///
        /// # Errors
        /// Where the bytes end.
        pub fn $name(&mut self) -> Result<$name, Malformed> {
            self.array().map($name::from_be_bytes)
        }
    };
}

impl Decoder {
    /// A decoder of these bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        match self.bytes.split_first_chunk::<N>() {
            Some((head, _)) => {
                let head = *head;
                drop(self.bytes.split_to(N));
                Ok(head)
            }
            None => Err(short(N, self.bytes.len())),
        }
    }

    integer!(i8, "An 8-bit integer.");
    integer!(i16, "A 16-bit integer.");
    integer!(i32, "A 32-bit integer.");
    integer!(i64, "A 64-bit integer.");

    /// A boolean.
    ///
    /// # Errors
    /// Where the bytes end.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        self.i8().map(|value| value != 0)
    }

    /// The next bytes.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn take(&mut self, len: usize) -> Result<Bytes, Malformed> {
        if self.bytes.len() < len {
            return Err(short(len, self.bytes.len()));
        }
        Ok(self.bytes.split_to(len))
    }

    /// A string or none.
    ///
    /// # Errors
    /// Where the bytes end or are not UTF-8.
    pub fn nullable_str(&mut self) -> Result<Option<String>, Malformed> {
        let Ok(len) = usize::try_from(self.i16()?) else {
            return Ok(None);
        };
        let bytes = self.take(len)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(error) => Err(Malformed(format!("a string that is not UTF-8: {error}"))),
        }
    }

    /// A string.
    ///
    /// # Errors
    /// As [`Decoder::nullable_str`], and where there is none.
    pub fn str(&mut self) -> Result<String, Malformed> {
        self.nullable_str()?
            .ok_or_else(|| Malformed("a string is missing".to_owned()))
    }

    /// Bytes or none.
    ///
    /// # Errors
    /// Where the bytes end.
    pub fn nullable_bytes(&mut self) -> Result<Option<Bytes>, Malformed> {
        match usize::try_from(self.i32()?) {
            Ok(len) => self.take(len).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// A list; none counts as an empty one.
    ///
    /// # Errors
    /// Those of `each`; where the bytes end.
    pub fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let Ok(len) = usize::try_from(self.i32()?) else {
            return Ok(Vec::new());
        };
        // An item has a byte at least: a length that lies reserves no more than what came.
        let mut items = Vec::with_capacity(len.min(self.bytes.len()));
        for _ in 0..len {
            items.push(each(self)?);
        }
        Ok(items)
    }
}

#[cold]
fn short(wanted: usize, left: usize) -> Malformed {
    Malformed(format!(
        "the message ends: {wanted} bytes wanted, {left} left"
    ))
}
