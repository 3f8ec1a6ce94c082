//! Timers: a key asks to be called when the watermark, or the processing time, reaches a moment.
//!
//! ```text
//! register / delete ─▶ bucket of that millisecond (a log)          order: timestamp → bucket
//! advance(w)        ─▶ a burst begins; the current time is w at once
//! next_due()        ─▶ the earliest bucket ≤ w is settled (sorted, last word on each timer holds)
//!                      and drained one timer a call; `None` ends the burst
//! ```
//!
//! Flink's rules hold: a timer registered twice is one; one registered at or before the current
//! time waits for the next advance; one registered during a burst and due by then fires in that
//! burst, in the order of time, even before timers of the bucket being drained; deleting a timer
//! that is due and has not fired takes effect, also in the bucket being drained. Timers of one
//! moment fire in the order of slot and namespace.
//!
//! A burst may be interrupted between any two timers, for mail or a barrier: what is left stays
//! enumerable ([`TimerService::for_each_pending`]), and the burst goes on with the next
//! [`TimerService::next_due`], also after a restore ([`TimerService::restore_progress`]).
//!
//! A pending timer holds its key's slot: each registration in a log is one reference. A deletion
//! holds none: if there was no such timer it leaves nothing, and if its slot goes to another key,
//! that key's registrations come later in the log and win.

mod bucket;
mod handle;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use rheos_core::time::{MIN_TIMESTAMP, Millis};

use crate::key_context::Namespace;
use crate::slot_refs::SlotRefs;
use bucket::{Bucket, Ledger, TimerKey, TimerOp};
pub use handle::Timers;

/// By which time timers fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeDomain {
    /// By the watermark.
    EventTime,
    /// By the clock.
    ProcessingTime,
}

impl fmt::Display for TimeDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventTime => "event time",
            Self::ProcessingTime => "processing time",
        })
    }
}

/// A timer that fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The time it was registered for.
    pub timestamp: Millis,
    /// The slot of its key.
    pub slot: u32,
    /// The namespace it was registered under.
    pub namespace: Namespace,
}

const NO_BUCKET: u32 = u32::MAX;
const RECENT_BITS: u32 = 4;
/// Logs kept for later buckets, and the greatest capacity of one that is.
const SPARE_LOGS: usize = 256;
const SPARE_CAPACITY: usize = 64;

/// A bucket that is being fired.
#[derive(Debug)]
struct Drain {
    timestamp: Millis,
    /// Settled; those before `at` have fired.
    timers: Vec<TimerOp>,
    at: usize,
    /// The first key of what is still in `bucket`.
    beyond: Option<TimerKey>,
    bucket: Bucket,
}

impl Drain {
    fn next(&mut self, ledger: &mut Ledger) -> Option<TimerKey> {
        loop {
            while let Some(op) = self.timers.get(self.at) {
                self.at += 1;
                if op.is_registration() {
                    let key = op.key();
                    ledger.release(key.0);
                    return Some(key);
                }
            }
            self.beyond?;
            (self.timers, self.beyond) = self.bucket.take_lowest(ledger);
            self.at = 0;
        }
    }

    /// Registers or deletes a timer of this moment; says whether it is among those still to fire
    /// here. If it isn't, it has fired (or never was) and belongs to a new bucket.
    fn put(&mut self, key: TimerKey, register: bool, ledger: &mut Ledger) -> bool {
        if self.beyond.is_some_and(|beyond| key >= beyond) {
            self.bucket.put(key, register, ledger);
            return true;
        }
        let left = self.timers.get_mut(self.at..).unwrap_or_default();
        let Ok(at) = left.binary_search_by_key(&key, TimerOp::key) else {
            return false;
        };
        if left.get_mut(at).is_some_and(|op| op.set(register)) {
            if register {
                ledger.retain(key.0);
            } else {
                ledger.release(key.0);
            }
        }
        true
    }
}

/// The timers of one operator in one time domain. See the [module](self) for its rules.
#[derive(Debug)]
pub struct TimerService {
    domain: TimeDomain,
    now: Millis,
    in_burst: bool,
    order: BTreeMap<Millis, u32>,
    buckets: Vec<Bucket>,
    free: Vec<u32>,
    /// Buckets used lately, by a hash of their timestamp.
    recent: [(Millis, u32); 1 << RECENT_BITS],
    /// What is being fired, the earliest last: an earlier bucket that appears meanwhile goes first.
    drains: Vec<Drain>,
    ledger: Ledger,
    spare: Vec<Vec<TimerOp>>,
}

fn recent_index(timestamp: Millis) -> usize {
    ((timestamp as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - RECENT_BITS)) as usize
}

impl TimerService {
    /// A service without timers, at the beginning of time, over slots that `refs` counts.
    pub fn new(domain: TimeDomain, refs: Rc<SlotRefs>) -> Self {
        Self {
            domain,
            now: MIN_TIMESTAMP,
            in_burst: false,
            order: BTreeMap::new(),
            buckets: Vec::new(),
            free: Vec::new(),
            recent: [(0, NO_BUCKET); 1 << RECENT_BITS],
            drains: Vec::new(),
            ledger: Ledger::new(refs),
            spare: Vec::new(),
        }
    }

    /// By which time its timers fire.
    pub fn domain(&self) -> TimeDomain {
        self.domain
    }

    /// The current watermark, or processing time, in milliseconds.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Whether a burst has begun and not ended.
    pub fn in_burst(&self) -> bool {
        self.in_burst
    }

    /// How many timers are pending, or somewhat more: duplicates are found late.
    pub fn num_timers(&self) -> usize {
        self.ledger.held()
    }

    /// The earliest time at which a timer may be due; `None` if there is none.
    pub fn next_timestamp(&self) -> Option<Millis> {
        let waiting = self
            .order
            .first_key_value()
            .map(|(&timestamp, _)| timestamp);
        let firing = self.drains.last().map(|drain| drain.timestamp);
        match (waiting, firing) {
            (Some(waiting), Some(firing)) => Some(waiting.min(firing)),
            (waiting, firing) => waiting.or(firing),
        }
    }

    /// Registers a timer for the key in `slot`, under `namespace`, at `timestamp`. It is one timer
    /// however often it is registered.
    #[inline]
    pub fn register(&mut self, timestamp: Millis, slot: u32, namespace: Namespace) {
        let key = (slot, namespace);
        if !self.drains.is_empty() && self.put_in_drain(timestamp, key, true) {
            return;
        }
        let bucket = match self.find(timestamp) {
            NO_BUCKET => self.open(timestamp),
            bucket => bucket,
        };
        if let Some(bucket) = self.buckets.get_mut(bucket as usize) {
            bucket.put(key, true, &mut self.ledger);
        }
    }

    /// Deletes a timer, if there is such a one.
    #[inline]
    pub fn delete(&mut self, timestamp: Millis, slot: u32, namespace: Namespace) {
        let key = (slot, namespace);
        if !self.drains.is_empty() && self.put_in_drain(timestamp, key, false) {
            return;
        }
        let index = self.find(timestamp);
        let Some(bucket) = self.buckets.get_mut(index as usize) else {
            return;
        };
        bucket.put(key, false, &mut self.ledger);
        if bucket.is_empty() {
            self.order.remove(&timestamp);
            let emptied = self.close(timestamp, index);
            self.keep_log(emptied);
        }
    }

    fn put_in_drain(&mut self, timestamp: Millis, key: TimerKey, register: bool) -> bool {
        let drain = self
            .drains
            .iter_mut()
            .find(|drain| drain.timestamp == timestamp);
        drain.is_some_and(|drain| drain.put(key, register, &mut self.ledger))
    }

    /// The bucket of a moment, or [`NO_BUCKET`].
    #[inline]
    fn find(&mut self, timestamp: Millis) -> u32 {
        let recent = self.recent.get_mut(recent_index(timestamp));
        match recent {
            Some(&mut (at, bucket)) if at == timestamp && bucket != NO_BUCKET => bucket,
            recent => {
                let bucket = self.order.get(&timestamp).copied().unwrap_or(NO_BUCKET);
                if let Some(recent) = recent {
                    *recent = (timestamp, bucket);
                }
                bucket
            }
        }
    }

    fn open(&mut self, timestamp: Millis) -> u32 {
        let fresh = self
            .spare
            .pop()
            .map_or_else(Bucket::default, Bucket::reusing);
        let bucket = match self.free.pop() {
            Some(bucket) => {
                if let Some(place) = self.buckets.get_mut(bucket as usize) {
                    *place = fresh;
                }
                bucket
            }
            None => {
                self.buckets.push(fresh);
                (self.buckets.len() - 1) as u32
            }
        };
        self.order.insert(timestamp, bucket);
        if let Some(recent) = self.recent.get_mut(recent_index(timestamp)) {
            *recent = (timestamp, bucket);
        }
        bucket
    }

    /// Takes a bucket out that is no longer in the order.
    fn close(&mut self, timestamp: Millis, index: u32) -> Bucket {
        if let Some(recent) = self.recent.get_mut(recent_index(timestamp))
            && recent.0 == timestamp
        {
            recent.1 = NO_BUCKET;
        }
        self.free.push(index);
        self.buckets
            .get_mut(index as usize)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    fn keep_log(&mut self, mut bucket: Bucket) {
        let (log, _) = bucket.take_lowest(&mut self.ledger);
        self.keep(log);
    }

    fn keep(&mut self, log: Vec<TimerOp>) {
        if self.spare.len() < SPARE_LOGS && (1..=SPARE_CAPACITY).contains(&log.capacity()) {
            self.spare.push(log);
        }
    }

    /// Moves the time forward and begins a burst, which [`TimerService::next_due`] pulls. In event
    /// time a watermark that is not greater than the current one does nothing; in processing time
    /// the current moment may come again.
    pub fn advance(&mut self, to: Millis) {
        let moves = match self.domain {
            TimeDomain::EventTime => to > self.now,
            TimeDomain::ProcessingTime => to >= self.now,
        };
        if moves {
            self.now = to;
            self.in_burst = true;
        }
    }

    /// The next timer of the burst; `None` ends it. The timer is gone: registering it again makes a
    /// new one. Its key's slot is valid until the directory is swept.
    pub fn next_due(&mut self) -> Option<Due> {
        if !self.in_burst {
            return None;
        }
        loop {
            let earliest = self.order.first_key_value().map(|(&at, _)| at);
            let earliest = earliest.filter(|&at| at <= self.now);
            if let Some(drain) = self.drains.last_mut()
                && earliest.is_none_or(|at| at >= drain.timestamp)
            {
                if let Some((slot, namespace)) = drain.next(&mut self.ledger) {
                    return Some(Due {
                        timestamp: drain.timestamp,
                        slot,
                        namespace,
                    });
                }
                if let Some(done) = self.drains.pop() {
                    self.keep(done.timers);
                }
                continue;
            }
            let Some((timestamp, index)) = earliest.and_then(|_| self.order.pop_first()) else {
                self.in_burst = false;
                return None;
            };
            let mut bucket = self.close(timestamp, index);
            let (timers, beyond) = bucket.take_lowest(&mut self.ledger);
            self.drains.push(Drain {
                timestamp,
                timers,
                at: 0,
                beyond,
                bucket,
            });
        }
    }

    /// The slots of up to `limit` timers that will fire next in the bucket being drained, into
    /// `out`, which is cleared first: what to touch before they fire.
    pub fn upcoming_slots(&self, limit: usize, out: &mut Vec<u32>) {
        out.clear();
        let Some(drain) = self.drains.last() else {
            return;
        };
        let left = drain.timers.get(drain.at..).unwrap_or_default();
        out.extend(
            left.iter()
                .filter(|op| op.is_registration())
                .take(limit)
                .map(|op| op.key().0),
        );
    }

    /// Shows every pending timer once, the rest of an interrupted burst first. Settles all buckets,
    /// so that [`TimerService::num_timers`] is exact afterwards.
    ///
    /// # Errors
    /// What `show` answers, which ends it.
    pub fn for_each_pending<X>(
        &mut self,
        mut show: impl FnMut(Due) -> Result<(), X>,
    ) -> Result<(), X> {
        let due = |timestamp, (slot, namespace): TimerKey| Due {
            timestamp,
            slot,
            namespace,
        };
        for drain in self.drains.iter_mut().rev() {
            let timestamp = drain.timestamp;
            for op in drain.timers.get(drain.at..).unwrap_or_default() {
                if op.is_registration() {
                    show(due(timestamp, op.key()))?;
                }
            }
            drain
                .bucket
                .for_each(&mut self.ledger, |key| show(due(timestamp, key)))?;
        }
        for (&timestamp, &bucket) in &self.order {
            if let Some(bucket) = self.buckets.get_mut(bucket as usize) {
                bucket.for_each(&mut self.ledger, |key| show(due(timestamp, key)))?;
            }
        }
        Ok(())
    }

    /// Sets the current time, and whether a burst under it was interrupted, as a snapshot told.
    /// Timers are then registered anew; those due go on firing if there was a burst, and else wait
    /// for the next advance.
    pub fn restore_progress(&mut self, now: Millis, in_burst: bool) {
        self.now = now;
        self.in_burst = in_burst;
    }
}
