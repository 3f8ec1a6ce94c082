//! Makes rows of what was fetched, on the task's thread.
//!
//! The position of a split is the offset behind the last record that was dealt with, also where the
//! records behind it were left out by their transaction. A record that must wait for its schema is
//! offered again; the other splits wait with it, since the schema is that of all of them in general.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rheos_core::Row;
use rheos_core::id::CheckpointId;
use rheos_core::time::MIN_TIMESTAMP;
use rheos_runtime::error::BoxError;
use rheos_runtime::source::output::SourceOutput;
use rheos_runtime::source::reader::{ReaderContext, ReaderStatus, SourceReader};

use super::bad_records::BadRecordHandler;
use super::decoder::{Decoded, KafkaRecord, RecordDecoder};
use super::metrics::ReaderMetrics;
use super::shared::{Chunk, Shared};
use super::split::KafkaSplit;
use crate::kafka::batch::RecordCursor;
use crate::kafka::error::KafkaError;

/// How long to wait before a record that could not be decoded yet is offered again.
const LATER_MICROS: i64 = 5_000;

/// How long the last commit of offsets may hold up the end of the task.
const LAST_COMMIT: Duration = Duration::from_secs(3);

struct Reading {
    split: KafkaSplit,
    number: u32,
    chunks: VecDeque<Chunk>,
    cursor: Option<RecordCursor>,
    paused: bool,
    finished: bool,
    /// The offset behind the last record of the log, as far as is known.
    end: Arc<AtomicI64>,
    /// Shows the position to whoever looks.
    position: Arc<AtomicI64>,
}

/// The reader of one subtask.
pub(super) struct SplitsReader<D> {
    shared: Arc<Shared>,
    fetcher: Option<tokio::task::JoinHandle<()>>,
    io: tokio::runtime::Handle,
    clock: rheos_core::clock::SharedClock,
    decoder: D,
    bad_records: BadRecordHandler,
    metrics: ReaderMetrics,
    splits: Vec<Reading>,
    /// The split whose turn it is.
    turn: usize,
    /// Whether the source ends by itself.
    bounded: bool,
    /// Whether the enumerator is to be asked for splits.
    wants: bool,
    /// Whether a split goes on that was paused, so that there may be rows though nothing came.
    resumed: bool,
    /// Whether the group is told of the progress again and again.
    periodic: bool,
    /// Positions at the barriers of checkpoints that are not complete yet.
    at_barriers: BTreeMap<CheckpointId, Vec<i64>>,
}

impl<D> SplitsReader<D> {
    pub fn new(
        parts: (Arc<Shared>, tokio::task::JoinHandle<()>),
        io: tokio::runtime::Handle,
        context: &ReaderContext,
        decoder: D,
        bad_records: BadRecordHandler,
        bounded: bool,
        periodic: bool,
    ) -> Self {
        let (shared, fetcher) = parts;
        Self {
            shared,
            fetcher: Some(fetcher),
            io,
            clock: context.clock.clone(),
            decoder,
            bad_records,
            metrics: ReaderMetrics::new(context.metrics.group()),
            splits: Vec::new(),
            turn: 0,
            bounded,
            wants: true,
            resumed: false,
            periodic,
            at_barriers: BTreeMap::new(),
        }
    }

    fn receive(&mut self) -> Result<(), KafkaError> {
        if self.shared.is_ready() {
            for chunk in self.shared.take()? {
                if let Some(reading) = self.splits.get_mut(chunk.split) {
                    reading.end.store(chunk.end, Ordering::Relaxed);
                    reading.chunks.push_back(chunk);
                }
            }
        }
        Ok(())
    }

    /// Emits rows of the split whose turn it is; false if it has none at the moment.
    fn read<T: Row>(
        &mut self,
        out: &mut SourceOutput<T>,
        budget: usize,
    ) -> Result<Option<Decoded>, BoxError>
    where
        D: RecordDecoder<T>,
    {
        let Some(reading) = self.splits.get_mut(self.turn) else {
            return Ok(None);
        };
        if reading.paused || reading.finished {
            return Ok(None);
        }
        let Reading { split, number, .. } = reading;
        let (number, partition) = (*number, split.partition);
        let stop = split.stop.unwrap_or(i64::MAX);
        let Some(chunk) = reading.chunks.front_mut() else {
            return Ok(None);
        };
        if let Some(offset) = chunk.reset.take() {
            split.offset = offset;
        }
        let tombstones = self.decoder.takes_tombstones();
        loop {
            let cursor = match &mut reading.cursor {
                Some(cursor) => cursor,
                empty => match chunk.batches.pop_front() {
                    Some(batch) => empty.insert(RecordCursor::new(batch)),
                    None => break,
                },
            };
            while out.len() < budget {
                let record = cursor.record().map_err(|what| KafkaError::Corrupt {
                    topic: split.topic.to_string(),
                    partition,
                    offset: split.offset,
                    what,
                })?;
                let Some(record) = record else {
                    reading.cursor = None;
                    break;
                };
                if record.offset < split.offset {
                    cursor.advance();
                    continue;
                }
                if record.offset >= stop {
                    reading.cursor = None;
                    chunk.batches.clear();
                    break;
                }
                let record = KafkaRecord {
                    topic: &split.topic,
                    partition,
                    offset: record.offset,
                    timestamp: record.timestamp,
                    key: record.key,
                    value: record.value,
                    headers: record.headers,
                };
                let offset = record.offset;
                let time = if record.timestamp < 0 {
                    MIN_TIMESTAMP
                } else {
                    record.timestamp
                };
                if record.value.is_none() && !tombstones {
                    self.metrics.tombstones.inc();
                } else {
                    match self
                        .decoder
                        .decode(&record, |row| out.emit_at(number, row, time))
                    {
                        Ok(Decoded::Done) => {}
                        Ok(Decoded::Later) => return Ok(Some(Decoded::Later)),
                        Err(error) => self.bad_records.handle(&record, &error)?,
                    }
                }
                split.offset = offset + 1;
                cursor.advance();
            }
            if out.len() >= budget {
                reading.position.store(split.offset, Ordering::Relaxed);
                return Ok(Some(Decoded::Done));
            }
        }
        split.offset = split.offset.max(chunk.next.min(stop));
        reading.position.store(split.offset, Ordering::Relaxed);
        let to_commit = self.periodic.then_some(split.offset);
        self.shared.used(self.turn, chunk.bytes, to_commit);
        reading.chunks.pop_front();
        if split.offset >= stop {
            reading.finished = true;
            out.finish_split(number);
        }
        Ok(Some(Decoded::Done))
    }
}

impl<T: Row, D: RecordDecoder<T>> SourceReader<T, KafkaSplit> for SplitsReader<D> {
    fn add_splits(&mut self, splits: Vec<KafkaSplit>) {
        self.shared.add(&splits);
        for split in splits {
            let number = u32::try_from(self.splits.len()).unwrap_or(u32::MAX);
            let (position, end) = self.metrics.split(&split);
            self.splits.push(Reading {
                split,
                number,
                chunks: VecDeque::new(),
                cursor: None,
                paused: false,
                finished: false,
                end,
                position,
            });
        }
        self.wants = !self.bounded;
    }

    fn poll(&mut self, out: &mut SourceOutput<T>, budget: usize) -> Result<ReaderStatus, BoxError> {
        for reading in &mut self.splits {
            // Taken on with its first row otherwise: until then it would not hold the watermark back.
            if reading.position.load(Ordering::Relaxed) == MIN_TIMESTAMP {
                reading
                    .position
                    .store(reading.split.offset, Ordering::Relaxed);
                out.start_split(reading.number);
                let stop = reading.split.stop;
                if stop.is_some_and(|stop| reading.split.offset >= stop) {
                    reading.finished = true;
                    out.finish_split(reading.number);
                }
            }
        }
        self.resumed = false;
        self.receive()?;
        let mut without = 0;
        while out.len() < budget && without < self.splits.len() {
            match self.read(out, budget)? {
                Some(Decoded::Done) => without = 0,
                Some(Decoded::Later) => {
                    let until = Some(self.clock.monotonic_micros() + LATER_MICROS);
                    return Ok(ReaderStatus::Pending { until });
                }
                None => without += 1,
            }
            if out.len() < budget {
                self.turn = (self.turn + 1) % self.splits.len().max(1);
            }
        }
        if self.wants || (self.bounded && self.splits.iter().all(|split| split.finished)) {
            self.wants = false;
            return Ok(ReaderStatus::WantsSplit);
        }
        Ok(if out.is_empty() {
            ReaderStatus::Pending { until: None }
        } else {
            ReaderStatus::More
        })
    }

    fn is_available(&self) -> bool {
        self.shared.is_ready() || self.resumed
    }

    fn splits(&self) -> Vec<KafkaSplit> {
        self.splits
            .iter()
            .filter(|reading| !reading.finished)
            .map(|reading| reading.split.clone())
            .collect()
    }

    fn snapshot(&mut self, checkpoint: CheckpointId) -> Vec<KafkaSplit> {
        let positions = self.splits.iter().map(|reading| reading.split.offset);
        self.at_barriers.insert(checkpoint, positions.collect());
        // A split that was read to its end stays: restored, it is at its end.
        self.splits
            .iter()
            .map(|reading| reading.split.clone())
            .collect()
    }

    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) {
        let later = self.at_barriers.split_off(&checkpoint);
        self.at_barriers = later;
        let Some(positions) = self.at_barriers.remove(&checkpoint) else {
            return;
        };
        if !self.periodic {
            let mut state = self.shared.lock();
            for (fetching, position) in state.splits.iter_mut().zip(positions) {
                fetching.to_commit = Some(position);
            }
            drop(state);
            self.shared.changed.notify_one();
        }
    }

    fn pause_split(&mut self, split: u32, paused: bool) -> bool {
        let index = usize::try_from(split).unwrap_or(usize::MAX);
        let Some(reading) = self.splits.get_mut(index) else {
            return false;
        };
        reading.paused = paused;
        self.resumed |= !paused;
        if let Some(split) = self.shared.lock().splits.get_mut(index) {
            split.paused = paused;
        }
        self.shared.changed.notify_one();
        true
    }

    fn close(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closed = true;
            if self.periodic {
                for (fetching, reading) in state.splits.iter_mut().zip(&self.splits) {
                    fetching.to_commit = Some(reading.split.offset);
                }
            }
        }
        self.shared.changed.notify_one();
        let Some(fetcher) = self.fetcher.take() else {
            return;
        };
        if self.periodic {
            let ended = async { tokio::time::timeout(LAST_COMMIT, fetcher).await };
            if self.io.block_on(ended).is_err() {
                tracing::warn!("the last offsets were not committed in time");
            }
        } else {
            fetcher.abort();
        }
    }
}
