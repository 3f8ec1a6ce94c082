//! Collects rows into batches, on the task's thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::{SinkWriter, WriterContext};

use super::builder::ProduceSettings;
use super::outbox::{Filling, Outbox};
use super::partitioner;
use super::serializer::{OutRecord, RowSerializer};
use crate::kafka::batch::BatchBuilder;
use crate::kafka::client::{Cluster, Patience};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;

/// Bytes that may wait to be acknowledged before rows are held back.
const MAX_OPEN_BYTES: usize = 32 << 20;

/// Bytes that a record takes beside its key, its value and its headers, at most.
const RECORD_OVERHEAD: usize = 64;

/// The writer of one subtask.
pub(super) struct KafkaWriter<S> {
    serializer: S,
    settings: Arc<ProduceSettings>,
    outbox: Arc<Outbox>,
    sender: Option<tokio::task::JoinHandle<()>>,
    io: tokio::runtime::Handle,
    clock: SharedClock,
    /// By topic the partition of records without a key; another one when its batch is full.
    turns: BTreeMap<Arc<str>, i32>,
    subtask: i32,
}

impl<S> KafkaWriter<S> {
    pub fn new(
        serializer: S,
        settings: Arc<ProduceSettings>,
        outbox: Arc<Outbox>,
        sender: tokio::task::JoinHandle<()>,
        io: tokio::runtime::Handle,
        context: &WriterContext,
    ) -> Self {
        Self {
            serializer,
            settings,
            outbox,
            sender: Some(sender),
            io,
            clock: context.clock.clone(),
            turns: BTreeMap::new(),
            subtask: i32::try_from(context.place.subtask).unwrap_or_default(),
        }
    }

    /// The topic with the number of its partitions; asks for it the first time.
    fn topic(&self, name: &str) -> Result<(Arc<str>, i32), KafkaError> {
        if let Some((topic, count)) = self.outbox.lock().partitions.get_key_value(name) {
            return Ok((topic.clone(), *count));
        }
        let count = self
            .io
            .block_on(partitions(&self.settings, &self.clock, name))?;
        let topic: Arc<str> = name.into();
        let mut state = self.outbox.lock();
        state.partitions.insert(topic.clone(), count);
        Ok((topic, count))
    }

    fn add(&mut self, record: &OutRecord, timestamp: Millis) -> Result<(), KafkaError> {
        let (topic, count) = self.topic(&record.topic)?;
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) if (0..count).contains(&partition) => partition,
            (Some(partition), _) => {
                return Err(KafkaError::setting(format!(
                    "a record is for partition {partition} of {topic}, which has {count}"
                )));
            }
            (None, Some(key)) => partitioner::of_key(key, count),
            (None, None) => {
                // Subtasks begin at different partitions.
                let turn = self.turns.entry(topic.clone()).or_insert(self.subtask);
                *turn % count.max(1)
            }
        };
        let time = match record.timestamp {
            Some(time) => time,
            None if timestamp == MIN_TIMESTAMP => self.clock.wall_millis(),
            None => timestamp.max(0),
        };
        let of_headers: usize = record
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 10)
            .sum();
        let len = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
        let bytes = len(&record.key) + len(&record.value) + of_headers + RECORD_OVERHEAD;
        let place = (topic, partition);
        let mut state = self.outbox.lock();
        let is_full = state
            .filling
            .get(&place)
            .is_some_and(|filling| filling.batch.len() + bytes > self.settings.batch_bytes);
        if is_full {
            state.close(place.clone());
            if let Some(turn) = self.turns.get_mut(&place.0) {
                *turn = turn.wrapping_add(1) & i32::MAX;
            }
        }
        // The sender looks at the time of the oldest; it knows of the others when it does.
        let tell = is_full || state.filling.is_empty();
        let filling = state.filling.entry(place).or_insert_with(|| Filling {
            batch: BatchBuilder::default(),
            since: self.clock.monotonic_micros(),
        });
        filling.batch.push(
            time,
            record.key.as_deref(),
            record.value.as_deref(),
            &record.headers,
        );
        drop(state);
        if tell {
            self.outbox.filled.notify_one();
        }
        Ok(())
    }

    /// Waits until everything is acknowledged. It ends, since every batch has a last moment.
    fn settle(&self) -> Result<(), KafkaError> {
        let outbox = &self.outbox;
        self.io.block_on(async {
            loop {
                outbox.check()?;
                if outbox.lock().open == 0 {
                    return Ok(());
                }
                outbox.emptied.notified().await;
            }
        })
    }
}

/// How many partitions a topic has.
async fn partitions(
    settings: &ProduceSettings,
    clock: &SharedClock,
    topic: &str,
) -> Result<i32, KafkaError> {
    let mut cluster = Cluster::new(settings.client.clone());
    let mut patience = Patience::new(&settings.client, clock, "looking for a topic to write to");
    loop {
        let error = match cluster.metadata(Some(vec![topic.to_owned()])).await {
            Ok(metadata) => match metadata.topics.first() {
                Some(found) if found.error == ErrorCode::NONE && !found.partitions.is_empty() => {
                    return Ok(i32::try_from(found.partitions.len()).unwrap_or(i32::MAX));
                }
                found => {
                    let code = found.map_or(ErrorCode(5), |found| found.error);
                    KafkaError::Broker {
                        what: format!("the partitions of the topic '{topic}'"),
                        code,
                        message: (code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                            .then(|| "make the topic, or mend its name".to_owned()),
                    }
                }
            },
            Err(error) => error,
        };
        patience.wait(error).await?;
    }
}

impl<T: Row, S: RowSerializer<T>> SinkWriter<T> for KafkaWriter<S> {
    fn write(&mut self, row: T, timestamp: Millis) -> Result<(), BoxError> {
        self.outbox.check()?;
        if let Some(record) = self.serializer.serialize(&row, timestamp)? {
            self.add(&record, timestamp)?;
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let state = self.outbox.lock();
        // A failure is told by the next call.
        state.bytes < MAX_OPEN_BYTES || state.failure.is_some()
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        self.outbox.lock().close_until(i64::MAX);
        self.outbox.filled.notify_one();
        Ok(self.settle()?)
    }

    fn close(&mut self) {
        self.outbox.lock().closed = true;
        self.outbox.filled.notify_one();
        if let Some(sender) = self.sender.take() {
            sender.abort();
        }
    }
}
