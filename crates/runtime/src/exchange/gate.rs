//! The receiving side of an exchange: all channels of one input of a task.
//!
//! The gate merges: watermarks and idleness by Flink's valve, barriers by alignment, ends by
//! counting. While a barrier is being aligned, channels that have delivered it are not read.
//!
//! A barrier of an unaligned checkpoint counts as soon as it is anywhere in a channel's queue, where the
//! edge allows that ([`super::partitioner::Partitioning::may_be_overtaken`]) and no end of data lies
//! before it. What it overtakes stays where it is and is shared with the checkpoint; the rows that the
//! task had already taken in come back to the gate, to be read first.
//!
//! Life cycle: `Open` → all channels have sent end of data → all have sent end of partition.

use std::collections::VecDeque;
use std::rc::Rc;

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::element::{Batch, Control, Element, StreamStatus};
use rheos_core::id::CheckpointId;
use rheos_core::time::MIN_TIMESTAMP;

use super::debloat::{Debloat, WindowLimits};
use super::in_flight::{ChannelHeader, InFlight, InFlightRows, Item, SharedBatch};
use super::lane::LaneEnd;
use super::restored;
use crate::chain::inbox::Inbox;
use crate::checkpoint::restore::OperatorRestore;
use crate::error::BoxError;
use crate::time::valve::StatusWatermarkValve;

/// What a poll of an input brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// Rows, now in the inbox of the stage.
    Rows,
    /// A control element for the stage.
    Control(Control),
    /// Nothing at the moment.
    Nothing,
}

/// One input of a task, its row type erased. Implemented by [`Gate`].
pub trait Feed {
    /// Takes the next element.
    fn poll(&mut self, now_micros: i64) -> Polled;
    /// Takes a barrier that stands at the head of a channel, past nothing; the barrier once it is
    /// aligned.
    fn poll_barrier(&mut self) -> Option<Barrier>;
    /// The newest barrier that every channel has delivered or, where it may overtake what is before it
    /// there, holds.
    fn overtaking(&self) -> Option<Barrier>;
    /// Whether what the task has taken in but not begun with came from channels whose rows may be
    /// overtaken.
    fn inbox_may_be_overtaken(&self) -> bool;
    /// Lets a barrier that [`Feed::overtaking`] gave, or that is aligned, pass what is in the channels
    /// before it and in the inbox: that is the checkpoint's too from here on, and what is in the inbox
    /// is read again. Rows, if `keep`.
    fn overtake(&mut self, barrier: &Barrier, keep: bool) -> Option<Arc<dyn InFlightRows>>;
    /// Goes on from a checkpoint; before anything else.
    ///
    /// # Errors
    /// If what was in flight does not fit the input.
    fn restore(&mut self, from: &OperatorRestore) -> Result<(), BoxError>;
    /// Bytes of rows that have been taken.
    fn taken_bytes(&self) -> u64;
    /// Reads the channels that alignment had closed.
    fn release(&mut self);
    /// Bytes queued, and bytes granted.
    fn usage(&self) -> (usize, usize);
    /// The task waits for rows: its rate is not its own.
    fn idle(&mut self);
}

struct Lane<T> {
    end: LaneEnd<T>,
    may_be_overtaken: bool,
    aligned: bool,
    data_ended: bool,
    ended: bool,
}

/// An element that is read before those of the channels.
enum First<T> {
    /// Rows.
    Rows(SharedBatch<T>),
    /// A watermark.
    Control(Control),
}

/// The channels of one input.
pub struct Gate<T> {
    /// Which input of the task.
    input: usize,
    /// What is read first, with its lane: what was restored, and rows that a barrier overtook in the
    /// inbox.
    first: VecDeque<(usize, First<T>)>,
    /// The last checkpoint whose barrier was aligned, or has overtaken what was before it.
    passed: u64,
    taken_bytes: u64,
    lanes: Vec<Lane<T>>,
    inbox: Rc<Inbox<T>>,
    next: usize,
    /// The lane whose batch the inbox's memory came from.
    last: usize,
    valve: StatusWatermarkValve,
    ready: VecDeque<Control>,
    aligning: Option<Barrier>,
    drained: bool,
    debloat: Debloat,
}

impl<T: Row> Gate<T> {
    /// A gate that puts rows into `inbox`.
    pub fn new(
        input: usize,
        ends: Vec<LaneEnd<T>>,
        inbox: Rc<Inbox<T>>,
        limits: WindowLimits,
        now_micros: i64,
    ) -> Self {
        let channels = ends.len();
        let lanes = ends
            .into_iter()
            .map(|end| Lane {
                may_be_overtaken: end.partitioning.may_be_overtaken(),
                end,
                aligned: false,
                data_ended: false,
                ended: false,
            })
            .collect();
        Self {
            input,
            first: VecDeque::new(),
            passed: 0,
            taken_bytes: 0,
            lanes,
            inbox,
            next: 0,
            last: 0,
            valve: StatusWatermarkValve::new(channels),
            ready: VecDeque::new(),
            aligning: None,
            drained: true,
            debloat: Debloat::new(limits, now_micros),
        }
    }

    fn take(&mut self) -> Option<(usize, Element<T>, usize)> {
        let lanes = self.lanes.len();
        for step in 0..lanes {
            let index = (self.next + step) % lanes;
            let Some(lane) = self.lanes.get(index) else {
                continue;
            };
            if lane.aligned || lane.ended {
                continue;
            }
            if let Some((element, bytes)) = lane.end.receiver.poll() {
                self.next = (index + 1) % lanes;
                return Some((index, element, bytes));
            }
        }
        None
    }

    /// Puts a batch into the inbox; its emptied memory goes back to the channel that it came from.
    fn put(&mut self, index: usize, batch: Batch<T>) {
        let memory = self.inbox.put(batch);
        if memory.rows.capacity() > 0
            && let Some(lane) = self.lanes.get(self.last)
        {
            lane.end.receiver.recycle(memory);
        }
        self.last = index;
    }

    fn may_be_overtaken(&self, index: usize) -> bool {
        let lane = self.lanes.get(index);
        lane.is_some_and(|lane| lane.may_be_overtaken)
    }

    /// What of the first elements and the inbox is in flight: runs of one lane, in their order. That is
    /// an order over all lanes: after a rescale rows of one key may have come by one lane and those
    /// behind them by another.
    fn taken_in(&mut self) -> Vec<(usize, Vec<Item<T>>)> {
        if self.inbox.has_rows() {
            let rows = SharedBatch::new(self.inbox.rows().take_memory());
            self.first.push_front((self.last, First::Rows(rows)));
        }
        let mut runs: Vec<(usize, Vec<Item<T>>)> = Vec::new();
        for (lane, first) in &self.first {
            let item = match first {
                First::Rows(rows) => Item::Rows(rows.clone()),
                First::Control(Control::Watermark(watermark)) => Item::Watermark(*watermark),
                First::Control(_) => continue,
            };
            match runs.last_mut() {
                Some((last, items)) if last == lane => items.push(item),
                _ => runs.push((*lane, vec![item])),
            }
        }
        runs
    }

    /// Whether every channel that still runs has delivered the barrier.
    fn align(&mut self, index: usize, barrier: Barrier) -> Option<Barrier> {
        if self
            .aligning
            .is_some_and(|current| current.checkpoint > barrier.checkpoint)
        {
            return None;
        }
        if self
            .aligning
            .is_none_or(|current| current.checkpoint < barrier.checkpoint)
        {
            // A newer checkpoint: the older one can't complete any more.
            self.release();
            self.aligning = Some(barrier);
        }
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.aligned = true;
        }
        self.aligned()
    }

    fn aligned(&mut self) -> Option<Barrier> {
        let barrier = self.aligning?;
        if self.lanes.iter().all(|lane| lane.aligned || lane.ended) {
            self.aligning = None;
            self.passed = barrier.checkpoint.0;
            return Some(barrier);
        }
        None
    }

    fn control(&mut self, index: usize, control: Control) -> Option<Control> {
        match control {
            Control::Watermark(watermark) => {
                let ready = &mut self.ready;
                self.valve
                    .watermark(index, watermark, &mut |c| ready.push_back(c));
                self.ready.pop_front()
            }
            Control::Status(status) => {
                let ready = &mut self.ready;
                let idle = status == StreamStatus::Idle;
                self.valve.status(index, idle, &mut |c| ready.push_back(c));
                self.ready.pop_front()
            }
            Control::Barrier(barrier) => self.align(index, barrier).map(Control::Barrier),
            Control::LatencyMarker(_) => Some(control),
            Control::EndOfData { drain } => {
                self.drained &= drain;
                if let Some(lane) = self.lanes.get_mut(index) {
                    lane.data_ended = true;
                }
                self.lanes
                    .iter()
                    .all(|lane| lane.data_ended)
                    .then_some(Control::EndOfData {
                        drain: self.drained,
                    })
            }
            Control::EndOfPartition => {
                if let Some(lane) = self.lanes.get_mut(index) {
                    lane.ended = true;
                }
                if let Some(barrier) = self.aligned() {
                    // The channel that ended was the last that the barrier waited for.
                    if self.lanes.iter().all(|lane| lane.ended) {
                        self.ready.push_back(Control::EndOfPartition);
                    }
                    return Some(Control::Barrier(barrier));
                }
                self.lanes
                    .iter()
                    .all(|lane| lane.ended)
                    .then_some(Control::EndOfPartition)
            }
        }
    }
}

impl<T: Row> Feed for Gate<T> {
    fn poll(&mut self, now_micros: i64) -> Polled {
        if let Some(control) = self.ready.pop_front() {
            return Polled::Control(control);
        }
        while let Some((index, first)) = self.first.pop_front() {
            match first {
                First::Rows(rows) => {
                    self.put(index, rows.take());
                    return Polled::Rows;
                }
                First::Control(control) => {
                    if let Some(control) = self.control(index, control) {
                        return Polled::Control(control);
                    }
                }
            }
        }
        while let Some((index, element, bytes)) = self.take() {
            match element {
                Element::Batch(batch) => {
                    self.put(index, batch);
                    self.taken_bytes += bytes as u64;
                    let lanes = self.lanes.len();
                    if let Some(window) = self.debloat.take(bytes, lanes, now_micros) {
                        for lane in &self.lanes {
                            lane.end.receiver.grant(window);
                        }
                    }
                    return Polled::Rows;
                }
                Element::Control(control) => {
                    if let Some(control) = self.control(index, control) {
                        return Polled::Control(control);
                    }
                }
            }
        }
        Polled::Nothing
    }

    fn poll_barrier(&mut self) -> Option<Barrier> {
        if !self.first.is_empty() {
            return None;
        }
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(index) else {
                continue;
            };
            if lane.aligned || lane.ended {
                continue;
            }
            if let Some(barrier) = lane.end.receiver.poll_barrier()
                && let Some(barrier) = self.align(index, barrier)
            {
                return Some(barrier);
            }
        }
        None
    }

    fn overtaking(&self) -> Option<Barrier> {
        let mut newest = u64::MAX;
        for lane in self.lanes.iter().filter(|lane| !lane.ended) {
            let aligning = self.aligning.filter(|_| lane.aligned);
            let mut known = aligning.map_or(0, |barrier| barrier.checkpoint.0);
            if lane.may_be_overtaken {
                known = known.max(lane.end.receiver.announced());
            }
            if known <= self.passed {
                return None;
            }
            newest = newest.min(known);
        }
        let checkpoint = CheckpointId(newest);
        let mut found = None;
        for lane in self.lanes.iter().filter(|lane| !lane.ended) {
            let delivered = self
                .aligning
                .filter(|barrier| lane.aligned && barrier.checkpoint == checkpoint);
            found = match delivered {
                Some(barrier) => Some(barrier),
                None if lane.may_be_overtaken => {
                    Some(lane.end.receiver.barrier_behind(checkpoint)?)
                }
                None => return None,
            };
        }
        let mut first = self.first.iter();
        found.filter(|_| first.all(|(lane, _)| self.may_be_overtaken(*lane)))
    }

    fn inbox_may_be_overtaken(&self) -> bool {
        !self.inbox.has_rows() || self.may_be_overtaken(self.last)
    }

    fn overtake(&mut self, barrier: &Barrier, keep: bool) -> Option<Arc<dyn InFlightRows>> {
        self.passed = barrier.checkpoint.0;
        let taken_in = self.taken_in();
        let output = self.valve.last_output();
        let header = |index: usize, lane: &Lane<T>| {
            ChannelHeader::new(lane.end.id, self.valve.of_channel(index), output)
        };
        let mut channels = Vec::new();
        for (index, items) in taken_in {
            if let Some(lane) = self.lanes.get(index) {
                channels.push((header(index, lane), items));
            }
        }
        for (index, lane) in self.lanes.iter().enumerate() {
            let mut items = Vec::new();
            if lane.may_be_overtaken {
                let receiver = &lane.end.receiver;
                receiver.overtake(barrier.checkpoint, &mut items);
            }
            channels.push((header(index, lane), items));
        }
        self.aligning = None;
        self.release();
        let input = self.input;
        let keep = keep && self.lanes.iter().any(|lane| lane.may_be_overtaken);
        keep.then(|| Arc::new(InFlight { input, channels }) as Arc<dyn InFlightRows>)
    }

    fn restore(&mut self, from: &OperatorRestore) -> Result<(), BoxError> {
        let lanes = self.lanes.iter();
        let lanes: Vec<_> = lanes
            .map(|lane| (lane.end.id, lane.end.partitioning.clone()))
            .collect();
        let restored = restored::share::<T>(from, self.input, &lanes)?;
        self.valve.restore(&restored.watermarks, restored.output);
        if restored.output > MIN_TIMESTAMP {
            // The operator may not have come so far: it lay before the rows that follow.
            let control = Control::Watermark(restored.output);
            self.ready.push_back(control);
        }
        let elements = restored.elements.into_iter();
        self.first
            .extend(elements.map(|(lane, element)| match element {
                Element::Batch(batch) => (lane, First::Rows(SharedBatch::new(batch))),
                Element::Control(control) => (lane, First::Control(control)),
            }));
        Ok(())
    }

    fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    fn release(&mut self) {
        for lane in &mut self.lanes {
            lane.aligned = false;
        }
    }

    fn usage(&self) -> (usize, usize) {
        self.lanes
            .iter()
            .map(|lane| lane.end.receiver.usage())
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    fn idle(&mut self) {
        self.debloat.idle();
    }
}
