//! Envelopes in Avro by a schema registry.

use rheos_core::Row;
use rheos_core::row::{Reader, RecordSchema, Resolution, RowError, Schema, ValueSource};
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::ReaderContext;

use super::changes::{MissingBefore, Rules, Truncates, UnavailableValues};
use super::envelope::{ChangeRow, Unpacked};
use super::others::{holds_no_row, no_envelope};
use super::unavailable::{Available, Suspicion};
use crate::avro::RegistrySettings;
use crate::avro::registry::{Schemas, WriterReaders};
use crate::kafka::{Decoded, KafkaRecord, RecordDecoder, RecordFormat};

/// Debezium's change events in Avro, in the framing of Confluent's schema registry. Flink's
/// `debezium-avro-confluent`.
///
/// As of [`ConfluentAvro`](crate::avro::ConfluentAvro), each event is resolved from the schema it was
/// written under, so tables may get columns and lose those that the row can do without.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::avro::RegistrySettings;
/// use rheos_connectors::debezium::{DebeziumAvro, DebeziumEvent, MissingBefore};
/// use rheos_connectors::kafka::KafkaSource;
///
/// #[derive(Row, Clone)]
/// struct Customer {
///     id: i32,
///     email: Option<String>,
/// }
///
/// let registry = RegistrySettings::new("http://localhost:8081");
/// let format = DebeziumAvro::new(registry).missing_before(MissingBefore::Upsert);
/// let source = KafkaSource::new(format)
///     .bootstrap_servers("localhost:9092")
///     .topics(["shop.public.customers"]);
/// let env = StreamEnv::default();
/// let time = WatermarkStrategy::for_monotonous_timestamps()
///     .with_timestamp_assigner(|event: &DebeziumEvent<Customer>, _| {
///         event.source.ts_ms.unwrap_or_default()
///     });
/// let changes = env
///     .from_source(source, time, "customers")
///     .flat_map(|event: DebeziumEvent<Customer>| event.changes());
/// ```
#[derive(Debug, Clone)]
pub struct DebeziumAvro {
    schemas: Schemas,
    rules: Rules,
}

impl DebeziumAvro {
    /// By the schemas of this registry. Events that are no plain change are bad records.
    pub fn new(registry: RegistrySettings) -> Self {
        Self {
            schemas: Schemas::Registry(registry),
            rules: Rules::default(),
        }
    }

    /// Every event was written under this schema, whatever its number says; no registry is asked.
    pub fn with_schema(schema: Schema) -> Self {
        Self {
            schemas: Schemas::Fixed(schema),
            rules: Rules::default(),
        }
    }

    /// What an update without the row before becomes.
    #[must_use]
    pub fn missing_before(mut self, choice: MissingBefore) -> Self {
        self.rules.missing_before = choice;
        self
    }

    /// What values become that Debezium does not have.
    #[must_use]
    pub fn unavailable_values(mut self, choice: UnavailableValues) -> Self {
        self.rules.unavailable = choice;
        self
    }

    /// What becomes of truncated tables.
    #[must_use]
    pub fn truncates(mut self, choice: Truncates) -> Self {
        self.rules.truncates = choice;
        self
    }
}

/// How the values of one schema are read.
pub(super) enum EnvelopeReader {
    Envelope(Resolution),
    /// They hold no rows.
    Other,
}

impl EnvelopeReader {
    /// How an envelope for `C` is read out of what `writer` describes.
    pub fn new<C: ChangeRow>(writer: &Schema) -> Result<Self, RowError> {
        let Schema::Record(record) = writer else {
            return Err(RowError::schema(format!(
                "{writer} is no envelope of Debezium"
            )));
        };
        let names = || record.fields.iter().map(|field| &*field.name);
        if names().any(|name| name == "op") {
            // In the envelope the row is one branch of a union, and a branch may be of no use to a
            // reader: here it may not.
            if let Some((field, row)) = row(record) {
                Resolution::new(row, &C::Row::schema()).map_err(|error| error.in_field(field))?;
            }
            return Resolution::new(writer, &C::Envelope::schema()).map(Self::Envelope);
        }
        if holds_no_row(names()) {
            return Ok(Self::Other);
        }
        Err(no_envelope(names()))
    }

    /// Hands out the rows of a value.
    pub fn read<C: ChangeRow>(
        &self,
        value: &[u8],
        suspicion: Option<&Suspicion>,
        rules: &Rules,
        mut emit: impl FnMut(C),
    ) -> Result<(), RowError> {
        let Self::Envelope(resolution) = self else {
            return Ok(());
        };
        let read = resolution.read_value(&mut Reader::new(value))?;
        let mut source = ValueSource::new(&read);
        let envelope = if suspicion.is_some_and(|suspicion| suspicion.of(value)) {
            C::Envelope::from_source(&mut Available(&mut source))?
        } else {
            C::Envelope::from_source(&mut source)?
        };
        match C::unpack(envelope, rules, &mut emit)? {
            Unpacked::Done => Ok(()),
            Unpacked::NoEnvelope => Err(RowError::missing("op")),
        }
    }
}

/// The field of an envelope that describes the table's row, and the row.
fn row<'w>(envelope: &'w RecordSchema) -> Option<(String, &'w Schema)> {
    let rows = |schema: &'w Schema| match schema {
        Schema::Union(branches) => branches.iter().find(|b| matches!(b, Schema::Record(_))),
        Schema::Record(_) => Some(schema),
        _ => None,
    };
    let fields = envelope.fields.iter();
    let mut rows = fields
        .filter(|field| matches!(&*field.name, "before" | "after"))
        .filter_map(|field| Some((field.name.to_string(), rows(&field.schema)?)));
    rows.next()
}

/// Decodes [`DebeziumAvro`].
pub struct DebeziumAvroDecoder {
    rules: Rules,
    suspicion: Option<Suspicion>,
    readers: WriterReaders<EnvelopeReader>,
}

impl<C: ChangeRow> RecordFormat<C> for DebeziumAvro {
    type Decoder = DebeziumAvroDecoder;

    fn decoder(&self, context: &ReaderContext) -> Result<DebeziumAvroDecoder, BoxError> {
        let refuses = self.rules.unavailable == UnavailableValues::Fail;
        Ok(DebeziumAvroDecoder {
            rules: self.rules,
            suspicion: refuses.then(Suspicion::binary),
            readers: WriterReaders::new(&self.schemas, context, EnvelopeReader::new::<C>)?,
        })
    }
}

impl<C: ChangeRow> RecordDecoder<C> for DebeziumAvroDecoder {
    fn decode(
        &mut self,
        record: &KafkaRecord<'_>,
        emit: impl FnMut(C),
    ) -> Result<Decoded, RowError> {
        let Some((reader, value)) = self.readers.of(record.value.unwrap_or_default())? else {
            return Ok(Decoded::Later);
        };
        reader.read(value, self.suspicion.as_ref(), &self.rules, emit)?;
        Ok(Decoded::Done)
    }
}
