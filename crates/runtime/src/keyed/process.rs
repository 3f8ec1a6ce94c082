//! The operators of process functions.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::{KeyedBackend, PendingSeal};

use super::context::{KeyedContext, KeyedTimers, ProcessContext, TimeDomain};
use super::function::{KeyedProcessFunction, ProcessFunction};
use super::keys::Keys;
use super::open::OpenContext;
use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, Operator, OperatorContext};
use crate::chain::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::metrics::states::{StateSize, sizes_of};

/// Runs a function over a stream that is not keyed.
pub struct ProcessOperator<F>(pub F);

impl<In: Row, Out: Row, F: ProcessFunction<In, Out>> Operator<In, Out> for ProcessOperator<F> {
    fn process(
        &mut self,
        input: &mut Cursor<In>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        while !out.is_full() {
            let processed = input.take_next(|row, timestamp| {
                let context = ProcessContext::new(context, timestamp);
                self.0
                    .process(row, &context, &mut Collector::new(out, timestamp))
            });
            match processed {
                Some(processed) => processed?,
                None => break,
            }
        }
        Ok(())
    }
}

/// How many timers fire before the task looks at its mail.
pub(crate) const TIMER_SLICE: usize = 512;
/// For how many timers the keys and states are read ahead.
const TIMERS_AHEAD: usize = 128;

/// Runs a function over a keyed stream.
pub struct KeyedProcessOperator<K, In, F> {
    backend: KeyedBackend<K>,
    timers: KeyedTimers,
    keys: Keys<K, In>,
    function: F,
    key_buffer: Vec<K>,
    hash_buffer: Vec<u64>,
    slots: Vec<u32>,
}

impl<K: Row, In: Row, F> KeyedProcessOperator<K, In, F> {
    /// Opens the function on its subtask.
    ///
    /// # Errors
    /// If the function's factory fails.
    pub fn open(
        keys: Keys<K, In>,
        build: &mut BuildContext,
        factory: impl FnOnce(&mut OpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<Self, BoxError> {
        let mut backend = KeyedBackend::new();
        let function = factory(&mut OpenContext::new(build, &mut backend))?;
        let timers = KeyedTimers {
            event: backend.timers("event-time", TimeDomain::EventTime)?,
            processing: backend.timers("processing-time", TimeDomain::ProcessingTime)?,
        };
        build.attach_store(&mut backend)?;
        Ok(Self {
            backend,
            timers,
            keys,
            function,
            key_buffer: Vec::new(),
            hash_buffer: Vec::new(),
            slots: Vec::new(),
        })
    }

    /// Fires due timers of one domain, a slice at a time.
    fn fire<Out: Row>(
        &mut self,
        domain: TimeDomain,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError>
    where
        F: KeyedProcessFunction<K, In, Out>,
    {
        let timers = match domain {
            TimeDomain::EventTime => &self.timers.event,
            TimeDomain::ProcessingTime => &self.timers.processing,
        };
        self.backend.context().set_now(context.now_millis);
        let mut near = 0;
        for _ in 0..TIMER_SLICE {
            if out.is_full() {
                self.backend.end_batch();
                return Ok(Firing::More);
            }
            let Some(due) = timers.next_due() else {
                self.backend.end_batch();
                return Ok(Firing::Done);
            };
            if near == 0 {
                timers.upcoming_slots(TIMERS_AHEAD, &mut self.slots);
                self.backend.touch_keys(&self.slots);
                near = self.slots.len();
            } else {
                near -= 1;
            }
            self.backend.enter(due.slot);
            self.backend.check_store()?;
            let Some(key) = self.backend.current_key() else {
                continue;
            };
            let context = KeyedContext::new(context, key, &self.timers, due.timestamp);
            // Rows from processing-time timers have no event time, as in Flink.
            let stamp = match domain {
                TimeDomain::EventTime => due.timestamp,
                TimeDomain::ProcessingTime => rheos_core::time::MIN_TIMESTAMP,
            };
            let mut collector = Collector::new(out, stamp);
            self.function
                .on_timer(due.timestamp, domain, &context, &mut collector)?;
        }
        self.backend.end_batch();
        Ok(Firing::More)
    }
}

impl<K, In, Out, F> Operator<In, Out> for KeyedProcessOperator<K, In, F>
where
    K: Row,
    In: Row,
    Out: Row,
    F: KeyedProcessFunction<K, In, Out>,
{
    fn process(
        &mut self,
        input: &mut Cursor<In>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.backend.context().set_now(context.now_millis);
        while input.allowed() > 0 && !out.is_full() {
            self.keys
                .of_next(input, &mut self.key_buffer, &mut self.hash_buffer);
            self.slots.clear();
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
                self.backend.set_current(*slot, *hash);
                let processed = input.take_next(|row, timestamp| {
                    let context = KeyedContext::new(context, key, &self.timers, timestamp);
                    self.function
                        .process(row, &context, &mut Collector::new(out, timestamp))
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

    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        if self.timers.event.now() < watermark {
            self.timers.event.advance(watermark);
        }
        self.fire(TimeDomain::EventTime, out, context)
    }

    fn deadline(&self) -> Option<Millis> {
        self.timers.processing.next_timestamp()
    }

    fn processing_time(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        self.timers.processing.advance(context.now_millis);
        self.fire(TimeDomain::ProcessingTime, out, context)
    }

    fn states(&self) -> Vec<StateSize> {
        sizes_of(&self.backend)
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
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
        from.event_time(&self.timers.event);
        from.keyed(&mut self.backend, &[], |_| Ok(()))?;
        Ok(())
    }
}
