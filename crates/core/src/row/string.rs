//! Strings.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use compact_str::CompactString;

use super::Row;
use super::error::RowError;
use super::key::{KeySink, put_escaped};
use super::schema::Schema;
use super::source::FieldSource;
use super::visitor::FieldVisitor;
use super::wire::{Reader, Writer};

/// An owned string that holds up to 24 bytes in itself: rows of short strings own no heap memory.
///
/// It has the size of a `String`, derefs to `str`, and compares and hashes as one.
///
/// ```
/// use rheos_core::Row;
/// use rheos_core::row::Str;
///
/// let carrier = Str::from("UA");
/// assert_eq!(carrier, "UA");
/// assert_eq!(carrier.heap_bytes(), 0);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str(CompactString);

impl Str {
    /// The empty string.
    pub const fn new() -> Self {
        Self(CompactString::const_new(""))
    }

    /// A string that lives as long as the program; never copied.
    pub const fn from_static(text: &'static str) -> Self {
        Self(CompactString::const_new(text))
    }

    /// As a `str`.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Appends to the string.
    pub fn push_str(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// Appends a character.
    pub fn push(&mut self, c: char) {
        self.0.push(c);
    }
}

impl Deref for Str {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.0.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

// `Hash`, `Eq` and `Ord` of the inner string are those of `str`, as `Borrow` demands.
impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Str {
    #[inline]
    fn from(text: &str) -> Self {
        Self(CompactString::new(text))
    }
}

impl From<&String> for Str {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Str> for String {
    fn from(text: Str) -> Self {
        text.0.into()
    }
}

impl From<char> for Str {
    fn from(c: char) -> Self {
        Self::from(&*c.encode_utf8(&mut [0; 4]))
    }
}

impl std::str::FromStr for Str {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

impl FromIterator<char> for Str {
    fn from_iter<I: IntoIterator<Item = char>>(chars: I) -> Self {
        Self(chars.into_iter().collect())
    }
}

impl fmt::Write for Str {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Str {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Str> for str {
    fn eq(&self, other: &Str) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Str> for &str {
    fn eq(&self, other: &Str) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq<Str> for String {
    fn eq(&self, other: &Str) -> bool {
        self == other.as_str()
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Row for Str {
    const HAS_HEAP: bool = true;

    fn schema() -> Schema {
        Schema::String
    }

    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.str(self);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        input.str().map(Self::from)
    }

    #[inline]
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        source.str().map(Self::from)
    }

    #[inline]
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.str(self)
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        if self.0.is_heap_allocated() {
            self.0.capacity()
        } else {
            0
        }
    }

    #[inline]
    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        put_escaped(self.as_bytes(), out);
    }

    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
}

impl Row for String {
    const HAS_HEAP: bool = true;

    fn schema() -> Schema {
        Schema::String
    }

    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.str(self);
    }

    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, RowError> {
        input.str().map(Self::from)
    }

    #[inline]
    fn from_source(source: &mut dyn FieldSource) -> Result<Self, RowError> {
        source.str().map(Self::from)
    }

    #[inline]
    fn visit(&self, visitor: &mut dyn FieldVisitor) -> Result<(), RowError> {
        visitor.str(self)
    }

    #[inline]
    fn heap_bytes(&self) -> usize {
        self.capacity()
    }

    #[inline]
    fn key_bytes<S: KeySink>(&self, out: &mut S) {
        put_escaped(self.as_bytes(), out);
    }

    #[inline]
    fn key_eq(&self, other: &Self) -> bool {
        self == other
    }
}
