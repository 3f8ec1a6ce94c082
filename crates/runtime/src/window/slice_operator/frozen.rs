//! Panes as they were at a barrier, written while rows are added to them.
//!
//! Each pane that there is at the barrier remembers which accumulators have been written since. One
//! that a row is about to change is written first; the others pane by pane. So an accumulator that has
//! not been written is as it was. A pane that is over stays until it has been written. Panes that are
//! opened later are not part of it.

use rheos_core::Row;
use rheos_core::row::Writer;
use rheos_core::time::Millis;
use rheos_state::SlotSet;

use super::super::fold::Fold;
use super::super::window::Window;
use super::{Drain, Pane, SliceWindowOperator};
use crate::error::BoxError;

/// Accumulators that are looked at in a call.
const LOOKED_AT: usize = 2048;

/// What of a pane has been written.
#[derive(Debug, Default)]
pub(super) struct FrozenPane {
    written: SlotSet,
    /// Where to go on.
    place: usize,
}

/// The numbers of the operator's own states in the image, and what was at work at the barrier.
pub(super) struct FrozenWindows {
    panes: usize,
    fired: usize,
    drain: Option<FrozenDrain>,
}

/// A window that was being emitted, by the starts of its panes: their places in the row change.
struct FrozenDrain {
    start: Millis,
    first: Millis,
    /// The pane that was being emitted, and up to where.
    pane: Millis,
    place: usize,
}

impl FrozenDrain {
    fn of<A>(drain: &Drain, panes: &std::collections::VecDeque<Pane<A>>) -> Self {
        let start_of = |at: usize| panes.get(at).map_or(Millis::MAX, |pane| pane.span.start);
        let pane = match drain.panes.contains(&drain.pane) {
            true => start_of(drain.pane),
            // All of its panes have been emitted.
            false => start_of(drain.panes.end),
        };
        Self {
            start: drain.start,
            first: start_of(drain.panes.start),
            pane,
            place: drain.place,
        }
    }

    /// Whether the window had been emitted for the key of an accumulator, whose place in its pane is
    /// followed by `next`.
    fn has_emitted(&self, pane: Millis, next: usize) -> bool {
        self.first <= pane && (pane < self.pane || (pane == self.pane && next <= self.place))
    }
}

impl<K, T, W, A, F> SliceWindowOperator<K, T, W, A, F>
where
    K: Row,
    T: Row,
    W: Window,
    A: Fold<T>,
{
    /// Freezes the panes, for an image in which their accumulators have the number `panes` and emitted
    /// keys the number `fired`.
    pub(super) fn freeze(&mut self, panes: usize, fired: usize) {
        for pane in &mut self.over {
            pane.frozen = None;
        }
        for pane in &mut self.panes {
            pane.frozen = Some(Box::default());
        }
        let drain = self.drain.as_ref();
        self.frozen = Some(FrozenWindows {
            panes,
            fired,
            drain: drain.map(|drain| FrozenDrain::of(drain, &self.panes)),
        });
    }

    /// The image is given up.
    pub(super) fn thaw(&mut self) {
        self.frozen = None;
        for pane in self.over.iter_mut().chain(&mut self.panes) {
            pane.frozen = None;
        }
        self.parts.backend.drop_image();
    }

    /// Writes the accumulator of a slot before it changes.
    #[cold]
    pub(super) fn write_before(&mut self, place: usize, slot: u32) {
        let (Some(pane), Some(frozen)) = (self.panes.get_mut(place), &self.frozen) else {
            return;
        };
        let Some(state) = &mut pane.frozen else {
            return;
        };
        if state.written.contains(slot) {
            return;
        }
        state.written.insert(slot);
        frozen.write(pane, slot, &self.parts.backend);
    }

    /// Writes some of the frozen accumulators; says whether those were the last.
    fn write_panes(&mut self) -> bool {
        let Some(frozen) = &self.frozen else {
            return true;
        };
        let mut left = LOOKED_AT;
        for pane in self.over.iter_mut().chain(&mut self.panes) {
            while let Some(state) = &mut pane.frozen {
                let Some((slot, next)) = pane.cells.next_slot(state.place) else {
                    pane.frozen = None;
                    break;
                };
                if left == 0 || self.parts.backend.image_slice_is_full() {
                    return false;
                }
                left -= 1;
                state.place = next;
                if !state.written.contains(slot) {
                    frozen.write(pane, slot, &self.parts.backend);
                }
            }
        }
        self.frozen = None;
        true
    }

    /// Appends some of the image to `out`; says whether that was the last.
    pub(super) fn write_on(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        if !self.write_panes() {
            self.parts.backend.take_image(out)?;
            return Ok(false);
        }
        Ok(self.parts.backend.write_image(out)?)
    }
}

impl FrozenWindows {
    fn write<K: Row, Acc: Row>(
        &self,
        pane: &Pane<Acc>,
        slot: u32,
        backend: &rheos_state::KeyedBackend<K>,
    ) {
        let Some(accumulator) = pane.cells.get(slot) else {
            return;
        };
        let start = pane.span.start;
        backend.write_own(self.panes, slot, Some(start as u64), |out| {
            accumulator.encode(out)
        });
        if let Some(drain) = &self.drain
            && drain.has_emitted(start, pane.cells.place_after(slot))
        {
            let start = Some(drain.start as u64);
            backend.write_own(self.fired, slot, start, |_: &mut Writer| {});
        }
    }
}
