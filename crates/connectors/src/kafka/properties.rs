//! Kafka's own properties, by Kafka's own names.
//!
//! What is not known is refused by name; what is known and has no meaning here is told when it is
//! given. Values of secrets never appear in what is printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::error::KafkaError;
use crate::secret::Secret;

/// Properties as they were given.
#[derive(Clone, Default)]
pub struct Properties {
    values: BTreeMap<String, String>,
}

/// Known to Kafka's clients, and what stands in their place here.
const WITHOUT_MEANING: [(&str, &str); 16] = [
    ("key.deserializer", "the decoder takes its place"),
    ("value.deserializer", "the decoder takes its place"),
    ("key.serializer", "the record's maker takes its place"),
    ("value.serializer", "the record's maker takes its place"),
    ("max.poll.records", "rows are taken as the job has room"),
    (
        "max.poll.interval.ms",
        "partitions are assigned by the job, not by the group",
    ),
    (
        "session.timeout.ms",
        "partitions are assigned by the job, not by the group",
    ),
    (
        "heartbeat.interval.ms",
        "partitions are assigned by the job, not by the group",
    ),
    (
        "partition.assignment.strategy",
        "partitions are assigned by the job, not by the group",
    ),
    (
        "group.instance.id",
        "partitions are assigned by the job, not by the group",
    ),
    (
        "group.protocol",
        "partitions are assigned by the job, not by the group",
    ),
    (
        "allow.auto.create.topics",
        "reading and writing never make a topic",
    ),
    ("connections.max.idle.ms", "connections are kept"),
    ("metric.reporters", "metrics are the job's"),
    (
        "buffer.memory",
        "rows wait in the job, which shows as back-pressure",
    ),
    (
        "max.in.flight.requests.per.connection",
        "one request a broker is under way, so that order holds",
    ),
];

/// Words in the names of properties whose values are not shown.
const SECRET: [&str; 4] = ["password", "jaas", "ssl.key", "keystore.key"];

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in &self.values {
            let hidden = SECRET.iter().any(|word| name.contains(word));
            map.entry(name, if hidden { &"***" } else { value });
        }
        map.finish()
    }
}

impl Properties {
    /// Sets one.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// The properties with what their values name by `${env:NAME}` and `${file:PATH}`.
    ///
    /// # Errors
    /// What is not there, by its name; never what was found.
    pub fn revealed(&self) -> Result<Self, KafkaError> {
        let revealed = self.values.iter().map(|(name, value)| {
            let value = Secret::from(value.as_str()).reveal();
            let value = value.map_err(|error| {
                KafkaError::setting(format!("the Kafka property '{name}': {error}"))
            })?;
            Ok((name.clone(), value))
        });
        Ok(Self {
            values: revealed.collect::<Result<_, KafkaError>>()?,
        })
    }

    /// Refuses what is not in `known`.
    ///
    /// # Errors
    /// The first property that is not.
    pub fn check(&self, known: &[&[&str]]) -> Result<(), KafkaError> {
        for name in self.values.keys() {
            if known.iter().any(|names| names.contains(&name.as_str())) {
                continue;
            }
            match WITHOUT_MEANING.iter().find(|(other, _)| other == name) {
                Some((_, reason)) => {
                    tracing::warn!("the Kafka property '{name}' has no effect: {reason}");
                }
                None => {
                    return Err(KafkaError::setting(format!(
                        "the Kafka property '{name}' is not known; take it away or mend its name"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The value of a property.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A value of a type that text can be read as.
    ///
    /// # Errors
    /// Where it can't.
    pub fn parse<T: std::str::FromStr>(
        &self,
        name: &str,
        default: T,
        kind: &str,
    ) -> Result<T, KafkaError> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.trim().parse().map_err(|_| {
                KafkaError::setting(format!("the Kafka property '{name}' must be {kind}"))
            }),
        }
    }

    /// Bytes that are at least one.
    ///
    /// # Errors
    /// Where the value is none.
    pub fn bytes(&self, name: &str, default: i32) -> Result<i32, KafkaError> {
        let value: i32 = self.parse(name, default, "a number of bytes")?;
        if value < 1 {
            let problem = format!("the Kafka property '{name}' must be at least 1, not {value}");
            return Err(KafkaError::setting(problem));
        }
        Ok(value)
    }

    /// Milliseconds.
    ///
    /// # Errors
    /// Where the value is none.
    pub fn millis(&self, name: &str, default: u64) -> Result<Duration, KafkaError> {
        self.parse(name, default, "a number of milliseconds")
            .map(Duration::from_millis)
    }

    /// One of some words; the first is the default.
    ///
    /// # Errors
    /// Where it is another one.
    pub fn choice(&self, name: &str, words: &[&'static str]) -> Result<&'static str, KafkaError> {
        let first = words.first().copied().unwrap_or_default();
        let Some(value) = self.get(name) else {
            return Ok(first);
        };
        words
            .iter()
            .copied()
            .find(|word| word.eq_ignore_ascii_case(value))
            .ok_or_else(|| {
                KafkaError::setting(format!(
                    "the Kafka property '{name}' must be one of {}, not '{value}'",
                    words.join(", ")
                ))
            })
    }
}
