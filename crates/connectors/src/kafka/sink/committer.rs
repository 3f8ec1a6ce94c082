//! Applies staged epochs, each in one transaction that also holds the record of its fence.
//!
//! Life of an epoch: its writer's transactional id is opened, which ends what a former committer may
//! have left open, and the fence is read → it is at or below the fence, and left out; or its batches
//! and the fence are written and committed. Whatever fails in between, the id is opened again and the
//! fence read again: it alone says what became of the transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::clock::SharedClock;
use rheos_runtime::error::BoxError;
use rheos_runtime::sink::committer::{Committer, Fence, StagedEpoch};

use super::builder::{ExactlyOnce, ProduceSettings};
use super::epoch::Epoch;
use super::fences;
use crate::error::ConnectorError;
use crate::kafka::client::{Cluster, Outgoing, Patience, Transactions};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;
use crate::net;

/// The committer of one subtask.
pub(super) struct KafkaCommitter {
    settings: Arc<ProduceSettings>,
    exactly_once: ExactlyOnce,
    clock: SharedClock,
    io: tokio::runtime::Handle,
    /// By the writer's key: those whose last transaction is known to have ended.
    writers: BTreeMap<String, OneWriter>,
}

/// A writer whose epochs are committed here.
struct OneWriter {
    transactions: Transactions,
    /// Its fence, once that has been read: the last epoch that is applied, if any is.
    applied: Option<Option<u64>>,
}

impl KafkaCommitter {
    /// Looks at the cluster first: what it would refuse later it refuses now.
    pub fn open(
        settings: Arc<ProduceSettings>,
        exactly_once: ExactlyOnce,
        clock: SharedClock,
        io: Option<tokio::runtime::Handle>,
    ) -> Result<Self, BoxError> {
        let Some(io) = io else {
            let problem = "a Kafka sink needs the runtime that I/O runs on";
            return Err(ConnectorError::Setting(problem.to_owned()).into());
        };
        io.block_on(review(&settings, &exactly_once, &clock))?;
        Ok(Self {
            settings,
            exactly_once,
            clock,
            io,
            writers: BTreeMap::new(),
        })
    }

    async fn open_writer(&self, fence: &Fence) -> Result<OneWriter, KafkaError> {
        let id = self.exactly_once.transactional_id(fence);
        let timeout = self.exactly_once.timeout;
        Ok(OneWriter {
            transactions: Transactions::open(&self.settings.client, &id, timeout).await?,
            applied: None,
        })
    }

    /// Ends what former committers of these writers have left open: an open transaction of one would
    /// hold up the reading of another's fence. What fails here is tried again with the epoch.
    async fn end_others(&mut self, epochs: &[StagedEpoch]) {
        for staged in epochs {
            let key = fences::key(&staged.fence);
            if !self.writers.contains_key(&key)
                && let Ok(writer) = self.open_writer(&staged.fence).await
            {
                self.writers.insert(key, writer);
            }
        }
    }

    async fn attempt(&mut self, fence: &Fence, epoch: &Epoch) -> Result<(), KafkaError> {
        let key = fences::key(fence);
        // A failure leaves it out: the next attempt opens it anew.
        let mut writer = match self.writers.remove(&key) {
            Some(writer) => writer,
            None => self.open_writer(fence).await?,
        };
        let topic = &self.exactly_once.fence_topic;
        let applied = match writer.applied {
            Some(applied) => applied,
            None => fences::read(writer.transactions.cluster(), topic, fence).await?,
        };
        writer.applied = Some(applied);
        if applied.is_none_or(|applied| applied < fence.epoch) {
            let record = fences::record(topic, fence, self.clock.wall_millis())?;
            let batches: Vec<Outgoing<'_>> = epoch
                .batches
                .iter()
                .chain([&record])
                .map(|batch| Outgoing {
                    topic: &batch.topic,
                    partition: batch.partition,
                    records: batch.records,
                    bytes: &batch.bytes,
                })
                .collect();
            let places = batches
                .iter()
                .map(|batch| (batch.topic.to_owned(), batch.partition));
            writer.transactions.add(places.collect()).await?;
            let max_request = self.settings.max_request;
            writer.transactions.produce(&batches, max_request).await?;
            writer.transactions.commit().await?;
            writer.applied = Some(Some(fence.epoch));
        }
        self.writers.insert(key, writer);
        Ok(())
    }

    async fn apply(&mut self, staged: &StagedEpoch) -> Result<(), KafkaError> {
        let epoch = Epoch::from_handle(&staged.handle)?;
        let timeout = self.settings.delivery_timeout;
        let timeout = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX);
        let deadline = self.clock.monotonic_micros().saturating_add(timeout);
        let mut failures = 0u32;
        loop {
            let Err(error) = self.attempt(&staged.fence, &epoch).await else {
                return Ok(());
            };
            if !passes(&error) || self.clock.monotonic_micros() >= deadline {
                return Err(told(error));
            }
            failures += 1;
            if failures.is_power_of_two() {
                tracing::warn!(
                    times = failures,
                    epoch = staged.fence.epoch,
                    "committing records: {error}; trying again"
                );
            }
            net::pause(self.settings.client.pause(failures - 1)).await;
        }
    }
}

/// Whether another attempt, under an identity of its own, may help.
fn passes(error: &KafkaError) -> bool {
    let code = match error {
        KafkaError::Broker { code, .. } => Some(*code),
        _ => None,
    };
    error.may_pass()
        || matches!(
            code,
            Some(
                ErrorCode::INVALID_PRODUCER_ID_MAPPING
                    | ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                    | ErrorCode::UNKNOWN_PRODUCER_ID
            )
        )
}

/// With what to do, where the code alone does not say.
fn told(error: KafkaError) -> KafkaError {
    match error {
        KafkaError::Broker {
            what,
            code: code @ (ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED),
            message: None,
        } => KafkaError::Broker {
            what,
            code,
            message: Some(
                "another run of this job commits in its place, or the transaction took longer than \
                 transaction.timeout.ms"
                    .to_owned(),
            ),
        },
        other => other,
    }
}

/// Whether the cluster will take transactions of this time-out, and the topic of fences keeps them.
async fn review(
    settings: &ProduceSettings,
    exactly_once: &ExactlyOnce,
    clock: &SharedClock,
) -> Result<(), KafkaError> {
    const MAX: &str = "transaction.max.timeout.ms";
    let mut cluster = Cluster::new(settings.client.clone());
    let mut patience = Patience::new(&settings.client, clock, "looking at the cluster");
    let configs = loop {
        match cluster.configs(None, &[MAX]).await {
            Ok(configs) => break configs,
            // Not all may read a broker's settings. It then refuses when the first epoch is committed.
            Err(KafkaError::Broker { code, .. }) if code.is_not_allowed() => break BTreeMap::new(),
            Err(error) => patience.wait(error).await?,
        }
    };
    let most = configs.get(MAX).and_then(|most| most.parse::<u128>().ok());
    let wanted = exactly_once.timeout.as_millis();
    if let Some(most) = most.filter(|most| wanted > *most) {
        return Err(KafkaError::setting(format!(
            "transaction.timeout.ms is {wanted}, and the brokers' {MAX} is {most}: lower the one or \
             raise the other"
        )));
    }
    loop {
        match fences::ensure(&mut cluster, &exactly_once.fence_topic).await {
            Ok(()) => return Ok(()),
            Err(error) => patience.wait(error).await?,
        }
    }
}

impl Committer for KafkaCommitter {
    fn commit(&mut self, epochs: &[StagedEpoch]) -> Result<(), BoxError> {
        let io = self.io.clone();
        io.block_on(self.end_others(epochs));
        for epoch in epochs {
            io.block_on(self.apply(epoch))?;
        }
        Ok(())
    }
}
