//! Finds partitions, and says which subtask reads them.
//!
//! A partition is given to one subtask, by its topic and number, and stays with it. Partitions that
//! are found while the job runs are read from their first record on, whatever the source began with:
//! they did not exist when it began.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use regex_lite::Regex;
use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::row::{Reader, Writer};
use rheos_core::time::Millis;
use rheos_runtime::error::BoxError;
use rheos_runtime::source::reader::{Assignment, SplitEnumerator};

use super::builder::FetchSettings;
use super::offsets::{Offsets, PartitionOffsets};
use super::split::KafkaSplit;
use super::stops::Stops;
use crate::kafka::client::{Cluster, Patience};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::ErrorCode;
use crate::kafka::protocol::metadata::Topic;

/// Which topics are read.
#[derive(Debug, Clone)]
pub(super) enum Subscription {
    /// These.
    Topics(Vec<String>),
    /// Those whose whole name it matches.
    Pattern(String),
}

/// What finding partitions needs; goes to the I/O thread and comes back.
struct Finder {
    cluster: Cluster,
    clock: SharedClock,
    subscription: Subscription,
    pattern: Option<Regex>,
    start: Offsets,
    stop: Option<Stops>,
    read_committed: bool,
    group: Option<String>,
    reset: Option<i64>,
    found: BTreeSet<(String, i32)>,
}

/// How often to look whether a search has ended, in milliseconds.
const LOOK_MILLIS: Millis = 20;

/// A search that has ended, with what it needs for the next.
type Found = (Box<Finder>, Result<Vec<KafkaSplit>, KafkaError>);

/// The enumerator of a [`super::KafkaSource`].
///
/// Brokers are asked on a thread of its own: nobody who calls it waits for them.
pub(super) struct KafkaEnumerator {
    /// None while it searches.
    finder: Option<Box<Finder>>,
    search: Option<Receiver<Found>>,
    runtime: Option<tokio::runtime::Runtime>,
    interval: Option<Duration>,
    bounded: bool,
    /// Whether the partitions that there were at the start have been found.
    begun: bool,
    /// The partitions that were given out or are pending.
    known: BTreeSet<(String, i32)>,
    /// By subtask.
    pending: Vec<VecDeque<KafkaSplit>>,
}

/// What a checkpoint keeps of it.
#[derive(Row, Clone)]
struct Remembered {
    found: Vec<(String, i32)>,
    pending: Vec<KafkaSplit>,
}

impl KafkaEnumerator {
    pub fn new(
        subscription: Subscription,
        (start, stop): (Offsets, Option<Stops>),
        settings: &FetchSettings,
        group: Option<String>,
        interval: Option<Duration>,
        parallelism: u32,
        clock: SharedClock,
    ) -> Result<Self, BoxError> {
        let pattern = match &subscription {
            Subscription::Topics(topics) if topics.is_empty() => {
                return Err(KafkaError::setting("a Kafka source needs topics").into());
            }
            Subscription::Topics(_) => None,
            Subscription::Pattern(pattern) => {
                Some(Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
                    KafkaError::setting(format!("the topic pattern '{pattern}': {error}"))
                })?)
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("kafka-discovery")
            .enable_all()
            .build()
            .map_err(|error| {
                KafkaError::setting(format!("no thread for finding partitions: {error}"))
            })?;
        let bounded = stop.is_some();
        let finder = Finder {
            cluster: Cluster::new(settings.client.clone()),
            clock,
            subscription,
            pattern,
            start,
            stop,
            read_committed: settings.read_committed,
            group,
            reset: settings.reset,
            found: BTreeSet::new(),
        };
        Ok(Self {
            finder: Some(Box::new(finder)),
            search: None,
            runtime: Some(runtime),
            interval,
            bounded,
            begun: false,
            known: BTreeSet::new(),
            pending: (0..parallelism).map(|_| VecDeque::new()).collect(),
        })
    }

    /// Begins to search, unless it does already.
    fn search(&mut self) {
        let (Some(mut finder), Some(runtime)) = (self.finder.take(), &self.runtime) else {
            return;
        };
        let (sender, receiver) = sync_channel(1);
        let first = !self.begun;
        self.search = Some(receiver);
        runtime.spawn(async move {
            let splits = finder.find(first).await;
            // Nobody listens if the enumerator is gone or was restored.
            let _ = sender.send((finder, splits));
        });
    }

    /// Takes what a search has found, if it has ended.
    fn take_found(&mut self) -> Result<(), KafkaError> {
        let Some(search) = &self.search else {
            return Ok(());
        };
        match search.try_recv() {
            Err(TryRecvError::Empty) => Ok(()),
            Err(TryRecvError::Disconnected) => {
                self.search = None;
                Err(KafkaError::setting("finding partitions ended early"))
            }
            Ok((finder, splits)) => {
                self.search = None;
                self.finder = Some(finder);
                match splits {
                    Ok(splits) => {
                        self.begun = true;
                        splits.into_iter().for_each(|split| self.give(split));
                    }
                    Err(error) if !self.begun => return Err(error),
                    // What is read goes on; what is new is found the next time.
                    Err(error) => tracing::warn!("looking for new partitions: {error}"),
                }
                Ok(())
            }
        }
    }

    /// As Flink's: partitions of a topic one after the other, from where its name says.
    fn give(&mut self, split: KafkaSplit) {
        let subtasks = self.pending.len().max(1);
        let first = split.topic.bytes().fold(0usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        let partition = usize::try_from(split.partition).unwrap_or_default();
        let owner = (first % subtasks + partition) % subtasks;
        self.known
            .insert((split.topic.to_string(), split.partition));
        if let Some(pending) = self.pending.get_mut(owner) {
            pending.push_back(split);
        }
    }
}

impl Drop for KafkaEnumerator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Finder {
    async fn find(&mut self, first: bool) -> Result<Vec<KafkaSplit>, KafkaError> {
        let settings = self.cluster.settings().clone();
        let mut patience = Patience::new(&settings, &self.clock, "looking for topics");
        let all = loop {
            match self.partitions().await {
                Ok(all) => break all,
                Err(error) if first => patience.wait(error).await?,
                Err(error) => return Err(error),
            }
        };
        let new: Vec<_> = all
            .into_iter()
            .filter(|partition| !self.found.contains(partition))
            .collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let start = if first {
            self.start.clone()
        } else {
            Offsets::Earliest
        };
        let mut patience = Patience::new(&settings, &self.clock, "looking for offsets");
        let (starts, stops) = loop {
            match self.offsets(&start, &new).await {
                Ok(offsets) => break offsets,
                Err(error) => patience.wait(error).await?,
            }
        };
        let mut splits = Vec::with_capacity(new.len());
        for partition in new {
            let Some(offset) = starts.get(&partition).copied() else {
                continue;
            };
            let (topic, index) = &partition;
            tracing::info!(
                "{topic}, partition {index}: {} from offset {offset}",
                if !first {
                    "found while running, read"
                } else {
                    "read"
                }
            );
            splits.push(KafkaSplit {
                topic: topic.as_str().into(),
                partition: *index,
                offset,
                stop: stops
                    .as_ref()
                    .and_then(|stops| stops.get(&partition))
                    .copied(),
            });
            self.found.insert(partition);
        }
        Ok(splits)
    }

    /// All partitions that are subscribed to, in order.
    async fn partitions(&mut self) -> Result<Vec<(String, i32)>, KafkaError> {
        let asked = match &self.subscription {
            Subscription::Topics(topics) => Some(topics.clone()),
            Subscription::Pattern(_) => None,
        };
        let metadata = self.cluster.metadata(asked).await?;
        let pattern = self.pattern.as_ref();
        let wanted = |topic: &&Topic| match pattern {
            Some(pattern) => !topic.is_internal && pattern.is_match(&topic.name),
            None => true,
        };
        let mut partitions = Vec::new();
        for topic in metadata.topics.iter().filter(wanted) {
            // A topic that is being deleted is no topic of a pattern any more.
            match topic.error {
                ErrorCode::NONE => {}
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if pattern.is_some() => continue,
                code => {
                    return Err(KafkaError::Broker {
                        what: format!("the partitions of the topic '{}'", topic.name),
                        code,
                        message: (code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                            .then(|| "make the topic, or mend its name".to_owned()),
                    });
                }
            }
            let all = topic
                .partitions
                .iter()
                .map(|p| (topic.name.clone(), p.index));
            partitions.extend(all);
        }
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// Where partitions begin and, if the source ends, where they end.
    async fn offsets(
        &mut self,
        start: &Offsets,
        partitions: &[(String, i32)],
    ) -> Result<(PartitionOffsets, Option<PartitionOffsets>), KafkaError> {
        let (read_committed, reset) = (self.read_committed, self.reset);
        let (cluster, group) = (&mut self.cluster, self.group.as_deref());
        let starts = start
            .resolve(cluster, read_committed, group, reset, partitions)
            .await?;
        let stops = match &self.stop {
            Some(stop) => Some(
                stop.resolve(cluster, read_committed, group, reset, partitions)
                    .await?,
            ),
            None => None,
        };
        Ok((starts, stops))
    }
}

impl SplitEnumerator<KafkaSplit> for KafkaEnumerator {
    fn request(&mut self, subtask: u32) -> Result<Assignment<KafkaSplit>, BoxError> {
        if !self.begun {
            self.search();
            return Ok(Assignment::Later);
        }
        let subtask = usize::try_from(subtask).unwrap_or(usize::MAX);
        let pending = self.pending.get_mut(subtask).map(std::mem::take);
        Ok(match pending {
            Some(splits) if !splits.is_empty() => Assignment::Splits(splits.into()),
            _ if self.bounded => Assignment::NoMore,
            _ => Assignment::Later,
        })
    }

    fn discover(&mut self) -> Result<(), BoxError> {
        let searching = self.search.is_some();
        self.take_found()?;
        if !searching {
            self.search();
        }
        Ok(())
    }

    fn discovery_interval_millis(&self) -> Option<Millis> {
        if self.search.is_some() || !self.begun {
            return Some(LOOK_MILLIS);
        }
        self.interval
            .map(|interval| Millis::try_from(interval.as_millis()).unwrap_or(Millis::MAX))
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        let remembered = self.begun.then(|| Remembered {
            found: self.known.iter().cloned().collect(),
            pending: self.pending.iter().flatten().cloned().collect(),
        });
        let mut out = Writer::new();
        remembered.encode(&mut out);
        Some(out.into_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), BoxError> {
        let remembered = Option::<Remembered>::decode(&mut Reader::new(snapshot))?;
        let Some(remembered) = remembered else {
            return Ok(());
        };
        self.begun = true;
        self.known = remembered.found.into_iter().collect();
        if let Some(finder) = &mut self.finder {
            finder.found.clone_from(&self.known);
        }
        for pending in &mut self.pending {
            pending.clear();
        }
        for split in remembered.pending {
            self.give(split);
        }
        Ok(())
    }
}
