//! Values in the registry's framing as rows.

use rheos_core::Row;
use rheos_core::row::{RowError, Schema};
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::ReaderContext;

use super::client::RegistrySettings;
use super::readers::{Schemas, WriterReaders};
use crate::avro::reader::AvroReader;
use crate::kafka::{Decoded, KafkaRecord, RecordDecoder, RecordFormat};

/// Avro values in the framing of Confluent's schema registry.
///
/// A record is bad if it is too short or begins with another byte than zero, if the registry has no
/// schema of its number, if that schema lacks a field of the row or has another type, or if it is
/// broken. A record whose schema is being asked for waits, however long the registry can't be reached.
#[derive(Debug, Clone)]
pub struct ConfluentAvro {
    schemas: Schemas,
}

impl ConfluentAvro {
    /// By the schemas of this registry.
    pub fn new(registry: RegistrySettings) -> Self {
        Self {
            schemas: Schemas::Registry(registry),
        }
    }

    /// Every value was written under this schema, whatever its number says; no registry is asked.
    pub fn with_schema(schema: Schema) -> Self {
        Self {
            schemas: Schemas::Fixed(schema),
        }
    }
}

/// Decodes the values of one subtask.
pub struct ConfluentAvroDecoder<T> {
    readers: WriterReaders<AvroReader<T>>,
}

impl<T: Row> RecordFormat<T> for ConfluentAvro {
    type Decoder = ConfluentAvroDecoder<T>;

    fn decoder(&self, context: &ReaderContext) -> Result<Self::Decoder, BoxError> {
        Ok(ConfluentAvroDecoder {
            readers: WriterReaders::new(&self.schemas, context, AvroReader::new)?,
        })
    }
}

impl<T: Row> RecordDecoder<T> for ConfluentAvroDecoder<T> {
    #[inline]
    fn decode(
        &mut self,
        record: &KafkaRecord<'_>,
        mut emit: impl FnMut(T),
    ) -> Result<Decoded, RowError> {
        let Some((reader, value)) = self.readers.of(record.value.unwrap_or_default())? else {
            return Ok(Decoded::Later);
        };
        emit(reader.read(value)?);
        Ok(Decoded::Done)
    }
}
