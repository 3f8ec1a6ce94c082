//! The timers of a range of keys.
//!
//! A chunk is a log of registrations and deletions; for each timer the last word holds. A tiny one is
//! kept free of duplicates as it grows, so that a timer that is moved again and again leaves nothing
//! behind. A larger one is only appended to, and settled (sorted, last word kept) when its
//! log has doubled since it was settled last, when deletions have become a good part of it, and when
//! its timers are due: duplicates and deletions cost a constant factor of what is live.
//!
//! A settled log is in descending order, so that what is due next is taken from its end.

use std::cmp::Reverse;
use std::rc::Rc;

use rheos_core::time::Millis;

use crate::key_context::Namespace;
use crate::slot_refs::SlotRefs;

/// When, and whose timer it is; also the order in which timers fire.
pub(super) type TimerKey = (Millis, u32, Namespace);

/// Up to this many entries a log has no duplicates and no deletions.
const EAGER: usize = if cfg!(test) { 2 } else { 8 };
/// No log shorter than this is settled for its length alone, nor for half as many deletions. (Tests
/// reach all sizes with little.)
const SETTLE_FROM: usize = if cfg!(test) { 8 } else { 64 };
/// At this length a chunk is settled, and split if that left more than half of it.
const CHUNK: usize = if cfg!(test) { 32 } else { 1024 };

/// One word of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimerOp {
    pub(super) timestamp: Millis,
    namespace: Namespace,
    slot: u32,
    /// Else it is a deletion.
    register: bool,
}

impl TimerOp {
    #[inline]
    pub(super) fn key(&self) -> TimerKey {
        (self.timestamp, self.slot, self.namespace)
    }

    pub(super) fn registration((timestamp, slot, namespace): TimerKey) -> Self {
        Self {
            timestamp,
            namespace,
            slot,
            register: true,
        }
    }

    pub(super) fn slot(&self) -> u32 {
        self.slot
    }

    pub(super) fn is_registration(&self) -> bool {
        self.register
    }

    /// Turns a registration into none, or back; says whether that changed it.
    pub(super) fn set(&mut self, register: bool) -> bool {
        std::mem::replace(&mut self.register, register) != register
    }
}

/// Who holds which slot on behalf of timers: one reference for every registration in a log.
#[derive(Debug)]
pub(super) struct Ledger {
    refs: Rc<SlotRefs>,
    held: usize,
}

impl Ledger {
    pub(super) fn new(refs: Rc<SlotRefs>) -> Self {
        Self { refs, held: 0 }
    }

    /// Registrations in all logs: the number of timers, or somewhat more.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn retain(&mut self, slot: u32) {
        self.held += 1;
        self.refs.retain(slot);
    }

    pub(super) fn release(&mut self, slot: u32) {
        self.held = self.held.saturating_sub(1);
        self.refs.release(slot);
    }
}

#[derive(Debug)]
pub(super) struct Chunk {
    log: Vec<TimerOp>,
    /// How many entries were left when it was settled last.
    settled: usize,
    /// Deletions logged since.
    deletions: usize,
    /// Nothing was logged since.
    in_order: bool,
    /// No timer of it is earlier.
    earliest: Millis,
    /// The last freeze that has what the chunk held.
    pub(super) shown_in: u32,
}

impl Default for Chunk {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Chunk {
    /// A chunk of a settled log.
    fn of(log: Vec<TimerOp>) -> Self {
        let mut chunk = Self {
            log,
            settled: 0,
            deletions: 0,
            in_order: true,
            earliest: Millis::MAX,
            shown_in: 0,
        };
        chunk.note_settled();
        chunk
    }

    fn note_settled(&mut self) {
        self.settled = self.log.len();
        self.deletions = 0;
        self.in_order = true;
        self.earliest = self.log.last().map_or(Millis::MAX, |op| op.timestamp);
    }

    /// Certainly without a timer.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// No timer of it is earlier; none where it is empty.
    #[inline]
    pub(super) fn earliest(&self) -> Option<Millis> {
        (!self.log.is_empty()).then_some(self.earliest)
    }

    /// Logs a registration or a deletion.
    #[inline]
    pub(super) fn put(&mut self, key: TimerKey, register: bool, ledger: &mut Ledger) {
        if self.log.len() <= EAGER {
            let there = self.log.iter().position(|op| op.key() == key);
            match (there, register) {
                (Some(_), true) | (None, false) => return,
                (Some(at), false) => {
                    self.log.swap_remove(at);
                    ledger.release(key.1);
                    self.in_order = false;
                    let times = self.log.iter().map(|op| op.timestamp);
                    self.earliest = times.min().unwrap_or(Millis::MAX);
                    return;
                }
                (None, true) => {}
            }
        }
        let (timestamp, slot, namespace) = key;
        self.log.push(TimerOp {
            timestamp,
            namespace,
            slot,
            register,
        });
        self.in_order = false;
        if register {
            ledger.retain(slot);
            self.earliest = self.earliest.min(timestamp);
        } else {
            self.deletions += 1;
        }
        if self.log.len() >= SETTLE_FROM.max(self.settled * 2)
            || self.deletions >= (SETTLE_FROM / 2).max(self.log.len() / 4)
        {
            self.settle(ledger);
        }
    }

    /// Sorts the log and keeps the last word on each timer, if it is a registration.
    pub(super) fn settle(&mut self, ledger: &mut Ledger) {
        if self.in_order {
            return;
        }
        if self.deletions == 0 {
            // All words on one timer are the same.
            self.log.sort_unstable_by_key(|op| Reverse(op.key()));
        } else {
            // Stable: of the words on one timer, the last one stays last.
            self.log.sort_by_key(|op| Reverse(op.key()));
        }
        self.log.dedup_by(|later, earlier| {
            let same = later.key() == earlier.key();
            if same {
                if earlier.register {
                    ledger.release(earlier.slot);
                }
                *earlier = *later;
            }
            same
        });
        if self.deletions > 0 {
            self.log.retain(|op| op.register);
        }
        if self.log.capacity() > SETTLE_FROM * 4 && self.log.len() * 4 < self.log.capacity() {
            self.log.shrink_to(self.log.len() * 2);
        }
        self.note_settled();
    }

    /// Of a chunk that has become too long, the upper half with its first key.
    pub(super) fn split(&mut self, ledger: &mut Ledger) -> Option<(TimerKey, Self)> {
        if self.log.len() < CHUNK {
            return None;
        }
        self.settle(ledger);
        if self.log.len() <= CHUNK / 2 {
            return None;
        }
        let lower = self.log.split_off(self.log.len() / 2);
        let shown_in = self.shown_in;
        let upper = std::mem::replace(self, Self::of(lower));
        self.shown_in = shown_in;
        let first = upper.log.last()?.key();
        let mut upper = Self::of(upper.log);
        upper.shown_in = shown_in;
        Some((first, upper))
    }

    /// A settled chunk's timers, in descending order.
    pub(super) fn log(&self) -> &[TimerOp] {
        &self.log
    }

    /// Settles it; a copy of its timers.
    pub(super) fn copy(&mut self, ledger: &mut Ledger) -> Vec<TimerOp> {
        self.settle(ledger);
        self.log.clone()
    }

    /// Moves the timers up to `now` to `due`, which is empty, in descending order.
    pub(super) fn take_due(&mut self, now: Millis, due: &mut Vec<TimerOp>, ledger: &mut Ledger) {
        self.settle(ledger);
        let from = self.log.partition_point(|op| op.timestamp > now);
        if from == 0 {
            std::mem::swap(&mut self.log, due);
        } else {
            due.extend(self.log.drain(from..));
        }
        self.note_settled();
    }

    /// Settles it, then shows each timer in the order in which they would fire.
    pub(super) fn for_each<X>(
        &mut self,
        ledger: &mut Ledger,
        mut show: impl FnMut(TimerKey) -> Result<(), X>,
    ) -> Result<(), X> {
        self.settle(ledger);
        self.log.iter().rev().try_for_each(|op| show(op.key()))
    }
}
