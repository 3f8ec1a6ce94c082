//! Windows of event time without trigger and evictor, gathered by pane.
//!
//! A row is added to the one pane that it lies in, see [`super::slices`], however many windows slide
//! over it. A window that the watermark has reached is drained as a block: over its panes, key by
//! key, what they hold merged. No key has a timer.
//!
//! ```text
//! row ──▶ pane ──▶ accumulator of the key's slot          watermark ──▶ windows due, oldest first
//!                                                                       │ drained in slices
//!  late, but allowed ──▶ its pane, and its windows fire at once         ▼
//!  later still       ──▶ side output, or counted            panes whose last window is cleaned up go
//! ```
//!
//! Invariant: a pane that is there has a window that is not cleaned up, so a row that finds its pane
//! is not late. Each accumulator retains its key's slot. Panes are in order of time, without overlap.

mod frozen;
mod snapshot;

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use rheos_core::Row;
use rheos_core::time::{MIN_TIMESTAMP, Millis, cleanup_time};
use rheos_state::{KeyedBackend, SlotRefs};

use super::cells::Cells;
use super::contents::CONTENTS_STATE;
use super::fold::Fold;
use super::function::{WindowContext, WindowFunction};
use super::late::LateRows;
use super::slices::{Slices, Span};
use super::tumbling::NO_TIMESTAMP;
use super::window::Window;
use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, Operator, OperatorContext};
use crate::chain::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::error::BoxError;
use crate::keyed::keys::Keys;
use crate::metrics::states::{StateSize, sizes_of};
use frozen::{FrozenPane, FrozenWindows};
use snapshot::Restored;

/// How many keys of a window are emitted before the task looks at its mail.
const DRAIN_SLICE: usize = 2048;
/// How many accumulators of panes that are over are dropped for each batch of rows: more than the
/// batch can add.
const DROP_SLICE: usize = 512;
/// And of how many panes at most.
const DROP_PANES: usize = 8;
/// Below this, all accumulators of a pane are near anyway.
const TOUCH_FROM: usize = 4096;
/// Arrays kept for panes to come.
const SPARE: usize = 4;
/// The place of a row that has no pane.
const NO_PANE: usize = usize::MAX;

struct Pane<A> {
    span: Span,
    cells: Cells<A>,
    /// What of it has been written, while it belongs to an image.
    frozen: Option<Box<FrozenPane>>,
}

/// The window at work, and how far.
#[derive(Clone)]
struct Drain {
    start: Millis,
    panes: Range<usize>,
    /// The pane whose keys are being emitted, and the place in it.
    pane: usize,
    place: usize,
}

/// What a slice operator is made of.
pub(crate) struct SliceParts<K, T, W, A, F> {
    pub backend: KeyedBackend<K>,
    pub keys: Keys<K, T>,
    pub slices: Slices<W>,
    pub lateness: Millis,
    pub fold: A,
    pub function: F,
    pub late: LateRows<T>,
}

/// See the [module](self).
pub(crate) struct SliceWindowOperator<K, T, W, A: Fold<T>, F> {
    parts: SliceParts<K, T, W, A, F>,
    refs: Rc<SlotRefs>,
    panes: VecDeque<Pane<A::Acc>>,
    /// Panes that are over, their accumulators not yet dropped.
    over: VecDeque<Pane<A::Acc>>,
    spare: Vec<Vec<Option<A::Acc>>>,
    /// Windows up to this greatest timestamp have fired.
    fired_to: Millis,
    drain: Option<Drain>,
    /// The image that is being written.
    frozen: Option<FrozenWindows>,
    /// What of a restore still matters.
    restored: Option<Box<Restored>>,
    key_buffer: Vec<K>,
    hash_buffer: Vec<u64>,
    slots: Vec<u32>,
    places: Vec<usize>,
}

impl<K, T, W, A, F> SliceWindowOperator<K, T, W, A, F>
where
    K: Row,
    T: Row,
    W: Window,
    A: Fold<T>,
{
    pub(crate) fn new(parts: SliceParts<K, T, W, A, F>) -> Self {
        Self {
            refs: parts.backend.directory().refs().clone(),
            parts,
            panes: VecDeque::new(),
            over: VecDeque::new(),
            spare: Vec::new(),
            fired_to: MIN_TIMESTAMP,
            drain: None,
            frozen: None,
            restored: None,
            key_buffer: Vec::new(),
            hash_buffer: Vec::new(),
            slots: Vec::new(),
            places: Vec::new(),
        }
    }

    /// The pane that holds a timestamp, if it is open.
    fn find(&self, timestamp: Millis) -> Option<(usize, Span)> {
        let at = self
            .panes
            .partition_point(|pane| pane.span.end <= timestamp);
        let span = self.panes.get(at)?.span;
        (span.start <= timestamp).then_some((at, span))
    }

    /// Opens the pane of a timestamp, unless it lies in a gap or is too late.
    fn open(&mut self, timestamp: Millis, watermark: Millis) -> Result<bool, BoxError> {
        if timestamp == MIN_TIMESTAMP {
            return Err(NO_TIMESTAMP.into());
        }
        let Some(span) = self.parts.slices.span_of(timestamp, self.parts.lateness) else {
            return Ok(false);
        };
        if span.cleanup <= watermark {
            return Ok(false);
        }
        let at = self
            .panes
            .partition_point(|pane| pane.span.end <= span.start);
        // Neighbours are mostly alike.
        let neighbour = self.panes.get(at.saturating_sub(1));
        let dense = neighbour.is_some_and(|pane| pane.cells.is_dense());
        let cells = Cells::new(self.parts.backend.key_count(), dense, self.spare.pop());
        let frozen = None;
        self.panes.insert(
            at,
            Pane {
                span,
                cells,
                frozen,
            },
        );
        Ok(true)
    }

    /// The panes of the next rows into `places`.
    fn place(&mut self, timestamps: &[Millis], watermark: Millis) -> Result<(), BoxError> {
        'again: loop {
            self.places.clear();
            let (mut last, mut from, mut to) = (NO_PANE, Millis::MAX, Millis::MIN);
            for &timestamp in timestamps {
                if !(from <= timestamp && timestamp < to) {
                    match self.find(timestamp) {
                        Some((at, span)) => (last, from, to) = (at, span.start, span.end),
                        // A new pane moves the others.
                        None if self.open(timestamp, watermark)? => continue 'again,
                        None => {
                            self.places.push(NO_PANE);
                            continue;
                        }
                    }
                }
                self.places.push(last);
            }
            return Ok(());
        }
    }

    /// Brings the accumulators of the rows at hand near.
    fn touch(&self) {
        if self.parts.backend.key_count() < TOUCH_FROM {
            return;
        }
        let mut read = 0usize;
        for (&slot, &place) in self.slots.iter().zip(&self.places) {
            if let Some(pane) = self.panes.get(place) {
                read = read.wrapping_add(pane.cells.touch(slot));
            }
        }
        std::hint::black_box(read);
    }

    /// The panes of the window that starts there.
    fn panes_of(&self, start: Millis) -> Range<usize> {
        let end = start.saturating_add(self.parts.slices.size);
        let first = self.panes.partition_point(|pane| pane.span.start < start);
        let last = self.panes.partition_point(|pane| pane.span.end <= end);
        first..last.max(first)
    }

    /// What the window of these panes holds for a key.
    fn result(&self, panes: Range<usize>, slot: u32) -> Option<A::Out> {
        let fold = &self.parts.fold;
        let mut parts = self
            .panes
            .range(panes)
            .filter_map(|pane| pane.cells.get(slot));
        let first = parts.next()?;
        let Some(second) = parts.next() else {
            return Some(fold.result(first));
        };
        let mut all = first.clone();
        fold.merge(&mut all, second.clone());
        for part in parts {
            fold.merge(&mut all, part.clone());
        }
        Some(fold.result(&all))
    }

    /// The next window that the watermark has reached and that holds something.
    fn next_window(&self, watermark: Millis) -> Option<Drain> {
        let slices = &self.parts.slices;
        for pane in &self.panes {
            let mut start = pane.span.first;
            if pane.span.first_max <= self.fired_to {
                let behind = self.fired_to.saturating_sub(pane.span.first_max);
                let steps = (behind / slices.slide).saturating_add(1);
                start = start.saturating_add(steps.saturating_mul(slices.slide));
            }
            if start > pane.span.last || pane.cells.len() == 0 {
                continue;
            }
            if slices.max_of(start) > watermark {
                return None;
            }
            let panes = self.panes_of(start);
            return Some(Drain {
                start,
                pane: panes.start,
                panes,
                place: 0,
            });
        }
        None
    }

    /// Sets panes aside whose last window is cleaned up.
    fn retire(&mut self, watermark: Millis) {
        while self
            .panes
            .front()
            .is_some_and(|pane| pane.span.cleanup <= watermark)
        {
            self.over.extend(self.panes.pop_front());
        }
    }

    /// Drops some accumulators of panes that are over, and with them keys that nothing else holds.
    fn drop_over(&mut self, limit: usize) {
        for _ in 0..DROP_PANES {
            let front = self.over.front_mut();
            let Some(pane) = front.filter(|pane| pane.frozen.is_none()) else {
                return;
            };
            if !pane.cells.drop_some(limit, |slot| self.refs.release(slot)) {
                return;
            }
            let gone = self.over.pop_front();
            if let Some(memory) = gone.and_then(|pane| pane.cells.into_memory())
                && self.spare.len() < SPARE
            {
                self.spare.push(memory);
            }
        }
    }

    /// Adds a row of the key at `slot` to the pane at `place`.
    #[inline]
    fn add<Out: Row>(
        &mut self,
        row: T,
        timestamp: Millis,
        (hash, slot, place, keys): (Option<u64>, u32, usize, usize),
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>
    where
        F: WindowFunction<K, W, A::Out, Out>,
    {
        let ahead = self.ahead(hash, context);
        let context = ahead.as_ref().unwrap_or(context);
        let watermark = context.watermark;
        let pane = self.panes.get_mut(place);
        let is_open = |pane: &&mut Pane<A::Acc>| ahead.is_none() || pane.span.cleanup > watermark;
        let Some(pane) = pane.filter(is_open) else {
            // In a gap between windows a row is lost without being late.
            if timestamp.saturating_add(self.parts.lateness) <= watermark {
                self.parts.late.take(row, timestamp);
            }
            return Ok(());
        };
        if pane.frozen.is_some() {
            self.write_before(place, slot);
        }
        let Some(pane) = self.panes.get_mut(place) else {
            return Ok(());
        };
        match pane.cells.get_mut(slot) {
            Some(accumulator) => self.parts.fold.add(accumulator, row),
            None => {
                self.refs.retain(slot);
                if pane.frozen.is_none() {
                    pane.cells.adapt(keys);
                }
                pane.cells.insert(slot, self.parts.fold.start(row), keys);
            }
        }
        if pane.span.first_max <= watermark && self.parts.lateness > 0 {
            let span = pane.span;
            self.fire_late(span, slot, out, context)?;
        }
        Ok(())
    }

    /// Emits the window at `start` for a key.
    fn emit<Out: Row>(
        &mut self,
        start: Millis,
        panes: Range<usize>,
        slot: u32,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>
    where
        F: WindowFunction<K, W, A::Out, Out>,
    {
        let Some(result) = self.result(panes, slot) else {
            return Ok(());
        };
        let window = self.parts.slices.window_at(start);
        self.parts.backend.enter(slot);
        let Some(key) = self.parts.backend.current_key() else {
            return Ok(());
        };
        let mut collector = Collector::new(out, window.max_timestamp());
        let context = WindowContext::new(context);
        self.parts
            .function
            .apply(key, &window, result, &context, &mut collector)
    }

    /// Fires the windows of a pane that have fired before and may be late, for one key.
    #[cold]
    fn fire_late<Out: Row>(
        &mut self,
        span: Span,
        slot: u32,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>
    where
        F: WindowFunction<K, W, A::Out, Out>,
    {
        let Slices { slide, .. } = self.parts.slices;
        let mut start = span.first;
        while start <= span.last {
            let max = self.parts.slices.max_of(start);
            if max > context.watermark {
                break;
            }
            if cleanup_time(max, self.parts.lateness) > context.watermark {
                self.emit(start, self.panes_of(start), slot, out, context)?;
            }
            start = start.saturating_add(slide);
        }
        Ok(())
    }

    /// Emits the keys of a window; says whether that is all of them.
    fn drain<Out: Row>(
        &mut self,
        budget: &mut usize,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<bool, BoxError>
    where
        F: WindowFunction<K, W, A::Out, Out>,
    {
        let Some(mut drain) = self.drain.take() else {
            return Ok(true);
        };
        while let Some(pane) = self
            .panes
            .get(drain.pane)
            .filter(|_| drain.pane < drain.panes.end)
        {
            let Some((slot, place)) = pane.cells.next_slot(drain.place) else {
                (drain.pane, drain.place) = (drain.pane + 1, 0);
                continue;
            };
            if *budget == 0 || out.is_full() {
                self.drain = Some(drain);
                return Ok(false);
            }
            *budget -= 1;
            drain.place = place;
            let mut before = self.panes.range(drain.panes.start..drain.pane);
            if !before.any(|pane| pane.cells.get(slot).is_some())
                && !self.has_fired(drain.start, slot)
            {
                // The panes before this one hold nothing of the key.
                self.emit(drain.start, drain.pane..drain.panes.end, slot, out, context)?;
            }
        }
        self.fired_to = self.parts.slices.max_of(drain.start);
        Ok(true)
    }
}

impl<K, T, W, A, F, Out> Operator<T, Out> for SliceWindowOperator<K, T, W, A, F>
where
    K: Row,
    T: Row,
    W: Window,
    A: Fold<T>,
    Out: Row,
    F: WindowFunction<K, W, A::Out, Out>,
{
    fn process(
        &mut self,
        input: &mut Cursor<T>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.parts.backend.context().set_now(context.now_millis);
        let watermark = context.watermark;
        while input.allowed() > 0 && !out.is_full() {
            self.parts
                .keys
                .of_next(input, &mut self.key_buffer, &mut self.hash_buffer);
            self.parts
                .backend
                .resolve_batch(&self.hash_buffer, &self.key_buffer, &mut self.slots);
            let rows = self.slots.len();
            let timestamps = input.timestamps();
            self.place(timestamps.get(..rows).unwrap_or(timestamps), watermark)?;
            self.touch();
            let keys = self.parts.backend.key_count();
            for at in 0..rows {
                let (Some(&slot), Some(&place)) = (self.slots.get(at), self.places.get(at)) else {
                    break;
                };
                if out.is_full() {
                    break;
                }
                let hash = self.hash_buffer.get(at).copied();
                let taken = input.take_next(|row, timestamp| {
                    self.add(row, timestamp, (hash, slot, place, keys), out, context)
                });
                match taken {
                    Some(taken) => taken?,
                    None => break,
                }
            }
            self.drop_over(DROP_SLICE);
            self.parts.backend.end_batch();
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        self.parts.backend.context().set_now(context.now_millis);
        let mut budget = DRAIN_SLICE;
        loop {
            if self.drain.is_none() {
                self.drain = self.next_window(watermark);
            }
            if self.drain.is_none() {
                break;
            }
            if !self.drain(&mut budget, out, context)? {
                return Ok(Firing::More);
            }
        }
        self.fired_to = watermark;
        self.forget_restored(watermark);
        self.retire(watermark);
        self.drop_over(DROP_SLICE);
        self.parts.backend.end_batch();
        Ok(Firing::Done)
    }

    fn states(&self) -> Vec<StateSize> {
        let panes = self.panes.iter().map(|pane| &pane.cells);
        let over = self.over.iter().map(|pane| &pane.cells);
        let bytes = panes.chain(over).map(Cells::estimated_bytes).sum();
        let contents = StateSize {
            name: CONTENTS_STATE.to_owned(),
            keys: self.parts.backend.key_count(),
            estimated_bytes: bytes,
            migrates: false,
        };
        let mut states = sizes_of(&self.parts.backend);
        states.push(contents);
        states
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        self.write(out)
    }

    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        self.write_on(out)
    }

    fn thaw(&mut self) {
        SliceWindowOperator::thaw(self);
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.read(from)
    }
}
