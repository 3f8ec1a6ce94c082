//! Fetches ahead of a reader by librdkafka, in the place of the [`fetcher`](super::fetcher) that speaks
//! the protocol itself. What it hands over looks the same: batches, here packed from messages.
//!
//! Each split has a queue of its own, which is only emptied while the reader wants more of it: what is
//! not taken fills librdkafka's bounded queue, and it fetches no further. It waits out brokers that are
//! gone and leaders that move by itself. Where a log ends, and offsets that lie in it, the own client
//! says: librdkafka does not tell of records that are left out at the end of a log.

mod commits;
mod config;
mod context;
mod packing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;

pub(super) use self::config::config;
use self::context::{Context, Partition};
use self::packing::Packing;
use super::builder::FetchSettings;
use super::shared::{CHUNKS, Chunk, Shared};
use crate::kafka::client::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;
use crate::kafka::protocol::offsets::LATEST;
use crate::net;

/// How often events are looked for that wake nobody.
const LOOK: Duration = Duration::from_millis(50);

type PartitionQueue = rdkafka::consumer::base_consumer::PartitionQueue<Context>;

/// Drops the consumer for good on a thread that may block, since it waits for librdkafka's threads.
struct Last {
    consumer: Option<Arc<BaseConsumer<Context>>>,
    io: tokio::runtime::Handle,
}

impl Drop for Last {
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        self.io.spawn_blocking(move || drop(consumer));
    }
}

/// See the module. The fields are dropped from the first to the last.
pub(super) struct Fetcher {
    shared: Arc<Shared>,
    settings: Arc<FetchSettings>,
    /// As the reader numbers its splits; none of those of which nothing is left to be read.
    queues: Vec<Option<PartitionQueue>>,
    /// Splits that end, whose log has been read as far as it goes.
    at_the_end: BTreeSet<usize>,
    /// Splits whose offsets are not in the log.
    lost: BTreeSet<usize>,
    /// For what librdkafka does not tell.
    cluster: Cluster,
    filled: Arc<Notify>,
    failures: u32,
    consumer: Arc<BaseConsumer<Context>>,
    last: Last,
}

fn refused(error: &ClientError) -> KafkaError {
    KafkaError::setting(format!("librdkafka: {error}"))
}

impl Fetcher {
    pub fn new(
        shared: Arc<Shared>,
        settings: Arc<FetchSettings>,
        config: &ClientConfig,
        io: tokio::runtime::Handle,
    ) -> Result<Self, KafkaError> {
        let context = Context {
            read_committed: settings.read_committed,
            brokers: config
                .get("bootstrap.servers")
                .unwrap_or_default()
                .to_owned(),
            who: settings.client.credentials.as_ref().map(|credentials| {
                let (mechanism, user, _) = credentials.parts();
                (user.to_owned(), mechanism)
            }),
            told: Mutex::default(),
        };
        let consumer: BaseConsumer<Context> = config
            .create_with_context(context)
            .map_err(|error| refused(&error))?;
        let consumer = Arc::new(consumer);
        Ok(Self {
            shared,
            cluster: Cluster::new(settings.client.clone()),
            settings,
            queues: Vec::new(),
            at_the_end: BTreeSet::new(),
            lost: BTreeSet::new(),
            filled: Arc::default(),
            failures: 0,
            last: Last {
                consumer: Some(consumer.clone()),
                io,
            },
            consumer,
        })
    }

    /// Goes on until the reader closes or something fails for good.
    pub async fn run(mut self) {
        while !self.shared.lock().closed {
            let busy = match self.step().await {
                Ok(busy) => busy,
                Err(failure) => {
                    self.shared.fail(failure);
                    return;
                }
            };
            if busy {
                tokio::task::yield_now().await;
                continue;
            }
            let (shared, filled) = (self.shared.clone(), self.filled.clone());
            tokio::select! {
                () = shared.changed.notified() => {}
                () = filled.notified() => {}
                () = net::pause(LOOK) => {}
            }
        }
        self.commit_last().await;
    }

    /// Takes what there is; whether there may be more at once.
    async fn step(&mut self) -> Result<bool, KafkaError> {
        self.assign_new()?;
        self.serve()?;
        let mut busy = false;
        for split in 0..self.queues.len() {
            busy |= self.take(split)?;
        }
        self.look_at_ends().await?;
        self.look_for_lost().await?;
        self.commit();
        Ok(busy)
    }

    /// Begins to read the splits that were taken on.
    fn assign_new(&mut self) -> Result<(), KafkaError> {
        let state = self.shared.lock();
        let new: Vec<_> = state.splits.iter().skip(self.queues.len()).collect();
        let new: Vec<_> = new
            .into_iter()
            .map(|split| {
                (!split.is_done()).then(|| (split.topic.clone(), split.partition, split.offset))
            })
            .collect();
        drop(state);
        for split in new {
            let queue = match split {
                Some((topic, partition, offset)) => Some(self.assign(&topic, partition, offset)?),
                None => None,
            };
            self.queues.push(queue);
        }
        Ok(())
    }

    fn assign(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<PartitionQueue, KafkaError> {
        let mut one = TopicPartitionList::new();
        one.add_partition_offset(topic, partition, Offset::Offset(offset))
            .and_then(|()| self.consumer.incremental_assign(&one))
            .map_err(|error| refused(&error))?;
        let queue = self.consumer.split_partition_queue(topic, partition);
        let mut queue = queue.ok_or_else(|| {
            KafkaError::setting(format!(
                "librdkafka takes no partition {partition} of {topic}"
            ))
        })?;
        let filled = self.filled.clone();
        queue.set_nonempty_callback(move || filled.notify_one());
        // What came before there was a callback.
        self.filled.notify_one();
        Ok(queue)
    }

    /// Reads a split no further.
    fn unassign(&mut self, split: usize) -> Result<(), KafkaError> {
        if let Some(queue) = self.queues.get_mut(split) {
            *queue = None;
        }
        let state = self.shared.lock();
        let Some(known) = state.splits.get(split) else {
            return Ok(());
        };
        let mut one = TopicPartitionList::new();
        one.add_partition(&known.topic, known.partition);
        drop(state);
        let done = self.consumer.incremental_unassign(&one);
        done.map_err(|error| refused(&error))
    }

    /// Events that belong to no split.
    fn serve(&mut self) -> Result<(), KafkaError> {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            match event {
                // Every split has a queue before it is polled here.
                Ok(message) => {
                    let (topic, partition) = (message.topic(), message.partition());
                    return Err(KafkaError::setting(format!(
                        "librdkafka gave a message of {topic}, partition {partition}, to nobody"
                    )));
                }
                Err(ClientError::MessageConsumptionFatal(code)) => {
                    return Err(refused(&ClientError::MessageConsumptionFatal(code)));
                }
                Err(error) => self.trouble("reading", &error),
            }
        }
        match self.consumer.context().told().failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn trouble(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.failures += 1;
        if self.failures.is_power_of_two() {
            tracing::warn!(times = self.failures, "{what}: {error}; trying again");
        }
    }

    /// Hands a chunk of a split to the reader, if it wants one and there is one; whether there may be
    /// more.
    fn take(&mut self, split: usize) -> Result<bool, KafkaError> {
        let state = self.shared.lock();
        let full = state.bytes >= self.settings.max_buffered;
        let Some(known) = state.splits.get(split) else {
            return Ok(false);
        };
        if full || known.paused || known.is_done() || known.chunks >= CHUNKS {
            return Ok(false);
        }
        let (topic, partition) = (known.topic.clone(), known.partition);
        let (mut next, stop) = (known.offset, known.stop);
        drop(state);
        let Some(Some(queue)) = self.queues.get(split) else {
            return Ok(false);
        };
        let mut packing = Packing::default();
        let mut failure = None;
        let mut more = true;
        while !packing.is_full() && stop.is_none_or(|stop| next < stop) {
            match queue.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    next = message.offset() + 1;
                    packing.push(&message);
                    self.at_the_end.remove(&split);
                }
                Some(Err(ClientError::PartitionEOF(_))) => {
                    if stop.is_some() {
                        self.at_the_end.insert(split);
                    }
                }
                Some(Err(error)) => {
                    failure = Some(error);
                    break;
                }
                None => {
                    more = false;
                    break;
                }
            }
        }
        packing.close();
        if !packing.batches.is_empty() {
            self.failures = 0;
            self.push(split, packing, next, (topic.clone(), partition));
        }
        if stop.is_some_and(|stop| next >= stop) {
            self.unassign(split)?;
        }
        match failure {
            Some(error) => self.failed(split, (topic, partition, next), &error),
            None => Ok(more),
        }
    }

    fn push(&self, split: usize, packing: Packing, next: i64, partition: Partition) {
        let told = self.consumer.context().told();
        let end = told.ends.get(&partition).copied().unwrap_or(next);
        drop(told);
        if let Some(known) = self.shared.lock().splits.get_mut(split) {
            known.offset = next;
        }
        self.shared.push(Chunk {
            split,
            reset: None,
            batches: packing.batches,
            bytes: packing.bytes,
            next,
            end: end.max(next),
        });
    }

    /// What a queue said in the place of a message.
    fn failed(
        &mut self,
        split: usize,
        (topic, partition, offset): (String, i32, i64),
        error: &ClientError,
    ) -> Result<bool, KafkaError> {
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)
                if self.settings.reset.is_some() =>
            {
                self.lost.insert(split);
                Ok(true)
            }
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => {
                Err(KafkaError::not_in_the_log(&topic, partition, offset))
            }
            Some(Code::BadMessage | Code::InvalidMessage) => Err(KafkaError::Corrupt {
                topic,
                partition,
                offset,
                what: error.to_string(),
            }),
            Some(Code::TopicAuthorizationFailed) => {
                let what = format!("fetching {topic}, partition {partition}");
                Err(KafkaError::broker(what, ErrorCode(29)))
            }
            _ => {
                let what = format!("fetching {topic}, partition {partition}");
                self.trouble(&what, error);
                Ok(true)
            }
        }
    }

    /// Ends splits of which what is left was left out: it is only told that there are no more messages.
    async fn look_at_ends(&mut self) -> Result<(), KafkaError> {
        if self.at_the_end.is_empty() {
            return Ok(());
        }
        let asked = self.places(&self.at_the_end, LATEST);
        let read_committed = self.settings.read_committed;
        let ends = match self.cluster.offsets(read_committed, &asked).await {
            Ok(ends) => ends,
            Err(error) if error.may_pass() => {
                self.trouble("looking for the ends of logs", &error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for split in std::mem::take(&mut self.at_the_end) {
            let state = self.shared.lock();
            let Some(known) = state.splits.get(split) else {
                continue;
            };
            let place = (known.topic.clone(), known.partition);
            let stop = known.stop.filter(|_| !known.is_done());
            drop(state);
            if let (Some(stop), Some(end)) = (stop, ends.get(&place))
                && *end >= stop
            {
                self.push(split, Packing::default(), stop, place);
                self.unassign(split)?;
            }
        }
        Ok(())
    }

    /// Where reading goes on whose offset is not in the log.
    async fn look_for_lost(&mut self) -> Result<(), KafkaError> {
        let Some(reset) = self.settings.reset.filter(|_| !self.lost.is_empty()) else {
            return Ok(());
        };
        let asked = self.places(&self.lost, reset);
        let read_committed = self.settings.read_committed;
        let offsets = match self.cluster.offsets(read_committed, &asked).await {
            Ok(offsets) => offsets,
            Err(error) if error.may_pass() => {
                self.trouble("looking for offsets that are in the log", &error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for (split, (topic, partition, _)) in std::mem::take(&mut self.lost).into_iter().zip(asked)
        {
            let Some(offset) = offsets.get(&(topic.clone(), partition)).copied() else {
                self.lost.insert(split);
                continue;
            };
            self.unassign(split)?;
            let queue = self.assign(&topic, partition, offset)?;
            if let Some(place) = self.queues.get_mut(split) {
                *place = Some(queue);
            }
            self.shared.reset(split, offset);
        }
        Ok(())
    }

    fn places(&self, splits: &BTreeSet<usize>, time: i64) -> Vec<(String, i32, i64)> {
        let state = self.shared.lock();
        let known = splits.iter().filter_map(|split| state.splits.get(*split));
        known
            .map(|split| (split.topic.clone(), split.partition, time))
            .collect()
    }
}
