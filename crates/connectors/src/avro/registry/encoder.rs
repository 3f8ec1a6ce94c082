//! Rows as values in the registry's framing.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::row::{RowError, Schema, Writer};
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::WriterContext;

use super::client::{Client, RegistrySettings};

/// How long a schema may take to be registered.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which subject a topic's values are registered under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SubjectNames {
    /// The topic's name and `-value`: Confluent's `TopicNameStrategy`.
    #[default]
    Topic,
    /// The record's full name: `RecordNameStrategy`.
    Record,
    /// The topic's name, `-`, the record's full name: `TopicRecordNameStrategy`.
    TopicRecord,
    /// This one.
    Fixed(String),
}

impl SubjectNames {
    fn subject(&self, topic: &str, schema: &Schema) -> String {
        let name = schema.full_name().map_or("", |name| name);
        match self {
            Self::Topic => format!("{topic}-value"),
            Self::Record => name.to_owned(),
            Self::TopicRecord => format!("{topic}-{name}"),
            Self::Fixed(subject) => subject.clone(),
        }
    }
}

/// Rows to values: registers the row's schema, or the one that is given for it, once a topic.
pub struct AvroEncoder<T> {
    client: Client,
    subjects: SubjectNames,
    schema: Schema,
    text: String,
    ids: BTreeMap<String, u32>,
    row: PhantomData<fn(&T)>,
}

impl<T: Row> AvroEncoder<T> {
    /// An encoder for one subtask.
    ///
    /// # Errors
    /// If the settings can't be used, or `schema` is given and describes other bytes than the row's.
    pub fn new(
        registry: &RegistrySettings,
        subjects: SubjectNames,
        schema: Option<&str>,
        context: &WriterContext,
    ) -> Result<Self, BoxError> {
        let client = Client::new(registry, context.io.clone(), context.signal.clone())?;
        let own = T::schema();
        let (schema, text) = match schema {
            None => {
                let text = own.to_avro_json()?;
                (own, text)
            }
            Some(text) => {
                let given = Schema::parse_avro_json(text)?;
                if !crate::avro::layout::is_same(&own, &given) {
                    return Err(RowError::schema(format!(
                        "rows of {own} are not values of the schema given for them, {given}: give \
                         it the same fields in the same order"
                    ))
                    .into());
                }
                (given, text.to_owned())
            }
        };
        Ok(Self {
            client,
            subjects,
            schema,
            text,
            ids: BTreeMap::new(),
            row: PhantomData,
        })
    }

    /// The value of a row for a topic. The first for a topic waits until the registry has its schema,
    /// for a minute at most.
    ///
    /// # Errors
    /// If the registry refuses the schema, with its words, or can't be reached; where the row nests
    /// too deeply.
    pub fn encode(&mut self, topic: &str, row: &T) -> Result<Vec<u8>, BoxError> {
        let id = match self.ids.get(topic) {
            Some(id) => *id,
            None => {
                let subject = self.subjects.subject(topic, &self.schema);
                let (client, text) = (&self.client, &self.text);
                let registering =
                    async { tokio::time::timeout(PATIENCE, client.register(&subject, text)).await };
                let id = client.io().block_on(registering).map_err(|_| {
                    let seconds = PATIENCE.as_secs();
                    format!(
                        "the schema registry gave no answer to the schema of subject '{subject}' \
                         for {seconds} s"
                    )
                })??;
                self.ids.insert(topic.to_owned(), id);
                id
            }
        };
        let mut value = Vec::with_capacity(64);
        value.push(0);
        value.extend_from_slice(&id.to_be_bytes());
        let mut out = Writer::from_vec(value);
        row.encode(&mut out);
        out.check()?;
        Ok(out.into_vec())
    }
}
