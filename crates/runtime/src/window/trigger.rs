//! When a window fires.
//!
//! A trigger is asked at each row of a window and at each timer that it has registered for the
//! window. What it remembers lies in the operator's state, one value a key and window, and is lent
//! to it for each call: `None` at first, and dropped with the window.

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_state::{
    KeyContext, KeyedBackend, Namespace, StateError, ValueState, ValueStateDescriptor,
};

use super::window::Window;
use crate::error::BoxError;
use crate::keyed::context::KeyedTimers;

/// What becomes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerResult {
    /// Nothing.
    Continue,
    /// It is emitted and kept.
    Fire,
    /// It is emitted, and its contents are dropped.
    FireAndPurge,
    /// Its contents are dropped.
    Purge,
}

impl TriggerResult {
    /// Whether the window is emitted.
    pub fn fires(self) -> bool {
        matches!(self, Self::Fire | Self::FireAndPurge)
    }

    /// Whether its contents are dropped.
    pub fn purges(self) -> bool {
        matches!(self, Self::Purge | Self::FireAndPurge)
    }
}

/// What a trigger can ask and do, for the key and window at hand.
pub struct TriggerContext<'a> {
    pub(super) watermark: Millis,
    pub(super) processing_time: Millis,
    pub(super) timers: &'a KeyedTimers,
}

impl TriggerContext<'_> {
    /// The operator's watermark; [`rheos_core::time::MIN_TIMESTAMP`] before the first.
    pub fn watermark(&self) -> Millis {
        self.watermark
    }

    /// Processing time.
    pub fn processing_time(&self) -> Millis {
        self.processing_time
    }

    /// Asks [`Trigger::on_event_time`] once the watermark reaches `time`; at its next advance if it
    /// has already.
    pub fn register_event_time_timer(&self, time: Millis) {
        self.timers.event.register(time);
    }

    /// Takes that back.
    pub fn delete_event_time_timer(&self, time: Millis) {
        self.timers.event.delete(time);
    }

    /// Asks [`Trigger::on_processing_time`] once the clock reaches `time`.
    pub fn register_processing_time_timer(&self, time: Millis) {
        self.timers.processing.register(time);
    }

    /// Takes that back.
    pub fn delete_processing_time_timer(&self, time: Millis) {
        self.timers.processing.delete(time);
    }
}

/// Decides when windows fire.
///
/// Implemented in [`super::triggers`] and by users; each subtask has a clone, called from its thread.
/// It keeps nothing in itself: what it must remember of a window goes into `state`.
pub trait Trigger<T, W: Window>: Clone + Send + Sync + 'static {
    /// What it remembers of a window; `()` for nothing.
    type State: Row;

    /// A row came into the window.
    ///
    /// # Errors
    /// Whatever ends the job; so for each of its methods.
    fn on_element(
        &self,
        row: &T,
        timestamp: Millis,
        window: &W,
        state: &mut Option<Self::State>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError>;

    /// An event-time timer of the window is due: one of the trigger's, or the one that will drop the
    /// window.
    ///
    /// # Errors
    /// See [`Trigger::on_element`].
    fn on_event_time(
        &self,
        time: Millis,
        window: &W,
        state: &mut Option<Self::State>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        let _ = (time, window, state, context);
        Ok(TriggerResult::Continue)
    }

    /// A processing-time timer of the window is due.
    ///
    /// # Errors
    /// See [`Trigger::on_element`].
    fn on_processing_time(
        &self,
        time: Millis,
        window: &W,
        state: &mut Option<Self::State>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        let _ = (time, window, state, context);
        Ok(TriggerResult::Continue)
    }

    /// Whether it can be used where windows merge.
    fn can_merge(&self) -> bool {
        false
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// What doesn't, for the author of the job.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// Windows became `window`: makes its state of theirs, and registers its timers anew. Each of
    /// the others is cleared afterwards.
    ///
    /// # Errors
    /// See [`Trigger::on_element`].
    fn on_merge(
        &self,
        window: &W,
        state: &mut Option<Self::State>,
        merged: Vec<Self::State>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        let _ = (window, state, merged, context);
        Ok(())
    }

    /// The window goes: takes its timers back. The state, if it has any, is dropped after this.
    ///
    /// # Errors
    /// See [`Trigger::on_element`].
    fn clear(
        &self,
        window: &W,
        state: Option<&Self::State>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        let _ = (window, state, context);
        Ok(())
    }
}

/// A trigger as a job describes it, the type of its state erased. Implemented for every
/// [`Trigger`]; called when a job is described and when an operator opens.
pub trait AnyTrigger<K, T, W: Window>: Send + Sync + 'static {
    /// See [`Trigger::can_merge`].
    fn can_merge(&self) -> bool;

    /// See [`Trigger::validate`].
    ///
    /// # Errors
    /// See [`Trigger::validate`].
    fn validate(&self) -> Result<(), String>;

    /// The trigger with its state, on a subtask.
    ///
    /// # Errors
    /// Where the operator has a state of the trigger's name.
    fn open(&self, backend: &mut KeyedBackend<K>)
    -> Result<Box<dyn OpenTrigger<T, W>>, StateError>;
}

impl<K: Row, T: 'static, W: Window, R: Trigger<T, W>> AnyTrigger<K, T, W> for R {
    fn can_merge(&self) -> bool {
        Trigger::can_merge(self)
    }

    fn validate(&self) -> Result<(), String> {
        Trigger::validate(self)
    }

    fn open(
        &self,
        backend: &mut KeyedBackend<K>,
    ) -> Result<Box<dyn OpenTrigger<T, W>>, StateError> {
        // Nothing is kept of a trigger that has nothing to remember.
        let state = match size_of::<R::State>() {
            0 => None,
            _ => Some(backend.window_value(&ValueStateDescriptor::new(TRIGGER_STATE))?),
        };
        Ok(Box::new(WithState {
            trigger: self.clone(),
            state,
        }))
    }
}

/// The name of what triggers remember, among the operator's states.
const TRIGGER_STATE: &str = "window-trigger";

/// A trigger on a subtask; each call is about the key and namespace at hand. See [`Trigger`].
pub trait OpenTrigger<T, W> {
    /// See [`Trigger::on_element`].
    ///
    /// # Errors
    /// What the trigger says; so for each method.
    fn on_element(
        &self,
        row: &T,
        timestamp: Millis,
        window: &W,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError>;

    /// See [`Trigger::on_event_time`].
    ///
    /// # Errors
    /// See [`OpenTrigger::on_element`].
    fn on_event_time(
        &self,
        time: Millis,
        window: &W,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError>;

    /// See [`Trigger::on_processing_time`].
    ///
    /// # Errors
    /// See [`OpenTrigger::on_element`].
    fn on_processing_time(
        &self,
        time: Millis,
        window: &W,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError>;

    /// See [`Trigger::on_merge`]; the states of `from` are taken.
    ///
    /// # Errors
    /// See [`OpenTrigger::on_element`].
    fn on_merge(
        &self,
        window: &W,
        key: &KeyContext,
        from: &[Namespace],
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError>;

    /// See [`Trigger::clear`]; the state is dropped.
    ///
    /// # Errors
    /// See [`OpenTrigger::on_element`].
    fn clear(&self, window: &W, context: &TriggerContext<'_>) -> Result<(), BoxError>;
}

struct WithState<R, S> {
    trigger: R,
    state: Option<ValueState<S>>,
}

impl<R, S: Row> WithState<R, S> {
    fn lend<X>(&self, call: impl FnOnce(&R, &mut Option<S>) -> X) -> X {
        match &self.state {
            Some(state) => state.modify(|state| call(&self.trigger, state)),
            None => call(&self.trigger, &mut None),
        }
    }
}

impl<T, W: Window, R: Trigger<T, W>> OpenTrigger<T, W> for WithState<R, R::State> {
    fn on_element(
        &self,
        row: &T,
        timestamp: Millis,
        window: &W,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        self.lend(|trigger, state| trigger.on_element(row, timestamp, window, state, context))
    }

    fn on_event_time(
        &self,
        time: Millis,
        window: &W,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        self.lend(|trigger, state| trigger.on_event_time(time, window, state, context))
    }

    fn on_processing_time(
        &self,
        time: Millis,
        window: &W,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        self.lend(|trigger, state| trigger.on_processing_time(time, window, state, context))
    }

    fn on_merge(
        &self,
        window: &W,
        key: &KeyContext,
        from: &[Namespace],
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        let into = key.namespace();
        let mut merged = Vec::new();
        if let Some(state) = &self.state {
            for namespace in from {
                key.set_namespace(*namespace);
                merged.extend(state.take());
            }
            key.set_namespace(into);
        }
        self.lend(|trigger, state| trigger.on_merge(window, state, merged, context))
    }

    fn clear(&self, window: &W, context: &TriggerContext<'_>) -> Result<(), BoxError> {
        match &self.state {
            Some(state) => self.trigger.clear(window, state.take().as_ref(), context),
            None => self.trigger.clear(window, None, context),
        }
    }
}
