//! Timers: a key asks to be called when the watermark, or the processing time, reaches a moment.
//!
//! ```text
//! register / delete ─▶ the chunk whose range it falls in (a log)     order: first timer → chunk
//! advance(w)        ─▶ a burst begins; the current time is w at once
//! next_due()        ─▶ what is due of the lowest chunk is settled (sorted, last word on each timer
//!                      holds), taken out and given one timer a call; `None` ends the burst
//! ```
//!
//! Chunks split as they grow, so their ranges fit the timers however dense they are: a millisecond
//! may have a million, or a minute one. A registration is a search among few chunks and an append.
//!
//! Flink's rules hold: a timer registered twice is one; one registered at or before the current
//! time waits for the next advance; one registered during a burst and due by then fires in that
//! burst, in the order of time, even before timers that were taken out; deleting a timer that is due
//! and has not fired takes effect, also among those taken out. Timers of one moment fire in the
//! order of slot and namespace; those registered while it fires come last.
//!
//! A burst may be interrupted between any two timers, for mail or a barrier: what is left stays
//! enumerable ([`TimerService::for_each_pending`]), and the burst goes on with the next
//! [`TimerService::next_due`], also after a restore ([`TimerService::restore_progress`]).
//!
//! A pending timer holds its key's slot: each registration in a log is one reference. A deletion
//! holds none: if there was no such timer it leaves nothing, and if its slot goes to another key,
//! that key's registrations come later in the log and win.

mod chunk;
mod frozen;
mod handle;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use rheos_core::time::{MIN_TIMESTAMP, Millis};

use crate::key_context::Namespace;
use crate::slot_refs::SlotRefs;
use chunk::{Chunk, Ledger, TimerKey, TimerOp};
use frozen::Freeze;
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

impl Due {
    fn of((timestamp, slot, namespace): TimerKey) -> Self {
        Self {
            timestamp,
            slot,
            namespace,
        }
    }
}

/// A timer registered during a burst: its moment, whether that had begun to fire, and whose it is.
type Added = (Millis, bool, u32, Namespace);

/// What a burst has taken out of the chunks and not yet fired.
#[derive(Debug, Default)]
struct Drain {
    /// Whether the burst has taken anything out.
    begun: bool,
    /// The moment that is firing.
    moment: Option<Millis>,
    /// In descending order.
    timers: Vec<TimerOp>,
    /// What was registered since, in the range of what was taken out.
    added: BTreeSet<Added>,
    /// Where that range ends; without an end if nothing is left in the chunks.
    end: Option<TimerKey>,
}

impl Drain {
    /// Whether a timer would be in the range of what was taken out.
    #[inline]
    fn covers(&self, key: TimerKey) -> bool {
        self.begun && self.end.is_none_or(|end| key < end)
    }

    /// Registers or deletes a timer of that range.
    fn put(&mut self, key: TimerKey, register: bool, ledger: &mut Ledger) {
        let (timestamp, slot, namespace) = key;
        let place = self
            .timers
            .binary_search_by_key(&Reverse(key), |op| Reverse(op.key()));
        let changed = match place.ok().and_then(|at| self.timers.get_mut(at)) {
            Some(op) => op.set(register),
            None => {
                let early = (timestamp, false, slot, namespace);
                let late = (timestamp, true, slot, namespace);
                match (register, self.moment == Some(timestamp)) {
                    (true, true) => !self.added.contains(&early) && self.added.insert(late),
                    (true, false) => !self.added.contains(&late) && self.added.insert(early),
                    (false, _) => self.added.remove(&early) || self.added.remove(&late),
                }
            }
        };
        match (changed, register) {
            (true, true) => ledger.retain(slot),
            (true, false) => ledger.release(slot),
            (false, _) => {}
        }
    }

    /// The next of those taken out that is not deleted, left in place.
    #[inline]
    fn peek(&mut self) -> Option<TimerKey> {
        while let Some(op) = self.timers.last() {
            if op.is_registration() {
                return Some(op.key());
            }
            self.timers.pop();
        }
        None
    }
}

/// The timers of one operator in one time domain. See the [module](self) for its rules.
#[derive(Debug)]
pub struct TimerService {
    domain: TimeDomain,
    now: Millis,
    in_burst: bool,
    /// The lowest chunk.
    head: Chunk,
    /// The others, by the first key that belongs there; none is empty when it was settled last.
    rest: BTreeMap<TimerKey, Chunk>,
    drain: Drain,
    ledger: Ledger,
    /// Timers that are shown as they were, and how often there were such.
    freeze: Option<Freeze>,
    freezes: u32,
}

impl TimerService {
    /// A service without timers, at the beginning of time, over slots that `refs` counts.
    pub fn new(domain: TimeDomain, refs: Rc<SlotRefs>) -> Self {
        Self {
            domain,
            now: MIN_TIMESTAMP,
            in_burst: false,
            head: Chunk::default(),
            rest: BTreeMap::new(),
            drain: Drain::default(),
            ledger: Ledger::new(refs),
            freeze: None,
            freezes: 0,
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
        let taken = self.drain.timers.last().map(|op| op.timestamp);
        let added = self.drain.added.first().map(|key| key.0);
        let firing = [taken, added].into_iter().flatten().min();
        match (self.earliest_waiting(), firing) {
            (Some(waiting), Some(firing)) => Some(waiting.min(firing)),
            (waiting, firing) => waiting.or(firing),
        }
    }

    /// No timer in a chunk is earlier.
    #[inline]
    fn earliest_waiting(&self) -> Option<Millis> {
        let head = self.head.earliest();
        head.or_else(|| self.rest.values().find_map(Chunk::earliest))
    }

    /// Registers a timer for the key in `slot`, under `namespace`, at `timestamp`. It is one timer
    /// however often it is registered.
    #[inline]
    pub fn register(&mut self, timestamp: Millis, slot: u32, namespace: Namespace) {
        self.put((timestamp, slot, namespace), true);
    }

    /// Deletes a timer, if there is such a one.
    #[inline]
    pub fn delete(&mut self, timestamp: Millis, slot: u32, namespace: Namespace) {
        self.put((timestamp, slot, namespace), false);
    }

    fn put(&mut self, key: TimerKey, register: bool) {
        if self.drain.covers(key) {
            self.drain.put(key, register, &mut self.ledger);
            return;
        }
        let (first, chunk) = match self.rest.range_mut(..=key).next_back() {
            Some((&first, chunk)) => (Some(first), chunk),
            None => (None, &mut self.head),
        };
        if let Some(freeze) = &mut self.freeze {
            freeze.keep(chunk, &mut self.ledger);
        }
        chunk.put(key, register, &mut self.ledger);
        if let Some((first, upper)) = chunk.split(&mut self.ledger) {
            self.rest.insert(first, upper);
        } else if chunk.is_empty()
            && let Some(first) = first
        {
            self.rest.remove(&first);
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
            let added = self.drain.added.first().copied();
            if let Some(taken) = self.drain.peek() {
                if added.is_none_or(|added| added > (taken.0, false, taken.1, taken.2)) {
                    self.drain.timers.pop();
                    return Some(self.fired(taken));
                }
            } else {
                let before = added.map_or(self.now, |added| added.0);
                if self.earliest_waiting().is_some_and(|at| at <= before) {
                    self.take_due();
                    continue;
                }
            }
            match added {
                Some(added) => {
                    self.drain.added.remove(&added);
                    return Some(self.fired((added.0, added.2, added.3)));
                }
                None => {
                    self.in_burst = false;
                    self.drain.begun = false;
                    self.drain.moment = None;
                    return None;
                }
            }
        }
    }

    #[inline]
    fn fired(&mut self, key: TimerKey) -> Due {
        self.drain.moment = Some(key.0);
        self.ledger.release(key.1);
        Due::of(key)
    }

    /// Takes what is due out of the lowest chunk.
    fn take_due(&mut self) {
        let mut end = self.now.checked_add(1).map(|beyond| (beyond, 0, 0));
        if let Some(freeze) = &mut self.freeze {
            freeze.keep(&mut self.head, &mut self.ledger);
        }
        self.head
            .take_due(self.now, &mut self.drain.timers, &mut self.ledger);
        if self.head.is_empty()
            && let Some((first, chunk)) = self.rest.pop_first()
        {
            self.head = chunk;
            end = Some(end.map_or(first, |end| end.min(first)));
        }
        self.drain.begun = true;
        self.drain.end = end;
    }

    /// The slots of up to `limit` timers that will fire next, as far as this is known, into `out`,
    /// which is cleared first: what to touch before they fire.
    pub fn upcoming_slots(&self, limit: usize, out: &mut Vec<u32>) {
        out.clear();
        out.extend(
            self.drain
                .timers
                .iter()
                .rev()
                .take(limit)
                .map(TimerOp::slot),
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
        let taken = self.drain.timers.iter().rev();
        let taken = taken.filter(|op| op.is_registration()).map(TimerOp::key);
        let added = self
            .drain
            .added
            .iter()
            .map(|&(at, _, slot, ns)| (at, slot, ns));
        for key in taken.chain(added) {
            show(Due::of(key))?;
        }
        for chunk in std::iter::once(&mut self.head).chain(self.rest.values_mut()) {
            chunk.for_each(&mut self.ledger, |key| show(Due::of(key)))?;
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
