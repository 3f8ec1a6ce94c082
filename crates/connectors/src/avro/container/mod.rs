//! Avro's object container files: a header with the writer's schema, then blocks of rows, each
//! compressed by itself and followed by the file's marker.
//!
//! What is damaged is told once, and reading goes on behind the next marker.

mod codec;
mod decoder;
mod encoder;
mod header;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::row::{RowError, Schema};

pub use codec::AvroCodec;
pub use decoder::AvroFilesDecoder;
pub use encoder::AvroFilesEncoder;

use super::layout;
use crate::format::{DecodingFormat, EncodingFormat};

/// Avro files, in and out.
///
/// Read: rows of the writer's schema, which is in the file, are resolved to the row's own by Avro's
/// rules; each file may have been written under another. Written: under the row's schema, or
/// [`AvroFiles::schema`].
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::avro::{AvroCodec, AvroFiles};
/// use rheos_connectors::{FileSink, FileSource};
///
/// let env = StreamEnv::default();
/// let source = FileSource::new(AvroFiles::new(), "in/");
/// let rows: DataStream<(String, i64)> =
///     env.from_source(source, WatermarkStrategy::no_watermarks(), "rows");
/// rows.sink_to(FileSink::new(AvroFiles::new().codec(AvroCodec::Zstandard), "out/"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct AvroFiles {
    codec: AvroCodec,
    schema: Option<Arc<str>>,
}

impl AvroFiles {
    /// Files that are written are not compressed; those that are read may be by any codec.
    pub fn new() -> Self {
        Self::default()
    }

    /// How blocks are compressed that are written.
    #[must_use]
    pub fn codec(mut self, codec: AvroCodec) -> Self {
        self.codec = codec;
        self
    }

    /// The schema to write, in Avro's JSON, instead of the row's own: for names and logical types that
    /// Rust has no words for. Its fields are the row's, in the same order.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// The text of the schema that rows of `T` are written under.
    fn text<T: Row>(&self) -> Result<Arc<str>, RowError> {
        let own = T::schema();
        let Some(text) = &self.schema else {
            return own.to_avro_json().map(Arc::from);
        };
        let given = Schema::parse_avro_json(text)?;
        if layout::is_same(&own, &given) {
            return Ok(Arc::clone(text));
        }
        Err(RowError::schema(format!(
            "rows of {own} are not values of the schema given for them, {given}: give it the same \
             fields in the same order"
        )))
    }
}

impl<T: Row> DecodingFormat<T> for AvroFiles {
    type Decoder = AvroFilesDecoder<T>;

    fn decoder(&self) -> AvroFilesDecoder<T> {
        AvroFilesDecoder::new()
    }
}

impl<T: Row> EncodingFormat<T> for AvroFiles {
    type Encoder = AvroFilesEncoder<T>;

    fn encoder(&self) -> AvroFilesEncoder<T> {
        AvroFilesEncoder::new(self.text::<T>(), self.codec)
    }

    fn extension(&self) -> &'static str {
        "avro"
    }
}
