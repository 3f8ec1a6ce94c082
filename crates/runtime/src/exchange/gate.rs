//! The receiving side of an exchange: all channels of one input of a task.
//!
//! The gate merges: watermarks and idleness by Flink's valve, barriers by alignment, ends by
//! counting. While a barrier is being aligned, channels that have delivered it are not read.
//!
//! Life cycle: `Open` → all channels have sent end of data → all have sent end of partition.

use std::collections::VecDeque;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::element::{Control, Element, StreamStatus};

use super::channel::ChannelReceiver;
use super::debloat::{Debloat, WindowLimits};
use crate::chain::inbox::Inbox;
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
    /// Reads the channels that alignment had closed.
    fn release(&mut self);
    /// Bytes queued, and bytes granted.
    fn usage(&self) -> (usize, usize);
    /// The task waits for rows: its rate is not its own.
    fn idle(&mut self);
}

struct Lane<T> {
    receiver: ChannelReceiver<T>,
    aligned: bool,
    data_ended: bool,
    ended: bool,
}

/// The channels of one input.
pub struct Gate<T> {
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
        receivers: Vec<ChannelReceiver<T>>,
        inbox: Rc<Inbox<T>>,
        limits: WindowLimits,
        now_micros: i64,
    ) -> Self {
        let channels = receivers.len();
        let lanes = receivers
            .into_iter()
            .map(|receiver| Lane {
                receiver,
                aligned: false,
                data_ended: false,
                ended: false,
            })
            .collect();
        Self {
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
            if let Some((element, bytes)) = lane.receiver.poll() {
                self.next = (index + 1) % lanes;
                return Some((index, element, bytes));
            }
        }
        None
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
        while let Some((index, element, bytes)) = self.take() {
            match element {
                Element::Batch(batch) => {
                    let memory = self.inbox.put(batch);
                    if memory.rows.capacity() > 0
                        && let Some(lane) = self.lanes.get(self.last)
                    {
                        lane.receiver.recycle(memory);
                    }
                    self.last = index;
                    let lanes = self.lanes.len();
                    if let Some(window) = self.debloat.take(bytes, lanes, now_micros) {
                        for lane in &self.lanes {
                            lane.receiver.grant(window);
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
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(index) else {
                continue;
            };
            if lane.aligned || lane.ended {
                continue;
            }
            if let Some(barrier) = lane.receiver.poll_barrier()
                && let Some(barrier) = self.align(index, barrier)
            {
                return Some(barrier);
            }
        }
        None
    }

    fn release(&mut self) {
        for lane in &mut self.lanes {
            lane.aligned = false;
        }
    }

    fn usage(&self) -> (usize, usize) {
        self.lanes
            .iter()
            .map(|lane| lane.receiver.usage())
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    fn idle(&mut self) {
        self.debloat.idle();
    }
}
