//! What is asked of the cluster as a whole: who leads what, offsets, topics, groups.
//!
//! Nothing here tries again by itself: [`Patience`] does until a time-out, and those that go on reading
//! and writing decide for themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::clock::SharedClock;

use super::connection::Connection;
use super::settings::ClientSettings;
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::Request;
use crate::kafka::protocol::configs::{ConfigResource, DescribeConfigsRequest};
use crate::kafka::protocol::error_code::ErrorCode;
use crate::kafka::protocol::group::{
    Coordinates, FindCoordinatorRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use crate::kafka::protocol::metadata::{Metadata, MetadataRequest};
use crate::kafka::protocol::offsets::ListOffsetsRequest;
use crate::kafka::protocol::topics::{CreatePartitionsRequest, CreateTopicsRequest, NewTopic};
use crate::net;

/// The brokers, and connections to those that were needed.
pub struct Cluster {
    settings: Arc<ClientSettings>,
    brokers: BTreeMap<i32, (String, u16)>,
    controller: i32,
    connections: BTreeMap<i32, Connection>,
    seed: Option<Connection>,
}

impl Cluster {
    /// A cluster that nothing has been asked of yet.
    pub fn new(settings: Arc<ClientSettings>) -> Self {
        Self {
            settings,
            brokers: BTreeMap::new(),
            controller: -1,
            connections: BTreeMap::new(),
            seed: None,
        }
    }

    /// How the brokers are reached.
    pub fn settings(&self) -> &Arc<ClientSettings> {
        &self.settings
    }

    /// A new connection to a broker.
    ///
    /// # Errors
    /// As [`Connection::open`]; where the broker is not known.
    pub async fn open(&self, node: i32) -> Result<Connection, KafkaError> {
        let Some((host, port)) = self.brokers.get(&node) else {
            return Err(KafkaError::Unreachable {
                broker: format!("broker {node}"),
                what: "the cluster does not know it at the moment".to_owned(),
            });
        };
        Connection::open(&self.settings, host, *port).await
    }

    /// Host and port of a broker.
    pub fn address(&self, node: i32) -> Option<(String, u16)> {
        self.brokers.get(&node).cloned()
    }

    /// Asks a broker, over a connection that is kept.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call<R: Request>(
        &mut self,
        node: i32,
        request: &R,
    ) -> Result<R::Response, KafkaError> {
        let mut connection = match self.connections.remove(&node) {
            Some(connection) => connection,
            None => self.open(node).await?,
        };
        let response = connection.call(request).await?;
        self.connections.insert(node, connection);
        Ok(response)
    }

    /// Asks any broker.
    async fn ask<R: Request>(&mut self, request: &R) -> Result<R::Response, KafkaError> {
        if let Some(mut seed) = self.seed.take()
            && let Ok(response) = seed.call(request).await
        {
            self.seed = Some(seed);
            return Ok(response);
        }
        // Those that were given first: they may have moved, the others may be gone for good.
        let mut addresses = self.settings.bootstrap.clone();
        for address in self.brokers.values() {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        let mut failure = None;
        for (host, port) in addresses {
            let asked = async {
                let mut seed = Connection::open(&self.settings, &host, port).await?;
                let response = seed.call(request).await?;
                Ok((seed, response))
            };
            match asked.await {
                Ok((seed, response)) => {
                    self.seed = Some(seed);
                    return Ok(response);
                }
                Err(error @ KafkaError::Unreachable { .. }) => {
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| KafkaError::setting("bootstrap.servers names no broker")))
    }

    /// Who leads the partitions of these topics, or of all.
    ///
    /// # Errors
    /// If no broker answers.
    pub async fn metadata(&mut self, topics: Option<Vec<String>>) -> Result<Metadata, KafkaError> {
        let metadata = self.ask(&MetadataRequest { topics }).await?;
        self.brokers = metadata
            .brokers
            .iter()
            .map(|broker| (broker.node, (broker.host.clone(), broker.port)))
            .collect();
        self.controller = metadata.controller;
        Ok(metadata)
    }

    /// Offsets by time: those of topic, partition, and the time or one of
    /// [`offsets::LATEST`](crate::kafka::protocol::offsets::LATEST) and
    /// [`offsets::EARLIEST`](crate::kafka::protocol::offsets::EARLIEST). -1 where no record is as young.
    ///
    /// # Errors
    /// If a leader does not answer, or with an error.
    pub async fn offsets(
        &mut self,
        read_committed: bool,
        wanted: &[(String, i32, i64)],
    ) -> Result<BTreeMap<(String, i32), i64>, KafkaError> {
        let mut topics: Vec<_> = wanted.iter().map(|(topic, ..)| topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        let metadata = self.metadata(Some(topics)).await?;
        let mut by_leader: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for asked in wanted {
            let (topic, partition, _) = asked;
            let leader = leader(&metadata, topic, *partition)?;
            by_leader.entry(leader).or_default().push(asked.clone());
        }
        let mut found = BTreeMap::new();
        for (leader, partitions) in by_leader {
            let request = ListOffsetsRequest {
                read_committed,
                partitions,
            };
            for (topic, partition, offset) in self.call(leader, &request).await? {
                let what = || format!("the offsets of {topic}, partition {partition}");
                let offset = offset.map_err(|code| KafkaError::broker(what(), code))?;
                found.insert((topic, partition), offset);
            }
        }
        for (topic, partition, _) in wanted {
            if !found.contains_key(&(topic.clone(), *partition)) {
                let what = format!("the offsets of {topic}, partition {partition}");
                return Err(KafkaError::broker(
                    what,
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                ));
            }
        }
        Ok(found)
    }

    /// Which broker keeps a group's offsets, or the transactions of an id.
    ///
    /// # Errors
    /// If no broker answers, or with an error.
    pub async fn coordinator(&mut self, of: Coordinates, key: &str) -> Result<i32, KafkaError> {
        let request = FindCoordinatorRequest {
            key: key.to_owned(),
            of,
        };
        let kept = match of {
            Coordinates::Group => "the group",
            Coordinates::Transactions => "the transactions of",
        };
        let (node, host, port) = self
            .ask(&request)
            .await?
            .map_err(|code| KafkaError::broker(format!("who keeps {kept} '{key}'"), code))?;
        self.brokers.insert(node, (host, port));
        Ok(node)
    }

    /// The offsets that a group has committed; -1 where it has none.
    ///
    /// # Errors
    /// If its coordinator does not answer, or with an error.
    pub async fn committed(
        &mut self,
        group: &str,
        partitions: &[(String, i32)],
    ) -> Result<BTreeMap<(String, i32), i64>, KafkaError> {
        let node = self.coordinator(Coordinates::Group, group).await?;
        let request = OffsetFetchRequest {
            group: group.to_owned(),
            partitions: partitions.to_vec(),
        };
        let offsets = self.call(node, &request).await?.map_err(|code| {
            KafkaError::broker(format!("the offsets of the group '{group}'"), code)
        })?;
        Ok(offsets
            .into_iter()
            .map(|(topic, partition, offset)| ((topic, partition), offset))
            .collect())
    }

    /// Sets the offsets of a group.
    ///
    /// # Errors
    /// As [`Cluster::committed`].
    pub async fn commit(
        &mut self,
        group: &str,
        offsets: Vec<(String, i32, i64)>,
    ) -> Result<(), KafkaError> {
        let node = self.coordinator(Coordinates::Group, group).await?;
        let request = OffsetCommitRequest {
            group: group.to_owned(),
            offsets,
        };
        self.call(node, &request).await?.map_err(|code| {
            KafkaError::broker(format!("setting the offsets of the group '{group}'"), code)
        })
    }

    /// Settings of a topic, or of some broker: those of these names that it has.
    ///
    /// # Errors
    /// If no broker answers, or with an error.
    pub async fn configs(
        &mut self,
        topic: Option<&str>,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, KafkaError> {
        self.metadata(Some(Vec::new())).await?;
        let node = self.controller;
        let request = DescribeConfigsRequest {
            resource: match topic {
                Some(topic) => ConfigResource::Topic(topic.to_owned()),
                None => ConfigResource::Broker(node),
            },
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let configs = self.call(node, &request).await?;
        configs.map_err(|(code, message)| KafkaError::Broker {
            what: match topic {
                Some(topic) => format!("the settings of the topic '{topic}'"),
                None => format!("the settings of broker {node}"),
            },
            code,
            message,
        })
    }

    /// The broker that leads a partition.
    ///
    /// # Errors
    /// If no broker answers, or nobody leads it at the moment.
    pub async fn leader(&mut self, topic: &str, partition: i32) -> Result<i32, KafkaError> {
        let metadata = self.metadata(Some(vec![topic.to_owned()])).await?;
        leader(&metadata, topic, partition)
    }

    fn api_millis(&self) -> i32 {
        i32::try_from(self.settings.request_timeout.as_millis()).unwrap_or(i32::MAX)
    }

    /// Makes topics; those that are there already are left as they are.
    ///
    /// # Errors
    /// If the controller does not answer, or refuses one.
    pub async fn create_topics(&mut self, topics: Vec<NewTopic>) -> Result<(), KafkaError> {
        self.metadata(Some(Vec::new())).await?;
        let request = CreateTopicsRequest {
            topics,
            timeout_millis: self.api_millis(),
        };
        let created = self.call(self.controller, &request).await?;
        for (topic, result) in created {
            match result {
                Ok(()) | Err((ErrorCode::TOPIC_ALREADY_EXISTS, _)) => {}
                Err((code, message)) => {
                    return Err(KafkaError::Broker {
                        what: format!("making the topic '{topic}'"),
                        code,
                        message,
                    });
                }
            }
        }
        Ok(())
    }

    /// Gives a topic more partitions.
    ///
    /// # Errors
    /// If the controller does not answer, or refuses.
    pub async fn create_partitions(&mut self, topic: &str, count: i32) -> Result<(), KafkaError> {
        self.metadata(Some(Vec::new())).await?;
        let request = CreatePartitionsRequest {
            topic: topic.to_owned(),
            count,
            timeout_millis: self.api_millis(),
        };
        for (topic, result) in self.call(self.controller, &request).await? {
            result.map_err(|(code, message)| KafkaError::Broker {
                what: format!("giving the topic '{topic}' {count} partitions"),
                code,
                message,
            })?;
        }
        Ok(())
    }
}

/// Tries again what fails in a way that may pass, for `default.api.timeout.ms`.
///
/// ```ignore
/// let mut patience = Patience::new(&settings, &clock, "looking for topics");
/// let topics = loop {
///     match ask().await {
///         Ok(topics) => break topics,
///         Err(error) => patience.wait(error).await?,
///     }
/// };
/// ```
pub struct Patience {
    settings: Arc<ClientSettings>,
    clock: SharedClock,
    what: &'static str,
    deadline: i64,
    attempts: u32,
}

impl Patience {
    /// Patience from now on.
    pub fn new(settings: &Arc<ClientSettings>, clock: &SharedClock, what: &'static str) -> Self {
        let micros = i64::try_from(settings.api_timeout.as_micros()).unwrap_or(i64::MAX);
        Self {
            settings: settings.clone(),
            clock: clock.clone(),
            what,
            deadline: clock.monotonic_micros().saturating_add(micros),
            attempts: 0,
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The failure itself, if it does not pass or patience has run out.
    pub async fn wait(&mut self, error: KafkaError) -> Result<(), KafkaError> {
        if !error.may_pass() || self.clock.monotonic_micros() >= self.deadline {
            return Err(error);
        }
        self.attempts += 1;
        if self.attempts.is_power_of_two() {
            tracing::warn!(
                times = self.attempts,
                "{}: {error}; trying again",
                self.what
            );
        }
        net::pause(self.settings.pause(self.attempts - 1)).await;
        Ok(())
    }
}

/// The broker that leads a partition.
fn leader(metadata: &Metadata, topic: &str, partition: i32) -> Result<i32, KafkaError> {
    let what = || format!("who leads {topic}, partition {partition}");
    let found = metadata.topics.iter().find(|found| found.name == topic);
    let Some(found) = found else {
        return Err(KafkaError::broker(
            what(),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ));
    };
    found
        .error
        .check()
        .map_err(|code| KafkaError::broker(what(), code))?;
    let found = found.partitions.iter().find(|p| p.index == partition);
    match found {
        Some(found) if found.leader >= 0 => Ok(found.leader),
        Some(_) => Err(KafkaError::broker(what(), ErrorCode(5))),
        None => Err(KafkaError::broker(
            what(),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        )),
    }
}
