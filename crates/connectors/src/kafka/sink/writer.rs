//! Collects rows into batches, on the task's thread.

use std::collections::VecDeque;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::time::Millis;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::{SinkWriter, WriterContext};

use super::builder::ProduceSettings;
use super::outbox::{Filling, Outbox};
use super::routes::{Routes, partitions};
use super::serializer::{OutRecord, RowSerializer, Serialized};
use super::topics::Topics;
use crate::kafka::batch::BatchBuilder;

/// Bytes that may wait to be acknowledged before rows are held back.
const MAX_OPEN_BYTES: usize = 32 << 20;

/// The writer of one subtask.
pub(super) struct KafkaWriter<T, S> {
    serializer: S,
    settings: Arc<ProduceSettings>,
    outbox: Arc<Outbox>,
    sender: Option<tokio::task::JoinHandle<()>>,
    clock: SharedClock,
    routes: Routes,
    /// The number of their partitions, until the sender tells of them too.
    topics: Topics<i32>,
    /// Rows that can't be put into batches yet, the oldest first.
    held: VecDeque<(T, Millis)>,
    /// A barrier or the end waits for the rows that are held.
    hurry: bool,
}

impl<T, S> KafkaWriter<T, S> {
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
            clock: context.clock.clone(),
            routes: Routes::new(context.clock.clone(), context.place.subtask),
            topics: Topics::new(io, context.signal.clone()),
            held: VecDeque::new(),
            hurry: false,
        }
    }

    /// The topic with the number of its partitions, once that is known.
    fn topic(&mut self, name: &str) -> Result<Option<(Arc<str>, i32)>, BoxError> {
        if let Some((topic, count)) = self.outbox.lock().partitions.get_key_value(name) {
            return Ok(Some((topic.clone(), *count)));
        }
        let (settings, clock) = (self.settings.clone(), self.clock.clone());
        let ask = |name| partitions(settings, clock, name);
        let found = self.topics.get(name, ask)?;
        if let Some((topic, count)) = &found {
            let mut state = self.outbox.lock();
            state.partitions.insert(topic.clone(), *count);
        }
        Ok(found)
    }

    /// Puts a record into its batch; false if its topic is not known yet.
    fn add(&mut self, record: &OutRecord, timestamp: Millis) -> Result<bool, BoxError> {
        let Some((topic, count)) = self.topic(&record.topic)? else {
            return Ok(false);
        };
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
        Ok(true)
    }

    /// Has all batches sent, however full they are.
    fn send_all(&self) {
        self.outbox.lock().close_until(i64::MAX);
        self.outbox.filled.notify_one();
    }
}

impl<T: Row, S: RowSerializer<T>> KafkaWriter<T, S> {
    /// Puts a row's record into its batch; false if something has to be known first.
    fn put(&mut self, row: &T, timestamp: Millis) -> Result<bool, BoxError> {
        match self.serializer.serialize(row, timestamp)? {
            Serialized::Record(record) => self.add(&record, timestamp),
            Serialized::Nothing => Ok(true),
            Serialized::Later => Ok(false),
        }
    }
}

impl<T: Row, S: RowSerializer<T>> SinkWriter<T> for KafkaWriter<T, S> {
    fn write(&mut self, row: T, timestamp: Millis) -> Result<(), BoxError> {
        self.outbox.check()?;
        if !self.held.is_empty() || !self.put(&row, timestamp)? {
            self.held.push_back((row, timestamp));
        }
        Ok(())
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        while self.held.is_empty()
            && let Some((row, timestamp)) = rows.next()
        {
            self.write(row, timestamp)?;
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.held.is_empty() && self.outbox.lock().bytes < MAX_OPEN_BYTES
    }

    fn has_outstanding(&self) -> bool {
        !self.held.is_empty() || self.outbox.lock().has_records()
    }

    fn has_news(&self) -> bool {
        let held = !self.held.is_empty();
        (held && self.serializer.is_ready() && self.topics.is_ready())
            || self.outbox.lock().failure.is_some()
    }

    fn take_news(&mut self) -> Result<(), BoxError> {
        self.outbox.check()?;
        while let Some((row, timestamp)) = self.held.pop_front() {
            if !self.put(&row, timestamp)? {
                self.held.push_front((row, timestamp));
                return Ok(());
            }
        }
        if std::mem::take(&mut self.hurry) {
            self.send_all();
        }
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        self.hurry = !self.held.is_empty();
        self.send_all();
        Ok(self.outbox.check()?)
    }

    fn close(&mut self) {
        self.outbox.lock().closed = true;
        self.outbox.filled.notify_one();
        if let Some(sender) = self.sender.take() {
            sender.abort();
        }
    }
}
