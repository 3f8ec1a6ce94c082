//! Sends messages back where they came from, each once.
//!
//! Life: the transactional id is taken, which ends what an earlier program left open and shuts it out
//! → the ledger is read → portions of letters, each sent in one transaction with its records of the
//! ledger. Ended at any moment, it goes on where it was when it is started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rheos::core::clock::SharedClock;
use rheos::runtime::BoxError;
use rheos_connectors::kafka::KafkaError;
use rheos_connectors::kafka::batch::{BatchBuilder, Compression};
use rheos_connectors::kafka::client::{ClientSettings, Cluster, Outgoing, Patience, Transactions};

use super::filter::Filter;
use super::ledger::Ledger;
use super::letter::{Letter, REPLAYED_FROM};
use super::origin::Letters;
use super::servers::Servers;

/// The header that says when a message was sent back.
const REPLAYED_AT: &str = "rheos-replayed-at";
/// Bytes of records from which on a batch is closed: below the least that brokers take by default.
const BATCH: usize = 512 * 1024;
/// Bytes of a request.
const REQUEST: usize = 1_000_000;
/// How long the brokers let a portion take.
const TRANSACTION: Duration = Duration::from_secs(60);

/// How messages are sent back.
#[derive(Debug, Clone, Args)]
pub(super) struct Options {
    /// Counts what would be sent, and sends nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Sends without asking.
    #[arg(long, short)]
    pub yes: bool,
    /// Sends to this topic instead of where each message came from; its keys choose the partitions.
    #[arg(long, value_name = "TOPIC")]
    pub to: Option<String>,
    /// Also sends what had been sent back before and came as a dead letter again.
    #[arg(long)]
    pub again: bool,
    /// The compacted topic, in the same cluster, that remembers what has been sent back.
    #[arg(long, value_name = "TOPIC", default_value = "rheos-replayed")]
    pub ledger: String,
    /// Messages of a transaction at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub portion: u32,
}

/// What became of the letters.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Letters that there are.
    pub read: u64,
    /// Not meant by the filter.
    pub other: u64,
    /// Sent back by an earlier run.
    pub before: u64,
    /// Sent back once and bad again.
    pub again: u64,
    /// Sent now, or to be sent.
    pub sent: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} letters: {} not meant, {} sent back before, {} bad again after they were sent back",
            self.read, self.other, self.before, self.again
        )
    }
}

/// Sends messages back, or counts those that would be.
pub(super) struct Replay<'a> {
    filter: &'a Filter,
    options: &'a Options,
    clock: SharedClock,
    ledger: Ledger,
    sender: Option<Transactions>,
    /// Partitions by topic, of those that were asked about.
    partitions: BTreeMap<String, i32>,
    counts: Counts,
}

impl<'a> Replay<'a> {
    pub async fn open(
        servers: &Servers,
        filter: &'a Filter,
        options: &'a Options,
        clock: SharedClock,
    ) -> Result<Self, BoxError> {
        let settings = servers.kafka()?;
        let mut counting = Cluster::new(settings.clone());
        // Who sends takes the id before it reads: what another program sends is in the ledger then.
        let sender = if options.dry_run {
            None
        } else {
            let id = format!("{}-sender", options.ledger);
            Some(take(&settings, &id, &clock).await?)
        };
        let mut patience = Patience::new(&settings, &clock, "reading what was sent back");
        let ledger = loop {
            match Ledger::open(&mut counting, &options.ledger, !options.dry_run).await {
                Ok(ledger) => break ledger,
                Err(error) => patience.wait(error).await?,
            }
        };
        Ok(Self {
            filter,
            options,
            clock,
            ledger,
            sender,
            partitions: BTreeMap::new(),
            counts: Counts::default(),
        })
    }

    /// Goes through the letters; what became of them, also where it ends early.
    pub async fn run(&mut self, letters: &mut Letters) -> (Counts, Result<(), BoxError>) {
        let result = self.all(letters).await;
        (self.counts, result)
    }

    async fn all(&mut self, letters: &mut Letters) -> Result<(), BoxError> {
        let portion = usize::try_from(self.options.portion)?;
        let mut waiting: Vec<Letter> = Vec::new();
        let mut named: std::collections::HashSet<String> = std::collections::HashSet::new();
        while let Some(read) = letters.next().await? {
            for letter in read {
                if !self.is_due(&letter) || !named.insert(letter.id()) {
                    continue;
                }
                waiting.push(letter);
                if waiting.len() == portion {
                    self.send(&waiting).await?;
                    waiting.clear();
                    named.clear();
                }
            }
        }
        self.send(&waiting).await
    }

    /// Whether a letter is to be sent; counts it if not.
    fn is_due(&mut self, letter: &Letter) -> bool {
        let counts = &mut self.counts;
        counts.read += 1;
        if !self.filter.admits(letter) {
            counts.other += 1;
        } else if self.ledger.has(&letter.id()) {
            counts.before += 1;
        } else if letter.was_replayed() && !self.options.again {
            counts.again += 1;
        } else {
            return true;
        }
        false
    }

    /// Sends a portion in one transaction.
    async fn send(&mut self, letters: &[Letter]) -> Result<(), BoxError> {
        let left = self.filter.limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit.saturating_sub(self.counts.sent)).unwrap_or(usize::MAX)
        });
        let letters = letters.get(..left.min(letters.len())).unwrap_or_default();
        let count = letters.len() as u64;
        if letters.is_empty() {
            return Ok(());
        }
        let Some(sender) = &mut self.sender else {
            self.counts.sent += count;
            for letter in letters {
                self.ledger.note(letter.id());
            }
            return Ok(());
        };
        let now = self.clock.wall_millis();
        let mut places: BTreeMap<(String, i32), Batches> = BTreeMap::new();
        for letter in letters {
            let place = match &self.options.to {
                None => (letter.topic.clone(), letter.partition),
                Some(topic) => {
                    let count = partitions_of(sender.cluster(), topic, &mut self.partitions);
                    (topic.clone(), of_key(letter, count.await?))
                }
            };
            let mut headers = letter.headers.clone();
            headers.retain(|(name, _)| name != REPLAYED_FROM && name != REPLAYED_AT);
            headers.push((REPLAYED_FROM.to_owned(), letter.id().into_bytes()));
            headers.push((REPLAYED_AT.to_owned(), now.to_string().into_bytes()));
            let (key, value) = (letter.key.as_deref(), letter.value.as_deref());
            let time = letter.timestamp.unwrap_or(now);
            places
                .entry(place)
                .or_default()
                .push(time, key, value, &headers)?;
            let noted = places.entry((self.ledger.topic.clone(), 0)).or_default();
            noted.push(now, Some(letter.id().as_bytes()), Some(b"sent"), &[])?;
        }
        let told = |error: KafkaError| -> BoxError {
            format!(
                "{error}; nothing of this portion has been sent unless its end was reached: \
                 start it again, it goes on where it was"
            )
            .into()
        };
        sender
            .add(places.keys().cloned().collect())
            .await
            .map_err(|error| missing(error, letters))?;
        let mut finished = Vec::new();
        for ((topic, partition), batches) in places {
            for (records, bytes) in batches.finish()? {
                finished.push((topic.clone(), partition, records, bytes));
            }
        }
        let outgoing: Vec<Outgoing<'_>> = finished
            .iter()
            .map(|(topic, partition, records, bytes)| Outgoing {
                topic,
                partition: *partition,
                records: *records,
                bytes,
            })
            .collect();
        sender.produce(&outgoing, REQUEST).await.map_err(told)?;
        sender.commit().await.map_err(told)?;
        self.counts.sent += count;
        for letter in letters {
            self.ledger.note(letter.id());
        }
        eprintln!("sent {}", self.counts.sent);
        Ok(())
    }
}

/// Becomes the only user of a transactional id.
async fn take(
    settings: &Arc<ClientSettings>,
    id: &str,
    clock: &SharedClock,
) -> Result<Transactions, KafkaError> {
    let mut patience = Patience::new(settings, clock, "taking the transactional id");
    loop {
        match Transactions::open(settings, id, TRANSACTION).await {
            Ok(opened) => return Ok(opened),
            Err(error) => patience.wait(error).await?,
        }
    }
}

/// The batches of one partition.
#[derive(Default)]
struct Batches {
    open: BatchBuilder,
    done: Vec<(i32, Vec<u8>)>,
}

impl Batches {
    fn push(
        &mut self,
        time: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(String, Vec<u8>)],
    ) -> Result<(), BoxError> {
        self.open.push(time, key, value, headers);
        if self.open.len() >= BATCH {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), BoxError> {
        let records = self.open.count();
        self.done
            .push((records, self.open.finish(Compression::None)?));
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<(i32, Vec<u8>)>, BoxError> {
        if !self.open.is_empty() {
            self.close()?;
        }
        Ok(self.done)
    }
}

/// What to do where a topic or partition is not there.
fn missing(error: KafkaError, letters: &[Letter]) -> BoxError {
    let example = letters.first().map(Letter::id).unwrap_or_default();
    format!(
        "{error}; nothing of this portion has been sent. Letters of files, and of topics that are gone \
         or have fewer partitions now, go to the topic that --to names; the first here is {example}"
    )
    .into()
}

async fn partitions_of(
    cluster: &mut Cluster,
    topic: &str,
    known: &mut BTreeMap<String, i32>,
) -> Result<i32, BoxError> {
    if let Some(count) = known.get(topic) {
        return Ok(*count);
    }
    let metadata = cluster.metadata(Some(vec![topic.to_owned()])).await?;
    let found = metadata.topics.iter().find(|found| found.name == topic);
    let count = found.map_or(0, |found| found.partitions.len());
    let count = i32::try_from(count)?;
    if count == 0 {
        return Err(format!("--to {topic}: there is no such topic").into());
    }
    known.insert(topic.to_owned(), count);
    Ok(count)
}

/// The partition that Kafka's own producers would choose; of a message without a key that of its offset.
fn of_key(letter: &Letter, count: i32) -> i32 {
    match &letter.key {
        Some(key) => rheos_connectors::kafka::sink::partition_of_key(key, count),
        None => i32::try_from(letter.offset.rem_euclid(i64::from(count.max(1)))).unwrap_or(0),
    }
}
