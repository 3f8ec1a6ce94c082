//! What becomes of records that can't be read.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::row::{RowError, Str};
use rheos_runtime::chain::side_output::{OutputTag, SideOutput};
use rheos_runtime::metrics::operator::OperatorMetrics;
use rheos_runtime::source::reader::ReaderContext;

use super::decoder::KafkaRecord;
use super::headers;
use crate::bad_records::BadRecords;
use crate::error::ConnectorError;
use crate::kafka::error::KafkaError;

/// A record that could not be read, as it came.
#[derive(Row, Clone, Debug, PartialEq, Eq)]
pub struct KafkaDeadLetter {
    /// The topic it came from.
    pub topic: Str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Its time in milliseconds since 1970; -1 if it had none.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers as a JSON list of names and values in base64, `[["trace","MQ=="]]`, so that every
    /// sink has a place for them; none if it had none.
    pub headers: Option<String>,
    /// What is wrong with it.
    pub error: String,
}

/// The side output of a Kafka source that dead letters leave through.
pub fn kafka_dead_letters() -> OutputTag<KafkaDeadLetter> {
    OutputTag::new("kafka-dead-letters")
}

/// Deals with bad records in one subtask.
pub(super) struct BadRecordHandler {
    policy: BadRecords,
    letters: Option<SideOutput<KafkaDeadLetter>>,
    metrics: Arc<OperatorMetrics>,
    count: u64,
}

impl BadRecordHandler {
    pub fn new(policy: BadRecords, context: &ReaderContext) -> Result<Self, ConnectorError> {
        let tag = kafka_dead_letters();
        if policy == BadRecords::DeadLetter && !context.side_outputs.is_read(tag.name()) {
            return Err(ConnectorError::Setting(
                "bad records shall go to dead letters, but nobody reads those: give \
                 `side_output(&kafka_dead_letters())` a sink, or have bad records skipped"
                    .to_owned(),
            ));
        }
        // Asked for under every policy, so that one may be changed without the job being changed.
        let handle = context
            .side_outputs
            .handle(&tag)
            .map_err(|error| ConnectorError::Setting(error.to_string()))?;
        Ok(Self {
            policy,
            letters: (policy == BadRecords::DeadLetter).then_some(handle),
            metrics: context.metrics.clone(),
            count: 0,
        })
    }

    #[cold]
    pub fn handle(&mut self, record: &KafkaRecord<'_>, error: &RowError) -> Result<(), KafkaError> {
        let bad = KafkaError::BadRecord {
            topic: record.topic.to_owned(),
            partition: record.partition,
            offset: record.offset,
            what: error.to_string(),
        };
        if self.policy == BadRecords::Fail {
            return Err(bad);
        }
        self.count += 1;
        self.metrics.add_records_in_errors(1);
        if self.count.is_power_of_two() {
            // The 1st, 2nd, 4th …: a stream of bad records must not become a stream of log lines.
            tracing::warn!(so_far = self.count, "bad record: {bad}");
        }
        if let Some(letters) = &self.letters {
            let letter = KafkaDeadLetter {
                topic: record.topic.into(),
                partition: record.partition,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: headers::to_text(record.headers),
                error: error.to_string(),
            };
            letters.emit(letter, record.timestamp.max(0));
        }
        Ok(())
    }
}
