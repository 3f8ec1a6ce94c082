//! The binary form: Avro's, written and read by hand.
//!
//! Integers are zig-zag variable-length, floats little-endian, strings and bytes have their length
//! in front, lists and maps are blocks that end with an empty one, a union is the index of its
//! branch and the branch. A record is its fields one after the other and nothing else.
//!
//! A [`Reader`] believes nothing: it checks every length against the bytes that are left before it
//! reserves memory, it bounds nesting, and it never panics.

use super::error::RowError;

/// How deeply lists, maps and boxes may nest in a value.
pub const MAX_DEPTH: u16 = 128;

/// How many items that take no bytes at all a list may have.
const MAX_EMPTY_ITEMS: u64 = 1 << 24;

/// Bytes that a list may reserve on the word of its length alone.
const RESERVE_BYTES: usize = 64 * 1024;

/// Appends values in binary form to a buffer of its own.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    depth: u16,
    too_deep: bool,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that goes on at the end of `bytes`.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    /// Refuses what has been written where no reader would take it.
    ///
    /// # Errors
    /// Where a value nested more than [`MAX_DEPTH`] levels deep; what is below is left out.
    pub fn check(&self) -> Result<(), RowError> {
        if self.too_deep {
            Err(RowError::mismatch(format!(
                "the row nests more than {MAX_DEPTH} levels deep; keep long chains in a `Vec`"
            )))
        } else {
            Ok(())
        }
    }

    /// What has been written.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What has been written.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets what has been written and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.too_deep = false;
    }

    /// A boolean, one byte.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// An `int` or a `long`: zig-zag, 1 to 10 bytes.
    #[inline]
    pub fn long(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        if rest < 0x80 {
            self.bytes.push(rest as u8);
            return;
        }
        let mut bytes = [0u8; 10];
        let mut len = 0;
        for byte in &mut bytes {
            len += 1;
            if rest < 0x80 {
                *byte = rest as u8;
                break;
            }
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.bytes
            .extend_from_slice(bytes.get(..len).unwrap_or(&bytes));
    }

    /// A 32-bit float, 4 bytes.
    #[inline]
    pub fn float(&mut self, value: f32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A 64-bit float, 8 bytes.
    #[inline]
    pub fn double(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Bytes with their length in front.
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) {
        self.long(value.len() as i64);
        self.bytes.extend_from_slice(value);
    }

    /// A string with its length in bytes in front.
    #[inline]
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Bytes as they are.
    #[inline]
    pub fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// A list or map of `len` items in one block; `items` writes them.
    #[inline]
    pub fn block(&mut self, len: usize, items: impl FnOnce(&mut Self)) {
        if len > 0 {
            self.long(len as i64);
            self.nested(items);
        }
        self.bytes.push(0);
    }

    /// Writes something that can contain itself, one level deeper. See [`Writer::check`].
    #[inline]
    pub fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        if self.depth == MAX_DEPTH {
            self.too_deep = true;
            return;
        }
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }
}

/// Reads values in binary form from the front of a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    depth: u16,
}

impl<'a> Reader<'a> {
    /// A reader over these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            depth: 0,
        }
    }

    /// Bytes not yet read.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether all has been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses bytes that are left over.
    ///
    /// # Errors
    /// Where there are any.
    pub fn finish(&self) -> Result<(), RowError> {
        match self.rest.len() {
            0 => Ok(()),
            n => Err(RowError::corrupt(format!(
                "{n} bytes are left over after the value"
            ))),
        }
    }

    /// The next `n` bytes as they are.
    ///
    /// # Errors
    /// Where there are fewer.
    #[inline]
    pub fn raw(&mut self, n: usize) -> Result<&'a [u8], RowError> {
        match self.rest.split_at_checked(n) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(truncated(n, self.rest.len())),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], RowError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(*head)
            }
            None => Err(truncated(N, self.rest.len())),
        }
    }

    /// A boolean.
    ///
    /// # Errors
    /// Where the input ends or the byte is neither 0 nor 1.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, RowError> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(RowError::corrupt(format!(
                "a boolean is 0 or 1, not {other}"
            ))),
        }
    }

    /// A `long`.
    ///
    /// # Errors
    /// Where the input ends or the number has more than 64 bits.
    #[inline]
    pub fn long(&mut self) -> Result<i64, RowError> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(i64::from(byte >> 1) ^ -i64::from(byte & 1))
            }
            _ => self.long_slow(),
        }
    }

    fn long_slow(&mut self) -> Result<i64, RowError> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            if i == 9 && byte > 1 {
                return Err(RowError::corrupt(
                    "a variable-length integer has more than 64 bits",
                ));
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = self.rest.get(i + 1..).unwrap_or_default();
                return Ok(((value >> 1) as i64) ^ -((value & 1) as i64));
            }
        }
        Err(truncated(self.rest.len() + 1, self.rest.len()))
    }

    /// A 32-bit float.
    ///
    /// # Errors
    /// Where the input ends.
    #[inline]
    pub fn float(&mut self) -> Result<f32, RowError> {
        self.array::<4>().map(f32::from_le_bytes)
    }

    /// A 64-bit float.
    ///
    /// # Errors
    /// Where the input ends.
    #[inline]
    pub fn double(&mut self) -> Result<f64, RowError> {
        self.array::<8>().map(f64::from_le_bytes)
    }

    /// Bytes with their length in front.
    ///
    /// # Errors
    /// Where the length is negative or more than what is left.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], RowError> {
        let len = self.long()?;
        match usize::try_from(len) {
            Ok(len) => self.raw(len),
            Err(_) => Err(RowError::corrupt(format!("a length of {len} bytes"))),
        }
    }

    /// A string.
    ///
    /// # Errors
    /// As [`Reader::bytes`], and where the bytes are not UTF-8.
    #[inline]
    pub fn str(&mut self) -> Result<&'a str, RowError> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|e| RowError::corrupt(format!("a string is not UTF-8: {e}")))
    }

    /// The index of a branch or symbol, of `count`.
    ///
    /// # Errors
    /// Where the input ends or there is no such branch.
    #[inline]
    pub fn index(&mut self, count: usize) -> Result<usize, RowError> {
        let index = self.long()?;
        match usize::try_from(index) {
            Ok(i) if i < count => Ok(i),
            _ => Err(RowError::corrupt(format!("branch {index} of {count}"))),
        }
    }

    /// Calls `item` for every item of a list or map; it reads one.
    ///
    /// # Errors
    /// Those of `item`; where the input ends; where it nests too deeply.
    #[inline]
    pub fn blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        self.nested(|reader| {
            let mut empty = 0u64;
            let mut index = 0usize;
            while let Some(count) = reader.block_len()? {
                for _ in 0..count {
                    let before = reader.rest.len();
                    item(reader).map_err(|e| e.in_item(index))?;
                    index += 1;
                    if reader.rest.len() == before {
                        empty += 1;
                        if empty > MAX_EMPTY_ITEMS {
                            return Err(RowError::corrupt(format!(
                                "a list of more than {MAX_EMPTY_ITEMS} items without content"
                            )));
                        }
                    }
                }
            }
            Ok(())
        })
    }

    /// How many items of type `T` to make room for, where a list or map begins here.
    ///
    /// It is a hint that is safe to reserve, also where the length is a lie.
    #[inline]
    pub fn size_hint<T>(&self) -> usize {
        let announced = self.clone().block_len().ok().flatten().unwrap_or(0);
        let cap = (RESERVE_BYTES / size_of::<T>().max(1)).max(4);
        usize::try_from(announced)
            .unwrap_or(usize::MAX)
            .min(self.rest.len())
            .min(cap)
    }

    /// Items of the next block; `None` after the last one.
    fn block_len(&mut self) -> Result<Option<u64>, RowError> {
        let count = self.long()?;
        if count < 0 {
            // A writer may say the size of a block, so that readers can skip it.
            let size = self.long()?;
            if usize::try_from(size).map_or(true, |size| size > self.rest.len()) {
                return Err(RowError::corrupt(format!("a block of {size} bytes")));
            }
        }
        Ok(Some(count.unsigned_abs()).filter(|n| *n > 0))
    }

    /// Reads something that can contain itself, one level deeper.
    ///
    /// # Errors
    /// Those of `read`; where [`MAX_DEPTH`] is passed.
    #[inline]
    pub fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RowError>,
    ) -> Result<T, RowError> {
        if self.depth == MAX_DEPTH {
            return Err(RowError::corrupt(format!(
                "nested more than {MAX_DEPTH} levels deep"
            )));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }
}

#[cold]
fn truncated(wanted: usize, left: usize) -> RowError {
    RowError::corrupt(format!(
        "the input ends: {wanted} bytes wanted, {left} left"
    ))
}
