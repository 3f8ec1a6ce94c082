//! The window operator for windows, triggers and evictors of every kind.
//!
//! All that it keeps is keyed state: the contents and what the trigger remembers under the window's
//! number as namespace, the live windows of a key where they can't be told from their number, and
//! timers under the same namespace. The order of calls is that of Flink's `WindowOperator`.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::{MAX_WATERMARK, Millis, cleanup_time};
use rheos_state::{Due, KeyedBackend, Namespace, PendingSeal, TimeDomain};

use super::assigner::{AssignContext, WindowAssigner};
use super::contents::Contents;
use super::function::WindowContext;
use super::late::LateRows;
use super::live::LiveWindows;
use super::trigger::{OpenTrigger, TriggerContext, TriggerResult};
use super::window::Window;
use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, Operator, OperatorContext};
use crate::chain::outputs::Outputs;
use crate::checkpoint::floors::Floors;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::error::BoxError;
use crate::keyed::context::KeyedTimers;
use crate::keyed::keys::Keys;
use crate::keyed::process::TIMER_SLICE;
use crate::metrics::states::{StateSize, sizes_of};

/// What windows do, apart from the keys' directory.
pub(crate) struct Windows<K, T, W: Window, Out> {
    pub assigner: Arc<dyn WindowAssigner<T, Window = W>>,
    pub trigger: Box<dyn OpenTrigger<T, W>>,
    pub contents: Box<dyn Contents<K, T, W, Out>>,
    pub live: LiveWindows<T, W>,
    pub timers: KeyedTimers,
    pub lateness: Millis,
    pub late: LateRows<T>,
    pub event_time: bool,
    pub merging: bool,
}

/// See the [module](self).
pub(crate) struct WindowOperator<K, T, W: Window, Out> {
    backend: KeyedBackend<K>,
    keys: Keys<K, T>,
    windows: Windows<K, T, W, Out>,
    assigned: Vec<W>,
    key_buffer: Vec<K>,
    hash_buffer: Vec<u64>,
    slots: Vec<u32>,
    /// Where key groups are ahead of the watermark since a restore.
    floors: Option<Floors>,
}

/// The name, in a checkpoint, of the number of the window that comes next.
const NEXT_WINDOW: &str = "next-window";

impl<K: Row, T: Row, W: Window, Out: Row> Windows<K, T, W, Out> {
    fn trigger_context<'a>(&'a self, context: &OperatorContext) -> TriggerContext<'a> {
        TriggerContext {
            watermark: context.watermark,
            processing_time: context.now_millis,
            timers: &self.timers,
        }
    }

    /// When a window is cleaned up.
    fn cleanup(&self, window: &W) -> Millis {
        let max = window.max_timestamp();
        if self.event_time {
            cleanup_time(max, self.lateness)
        } else {
            max
        }
    }

    fn is_late(&self, window: &W, watermark: Millis) -> bool {
        self.event_time && self.cleanup(window) <= watermark
    }

    fn register_cleanup(&self, window: &W) {
        match self.cleanup(window) {
            // The end of time is not waited for.
            MAX_WATERMARK => {}
            at if self.event_time => self.timers.event.register(at),
            at => self.timers.processing.register(at),
        }
    }

    fn delete_cleanup(&self, window: &W) {
        match self.cleanup(window) {
            MAX_WATERMARK => {}
            at if self.event_time => self.timers.event.delete(at),
            at => self.timers.processing.delete(at),
        }
    }

    /// The window that a row's own becomes, and its number; none if it is late.
    fn place(
        &mut self,
        window: W,
        backend: &KeyedBackend<K>,
        context: &OperatorContext,
    ) -> Result<Option<(W, Namespace)>, BoxError> {
        if !self.merging {
            if self.is_late(&window, context.watermark) {
                return Ok(None);
            }
            return Ok(Some((window, self.live.number(&window))));
        }
        let (result, merged) = self.live.merged(window);
        match merged.as_slice() {
            [] if self.is_late(&result, context.watermark) => return Ok(None),
            [] => return Ok(Some((result, self.live.add(result)))),
            [only] if only.0 == result => return Ok(Some(*only)),
            _ => {}
        }
        if self.is_late(&result, context.watermark) {
            return Err(format!(
                "windows were merged into {result:?}, which is over at watermark {}; a merged \
                 window may not end before those that it is made of",
                context.watermark
            )
            .into());
        }
        let key = backend.context();
        let number = self.live.add(result);
        let from: Vec<Namespace> = merged.iter().map(|(_, number)| *number).collect();
        key.set_namespace(number);
        let trigger = self.trigger_context(context);
        self.trigger.on_merge(&result, key, &from, &trigger)?;
        for (window, number) in &merged {
            key.set_namespace(*number);
            self.trigger.clear(window, &trigger)?;
            self.delete_cleanup(window);
            self.live.remove(*number);
        }
        key.set_namespace(number);
        self.contents.merge(key, &from);
        Ok(Some((result, number)))
    }

    /// Adds a row to a window of the key at hand.
    fn add(
        &mut self,
        (row, timestamp): (T, Millis),
        (key, window): (&K, &W),
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let trigger = self.trigger_context(context);
        let result = self.trigger.on_element(&row, timestamp, window, &trigger)?;
        self.contents.add(row, timestamp);
        self.act(result, false, (key, window), out, context)?;
        self.register_cleanup(window);
        Ok(())
    }

    /// Does what the trigger says. `last` if the window is dropped afterwards anyway.
    fn act(
        &mut self,
        result: TriggerResult,
        last: bool,
        (key, window): (&K, &W),
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        if result.fires() {
            let keep = !last && !result.purges();
            let mut collector = Collector::new(out, window.max_timestamp());
            let context = WindowContext::new(context);
            self.contents
                .emit(key, window, keep, &context, &mut collector)?;
        }
        if result.purges() {
            self.contents.clear();
        }
        Ok(())
    }

    /// Fires a timer of the key and namespace at hand.
    fn on_timer(
        &mut self,
        (due, domain): (Due, TimeDomain),
        (key, backend): (&K, &KeyedBackend<K>),
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let Some(window) = self.live.window(due.namespace) else {
            return Ok(());
        };
        let trigger = self.trigger_context(context);
        let (result, cleans) = match domain {
            TimeDomain::EventTime => (
                self.trigger
                    .on_event_time(due.timestamp, &window, &trigger)?,
                self.event_time,
            ),
            TimeDomain::ProcessingTime => (
                self.trigger
                    .on_processing_time(due.timestamp, &window, &trigger)?,
                !self.event_time,
            ),
        };
        let last = cleans && due.timestamp == self.cleanup(&window);
        self.act(result, last, (key, &window), out, context)?;
        if last {
            self.trigger
                .clear(&window, &self.trigger_context(context))?;
            self.contents
                .clear_function(key, &window, &WindowContext::new(context))?;
            backend.clear_namespace(due.namespace);
            self.live.remove(due.namespace);
        }
        Ok(())
    }
}

impl<K: Row, T: Row, W: Window, Out: Row> WindowOperator<K, T, W, Out> {
    pub(crate) fn new(
        backend: KeyedBackend<K>,
        keys: Keys<K, T>,
        windows: Windows<K, T, W, Out>,
    ) -> Self {
        Self {
            backend,
            keys,
            windows,
            assigned: Vec::new(),
            key_buffer: Vec::new(),
            hash_buffer: Vec::new(),
            slots: Vec::new(),
            floors: None,
        }
    }

    /// Takes a row of the key at hand.
    fn take(
        windows: &mut Windows<K, T, W, Out>,
        assigned: &mut Vec<W>,
        (row, timestamp): (T, Millis),
        (key, backend): (&K, &KeyedBackend<K>),
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        assigned.clear();
        let assign = AssignContext {
            timestamp,
            processing_time: context.now_millis,
        };
        windows.assigner.assign(&row, assign, assigned)?;
        let mut taken = false;
        let mut row = Some(row);
        let count = assigned.len();
        for (at, window) in assigned.iter().enumerate() {
            let Some((window, number)) = windows.place(*window, backend, context)? else {
                continue;
            };
            taken = true;
            let copy = if at + 1 == count {
                row.take()
            } else {
                row.clone()
            };
            let Some(copy) = copy else { continue };
            backend.context().set_namespace(number);
            windows.add((copy, timestamp), (key, &window), out, context)?;
        }
        let late =
            windows.event_time && timestamp.saturating_add(windows.lateness) <= context.watermark;
        if let Some(row) = row.filter(|_| !taken && late) {
            windows.late.take(row, timestamp);
        }
        Ok(())
    }

    /// Fires due timers of one domain, a slice at a time.
    fn fire(
        &mut self,
        domain: TimeDomain,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        self.backend.context().set_now(context.now_millis);
        let mut firing = Firing::More;
        for _ in 0..TIMER_SLICE {
            if out.is_full() {
                break;
            }
            let due = match domain {
                TimeDomain::EventTime => self.windows.timers.event.next_due(),
                TimeDomain::ProcessingTime => self.windows.timers.processing.next_due(),
            };
            let Some(due) = due else {
                firing = Firing::Done;
                break;
            };
            self.backend.enter(due.slot);
            self.backend.check_store()?;
            self.backend.context().set_namespace(due.namespace);
            let Some(key) = self.backend.current_key() else {
                continue;
            };
            self.windows
                .on_timer((due, domain), (key, &self.backend), out, context)?;
        }
        self.backend.end_batch();
        Ok(firing)
    }
}

impl<K: Row, T: Row, W: Window, Out: Row> Operator<T, Out> for WindowOperator<K, T, W, Out> {
    fn process(
        &mut self,
        input: &mut Cursor<T>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.backend.context().set_now(context.now_millis);
        while input.allowed() > 0 && !out.is_full() {
            self.keys
                .of_next(input, &mut self.key_buffer, &mut self.hash_buffer);
            self.backend
                .resolve_batch(&self.hash_buffer, &self.key_buffer, &mut self.slots);
            self.backend.check_store()?;
            self.backend.touch(&self.slots);
            let resolved = self
                .slots
                .iter()
                .zip(&self.hash_buffer)
                .zip(&self.key_buffer);
            for ((slot, hash), key) in resolved {
                if out.is_full() {
                    break;
                }
                let Some(row) = input.next() else { break };
                self.backend.set_current(*slot, *hash);
                let ahead = self
                    .floors
                    .as_ref()
                    .and_then(|floors| floors.context(*hash, context));
                let context = ahead.as_ref().unwrap_or(context);
                let at = (key, &self.backend);
                Self::take(&mut self.windows, &mut self.assigned, row, at, out, context)?;
            }
            self.backend.end_batch();
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        if self.windows.timers.event.now() < watermark {
            self.windows.timers.event.advance(watermark);
        }
        self.floors = self
            .floors
            .take()
            .filter(|floors| floors.greatest() > watermark);
        self.fire(TimeDomain::EventTime, out, context)
    }

    fn deadline(&self) -> Option<Millis> {
        self.windows.timers.processing.next_timestamp()
    }

    fn processing_time(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        self.windows.timers.processing.advance(context.now_millis);
        self.fire(TimeDomain::ProcessingTime, out, context)
    }

    fn states(&self) -> Vec<StateSize> {
        sizes_of(&self.backend)
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        out.number(NEXT_WINDOW, self.windows.live.next() as i64);
        out.keyed = Some(self.backend.freeze_image(|_| Ok(()))?.0);
        Ok(())
    }

    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        Ok(self.backend.write_image(out)?)
    }

    fn thaw(&mut self) {
        self.backend.drop_image();
    }

    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        self.backend.take_seal()
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.backend.context().set_now(context.now_millis);
        for next in from.numbers(NEXT_WINDOW) {
            self.windows.live.resume(next as u64);
        }
        self.floors = from.floors(|part| part.watermark);
        from.event_time(&self.windows.timers.event);
        from.keyed(&mut self.backend, &[], |_| Ok(()))?;
        Ok(())
    }
}
