//! Values in the registry's framing as rows.

use rheos_core::Row;
use rheos_core::row::{RowError, Schema};
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::ReaderContext;

use super::client::{Client, Lookup, RegistrySettings};
use crate::avro::reader::AvroReader;
use crate::kafka::{Decoded, KafkaRecord, RecordDecoder, RecordFormat};

/// Bytes in front of a value: zero, and the schema's number.
pub(super) const FRAME: usize = 5;

/// Avro values in the framing of Confluent's schema registry.
///
/// A record is bad if it is too short or begins with another byte than zero, if the registry has no
/// schema of its number, if that schema lacks a field of the row or has another type, or if it is
/// broken. A record whose schema is being asked for waits, however long the registry can't be reached.
#[derive(Debug, Clone)]
pub struct ConfluentAvro {
    source: Schemas,
}

#[derive(Debug, Clone)]
enum Schemas {
    Registry(RegistrySettings),
    /// One for every number.
    Fixed(Schema),
}

impl ConfluentAvro {
    /// By the schemas of this registry.
    pub fn new(registry: RegistrySettings) -> Self {
        Self {
            source: Schemas::Registry(registry),
        }
    }

    /// Every value was written under this schema, whatever its number says; no registry is asked.
    pub fn with_schema(schema: Schema) -> Self {
        Self {
            source: Schemas::Fixed(schema),
        }
    }
}

/// Decodes the values of one subtask.
pub struct ConfluentAvroDecoder<T> {
    client: Option<Client>,
    /// Of every number seen how its values are read, or why they can't be. The last one used first.
    readers: Vec<(u32, Result<AvroReader<T>, RowError>)>,
    fixed: Option<AvroReader<T>>,
}

impl<T: Row> RecordFormat<T> for ConfluentAvro {
    type Decoder = ConfluentAvroDecoder<T>;

    fn decoder(&self, context: &ReaderContext) -> Result<Self::Decoder, BoxError> {
        let (client, fixed) = match &self.source {
            Schemas::Registry(settings) => {
                let client = Client::new(settings, context.io.clone(), context.signal.clone())?;
                (Some(client), None)
            }
            Schemas::Fixed(schema) => (None, Some(AvroReader::new(schema)?)),
        };
        Ok(ConfluentAvroDecoder {
            client,
            readers: Vec::new(),
            fixed,
        })
    }
}

impl<T: Row> ConfluentAvroDecoder<T> {
    /// Makes sure that the first reader is that of a number; false if its schema is not there yet.
    fn look_up(&mut self, id: u32) -> Result<bool, RowError> {
        if let Some(at) = self.readers.iter().position(|(known, _)| *known == id) {
            self.readers.swap(0, at);
            return Ok(true);
        }
        let Some(client) = &mut self.client else {
            return Ok(false);
        };
        let text = match client.schema(id) {
            Lookup::Waiting => return Ok(false),
            Lookup::Refused(why) => return Err(RowError::schema(why)),
            Lookup::Known(text) => text,
        };
        let reader = Schema::parse_avro_json(&text)
            .and_then(|writer| AvroReader::new(&writer))
            .map_err(|error| RowError::schema(format!("the schema {id} of the registry: {error}")));
        self.readers.insert(0, (id, reader));
        Ok(true)
    }
}

impl<T: Row> RecordDecoder<T> for ConfluentAvroDecoder<T> {
    #[inline]
    fn decode(
        &mut self,
        record: &KafkaRecord<'_>,
        mut emit: impl FnMut(T),
    ) -> Result<Decoded, RowError> {
        let value = record.value.unwrap_or_default();
        let Some((frame, value)) = value.split_first_chunk::<FRAME>() else {
            return Err(too_short(value.len()));
        };
        let [magic, a, b, c, d] = *frame;
        if magic != 0 {
            return Err(wrong_magic(magic));
        }
        if let Some(reader) = &self.fixed {
            emit(reader.read(value)?);
            return Ok(Decoded::Done);
        }
        let id = u32::from_be_bytes([a, b, c, d]);
        if self.readers.first().is_none_or(|(known, _)| *known != id) && !self.look_up(id)? {
            return Ok(Decoded::Later);
        }
        match self.readers.first() {
            Some((_, Ok(reader))) => {
                emit(reader.read(value)?);
                Ok(Decoded::Done)
            }
            Some((_, Err(error))) => Err(error.clone()),
            None => Ok(Decoded::Later),
        }
    }
}

#[cold]
fn too_short(len: usize) -> RowError {
    RowError::corrupt(format!(
        "a value of {len} bytes is too short for the registry's framing"
    ))
}

#[cold]
fn wrong_magic(magic: u8) -> RowError {
    RowError::corrupt(format!(
        "the value begins with {magic:#04x}, not with the zero of the registry's framing"
    ))
}
