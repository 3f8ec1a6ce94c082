//! Sends batches, on the I/O threads.
//!
//! A partition has one batch under way at most, so that records arrive in the order in which they
//! were written; a broker has one request under way. A batch that fails in a way that may pass is
//! sent again, unchanged and with the same number, so that a broker which has it already says so
//! instead of writing it twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rheos_core::clock::SharedClock;

use super::builder::ProduceSettings;
use super::outbox::{Outbox, Place};
use crate::kafka::batch::{self, Buffers, RecordCursor};
use crate::kafka::client::{Cluster, Connection};
use crate::kafka::error::KafkaError;
use crate::kafka::protocol::error_code::{ErrorCode, Remedy};
use crate::kafka::protocol::metadata::Metadata;
use crate::kafka::protocol::produce::{InitProducerIdRequest, ProduceRequest, Produced};
use crate::net;

/// A batch on its way.
struct Parcel {
    place: Place,
    bytes: Vec<u8>,
    records: i32,
    /// What it counts in the outbox.
    size: usize,
    since: i64,
    /// Whether it carries the number that it will be known by.
    stamped: bool,
}

enum Done {
    Sent(
        i32,
        Option<Connection>,
        Vec<Parcel>,
        Result<Vec<Produced>, KafkaError>,
    ),
    Metadata(Box<Cluster>, Result<Metadata, KafkaError>),
    Identity(Box<Cluster>, Result<(i64, i16), KafkaError>),
    Paused,
    Lingered,
}

type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

/// See the module.
pub(super) struct Sender {
    outbox: Arc<Outbox>,
    settings: Arc<ProduceSettings>,
    clock: SharedClock,
    /// None while it is at work.
    cluster: Option<Box<Cluster>>,
    leaders: BTreeMap<Place, i32>,
    addresses: BTreeMap<i32, (String, u16)>,
    connections: BTreeMap<i32, Connection>,
    busy: BTreeSet<i32>,
    queues: BTreeMap<Place, VecDeque<Parcel>>,
    /// Partitions with a batch under way.
    under_way: BTreeSet<Place>,
    identity: Option<(i64, i16)>,
    /// By partition the number of the next record.
    sequences: BTreeMap<Place, i32>,
    paused: bool,
    lingering: bool,
    failures: u32,
    running: FuturesUnordered<Running>,
}

impl Sender {
    pub fn new(outbox: Arc<Outbox>, settings: Arc<ProduceSettings>, clock: SharedClock) -> Self {
        let cluster = Cluster::new(settings.client.clone());
        Self {
            outbox,
            settings,
            clock,
            cluster: Some(Box::new(cluster)),
            leaders: BTreeMap::new(),
            addresses: BTreeMap::new(),
            connections: BTreeMap::new(),
            busy: BTreeSet::new(),
            queues: BTreeMap::new(),
            under_way: BTreeSet::new(),
            identity: None,
            sequences: BTreeMap::new(),
            paused: false,
            lingering: false,
            failures: 0,
            running: FuturesUnordered::new(),
        }
    }

    /// Goes on until the writer closes or a batch can't be delivered.
    pub async fn run(mut self) {
        while !self.outbox.lock().closed {
            let started = self.take_full().and_then(|()| self.start());
            if let Err(failure) = started {
                self.outbox.fail(failure);
                return;
            }
            let outbox = self.outbox.clone();
            let done = tokio::select! {
                done = self.running.next(), if !self.running.is_empty() => done,
                () = outbox.filled.notified() => None,
            };
            if let Some(done) = done
                && let Err(failure) = self.take(done)
            {
                self.outbox.fail(failure);
                return;
            }
        }
    }

    /// Takes the batches that are full or have waited long enough.
    fn take_full(&mut self) -> Result<(), KafkaError> {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let linger = self.settings.linger;
        let mut state = self.outbox.lock();
        state.close_until(self.clock.monotonic_micros().saturating_sub(micros(linger)));
        let full = std::mem::take(&mut state.waiting);
        let lingers = !state.filling.is_empty();
        drop(state);
        if lingers && !self.lingering {
            self.lingering = true;
            self.running.push(Box::pin(async move {
                net::pause(linger.max(Duration::from_millis(1))).await;
                Done::Lingered
            }));
        }
        for mut full in full {
            let (size, records) = (full.batch.len(), full.batch.count());
            let bytes = full
                .batch
                .finish(self.settings.compression)
                .map_err(|error| KafkaError::setting(format!("compressing records: {error}")))?;
            let parcel = Parcel {
                place: full.place.clone(),
                bytes,
                records,
                size,
                since: full.since,
                stamped: false,
            };
            self.queues.entry(full.place).or_default().push_back(parcel);
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), KafkaError> {
        self.expire()?;
        self.queues.retain(|_, queue| !queue.is_empty());
        if self.queues.is_empty() {
            return Ok(());
        }
        if !self.paused {
            self.start_cluster();
        }
        if self.settings.idempotent && self.identity.is_none() {
            return Ok(());
        }
        let mut by_node: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
        for place in self.queues.keys() {
            if let Some(node) = self.leaders.get(place)
                && !self.busy.contains(node)
                && !self.under_way.contains(place)
            {
                by_node.entry(*node).or_default().push(place.clone());
            }
        }
        if !self.paused {
            for (node, places) in by_node {
                self.send(node, places);
            }
        }
        Ok(())
    }

    /// Gives up on batches whose time has run out.
    fn expire(&self) -> Result<(), KafkaError> {
        let timeout = self.settings.delivery_timeout;
        let oldest = self
            .clock
            .monotonic_micros()
            .saturating_sub(i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX));
        match self
            .queues
            .values()
            .filter_map(VecDeque::front)
            .find(|parcel| parcel.since < oldest)
        {
            Some(parcel) => {
                let millis = timeout.as_millis();
                let what = format!("no acknowledgement within delivery.timeout.ms ({millis} ms)");
                Err(undelivered(parcel, 0, what))
            }
            None => Ok(()),
        }
    }

    fn start_cluster(&mut self) {
        let unknown: BTreeSet<_> = self
            .queues
            .keys()
            .filter(|place| !self.leaders.contains_key(*place))
            .map(|(topic, _)| topic.to_string())
            .collect();
        let needs_identity = self.settings.idempotent && self.identity.is_none();
        if unknown.is_empty() && !needs_identity {
            return;
        }
        let Some(mut cluster) = self.cluster.take() else {
            return;
        };
        if !unknown.is_empty() {
            self.running.push(Box::pin(async move {
                let metadata = cluster.metadata(Some(unknown.into_iter().collect())).await;
                Done::Metadata(cluster, metadata)
            }));
            return;
        }
        let node = self.leaders.values().next().copied().unwrap_or(-1);
        self.running.push(Box::pin(async move {
            let identity = match cluster.call(node, &InitProducerIdRequest::default()).await {
                Ok(answer) => {
                    answer.map_err(|code| KafkaError::broker("an identity to write under", code))
                }
                Err(error) => Err(error),
            };
            Done::Identity(cluster, identity)
        }));
    }

    fn send(&mut self, node: i32, places: Vec<Place>) {
        let mut parcels = Vec::new();
        let mut bytes = 0;
        for place in places {
            let Some(queue) = self.queues.get_mut(&place) else {
                continue;
            };
            let Some(front) = queue.front() else { continue };
            if !parcels.is_empty() && bytes + front.bytes.len() > self.settings.max_request {
                continue;
            }
            let Some(mut parcel) = queue.pop_front() else {
                continue;
            };
            if let (Some((id, epoch)), false) = (self.identity, parcel.stamped) {
                let next = self.sequences.entry(place.clone()).or_insert(0);
                batch::stamp(&mut parcel.bytes, id, epoch, *next);
                // Numbers begin anew behind the greatest.
                *next = next.wrapping_add(parcel.records) & i32::MAX;
                parcel.stamped = true;
            }
            bytes += parcel.bytes.len();
            self.under_way.insert(place);
            parcels.push(parcel);
        }
        if parcels.is_empty() {
            return;
        }
        self.busy.insert(node);
        let kept = self.connections.remove(&node);
        let address = self.addresses.get(&node).cloned();
        let settings = self.settings.clone();
        self.running.push(Box::pin(async move {
            let (connection, answer) = produce(kept, address, node, &settings, &parcels).await;
            Done::Sent(node, connection, parcels, answer)
        }));
    }

    fn trouble(&mut self, error: &KafkaError) {
        self.failures += 1;
        if self.failures.is_power_of_two() {
            tracing::warn!(
                times = self.failures,
                "writing records: {error}; trying again"
            );
        }
        if !self.paused {
            self.paused = true;
            let pause = self.settings.client.pause(self.failures);
            self.running.push(Box::pin(async move {
                net::pause(pause).await;
                Done::Paused
            }));
        }
    }

    fn take(&mut self, done: Done) -> Result<(), KafkaError> {
        match done {
            Done::Paused => self.paused = false,
            Done::Lingered => self.lingering = false,
            Done::Metadata(cluster, metadata) => {
                self.cluster = Some(cluster);
                match metadata {
                    Ok(metadata) => self.learn(&metadata),
                    Err(error) if error.may_pass() => self.trouble(&error),
                    Err(error) => return Err(error),
                }
            }
            Done::Identity(cluster, identity) => {
                self.cluster = Some(cluster);
                match identity {
                    Ok(identity) => self.identity = Some(identity),
                    Err(error) if error.may_pass() => {
                        self.leaders.clear();
                        self.trouble(&error);
                    }
                    Err(error) => return Err(error),
                }
            }
            Done::Sent(node, connection, parcels, answer) => {
                self.busy.remove(&node);
                if let Some(connection) = connection {
                    self.connections.insert(node, connection);
                }
                match answer {
                    Ok(produced) => return self.sent(parcels, &produced),
                    Err(error) if error.may_pass() => {
                        self.trouble(&error);
                        for parcel in parcels {
                            self.leaders.remove(&parcel.place);
                            self.put_back(parcel);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn put_back(&mut self, parcel: Parcel) {
        self.under_way.remove(&parcel.place);
        let place = parcel.place.clone();
        self.queues.entry(place).or_default().push_front(parcel);
    }

    fn learn(&mut self, metadata: &Metadata) {
        self.addresses = metadata
            .brokers
            .iter()
            .map(|broker| (broker.node, (broker.host.clone(), broker.port)))
            .collect();
        let mut missing = None;
        let mut counts = BTreeMap::new();
        for topic in &metadata.topics {
            let name: Arc<str> = topic.name.as_str().into();
            if topic.error != ErrorCode::NONE {
                let what = format!("who leads the partitions of {name}");
                missing = Some(KafkaError::broker(what, topic.error));
                continue;
            }
            counts.insert(
                name.clone(),
                i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            );
            for partition in topic.partitions.iter().filter(|p| p.leader >= 0) {
                self.leaders
                    .insert((name.clone(), partition.index), partition.leader);
            }
        }
        self.outbox.lock().partitions.append(&mut counts);
        let leaderless = self.queues.keys().find(|p| !self.leaders.contains_key(*p));
        if let Some((topic, partition)) = leaderless {
            let what = format!("who leads {topic}, partition {partition}");
            let error = missing.unwrap_or_else(|| KafkaError::broker(what, ErrorCode(5)));
            self.trouble(&error);
        }
    }

    fn sent(&mut self, parcels: Vec<Parcel>, produced: &[Produced]) -> Result<(), KafkaError> {
        for parcel in parcels {
            let (topic, partition) = &parcel.place;
            let answer = produced
                .iter()
                .find(|answer| *answer.topic == **topic && answer.partition == *partition);
            let code = answer.map_or(ErrorCode(-1), |answer| answer.error);
            match code {
                ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => {
                    self.failures = 0;
                    self.under_way.remove(&parcel.place);
                    self.outbox.done(parcel.size);
                }
                // The broker has lost track of us: under a new identity it begins anew. What was
                // written and not acknowledged may be there twice then.
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                | ErrorCode::UNKNOWN_PRODUCER_ID
                | ErrorCode::INVALID_PRODUCER_EPOCH => {
                    let what = format!("writing to {topic}, partition {partition}");
                    self.trouble(&KafkaError::broker(what, code));
                    self.identity = None;
                    self.sequences.clear();
                    self.put_back(parcel);
                    for parcel in self.queues.values_mut().flatten() {
                        parcel.stamped = false;
                    }
                }
                code if code.remedy() != Remedy::GiveUp => {
                    let what = format!("writing to {topic}, partition {partition}");
                    self.trouble(&KafkaError::broker(what, code));
                    if code.remedy() == Remedy::Refresh {
                        self.leaders.remove(&parcel.place);
                    }
                    self.put_back(parcel);
                }
                code => {
                    let words = answer.and_then(|answer| answer.message.as_deref());
                    let first = answer.and_then(|answer| answer.record_errors.first());
                    let of_record = first.and_then(|(_, words)| words.as_deref());
                    let what = match words.or(of_record) {
                        Some(words) => format!("{code}, {words}"),
                        None => code.to_string(),
                    };
                    let index = first.map_or(0, |(index, _)| *index);
                    return Err(undelivered(&parcel, index, what));
                }
            }
        }
        Ok(())
    }
}

async fn produce(
    kept: Option<Connection>,
    address: Option<(String, u16)>,
    node: i32,
    settings: &ProduceSettings,
    parcels: &[Parcel],
) -> (Option<Connection>, Result<Vec<Produced>, KafkaError>) {
    let opened = match (kept, address) {
        (Some(connection), _) => Ok(connection),
        (None, Some((host, port))) => Connection::open(&settings.client, &host, port).await,
        (None, None) => Err(KafkaError::Unreachable {
            broker: format!("broker {node}"),
            what: "the cluster does not know it at the moment".to_owned(),
        }),
    };
    let mut connection = match opened {
        Ok(connection) => connection,
        Err(error) => return (None, Err(error)),
    };
    let timeout = settings.client.request_timeout.as_millis();
    let request = ProduceRequest {
        transactional_id: None,
        acks: settings.acks,
        timeout_millis: i32::try_from(timeout).unwrap_or(i32::MAX),
        batches: parcels
            .iter()
            .map(|parcel| {
                let (topic, partition) = &parcel.place;
                (&**topic, *partition, [parcel.bytes.as_slice(), &[]])
            })
            .collect(),
    };
    match connection.call(&request).await {
        Ok(produced) => (Some(connection), Ok(produced)),
        Err(error) => (None, Err(error)),
    }
}

/// That a record of a batch was not delivered, with the record.
fn undelivered(parcel: &Parcel, index: i32, what: String) -> KafkaError {
    let (topic, partition) = &parcel.place;
    KafkaError::Undelivered {
        topic: topic.to_string(),
        partition: *partition,
        what,
        record: show(&parcel.bytes, index).unwrap_or_else(|| "it can't be shown".to_owned()),
    }
}

/// Key and value of a record of a batch.
fn show(batch: &[u8], index: i32) -> Option<String> {
    fn text(bytes: Option<&[u8]>) -> String {
        const LONGEST: usize = 200;
        match bytes {
            None => "none".to_owned(),
            Some(bytes) => {
                let shown = bytes.get(..LONGEST).unwrap_or(bytes);
                let rest = bytes.len() - shown.len();
                let more = if rest > 0 {
                    format!("… ({rest} bytes more)")
                } else {
                    String::new()
                };
                format!("{:?}{more}", String::from_utf8_lossy(shown))
            }
        }
    }
    let decoded = batch::decode(
        &mut Bytes::copy_from_slice(batch),
        false,
        &Buffers::default(),
    )
    .ok()??;
    let mut cursor = RecordCursor::new(decoded);
    for _ in 0..index {
        cursor.record().ok()??;
        cursor.advance();
    }
    let record = cursor.record().ok()??;
    Some(format!(
        "key {}, value {}",
        text(record.key),
        text(record.value)
    ))
}
