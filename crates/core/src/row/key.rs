//! Canonical key bytes: equal exactly for equal keys, ordered as the keys are, self-delimiting.
//!
//! | type | bytes |
//! |---|---|
//! | unsigned integers, `char` | big-endian |
//! | signed integers | big-endian, sign bit flipped |
//! | floats | total order of the bits; −0.0 is 0.0, there is one NaN and it comes last |
//! | `bool` | one byte |
//! | strings, bytes | `00` becomes `00 FF`, then `00 01` at the end |
//! | `Option` | `00`, or `01` and the value |
//! | lists | `01` and the item for each, then `00` |
//! | maps | as the list of their entries, ordered by key bytes |
//! | records, tuples | the fields |
//! | enums | the variant's position in two bytes, then its fields |
//!
//! No value's bytes are a prefix of another value's of the same type, so key, namespace and map
//! key can stand next to each other in a store.

/// Where canonical key bytes go: a `Vec<u8>`, or a [`KeyBuffer`] on the stack.
pub trait KeySink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl KeySink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Key bytes on the stack as long as they are few, so that hashing a key allocates nothing.
#[derive(Debug, Clone)]
pub struct KeyBuffer {
    inline: [u8; Self::INLINE],
    len: usize,
    /// All the bytes, once they are more than fit in.
    spilled: Vec<u8>,
}

impl KeyBuffer {
    /// Bytes that are held without allocating.
    pub const INLINE: usize = 96;

    /// An empty buffer.
    #[inline]
    pub fn new() -> Self {
        Self {
            inline: [0; Self::INLINE],
            len: 0,
            spilled: Vec::new(),
        }
    }

    /// The bytes put so far.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        if self.spilled.is_empty() {
            self.inline.get(..self.len).unwrap_or_default()
        } else {
            &self.spilled
        }
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        if self.spilled.is_empty() {
            self.spilled.reserve(self.len + bytes.len() + Self::INLINE);
            self.spilled
                .extend_from_slice(self.inline.get(..self.len).unwrap_or_default());
        }
        self.spilled.extend_from_slice(bytes);
    }
}

impl Default for KeyBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl KeySink for KeyBuffer {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.inline.get_mut(self.len..end) {
            Some(room) if self.spilled.is_empty() => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.spill(bytes),
        }
    }
}

/// Puts bytes escaped and terminated.
#[inline]
pub fn put_escaped(bytes: &[u8], out: &mut impl KeySink) {
    // Summed rather than searched: without an early exit the loop is a few vector instructions.
    if bytes.iter().fold(false, |zero, b| zero | (*b == 0)) {
        for part in bytes.split_inclusive(|b| *b == 0) {
            out.put(part);
            if part.last() == Some(&0) {
                out.put(&[0xff]);
            }
        }
    } else {
        out.put(bytes);
    }
    out.put(&[0x00, 0x01]);
}

/// The bits of a float in an order in which they compare as integers.
#[inline]
pub fn ordered_f64(value: f64) -> u64 {
    // Adding 0.0 turns −0.0 into 0.0; the one NaN is the positive quiet one.
    let bits = if value.is_nan() {
        0x7ff8 << 48
    } else {
        (value + 0.0).to_bits()
    };
    if bits >> 63 == 0 {
        bits | 1 << 63
    } else {
        !bits
    }
}

/// The bits of a float in an order in which they compare as integers.
#[inline]
pub fn ordered_f32(value: f32) -> u32 {
    let bits = if value.is_nan() {
        0x7fc0 << 16
    } else {
        (value + 0.0).to_bits()
    };
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}
