//! Collects rows into batches, on the task's thread.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::time::Millis;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::{SinkWriter, WriterContext};

use super::builder::ProduceSettings;
use super::held::{Batches, HeldRows};
use super::outbox::{Filling, Outbox};
use super::routes::{Routes, partitions};
use super::serializer::{OutRecord, RowSerializer};
use super::topics::Topics;
use crate::kafka::batch::BatchBuilder;

/// Bytes that may wait to be acknowledged before rows are held back.
const MAX_OPEN_BYTES: usize = 32 << 20;

/// The writer of one subtask.
pub(super) struct KafkaWriter<T, S> {
    rows: HeldRows<T, S>,
    batches: Filled,
    sender: Option<tokio::task::JoinHandle<()>>,
    /// A barrier or the end waits for the rows that are held.
    hurry: bool,
}

/// The batches that the sender takes.
struct Filled {
    settings: Arc<ProduceSettings>,
    outbox: Arc<Outbox>,
    clock: SharedClock,
    routes: Routes,
    /// The number of their partitions, until the sender tells of them too.
    topics: Topics<i32>,
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
            rows: HeldRows::new(serializer),
            batches: Filled {
                settings,
                outbox,
                clock: context.clock.clone(),
                routes: Routes::new(context.clock.clone(), context.place.subtask),
                topics: Topics::new(io, context.signal.clone()),
            },
            sender: Some(sender),
            hurry: false,
        }
    }
}

impl Filled {
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

    /// Has all batches sent, however full they are.
    fn send_all(&self) {
        self.outbox.lock().close_until(i64::MAX);
        self.outbox.filled.notify_one();
    }
}

impl Batches for Filled {
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

    fn is_ready(&self) -> bool {
        self.topics.is_ready()
    }
}

impl<T: Row, S: RowSerializer<T>> SinkWriter<T> for KafkaWriter<T, S> {
    fn write(&mut self, row: T, timestamp: Millis) -> Result<(), BoxError> {
        self.batches.outbox.check()?;
        self.rows.write(row, timestamp, &mut self.batches)
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        self.batches.outbox.check()?;
        self.rows.write_batch(rows, &mut self.batches)
    }

    fn is_ready(&self) -> bool {
        self.rows.is_empty() && self.batches.outbox.lock().bytes < MAX_OPEN_BYTES
    }

    fn has_outstanding(&self) -> bool {
        !self.rows.is_empty() || self.batches.outbox.lock().has_records()
    }

    fn has_news(&self) -> bool {
        self.rows.can_go_on(&self.batches) || self.batches.outbox.lock().failure.is_some()
    }

    fn take_news(&mut self) -> Result<(), BoxError> {
        self.batches.outbox.check()?;
        self.rows.go_on(&mut self.batches)?;
        if self.rows.is_empty() && std::mem::take(&mut self.hurry) {
            self.batches.send_all();
        }
        Ok(())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        self.hurry = !self.rows.is_empty();
        self.batches.send_all();
        Ok(self.batches.outbox.check()?)
    }

    fn close(&mut self) {
        let outbox = &self.batches.outbox;
        outbox.lock().closed = true;
        outbox.filled.notify_one();
        if let Some(sender) = self.sender.take() {
            sender.abort();
        }
    }
}
