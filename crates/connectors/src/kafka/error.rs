//! What can go wrong with Kafka, sorted by what to do.

use super::protocol::error_code::{ErrorCode, Remedy};
use super::protocol::wire::Malformed;

/// An error of the Kafka client.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// A property or setting can't be used: mend it.
    #[error("{0}")]
    Setting(String),
    /// The network or the broker is in trouble; it may pass.
    #[error("{broker}: {what}")]
    Unreachable {
        /// Host and port.
        broker: String,
        /// What happened.
        what: String,
    },
    /// The broker refuses who we are, or the certificate is refused: mend credentials or trust.
    #[error(
        "{broker} and this client do not trust each other: {what}; look at security.protocol, sasl.* and ssl.*"
    )]
    Security {
        /// Host and port.
        broker: String,
        /// What was refused.
        what: String,
    },
    /// The broker answered with an error.
    #[error("{what}: the broker answered {code}{}", words(.message.as_deref()))]
    Broker {
        /// What was asked for.
        what: String,
        /// Its code.
        code: ErrorCode,
        /// Its words.
        message: Option<String>,
    },
    /// What came is not what the protocol says: a bug, or no Kafka.
    #[error("{broker}: {message} is no answer that Kafka gives: {error}; is it a Kafka broker?")]
    Protocol {
        /// Host and port.
        broker: String,
        /// Which message.
        message: &'static str,
        /// What is wrong.
        error: Malformed,
    },
    /// A record is there and can't be decoded: mend its writer, or choose what becomes of such records.
    #[error(
        "{topic}, partition {partition}, offset {offset}: {what}; mend what writes it, or read with \
         bad records skipped or sent to dead letters"
    )]
    BadRecord {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
        /// What is wrong, with the path of the field.
        what: String,
    },
    /// A record can't be delivered: mend it, the topic, or the properties.
    #[error("{topic}, partition {partition}: not written: {what}; the first record: {record}")]
    Undelivered {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What the broker said, or that time has run out.
        what: String,
        /// The record, or the first of its batch: key and value, long ones cut off.
        record: String,
    },
    /// Records in the log can't be read.
    #[error(
        "{topic}, partition {partition}, offset {offset}: the batch can't be read: {what}; the \
         records of this batch are lost unless a replica has them: start behind it by explicit offsets"
    )]
    Corrupt {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was to be read.
        offset: i64,
        /// What is wrong.
        what: String,
    },
}

fn words(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| format!(", {message}"))
}

impl KafkaError {
    /// A setting that can't be used.
    pub fn setting(problem: impl Into<String>) -> Self {
        Self::Setting(problem.into())
    }

    /// That reading can't go on at an offset, and nobody said where else.
    pub(super) fn not_in_the_log(topic: &str, partition: i32, offset: i64) -> Self {
        Self::Setting(format!(
            "{topic}, partition {partition}: offset {offset} is not in the log, and \
             auto.offset.reset does not say where to go on: earliest or latest"
        ))
    }

    /// An error that a broker answered with.
    pub fn broker(what: impl Into<String>, code: ErrorCode) -> Self {
        Self::Broker {
            what: what.into(),
            code,
            message: None,
        }
    }

    /// Whether it may pass by itself.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Broker { code, .. } => code.remedy() != Remedy::GiveUp,
            _ => false,
        }
    }
}
