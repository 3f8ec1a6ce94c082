//! Rows to records.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::WriterContext;

use crate::avro::{AvroEncoder, RegistrySettings, SubjectNames};
use crate::kafka::source::{KafkaDeadLetter, dead_letter_headers};

/// A record to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutRecord {
    /// The topic.
    pub topic: String,
    /// The partition; chosen by the key, or in turn, if none is named.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its time in milliseconds since 1970; that of the row, or else of the clock, if none is named.
    pub timestamp: Option<Millis>,
}

/// What a serializer makes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serialized {
    /// Its record.
    Record(OutRecord),
    /// Nothing: the row is not written.
    Nothing,
    /// Not yet its record: something that it needs has been asked for. The signal of the
    /// [`WriterContext`] is raised when it is there, and the row is given again.
    Later,
}

/// Rows to records. Implemented by formats and users, and for functions from a row to a record;
/// shared between threads.
pub trait RecordSerializer<T>: Send + Sync + 'static {
    /// See [`RowSerializer`].
    type Serializer: RowSerializer<T> + 'static;

    /// A serializer for one subtask.
    ///
    /// # Errors
    /// If it can't be made.
    fn serializer(&self, context: &WriterContext) -> Result<Self::Serializer, BoxError>;
}

/// Makes records of the rows of one subtask. Implemented by formats and users; called by the writer
/// on the task's thread.
pub trait RowSerializer<T> {
    /// The record of a row. It does not wait: the task would not hear that it is cancelled.
    ///
    /// # Errors
    /// What ends the job.
    fn serialize(&mut self, row: &T, timestamp: Millis) -> Result<Serialized, BoxError>;

    /// Whether a row that it wants later can be given again.
    fn is_ready(&self) -> bool {
        true
    }
}

impl<T, F: Fn(&T) -> OutRecord + Clone + Send + Sync + 'static> RecordSerializer<T> for F {
    type Serializer = F;

    fn serializer(&self, _context: &WriterContext) -> Result<F, BoxError> {
        Ok(self.clone())
    }
}

impl<T, F: Fn(&T) -> OutRecord> RowSerializer<T> for F {
    fn serialize(&mut self, row: &T, _timestamp: Millis) -> Result<Serialized, BoxError> {
        Ok(Serialized::Record(self(row)))
    }
}

/// In front of the names of a bad record's own headers, in its dead letter.
pub const OWN_HEADER: &str = "header.";

/// Dead letters as records of `topic`: key and value as they came, and where from in the headers
/// `topic`, `partition`, `offset`, `timestamp` and `error`; the record's own headers behind
/// [`OWN_HEADER`].
pub fn dead_letter_records(
    topic: impl Into<String>,
) -> impl Fn(&KafkaDeadLetter) -> OutRecord + Clone + Send + Sync + 'static {
    let topic = topic.into();
    move |letter| {
        let header = |name: &str, value: String| (name.to_owned(), value.into_bytes());
        let own = letter.headers.as_deref().and_then(dead_letter_headers);
        let mut headers = vec![
            header("topic", letter.topic.to_string()),
            header("partition", letter.partition.to_string()),
            header("offset", letter.offset.to_string()),
            header("timestamp", letter.timestamp.to_string()),
            header("error", letter.error.clone()),
        ];
        headers.extend(
            own.unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (format!("{OWN_HEADER}{name}"), value)),
        );
        OutRecord {
            topic: topic.clone(),
            partition: None,
            key: letter.key.clone(),
            value: letter.value.clone(),
            headers,
            timestamp: Some(letter.timestamp.max(0)),
        }
    }
}

/// What of a row is the key of its record.
type KeyOf<T> = Arc<dyn Fn(&T) -> Option<Vec<u8>> + Send + Sync>;

/// The time of a row's record.
type TimeOf<T> = Arc<dyn Fn(&T) -> Millis + Send + Sync>;

/// Rows as Avro in the framing of a schema registry, into one topic.
pub struct AvroRecords<T> {
    topic: String,
    registry: RegistrySettings,
    subjects: SubjectNames,
    schema: Option<String>,
    key: Option<KeyOf<T>>,
    time: Option<TimeOf<T>>,
}

impl<T> AvroRecords<T> {
    /// Values into `topic`, whose schema is registered as `{topic}-value`.
    pub fn new(topic: impl Into<String>, registry: RegistrySettings) -> Self {
        Self {
            topic: topic.into(),
            registry,
            subjects: SubjectNames::default(),
            schema: None,
            key: None,
            time: None,
        }
    }

    /// Under which subject the schema is registered.
    #[must_use]
    pub fn subjects(mut self, subjects: SubjectNames) -> Self {
        self.subjects = subjects;
        self
    }

    /// The schema to register, in Avro's JSON, instead of the row's own: for names and logical types
    /// that Rust has no words for. Its fields are the row's, in the same order.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// What is the key.
    #[must_use]
    pub fn key(mut self, key: impl Fn(&T) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// What is the record's time, in milliseconds since 1970; the row's timestamp unless told.
    #[must_use]
    pub fn timestamp(mut self, time: impl Fn(&T) -> Millis + Send + Sync + 'static) -> Self {
        self.time = Some(Arc::new(time));
        self
    }
}

/// See [`AvroRecords`].
pub struct AvroRowSerializer<T> {
    topic: String,
    encoder: AvroEncoder<T>,
    key: Option<KeyOf<T>>,
    time: Option<TimeOf<T>>,
}

impl<T: Row> RecordSerializer<T> for AvroRecords<T> {
    type Serializer = AvroRowSerializer<T>;

    fn serializer(&self, context: &WriterContext) -> Result<Self::Serializer, BoxError> {
        let subjects = self.subjects.clone();
        Ok(AvroRowSerializer {
            topic: self.topic.clone(),
            encoder: AvroEncoder::new(&self.registry, subjects, self.schema.as_deref(), context)?,
            key: self.key.clone(),
            time: self.time.clone(),
        })
    }
}

impl<T: Row> RowSerializer<T> for AvroRowSerializer<T> {
    fn serialize(&mut self, row: &T, _timestamp: Millis) -> Result<Serialized, BoxError> {
        let Some(value) = self.encoder.encode(&self.topic, row)? else {
            return Ok(Serialized::Later);
        };
        Ok(Serialized::Record(OutRecord {
            topic: self.topic.clone(),
            partition: None,
            key: self.key.as_ref().and_then(|key| key(row)),
            value: Some(value),
            headers: Vec::new(),
            timestamp: self.time.as_ref().map(|time| time(row)),
        }))
    }

    fn is_ready(&self) -> bool {
        self.encoder.is_ready()
    }
}
