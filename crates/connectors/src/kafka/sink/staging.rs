//! Collects the records of an epoch into finished batches, on the task's thread; nothing is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::clock::SharedClock;
use rheos_core::time::Millis;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::writer::{SinkWriter, WriterContext};

use super::builder::ProduceSettings;
use super::epoch::{Epoch, StagedBatch};
use super::held::{Batches, HeldRows};
use super::routes::{Routes, partitions};
use super::serializer::{OutRecord, RowSerializer};
use super::topics::Topics;
use crate::kafka::batch::{BatchBuilder, Compression};
use crate::kafka::client::{Cluster, Patience};
use crate::kafka::error::KafkaError;

/// The writer of one subtask of an exactly-once sink.
pub(super) struct StagingWriter<T, S> {
    rows: HeldRows<T, S>,
    batches: Staging,
}

/// The batches of an epoch.
struct Staging {
    settings: Arc<ProduceSettings>,
    clock: SharedClock,
    routes: Routes,
    topics: Topics<Topic>,
    /// Also those of places that have had a record since the last barrier, and are empty.
    filling: BTreeMap<(Arc<str>, i32), BatchBuilder>,
    epoch: Epoch,
}

/// What has to be known of a topic.
#[derive(Debug, Clone, Copy)]
struct Topic {
    partitions: i32,
    /// Bytes that a batch of it may have.
    max_batch: usize,
}

impl<T, S> StagingWriter<T, S> {
    pub fn new(
        serializer: S,
        settings: Arc<ProduceSettings>,
        io: tokio::runtime::Handle,
        context: &WriterContext,
    ) -> Self {
        Self {
            rows: HeldRows::new(serializer),
            batches: Staging {
                settings,
                clock: context.clock.clone(),
                routes: Routes::new(context.clock.clone(), context.place.subtask),
                topics: Topics::new(io, context.signal.clone()),
                filling: BTreeMap::new(),
                epoch: Epoch::default(),
            },
        }
    }
}

impl Batches for Staging {
    fn add(&mut self, record: &OutRecord, timestamp: Millis) -> Result<bool, BoxError> {
        let (settings, clock) = (self.settings.clone(), self.clock.clone());
        let ask = |name| look_at(settings, clock, name);
        let Some((topic, known)) = self.topics.get(&record.topic, ask)? else {
            return Ok(false);
        };
        let route = self
            .routes
            .route(record, timestamp, &topic, known.partitions)?;
        let place = (topic, route.partition);
        let empty = BatchBuilder::default().len();
        if empty + route.bytes > known.max_batch {
            let (topic, partition) = place;
            return Err(KafkaError::setting(format!(
                "a record for {topic}, partition {partition}, has {} bytes, and a batch may have {}: \
                 it would be refused when its checkpoint is complete. Make it smaller, or raise \
                 max.request.size and the topic's max.message.bytes",
                route.bytes, known.max_batch
            ))
            .into());
        }
        let full = known.max_batch.min(self.settings.batch_bytes);
        let is_full = |batch: &BatchBuilder| batch.len() + route.bytes > full;
        if self.filling.get(&place).is_some_and(is_full) {
            self.finish(&place)?;
            self.routes.turn(&place.0);
        }
        self.filling.entry(place).or_default().push(
            route.time,
            record.key.as_deref(),
            record.value.as_deref(),
            &record.headers,
        );
        Ok(true)
    }

    fn is_ready(&self) -> bool {
        self.topics.is_ready()
    }
}

impl Staging {
    /// Puts a batch into the epoch.
    fn finish(&mut self, place: &(Arc<str>, i32)) -> Result<(), KafkaError> {
        let Some(batch) = self
            .filling
            .get_mut(place)
            .filter(|batch| !batch.is_empty())
        else {
            return Ok(());
        };
        let records = batch.count();
        let bytes = batch
            .finish(self.settings.compression)
            .map_err(|error| KafkaError::setting(format!("compressing records: {error}")))?;
        self.epoch.batches.push(StagedBatch {
            topic: place.0.to_string(),
            partition: place.1,
            records,
            bytes,
        });
        Ok(())
    }
}

async fn look_at(
    settings: Arc<ProduceSettings>,
    clock: SharedClock,
    topic: String,
) -> Result<Topic, KafkaError> {
    const MAX: &str = "max.message.bytes";
    let partitions = partitions(settings.clone(), clock.clone(), topic.clone()).await?;
    let mut cluster = Cluster::new(settings.client.clone());
    let mut patience = Patience::new(&settings.client, &clock, "looking at a topic to write to");
    let configs = loop {
        match cluster.configs(Some(&topic), &[MAX]).await {
            Ok(configs) => break configs,
            // Not all may read a topic's settings.
            Err(KafkaError::Broker { code, .. }) if code.is_not_allowed() => break BTreeMap::new(),
            Err(error) => patience.wait(error).await?,
        }
    };
    let of_topic = configs.get(MAX).and_then(|most| most.parse().ok());
    let most = settings.max_request.min(of_topic.unwrap_or(usize::MAX));
    Ok(Topic {
        partitions,
        // What does not compress grows by a little.
        max_batch: match settings.compression {
            Compression::None => most,
            _ => most - most / 64,
        },
    })
}

impl<T: Row, S: RowSerializer<T>> SinkWriter<T> for StagingWriter<T, S> {
    fn write(&mut self, row: T, timestamp: Millis) -> Result<(), BoxError> {
        self.rows.write(row, timestamp, &mut self.batches)
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        self.rows.write_batch(rows, &mut self.batches)
    }

    fn is_ready(&self) -> bool {
        self.rows.is_empty()
    }

    fn has_outstanding(&self) -> bool {
        !self.rows.is_empty()
    }

    fn has_news(&self) -> bool {
        self.rows.can_go_on(&self.batches)
    }

    fn take_news(&mut self) -> Result<(), BoxError> {
        self.rows.go_on(&mut self.batches)
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        Ok(())
    }

    fn stage(&mut self, _barrier: &Barrier) -> Result<Option<Vec<u8>>, BoxError> {
        let batches = &mut self.batches;
        // Most likely nothing is written there any more.
        batches.filling.retain(|_, batch| !batch.is_empty());
        let open: Vec<_> = batches.filling.keys().cloned().collect();
        for place in &open {
            batches.finish(place)?;
        }
        let epoch = std::mem::take(&mut batches.epoch);
        Ok((!epoch.batches.is_empty()).then(|| epoch.to_handle()))
    }
}
