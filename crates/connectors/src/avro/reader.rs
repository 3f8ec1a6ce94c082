//! Values of one writer's schema as rows.

use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::row::{Reader, Resolution, RowError, Schema};

use super::layout;

/// Reads values that were written under one schema as rows of `T`.
///
/// ```
/// use rheos_core::Row;
/// use rheos_core::row::Schema;
/// use rheos_connectors::avro::AvroReader;
///
/// #[derive(Row, Clone, Debug, PartialEq)]
/// struct Click {
///     user: String,
///     at: i64,
/// }
///
/// let writer = r#"{"type": "record", "name": "Click", "fields": [
///     {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
///     {"name": "page", "type": "string"},
///     {"name": "user", "type": "string"}]}"#;
/// let reader = AvroReader::<Click>::new(&Schema::parse_avro_json(writer)?)?;
/// let row = reader.read(&[14, 2, b'/', 4, b'm', b'e'])?;
/// assert_eq!(row, Click { user: "me".into(), at: 7 });
/// # Ok::<(), rheos_core::row::RowError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AvroReader<T> {
    /// None where the row's own codec reads the writer's bytes.
    resolution: Option<Resolution>,
    row: PhantomData<fn() -> T>,
}

impl<T: Row> AvroReader<T> {
    /// A reader of what `writer` describes.
    ///
    /// # Errors
    /// Where a field of the row is not in it and has no default, or has another type; with both
    /// schemas' words.
    pub fn new(writer: &Schema) -> Result<Self, RowError> {
        let reader = T::schema();
        let resolution = if layout::is_same(writer, &reader) {
            None
        } else {
            Some(Resolution::new(writer, &reader)?)
        };
        Ok(Self {
            resolution,
            row: PhantomData,
        })
    }

    /// Whether the writer's bytes are the row's own.
    pub fn is_direct(&self) -> bool {
        self.resolution.is_none()
    }

    /// Reads one value; bytes behind it are passed over, as Avro's own readers do.
    ///
    /// # Errors
    /// Where the bytes are truncated or are no value of the writer's schema; where the value can't be
    /// one of the row's type.
    #[inline]
    pub fn read(&self, bytes: &[u8]) -> Result<T, RowError> {
        self.next(&mut Reader::new(bytes))
    }

    /// Reads the value that comes next.
    ///
    /// # Errors
    /// As [`AvroReader::read`].
    #[inline]
    pub fn next(&self, input: &mut Reader<'_>) -> Result<T, RowError> {
        match &self.resolution {
            None => T::decode(input),
            Some(resolution) => T::decode_resolved(input, resolution),
        }
    }
}
