//! Fetches ahead of a reader: one future on the I/O threads that has a request under way at each
//! broker which leads partitions that want more.
//!
//! Trouble that may pass (a broker that is gone, a leader that moved, a topic that is not there at
//! the moment) is told in the log and waited for, without end; what does not pass ends the job.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::aborted::AbortedTransactions;
use super::builder::FetchSettings;
use super::shared::{CHUNKS, Chunk, Shared};
use crate::kafka::batch::{self, Buffers};
use crate::kafka::client::{ClientSettings, Cluster, Connection};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::{ErrorCode, Remedy};
use crate::kafka::protocol::fetch::{FetchPartition, FetchRequest, FetchedPartition};
use crate::kafka::protocol::metadata::Metadata;
use crate::net;

/// How long a broker waits for records of quiet partitions while a busy one waits for its next turn.
const SHORT_WAIT_MILLIS: i32 = 5;

/// How often broken bytes are fetched anew before the job ends.
const MAX_BROKEN: u32 = 3;

/// Something that was under way has ended.
enum Done {
    /// A broker, what its connection is worth, what was asked for and what it answered.
    Fetched(
        i32,
        Option<Connection>,
        Vec<usize>,
        Result<Vec<FetchedPartition>, KafkaError>,
    ),
    Metadata(Box<Cluster>, Result<Metadata, KafkaError>),
    /// New offsets of splits whose own are not in the log.
    Reset(Box<Cluster>, Result<Vec<(usize, i64)>, KafkaError>),
    Committed(Box<Cluster>, Result<Vec<(usize, i64)>, KafkaError>),
    /// A pause is over.
    Paused(Pause),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pause {
    /// Before the cluster is asked again.
    Cluster,
    /// Before a broker is asked again.
    Broker(i32),
    /// Before offsets are committed again.
    Commit,
}

type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

/// See the module.
pub(super) struct Fetcher {
    shared: Arc<Shared>,
    settings: Arc<FetchSettings>,
    /// None while it is at work.
    cluster: Option<Box<Cluster>>,
    /// By split: the broker that leads it, and that leader's epoch.
    leaders: BTreeMap<usize, (i32, i32)>,
    addresses: BTreeMap<i32, (String, u16)>,
    connections: BTreeMap<i32, Connection>,
    busy: BTreeSet<i32>,
    paused: BTreeSet<Pause>,
    /// Splits whose offsets are not in the log.
    lost: BTreeSet<usize>,
    /// How often in a row what is paused by them has failed: one broker that is gone must not be
    /// forgotten because another one answers.
    failures: BTreeMap<Pause, u32>,
    running: FuturesUnordered<Running>,
    buffers: Buffers,
}

impl Fetcher {
    pub fn new(
        shared: Arc<Shared>,
        settings: Arc<FetchSettings>,
        client: Arc<ClientSettings>,
    ) -> Self {
        Self {
            shared,
            settings,
            cluster: Some(Box::new(Cluster::new(client))),
            leaders: BTreeMap::new(),
            addresses: BTreeMap::new(),
            connections: BTreeMap::new(),
            busy: BTreeSet::new(),
            paused: BTreeSet::new(),
            lost: BTreeSet::new(),
            failures: BTreeMap::new(),
            running: FuturesUnordered::new(),
            buffers: Buffers::default(),
        }
    }

    /// Goes on until the reader closes or something fails for good.
    pub async fn run(mut self) {
        self.pause_commits();
        while !self.shared.lock().closed {
            if let Err(failure) = self.start() {
                self.shared.fail(failure);
                return;
            }
            let shared = self.shared.clone();
            let done = tokio::select! {
                done = self.running.next(), if !self.running.is_empty() => done,
                () = shared.changed.notified() => None,
            };
            if let Some(done) = done
                && let Err(failure) = self.take(done)
            {
                self.shared.fail(failure);
                return;
            }
        }
        self.commit_last().await;
    }

    fn pause_commits(&mut self) {
        if let (Some(_), Some(interval)) = (&self.settings.group, self.settings.commit_interval) {
            self.pause(Pause::Commit, interval);
        }
    }

    fn pause(&mut self, pause: Pause, duration: Duration) {
        if self.paused.insert(pause) {
            self.running.push(Box::pin(async move {
                net::pause(duration).await;
                Done::Paused(pause)
            }));
        }
    }

    /// Starts whatever can be started.
    fn start(&mut self) -> Result<(), KafkaError> {
        self.start_cluster();
        let nodes: BTreeSet<_> = self.leaders.values().map(|(node, _)| *node).collect();
        for node in nodes {
            if !self.busy.contains(&node) && !self.paused.contains(&Pause::Broker(node)) {
                self.start_fetch(node);
            }
        }
        Ok(())
    }

    /// Asks the cluster as a whole what needs to be known most.
    fn start_cluster(&mut self) {
        if self.paused.contains(&Pause::Cluster) {
            return;
        }
        let Some(mut cluster) = self.cluster.take() else {
            return;
        };
        let state = self.shared.lock();
        let unknown: BTreeSet<_> = state
            .splits
            .iter()
            .enumerate()
            .filter(|(i, split)| !split.is_done() && !self.leaders.contains_key(i))
            .map(|(_, split)| split.topic.clone())
            .collect();
        if !unknown.is_empty() {
            drop(state);
            self.running.push(Box::pin(async move {
                let topics = Some(unknown.into_iter().collect());
                let metadata = cluster.metadata(topics).await;
                Done::Metadata(cluster, metadata)
            }));
            return;
        }
        let lost: Vec<_> = self
            .lost
            .iter()
            .filter_map(|i| {
                let split = state.splits.get(*i)?;
                Some((*i, split.topic.clone(), split.partition))
            })
            .collect();
        drop(state);
        if let (Some(reset), false) = (self.settings.reset, lost.is_empty()) {
            let read_committed = self.settings.read_committed;
            self.running.push(Box::pin(async move {
                let asked: Vec<_> = lost
                    .iter()
                    .map(|(_, topic, partition)| (topic.clone(), *partition, reset))
                    .collect();
                let offsets = cluster.offsets(read_committed, &asked).await;
                let resets = offsets.map(|offsets| {
                    lost.into_iter()
                        .filter_map(|(i, topic, partition)| {
                            Some((i, *offsets.get(&(topic, partition))?))
                        })
                        .collect()
                });
                Done::Reset(cluster, resets)
            }));
            return;
        }
        self.cluster = Some(cluster);
        if !self.paused.contains(&Pause::Commit) {
            self.start_commit();
        }
    }

    fn start_commit(&mut self) {
        let (Some(group), uncommitted) = (self.settings.group.clone(), uncommitted(&self.shared))
        else {
            return;
        };
        if uncommitted.is_empty() {
            self.pause_commits();
            return;
        }
        let Some(mut cluster) = self.cluster.take() else {
            return;
        };
        self.running.push(Box::pin(async move {
            let committed = commit(&mut cluster, &group, uncommitted).await;
            Done::Committed(cluster, committed)
        }));
    }

    /// What was emitted at last is committed before the task ends, if the broker is quick.
    async fn commit_last(mut self) {
        let Some(group) = &self.settings.group else {
            return;
        };
        let uncommitted = uncommitted(&self.shared);
        // It may be at work; what it does then is of no more use.
        let mut other = Cluster::new(self.settings.client.clone());
        let cluster = self.cluster.as_deref_mut().unwrap_or(&mut other);
        if !uncommitted.is_empty()
            && let Err(error) = commit(cluster, group, uncommitted).await
        {
            tracing::warn!("the last offsets of the group '{group}' were not committed: {error}");
        }
    }

    fn start_fetch(&mut self, node: i32) {
        let mut asked = Vec::new();
        let mut partitions = Vec::new();
        let mut waits = false;
        let mut state = self.shared.lock();
        let full = state.bytes >= self.settings.max_buffered;
        for (i, (leader, epoch)) in &self.leaders {
            let Some(split) = state.splits.get_mut(*i) else {
                continue;
            };
            if *leader != node || split.paused || split.is_done() || self.lost.contains(i) {
                continue;
            }
            if full || split.chunks >= CHUNKS {
                waits = true;
                continue;
            }
            split.fetching = true;
            asked.push(*i);
            partitions.push(FetchPartition {
                topic: split.topic.clone(),
                partition: split.partition,
                leader_epoch: *epoch,
                offset: split.offset,
                max_bytes: self.settings.max_partition_bytes,
            });
        }
        drop(state);
        if partitions.is_empty() {
            return;
        }
        let request = FetchRequest {
            // A partition that is left out now shall not wait until a quiet one has records.
            max_wait_millis: if waits {
                self.settings.max_wait_millis.min(SHORT_WAIT_MILLIS)
            } else {
                self.settings.max_wait_millis
            },
            min_bytes: self.settings.min_bytes,
            max_bytes: self.settings.max_bytes,
            read_committed: self.settings.read_committed,
            partitions,
        };
        self.busy.insert(node);
        let kept = self.connections.remove(&node);
        let address = self.addresses.get(&node).cloned();
        let client = self.settings.client.clone();
        self.running.push(Box::pin(async move {
            let (connection, answer) = fetch(kept, address, node, &client, &request).await;
            Done::Fetched(node, connection, asked, answer)
        }));
    }

    fn trouble(&mut self, of: Pause, what: &str, error: &KafkaError) {
        let times = self.failures.entry(of).or_default();
        *times += 1;
        if times.is_power_of_two() {
            tracing::warn!(times = *times, "{what}: {error}; trying again");
        }
    }

    /// How long to wait before it is tried again.
    fn backoff(&self, of: Pause) -> Duration {
        let times = self.failures.get(&of).copied().unwrap_or_default();
        self.settings.client.pause(times)
    }

    fn take(&mut self, done: Done) -> Result<(), KafkaError> {
        match done {
            Done::Paused(pause) => {
                self.paused.remove(&pause);
            }
            Done::Metadata(cluster, metadata) => {
                let backoff = self.backoff(Pause::Cluster);
                match metadata {
                    Ok(metadata) => self.learn(&metadata),
                    Err(error) if error.may_pass() => {
                        self.trouble(Pause::Cluster, "looking for leaders", &error)
                    }
                    Err(error) => return Err(error),
                }
                self.cluster = Some(cluster);
                if !self.all_known() {
                    self.pause(Pause::Cluster, backoff);
                }
            }
            Done::Reset(cluster, resets) => {
                let backoff = self.backoff(Pause::Cluster);
                self.cluster = Some(cluster);
                match resets {
                    Ok(resets) => self.reset(resets),
                    Err(error) if error.may_pass() => {
                        self.trouble(
                            Pause::Cluster,
                            "looking for offsets that are in the log",
                            &error,
                        );
                        self.pause(Pause::Cluster, backoff);
                    }
                    Err(error) => return Err(error),
                }
            }
            Done::Committed(cluster, committed) => {
                self.cluster = Some(cluster);
                match committed {
                    Ok(committed) => {
                        self.failures.remove(&Pause::Commit);
                        let mut state = self.shared.lock();
                        for (split, offset) in committed {
                            if let Some(split) = state.splits.get_mut(split) {
                                split.committed = Some(offset);
                            }
                        }
                    }
                    // They are for watching only: the job does not depend on them.
                    Err(error) => {
                        self.trouble(Pause::Commit, "committing offsets", &error);
                        self.pause(Pause::Commit, self.settings.client.max_backoff);
                    }
                }
                self.pause_commits();
            }
            Done::Fetched(node, connection, asked, answer) => {
                self.busy.remove(&node);
                if let Some(connection) = connection {
                    self.connections.insert(node, connection);
                }
                {
                    let mut state = self.shared.lock();
                    for i in &asked {
                        if let Some(split) = state.splits.get_mut(*i) {
                            split.fetching = false;
                        }
                    }
                }
                match answer {
                    Ok(partitions) => return self.fetched(node, &asked, partitions),
                    Err(error) if error.may_pass() => {
                        self.trouble(Pause::Broker(node), "fetching records", &error);
                        // Its partitions may have another leader by now.
                        self.leaders.retain(|_, (leader, _)| *leader != node);
                        let backoff = self.backoff(Pause::Broker(node));
                        self.pause(Pause::Cluster, backoff);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn all_known(&self) -> bool {
        let state = self.shared.lock();
        let mut splits = state.splits.iter().enumerate();
        splits.all(|(i, split)| split.is_done() || self.leaders.contains_key(&i))
    }

    fn learn(&mut self, metadata: &Metadata) {
        self.addresses = metadata
            .brokers
            .iter()
            .map(|broker| (broker.node, (broker.host.clone(), broker.port)))
            .collect();
        let mut missing = Vec::new();
        let state = self.shared.lock();
        for (i, split) in state.splits.iter().enumerate() {
            let topic = metadata.topics.iter().find(|t| t.name == split.topic);
            let Some(topic) = topic else { continue };
            let partition = topic.partitions.iter().find(|p| p.index == split.partition);
            match partition {
                Some(partition) if topic.error == ErrorCode::NONE && partition.leader >= 0 => {
                    self.leaders
                        .insert(i, (partition.leader, partition.leader_epoch));
                }
                _ => missing.push((split.topic.clone(), split.partition, topic.error)),
            }
        }
        drop(state);
        match missing.first() {
            Some((topic, partition, code)) => {
                let what = format!("who leads {topic}, partition {partition}");
                let code = if *code == ErrorCode::NONE {
                    ErrorCode(5)
                } else {
                    *code
                };
                self.trouble(
                    Pause::Cluster,
                    "looking for leaders",
                    &KafkaError::broker(what, code),
                );
            }
            None => {
                self.failures.remove(&Pause::Cluster);
            }
        }
    }

    fn reset(&mut self, resets: Vec<(usize, i64)>) {
        for (i, offset) in resets {
            self.lost.remove(&i);
            self.shared.reset(i, offset);
        }
    }

    fn fetched(
        &mut self,
        node: i32,
        asked: &[usize],
        partitions: Vec<FetchedPartition>,
    ) -> Result<(), KafkaError> {
        let mut again = false;
        for partition in partitions {
            let state = self.shared.lock();
            let found = asked.iter().copied().find_map(|i| {
                let split = state.splits.get(i)?;
                let same = split.partition == partition.partition && split.topic == partition.topic;
                same.then_some((i, split.offset))
            });
            drop(state);
            let Some((i, offset)) = found else {
                continue;
            };
            let what = || {
                format!(
                    "fetching {}, partition {}",
                    partition.topic, partition.partition
                )
            };
            match partition.error {
                ErrorCode::NONE => {
                    self.failures.remove(&Pause::Broker(node));
                    again |= !self.deliver(i, offset, partition)?;
                }
                ErrorCode::OFFSET_OUT_OF_RANGE if self.settings.reset.is_some() => {
                    self.lost.insert(i);
                }
                ErrorCode::OFFSET_OUT_OF_RANGE => {
                    let FetchedPartition {
                        topic, partition, ..
                    } = &partition;
                    return Err(KafkaError::not_in_the_log(topic, *partition, offset));
                }
                code if code.remedy() == Remedy::Refresh => {
                    self.trouble(
                        Pause::Broker(node),
                        "fetching records",
                        &KafkaError::broker(what(), code),
                    );
                    self.leaders.remove(&i);
                    let backoff = self.backoff(Pause::Broker(node));
                    self.pause(Pause::Cluster, backoff);
                }
                code if code.remedy() == Remedy::Retry => {
                    self.trouble(
                        Pause::Broker(node),
                        "fetching records",
                        &KafkaError::broker(what(), code),
                    );
                    again = true;
                }
                code => return Err(KafkaError::broker(what(), code)),
            }
        }
        if again {
            let backoff = self.backoff(Pause::Broker(node));
            self.pause(Pause::Broker(node), backoff);
        }
        Ok(())
    }

    /// Hands what was fetched to the reader; false if its bytes are broken and are fetched anew.
    fn deliver(
        &mut self,
        split: usize,
        from: i64,
        partition: FetchedPartition,
    ) -> Result<bool, KafkaError> {
        let mut chunk = Chunk {
            split,
            reset: None,
            batches: VecDeque::new(),
            bytes: 0,
            next: from,
            end: if self.settings.read_committed {
                partition.last_stable_offset
            } else {
                partition.high_watermark
            },
        };
        let mut aborted = AbortedTransactions::new(partition.aborted);
        let mut bytes = partition.records;
        let broken = loop {
            match batch::decode(&mut bytes, self.settings.check_crcs, &self.buffers) {
                // Of the last batch the rest may be missing; of the first never.
                Ok(None) if chunk.next == from && !bytes.is_empty() => {
                    break Some("it is cut off".to_owned());
                }
                Ok(None) => break None,
                Ok(Some(batch)) if batch.last_offset < from => {}
                Ok(Some(batch)) => {
                    chunk.next = batch.last_offset.saturating_add(1);
                    let admitted = if self.settings.read_committed {
                        aborted.admits(&batch)
                    } else {
                        !batch.control
                    };
                    if admitted {
                        chunk.bytes += batch.records.len();
                        chunk.batches.push_back(batch);
                    }
                }
                // What came before it is good.
                Err(_) if chunk.next > from => break None,
                Err(what) => break Some(what),
            }
        };
        let mut state = self.shared.lock();
        let Some(fetching) = state.splits.get_mut(split) else {
            return Ok(true);
        };
        if let Some(what) = broken {
            fetching.broken += 1;
            if fetching.broken >= MAX_BROKEN {
                return Err(KafkaError::Corrupt {
                    topic: partition.topic,
                    partition: partition.partition,
                    offset: from,
                    what,
                });
            }
            return Ok(false);
        }
        fetching.broken = 0;
        fetching.offset = chunk.next;
        drop(state);
        self.shared.push(chunk);
        Ok(true)
    }
}

async fn fetch(
    kept: Option<Connection>,
    address: Option<(String, u16)>,
    node: i32,
    client: &Arc<ClientSettings>,
    request: &FetchRequest,
) -> (
    Option<Connection>,
    Result<Vec<FetchedPartition>, KafkaError>,
) {
    let opened = match (kept, address) {
        (Some(connection), _) => Ok(connection),
        (None, Some((host, port))) => Connection::open(client, &host, port).await,
        (None, None) => Err(KafkaError::Unreachable {
            broker: format!("broker {node}"),
            what: "the cluster does not know it at the moment".to_owned(),
        }),
    };
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(error) => return (None, Err(error)),
    };
    match connection.call(request).await {
        Ok((ErrorCode::NONE, partitions)) => (Some(connection), Ok(partitions)),
        Ok((code, _)) => {
            let error = KafkaError::broker("fetching records", code);
            (Some(connection), Err(error))
        }
        Err(error) => (None, Err(error)),
    }
}

/// Splits whose group does not have the offset that it shall have.
pub(super) fn uncommitted(shared: &Shared) -> Vec<(usize, String, i32, i64)> {
    let state = shared.lock();
    let splits = state.splits.iter().enumerate();
    splits
        .filter(|(_, split)| split.committed != split.to_commit)
        .filter_map(|(i, split)| Some((i, split.topic.clone(), split.partition, split.to_commit?)))
        .collect()
}

async fn commit(
    cluster: &mut Cluster,
    group: &str,
    offsets: Vec<(usize, String, i32, i64)>,
) -> Result<Vec<(usize, i64)>, KafkaError> {
    let committed = offsets
        .iter()
        .map(|(i, .., offset)| (*i, *offset))
        .collect();
    let offsets = offsets
        .into_iter()
        .map(|(_, topic, partition, offset)| (topic, partition, offset))
        .collect();
    cluster.commit(group, offsets).await?;
    Ok(committed)
}
