//! The timers of one moment.
//!
//! A bucket is a log of registrations and deletions; for each timer the last word holds. Most
//! buckets are tiny, and those are kept free of duplicates as they grow, so that a timer that is
//! moved again and again leaves nothing behind. Larger ones are only appended to, and settled
//! (sorted, last word kept) when the log has doubled since it was settled last: duplicates cost a
//! constant factor of what is live, however many they are.
//!
//! A very large bucket is a sequence of chunks, each for a range of timers, each settled apart from
//! the others: what is sorted before the first timer fires is one chunk, not millions of timers.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::key_context::Namespace;
use crate::slot_refs::SlotRefs;

/// Whose timer it is; also the order in which timers of one moment fire.
pub(super) type TimerKey = (u32, Namespace);

/// Up to this many entries a log has no duplicates and no deletions.
const EAGER: usize = if cfg!(test) { 2 } else { 8 };
/// No log shorter than this is settled for its length alone. (Tests reach all sizes with little.)
const SETTLE_FROM: usize = if cfg!(test) { 8 } else { 64 };
/// At this length a chunk is settled, and split if that left more than half of it.
const CHUNK: usize = if cfg!(test) { 32 } else { 1 << 16 };

/// One word of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimerOp {
    namespace: Namespace,
    slot: u32,
    /// Else it is a deletion.
    register: bool,
}

impl TimerOp {
    pub(super) fn key(&self) -> TimerKey {
        (self.slot, self.namespace)
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

#[derive(Debug, Default)]
struct Chunk {
    log: Vec<TimerOp>,
    /// How many entries were left when it was settled last.
    settled: usize,
}

impl Chunk {
    fn put(&mut self, (slot, namespace): TimerKey, register: bool, ledger: &mut Ledger) {
        if self.log.len() <= EAGER {
            let there = self.log.iter().position(|op| op.key() == (slot, namespace));
            match (there, register) {
                (Some(_), true) | (None, false) => return,
                (Some(at), false) => {
                    self.log.swap_remove(at);
                    ledger.release(slot);
                    return;
                }
                (None, true) => {}
            }
        }
        self.log.push(TimerOp {
            namespace,
            slot,
            register,
        });
        if register {
            ledger.retain(slot);
        }
        if self.log.len() >= SETTLE_FROM.max(self.settled * 2) {
            self.settle(ledger);
        }
    }

    /// Sorts the log and keeps the last word on each timer, if it is a registration.
    fn settle(&mut self, ledger: &mut Ledger) {
        // Stable: of the words on one timer, the last one stays last.
        self.log.sort_by_key(TimerOp::key);
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
        self.log.retain(|op| op.register);
        self.settled = self.log.len();
        if self.log.capacity() > SETTLE_FROM * 4 && self.log.len() * 4 < self.log.capacity() {
            self.log.shrink_to(self.log.len() * 2);
        }
    }

    /// The upper half of a settled chunk that is too long, with its first key.
    fn split(&mut self) -> Option<(TimerKey, Self)> {
        if self.log.len() <= CHUNK / 2 {
            return None;
        }
        let upper = self.log.split_off(self.log.len() / 2);
        self.settled = self.log.len();
        let first = upper.first()?.key();
        let settled = upper.len();
        Some((
            first,
            Self {
                log: upper,
                settled,
            },
        ))
    }
}

/// The timers of one moment, by chunks.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// The lowest chunk: the only one in all but the largest buckets.
    head: Chunk,
    /// The others, by the first key that belongs there.
    rest: BTreeMap<TimerKey, Chunk>,
}

impl Bucket {
    /// An empty bucket whose log goes into `log`.
    pub(super) fn reusing(mut log: Vec<TimerOp>) -> Self {
        log.clear();
        Self {
            head: Chunk { log, settled: 0 },
            rest: BTreeMap::new(),
        }
    }

    /// Certainly without a timer.
    pub(super) fn is_empty(&self) -> bool {
        self.head.log.is_empty() && self.rest.is_empty()
    }

    pub(super) fn put(&mut self, key: TimerKey, register: bool, ledger: &mut Ledger) {
        let chunk = match self.rest.range_mut(..=key).next_back() {
            Some((_, chunk)) => chunk,
            None => &mut self.head,
        };
        chunk.put(key, register, ledger);
        if chunk.log.len() >= CHUNK {
            chunk.settle(ledger);
            if let Some((first, upper)) = chunk.split() {
                self.rest.insert(first, upper);
            }
        }
    }

    /// Takes the lowest timers out, settled, with the first key of what is left. Empty if there
    /// were none.
    pub(super) fn take_lowest(&mut self, ledger: &mut Ledger) -> (Vec<TimerOp>, Option<TimerKey>) {
        loop {
            let mut lowest = std::mem::take(&mut self.head);
            lowest.settle(ledger);
            let beyond = self.rest.pop_first().map(|(first, chunk)| {
                self.head = chunk;
                first
            });
            if !lowest.log.is_empty() || beyond.is_none() {
                return (lowest.log, beyond);
            }
        }
    }

    /// Settles all, then shows each timer, in the order in which they would fire.
    pub(super) fn for_each<X>(
        &mut self,
        ledger: &mut Ledger,
        mut show: impl FnMut(TimerKey) -> Result<(), X>,
    ) -> Result<(), X> {
        for chunk in std::iter::once(&mut self.head).chain(self.rest.values_mut()) {
            chunk.settle(ledger);
            for op in &chunk.log {
                show(op.key())?;
            }
        }
        Ok(())
    }
}
