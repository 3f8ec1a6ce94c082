//! Collects rows into batches, on the task's thread.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::time::Millis;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::{SinkWriter, WriterContext};

use super::builder::ProduceSettings;
use super::outbox::{Filling, Outbox};
use super::routes::{Routes, partitions};
use super::serializer::{OutRecord, RowSerializer};
use crate::kafka::batch::BatchBuilder;
use crate::kafka::error::KafkaError;

/// Bytes that may wait to be acknowledged before rows are held back.
const MAX_OPEN_BYTES: usize = 32 << 20;

/// The writer of one subtask.
pub(super) struct KafkaWriter<S> {
    serializer: S,
    settings: Arc<ProduceSettings>,
    outbox: Arc<Outbox>,
    sender: Option<tokio::task::JoinHandle<()>>,
    io: tokio::runtime::Handle,
    clock: SharedClock,
    routes: Routes,
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
            routes: Routes::new(context.clock.clone(), context.place.subtask),
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
        let route = self.routes.route(record, timestamp, &topic, count)?;
        let place = (topic, route.partition);
        let mut state = self.outbox.lock();
        let is_full = state
            .filling
            .get(&place)
            .is_some_and(|filling| filling.batch.len() + route.bytes > self.settings.batch_bytes);
        if is_full {
            state.close(place.clone());
            self.routes.turn(&place.0);
        }
        // The sender looks at the time of the oldest; it knows of the others when it does.
        let tell = is_full || state.filling.is_empty();
        let filling = state.filling.entry(place).or_insert_with(|| Filling {
            batch: BatchBuilder::default(),
            since: self.clock.monotonic_micros(),
        });
        filling.batch.push(
            route.time,
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
