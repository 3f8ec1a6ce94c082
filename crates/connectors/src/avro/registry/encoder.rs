//! Rows as values in the registry's framing.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::row::{RowError, Schema, Writer};
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::WriterContext;

use super::client::{Client, RegistrySettings};
use crate::awaited::Awaited;

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

/// The number of a schema in the registry.
enum SchemaId {
    Known(u32),
    Asked(Awaited<Result<u32, String>>),
}

/// Rows to values: registers the row's schema, or the one that is given for it, once a topic.
pub struct AvroEncoder<T> {
    client: Client,
    subjects: SubjectNames,
    schema: Schema,
    text: String,
    /// By topic.
    ids: BTreeMap<String, SchemaId>,
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

    /// The value of a row for a topic; none while the registry is asked for the number of its schema,
    /// which is waited for without end. The task is woken when it is worth trying again.
    ///
    /// # Errors
    /// If the registry refuses the schema, with its words; where the row nests too deeply.
    pub fn encode(&mut self, topic: &str, row: &T) -> Result<Option<Vec<u8>>, BoxError> {
        let id = match self.ids.get(topic) {
            Some(SchemaId::Known(id)) => *id,
            _ => match self.register(topic)? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let mut value = Vec::with_capacity(64);
        value.push(0);
        value.extend_from_slice(&id.to_be_bytes());
        let mut out = Writer::from_vec(value);
        row.encode(&mut out);
        out.check()?;
        Ok(Some(out.into_vec()))
    }

    /// Whether all that was asked of the registry has been answered.
    pub fn is_ready(&self) -> bool {
        let answered = |id: &SchemaId| match id {
            SchemaId::Known(_) => true,
            SchemaId::Asked(asked) => asked.is_there(),
        };
        self.ids.values().all(answered)
    }

    /// The number of the schema for a topic, if the registry has told it.
    fn register(&mut self, topic: &str) -> Result<Option<u32>, BoxError> {
        let asked = match self.ids.remove(topic) {
            Some(SchemaId::Known(id)) => Ok(id),
            Some(SchemaId::Asked(asked)) => match asked.take()? {
                Ok(told) => Ok(told?),
                Err(asked) => Err(asked),
            },
            None => Err(self.ask(topic)),
        };
        let (id, known) = match asked {
            Ok(id) => (SchemaId::Known(id), Some(id)),
            Err(asked) => (SchemaId::Asked(asked), None),
        };
        self.ids.insert(topic.to_owned(), id);
        Ok(known)
    }

    fn ask(&self, topic: &str) -> Awaited<Result<u32, String>> {
        let subject = self.subjects.subject(topic, &self.schema);
        let (client, text) = (self.client.clone(), self.text.clone());
        let question = async move { client.register(&subject, &text).await };
        Awaited::ask(self.client.io(), self.client.signal(), question)
    }
}
