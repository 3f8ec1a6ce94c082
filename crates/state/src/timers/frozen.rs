//! Timers as they were at a barrier, shown bit by bit while others are registered, deleted and fire.
//!
//! [`TimerService::freeze`] takes a copy of what the burst at hand has taken out, and nothing else. A
//! chunk is shown when its turn comes; one that is about to change before that is copied first, once.
//! A copy is 24 bytes a timer and at most as long as a chunk.

use super::chunk::{Chunk, Ledger, TimerKey, TimerOp};
use super::{Due, TimerService};

/// How far the frozen timers have been shown.
#[derive(Debug)]
pub(super) struct Freeze {
    /// Chunks that have been shown or copied bear it.
    number: u32,
    /// The first key of the chunk that was looked at last.
    cursor: Option<TimerKey>,
    /// Copies that are to be shown.
    copies: Vec<Vec<TimerOp>>,
}

impl Freeze {
    /// The chunk is about to change.
    pub(super) fn keep(&mut self, chunk: &mut Chunk, ledger: &mut Ledger) {
        if chunk.shown_in == self.number {
            return;
        }
        chunk.shown_in = self.number;
        if !chunk.is_empty() {
            self.copies.push(chunk.copy(ledger));
        }
    }
}

fn show_all<X>(log: &[TimerOp], mut show: impl FnMut(Due) -> Result<(), X>) -> Result<(), X> {
    let mut timers = log.iter().rev().filter(|op| op.is_registration());
    timers.try_for_each(|op| show(Due::of(op.key())))
}

impl TimerService {
    /// Freezes the timers that are pending. The slots of their keys must stay theirs until
    /// [`TimerService::thaw`].
    pub fn freeze(&mut self) {
        self.freezes = self.freezes.wrapping_add(1);
        let added = self.drain.added.iter();
        let added = added.map(|&(timestamp, _, slot, namespace)| {
            TimerOp::registration((timestamp, slot, namespace))
        });
        let mut taken: Vec<TimerOp> = added.rev().collect();
        taken.extend(self.drain.timers.iter().copied());
        self.freeze = Some(Freeze {
            number: self.freezes,
            cursor: None,
            copies: vec![taken],
        });
    }

    /// Shows about a thousand of the frozen timers; says whether all have been shown.
    ///
    /// # Errors
    /// What `show` answers, which ends it.
    pub fn show_frozen<X>(&mut self, show: impl FnMut(Due) -> Result<(), X>) -> Result<bool, X> {
        let Self {
            freeze,
            head,
            rest,
            ledger,
            ..
        } = self;
        let Some(freeze) = freeze else {
            return Ok(true);
        };
        if let Some(copy) = freeze.copies.pop() {
            show_all(&copy, show)?;
            return Ok(false);
        }
        // What was first among the others may have become the head meanwhile.
        if head.shown_in != freeze.number {
            head.shown_in = freeze.number;
            head.settle(ledger);
            show_all(head.log(), show)?;
            return Ok(false);
        }
        let from = freeze
            .cursor
            .map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        // Chunks that bear the number cost next to nothing, but there may be many.
        for (first, chunk) in rest
            .range_mut((from, std::ops::Bound::Unbounded))
            .take(1024)
        {
            freeze.cursor = Some(*first);
            if chunk.shown_in != freeze.number {
                chunk.shown_in = freeze.number;
                chunk.settle(ledger);
                show_all(chunk.log(), show)?;
                return Ok(false);
            }
        }
        let is_last = rest
            .last_key_value()
            .is_none_or(|(last, _)| freeze.cursor >= Some(*last));
        Ok(is_last)
    }

    /// Ends the freeze, whether all timers have been shown or not.
    pub fn thaw(&mut self) {
        self.freeze = None;
    }
}
