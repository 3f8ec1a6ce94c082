//! The sending side of an exchange: rows are staged per channel and sent when a batch is full, when
//! the task would otherwise idle, before a control element, or after the buffer time-out.
//!
//! Invariant: the rows of a channel are sent in the order they were written; a control element is
//! sent behind every row written before it.

use rheos_core::Row;
use rheos_core::element::{Batch, Control};
use rheos_core::key_group::subtask_of;
use rheos_core::time::MIN_TIMESTAMP;
use rheos_core::vectors::{drain_each, make_room};

use super::channel::ChannelSender;
use super::partitioner::{Partitioner, Route};

/// What a stage needs of an exchange. Implemented by [`ChannelWriter`]; called from the task's thread.
pub trait ExchangeWriter<T> {
    /// Rows that can be taken on before the stage should stop; 0 while there is no credit.
    fn room(&mut self) -> usize;
    /// A barrier waits for the rows in the chain before the exchange: they are taken on whatever the
    /// credit, up to a bound, and go into the checkpoint with it.
    fn hurry(&mut self, on: bool);
    /// Writes all rows of a batch and leaves it empty.
    fn write(&mut self, batch: &mut Batch<T>, now_micros: i64);
    /// Writes all rows of a batch that others read too.
    fn write_ref(&mut self, batch: &Batch<T>, now_micros: i64);
    /// Sends all that is staged, whatever the credit, and then the element on every channel.
    fn control(&mut self, control: Control, now_micros: i64);
    /// Sends what is staged as far as credit goes: all, or what has waited for the time-out. Whether
    /// nothing that should have gone is left.
    fn flush_staged(&mut self, now_micros: i64, all: bool) -> bool;
    /// When what is staged has waited for the time-out, unless it waits for credit.
    fn flush_due(&self) -> Option<i64>;
}

/// Limits of the batches of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// A batch is sent when it has this many rows.
    pub rows: usize,
    /// Or weighs this many bytes.
    pub bytes: usize,
    /// Or has waited this long.
    pub timeout_micros: i64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            rows: 8192,
            bytes: 128 << 10,
            timeout_micros: 5_000,
        }
    }
}

struct Lane<T> {
    sender: ChannelSender<T>,
    staged: Batch<T>,
    /// Rows of a usual batch: one that a control element cut short does not change it much.
    usual: usize,
    since_micros: i64,
    /// A control element went without credit, and rows with it: nothing further until there is some.
    overdrawn: bool,
    /// What is staged should have gone, and waits for credit: the sender is woken when there is some.
    waits: bool,
}

/// How many full batches a channel takes on beyond its credit while a barrier waits for rows. One row
/// may become more than that; it then waits for credit as usual.
const HURRIED_BATCHES: usize = 16;

/// An exchange over channels: to subtasks of the same process rows move as they are, to those of others
/// they are encoded when a batch is sent.
pub struct ChannelWriter<T> {
    lanes: Vec<Lane<T>>,
    partitioner: Partitioner<T>,
    limits: BatchLimits,
    row_limit: usize,
    hashes: Vec<u64>,
    hurried: bool,
    /// Where latency markers go next: to one channel each, in turn.
    marker: usize,
}

impl<T: Row> ChannelWriter<T> {
    /// A writer to these channels.
    pub fn new(
        senders: Vec<ChannelSender<T>>,
        partitioner: Partitioner<T>,
        limits: BatchLimits,
    ) -> Self {
        let lanes = senders
            .into_iter()
            .map(|sender| Lane {
                sender,
                staged: Batch::default(),
                usual: 0,
                since_micros: 0,
                overdrawn: false,
                waits: false,
            })
            .collect();
        let row_limit = (limits.bytes / size_of::<T>().max(1)).clamp(1, limits.rows);
        Self {
            lanes,
            partitioner,
            limits,
            row_limit,
            hashes: Vec::new(),
            hurried: false,
            marker: 0,
        }
    }

    #[inline]
    fn stage(&mut self, route: Route, row: T, timestamp: i64) {
        match route {
            Route::To(index) => {
                if let Some(lane) = self.lanes.get_mut(index) {
                    lane.staged.push(row, timestamp);
                }
            }
            Route::All => {
                if let Some((last, others)) = self.lanes.split_last_mut() {
                    for lane in others {
                        lane.staged.push(row.clone(), timestamp);
                    }
                    last.staged.push(row, timestamp);
                }
            }
        }
    }

    /// Scatters a batch by key. Hashes are made for the whole batch first, in a loop of their own.
    fn scatter(&mut self, batch: &mut Batch<T>) {
        let Partitioner::Hash(hash) = &self.partitioner else {
            return;
        };
        let channels = self.lanes.len() as u32;
        self.hashes.clear();
        hash(&batch.rows, &mut self.hashes);
        if let [lane] = self.lanes.as_mut_slice() {
            lane.staged.rows.append(&mut batch.rows);
            lane.staged.timestamps.append(&mut batch.timestamps);
            lane.staged.hashes.append(&mut self.hashes);
            return;
        }
        let (lanes, hashes, timestamps) = (&mut self.lanes, &self.hashes, &batch.timestamps);
        let mut at = 0;
        drain_each(&mut batch.rows, |row| {
            let hash = hashes.get(at).copied().unwrap_or(0);
            let timestamp = timestamps.get(at).copied().unwrap_or(MIN_TIMESTAMP);
            at += 1;
            if let Some(lane) = lanes.get_mut(subtask_of(hash, channels) as usize) {
                lane.staged.push_hashed(row, timestamp, hash);
            }
        });
    }

    fn send_full(&mut self, now_micros: i64) {
        for lane in &mut self.lanes {
            if lane.staged.is_empty() {
                continue;
            }
            if lane.since_micros == 0 {
                lane.since_micros = now_micros.max(1);
            }
            if lane.staged.len() >= lane_limit(&lane.sender, self.row_limit) && lane.sender.ready()
            {
                lane.send();
            }
        }
    }
}

/// A batch is at most half of the window in rows of average weight, so that a slow receiver, whose
/// window is small, is sent small batches.
fn lane_limit<T>(sender: &ChannelSender<T>, row_limit: usize) -> usize {
    // A row travels with its timestamp and its hash.
    (sender.window() / (size_of::<T>() + 16) / 2).clamp(1, row_limit)
}

impl<T: Row> Lane<T> {
    fn send(&mut self) {
        let batch = std::mem::take(&mut self.staged);
        let bytes = batch.estimated_bytes();
        self.usual = batch.len().max(self.usual - self.usual / 8);
        let hashed = !batch.hashes.is_empty();
        self.staged = self.sender.send(batch, bytes);
        // The next batch will be about as large: growing step by step would copy it over and over.
        self.staged.reserve(self.usual);
        if hashed {
            make_room(&mut self.staged.hashes, self.usual);
        }
        self.since_micros = 0;
        self.waits = false;
    }
}

impl<T: Row> ExchangeWriter<T> for ChannelWriter<T> {
    fn room(&mut self) -> usize {
        let mut room = self.row_limit;
        if self.hurried {
            let most = self.row_limit * HURRIED_BATCHES;
            if self.lanes.iter().all(|lane| lane.staged.len() < most) {
                return room;
            }
        }
        for lane in &mut self.lanes {
            let limit = lane_limit(&lane.sender, self.row_limit);
            if lane.overdrawn || lane.staged.len() >= limit {
                if !lane.sender.ready() {
                    return 0;
                }
                lane.overdrawn = false;
            }
            room = room.min(limit);
        }
        room
    }

    fn hurry(&mut self, on: bool) {
        self.hurried = on;
    }

    fn write(&mut self, batch: &mut Batch<T>, now_micros: i64) {
        let channels = self.lanes.len() as u32;
        batch.hashes.clear();
        if let (Partitioner::One, Some(lane)) = (&self.partitioner, self.lanes.first_mut()) {
            if lane.staged.is_empty() {
                std::mem::swap(&mut lane.staged, batch);
            } else {
                lane.staged.append(batch);
            }
        } else if let Partitioner::Hash(_) = &self.partitioner {
            self.scatter(batch);
        } else {
            let timestamps = std::mem::take(&mut batch.timestamps);
            let mut times = timestamps.iter();
            drain_each(&mut batch.rows, |row| {
                let timestamp = times.next().copied().unwrap_or(MIN_TIMESTAMP);
                let route = self.partitioner.route(&row, channels);
                self.stage(route, row, timestamp);
            });
            batch.timestamps = timestamps;
        }
        batch.clear();
        self.send_full(now_micros);
    }

    fn write_ref(&mut self, batch: &Batch<T>, now_micros: i64) {
        let mut copy = batch.clone();
        self.write(&mut copy, now_micros);
    }

    fn control(&mut self, control: Control, _now_micros: i64) {
        for lane in &mut self.lanes {
            lane.overdrawn |= lane.sender.available() <= 0;
            if !lane.staged.is_empty() {
                lane.send();
            }
        }
        if let Control::LatencyMarker(_) = control {
            self.marker = (self.marker + 1) % self.lanes.len().max(1);
            if let Some(lane) = self.lanes.get(self.marker) {
                lane.sender.send_control(control);
            }
            return;
        }
        for lane in &self.lanes {
            lane.sender.send_control(control);
        }
    }

    fn flush_staged(&mut self, now_micros: i64, all: bool) -> bool {
        let mut done = true;
        for lane in &mut self.lanes {
            if lane.staged.is_empty() {
                continue;
            }
            if lane.since_micros == 0 {
                lane.since_micros = now_micros.max(1);
            }
            let due = all || now_micros - lane.since_micros >= self.limits.timeout_micros;
            lane.waits = due && !lane.sender.ready();
            if lane.waits {
                done = false;
            } else if due {
                lane.send();
            }
        }
        done
    }

    fn flush_due(&self) -> Option<i64> {
        self.lanes
            .iter()
            .filter(|lane| !lane.staged.is_empty() && !lane.waits)
            .map(|lane| lane.since_micros + self.limits.timeout_micros)
            .min()
    }
}
