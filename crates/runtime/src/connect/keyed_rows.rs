//! What operators over keyed streams of several inputs have in common: one state and one set of
//! timers, and the loops over the rows and timers that come with a key.
//!
//! Rows are resolved to the slots of their keys some hundred at a time, as those of
//! [`crate::keyed::process`] are; slots stay valid until the end of such a batch.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::{Due, KeyedBackend, PendingSeal, StateError, Timers};

use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, OperatorContext};
use crate::chain::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::keyed::context::{KeyedContext, KeyedTimers, TimeDomain};
use crate::keyed::keys::Keys;
use crate::keyed::process::TIMER_SLICE;

/// The state and timers of an operator by key, and the buffers to find them.
pub(crate) struct KeyedRows<K> {
    backend: KeyedBackend<K>,
    timers: KeyedTimers,
    keys: Vec<K>,
    hashes: Vec<u64>,
    slots: Vec<u32>,
}

impl<K: Row> KeyedRows<K> {
    /// Takes a backend that has its states declared.
    pub(crate) fn new(mut backend: KeyedBackend<K>) -> Result<Self, StateError> {
        let timers = KeyedTimers {
            event: backend.timers("event-time", TimeDomain::EventTime)?,
            processing: backend.timers("processing-time", TimeDomain::ProcessingTime)?,
        };
        let (keys, hashes, slots) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self {
            backend,
            timers,
            keys,
            hashes,
            slots,
        })
    }

    pub(crate) fn backend(&self) -> &KeyedBackend<K> {
        &self.backend
    }

    /// The timers of event time.
    pub(crate) fn event_timers(&self) -> &Timers {
        &self.timers.event
    }

    /// Freezes states and timers.
    pub(crate) fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        out.keyed = Some(self.backend.freeze_image(|_| Ok(()))?.0);
        Ok(())
    }

    /// Writes some of what is frozen; says whether that was the last.
    pub(crate) fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        Ok(self.backend.write_image(out)?)
    }

    /// What is frozen is not wanted any more.
    pub(crate) fn thaw(&mut self) {
        self.backend.drop_image();
    }

    /// The store as it was then.
    pub(crate) fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        self.backend.take_seal()
    }

    /// Puts a store behind the states, where the job's configuration asks for stores.
    pub(crate) fn attach_store(&mut self, build: &BuildContext) -> Result<(), StateError> {
        build.attach_store(&mut self.backend)
    }

    /// Goes on from there.
    pub(crate) fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.backend.context().set_now(context.now_millis);
        from.event_time(&self.timers.event);
        from.keyed(&mut self.backend, &[], |_| Ok(()))?;
        Ok(())
    }

    /// Frees the slots that nothing refers to; those resolved before are no longer valid.
    pub(crate) fn end_batch(&mut self) {
        self.backend.end_batch();
    }

    /// Offers the rows of a slice to `each`, with their keys at hand, while there is room for what
    /// it emits.
    pub(crate) fn process<T: Row, Out: Row>(
        &mut self,
        keys_of: &Keys<K, T>,
        input: &mut Cursor<T>,
        out: &mut Outputs<Out>,
        operator: &OperatorContext,
        mut each: impl FnMut(T, Millis, &KeyedContext<'_, K>, &mut Outputs<Out>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        self.backend.context().set_now(operator.now_millis);
        while input.allowed() > 0 && !out.is_full() {
            keys_of.of_next(input, &mut self.keys, &mut self.hashes);
            self.backend
                .resolve_batch(&self.hashes, &self.keys, &mut self.slots);
            self.backend.check_store()?;
            self.backend.touch(&self.slots);
            for ((slot, hash), key) in self.slots.iter().zip(&self.hashes).zip(&self.keys) {
                if out.is_full() {
                    break;
                }
                self.backend.set_current(*slot, *hash);
                let processed = input.take_next(|row, timestamp| {
                    let context = KeyedContext::new(operator, key, &self.timers, timestamp);
                    each(row, timestamp, &context, out)
                });
                match processed {
                    Some(processed) => processed?,
                    None => break,
                }
            }
            self.backend.end_batch();
        }
        Ok(())
    }

    /// Fires the timers of event time up to the watermark.
    pub(crate) fn watermark<Out: Row>(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        operator: &OperatorContext,
        each: impl FnMut(Due, &KeyedContext<'_, K>, &mut Collector<'_, Out>) -> Result<(), BoxError>,
    ) -> Result<Firing, BoxError> {
        if self.timers.event.now() < watermark {
            self.timers.event.advance(watermark);
        }
        self.fire(TimeDomain::EventTime, out, operator, each)
    }

    /// Fires the timers of processing time.
    pub(crate) fn processing_time<Out: Row>(
        &mut self,
        out: &mut Outputs<Out>,
        operator: &OperatorContext,
        each: impl FnMut(Due, &KeyedContext<'_, K>, &mut Collector<'_, Out>) -> Result<(), BoxError>,
    ) -> Result<Firing, BoxError> {
        self.timers.processing.advance(operator.now_millis);
        self.fire(TimeDomain::ProcessingTime, out, operator, each)
    }

    /// When the next timer of processing time is due.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.timers.processing.next_timestamp()
    }

    fn fire<Out: Row>(
        &mut self,
        domain: TimeDomain,
        out: &mut Outputs<Out>,
        operator: &OperatorContext,
        mut each: impl FnMut(Due, &KeyedContext<'_, K>, &mut Collector<'_, Out>) -> Result<(), BoxError>,
    ) -> Result<Firing, BoxError> {
        let timers = match domain {
            TimeDomain::EventTime => &self.timers.event,
            TimeDomain::ProcessingTime => &self.timers.processing,
        };
        self.backend.context().set_now(operator.now_millis);
        let mut firing = Firing::More;
        for _ in 0..TIMER_SLICE {
            if out.is_full() {
                break;
            }
            let Some(due) = timers.next_due() else {
                firing = Firing::Done;
                break;
            };
            self.backend.enter(due.slot);
            self.backend.check_store()?;
            let Some(key) = self.backend.current_key() else {
                continue;
            };
            let context = KeyedContext::new(operator, key, &self.timers, due.timestamp);
            // Rows from processing-time timers have no event time, as in Flink.
            let stamp = match domain {
                TimeDomain::EventTime => due.timestamp,
                TimeDomain::ProcessingTime => MIN_TIMESTAMP,
            };
            each(due, &context, &mut Collector::new(out, stamp))?;
        }
        self.backend.end_batch();
        Ok(firing)
    }
}
