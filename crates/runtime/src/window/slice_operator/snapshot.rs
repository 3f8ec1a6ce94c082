//! Panes in a checkpoint: an entry a key and pane, under the pane's start as namespace; and of a
//! window at work, which keys it has been emitted for.

use std::collections::HashSet;

use rheos_core::Row;
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::evolution::OwnValues;

use super::super::cells::Cells;
use super::super::fold::Fold;
use super::super::window::Window;
use super::{Pane, SliceWindowOperator};
use crate::chain::operator::OperatorContext;
use crate::checkpoint::floors::Floors;
use crate::checkpoint::restore::{OperatorRestore, number};
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::error::BoxError;

/// The accumulators, among the keyed states of a checkpoint.
const PANES: &str = "window-panes";
/// The keys that the window at work has been emitted for.
const FIRED: &str = "window-fired";
/// The number up to whose greatest timestamp windows have fired.
const FIRED_TO: &str = "fired-to";

/// What of a restore still matters: where key groups are ahead of the operator.
pub(super) struct Restored {
    /// Watermarks, by which rows are late.
    late: Option<Floors>,
    /// Up to where windows have fired.
    fired: Option<Floors>,
    /// Windows, by start, and slots that they have been emitted for.
    emitted: HashSet<(Millis, u32)>,
    /// The watermark from which on none of it matters.
    until: Millis,
}

impl<K, T, W, A, F> SliceWindowOperator<K, T, W, A, F>
where
    K: Row,
    T: Row,
    W: Window,
    A: Fold<T>,
{
    /// Freezes the state; the head of what is then written.
    pub(super) fn write(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        out.number(FIRED_TO, self.fired_to);
        let (head, (panes, fired)) = self.parts.backend.freeze_image(|image| {
            let panes = image.declare::<A::Acc>(PANES, "panes", true)?;
            let fired = image.declare::<()>(FIRED, "fired", true)?;
            Ok((panes, fired))
        })?;
        self.freeze(panes, fired);
        out.keyed = Some(head);
        Ok(())
    }

    pub(super) fn read(&mut self, from: &OperatorRestore) -> Result<(), BoxError> {
        let mut cells: Vec<(Millis, u32, A::Acc)> = Vec::new();
        let mut emitted = HashSet::new();
        let refs = self.refs.clone();
        let mut accumulators = OwnValues::<A::Acc>::new(PANES);
        from.keyed(&mut self.parts.backend, &[PANES, FIRED], |entry| {
            let start = entry.namespace as i64;
            if entry.state == FIRED {
                emitted.insert((start, entry.slot));
                return Ok(());
            }
            let accumulator = accumulators.read(entry.schema, entry.value)?;
            refs.retain(entry.slot);
            cells.push((start, entry.slot, accumulator));
            Ok(())
        })?;
        cells.sort_by_key(|(start, ..)| *start);
        let keys = self.parts.backend.key_count();
        for (start, slot, accumulator) in cells {
            if self
                .panes
                .back()
                .is_none_or(|pane| pane.span.start != start)
            {
                let span = self
                    .parts
                    .slices
                    .span_of(start, self.parts.lateness)
                    .filter(|span| span.start == start)
                    .ok_or_else(|| {
                        format!(
                            "the checkpoint holds a pane that begins at {start}, where no pane of \
                             the job's windows begins; restore with the windows that wrote it"
                        )
                    })?;
                let cells = Cells::new(keys, false, None);
                let frozen = None;
                self.panes.push_back(Pane {
                    span,
                    cells,
                    frozen,
                });
            }
            if let Some(pane) = self.panes.back_mut() {
                pane.cells.adapt(keys);
                pane.cells.insert(slot, accumulator, keys);
            }
        }
        let fired_to = |part: &OperatorSnapshot| number(part, FIRED_TO).unwrap_or(MIN_TIMESTAMP);
        self.fired_to = from.numbers(FIRED_TO).min().unwrap_or(MIN_TIMESTAMP);
        let late = from.floors(|part| part.watermark);
        let fired = from.floors(fired_to);
        let floors = [&late, &fired].into_iter().flatten();
        let until = floors.map(Floors::greatest).max();
        if until.is_some() || !emitted.is_empty() {
            self.restored = Some(Box::new(Restored {
                late,
                fired,
                emitted,
                until: until.unwrap_or(MIN_TIMESTAMP),
            }));
        }
        Ok(())
    }

    /// Whether a window had fired for the key of a slot before the restore.
    pub(super) fn has_fired(&self, start: Millis, slot: u32) -> bool {
        let Some(restored) = &self.restored else {
            return false;
        };
        let hash = self.parts.backend.directory().hash(slot);
        let floor = restored
            .fired
            .as_ref()
            .zip(hash)
            .and_then(|(f, hash)| f.of(hash));
        restored.emitted.contains(&(start, slot))
            || floor.is_some_and(|floor| self.parts.slices.max_of(start) <= floor)
    }

    /// The context of a row whose key group is ahead of the operator.
    #[inline]
    pub(super) fn ahead(
        &self,
        hash: Option<u64>,
        context: &OperatorContext,
    ) -> Option<OperatorContext> {
        let restored = self.restored.as_ref()?;
        restored.late.as_ref()?.context(hash?, context)
    }

    /// A watermark is wholly at work: what it has passed matters no more.
    pub(super) fn forget_restored(&mut self, watermark: Millis) {
        self.restored = self.restored.take().filter(|r| r.until > watermark);
    }
}
