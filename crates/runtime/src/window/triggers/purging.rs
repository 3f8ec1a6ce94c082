//! Turns a trigger that keeps contents into one that drops them.

use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// Fires as another trigger does, and drops the contents at each firing. What the other trigger
/// remembers and its timers stay.
#[derive(Debug, Clone)]
pub struct PurgingTrigger<R> {
    inner: R,
}

impl<R> PurgingTrigger<R> {
    /// Purges where `inner` fires.
    pub fn of(inner: R) -> Self {
        Self { inner }
    }
}

fn purging(result: TriggerResult) -> TriggerResult {
    match result {
        TriggerResult::Fire => TriggerResult::FireAndPurge,
        other => other,
    }
}

impl<T, W: Window, R: Trigger<T, W>> Trigger<T, W> for PurgingTrigger<R> {
    type State = R::State;

    fn on_element(
        &self,
        row: &T,
        timestamp: Millis,
        window: &W,
        state: &mut Option<R::State>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        self.inner
            .on_element(row, timestamp, window, state, context)
            .map(purging)
    }

    fn on_event_time(
        &self,
        time: Millis,
        window: &W,
        state: &mut Option<R::State>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        self.inner
            .on_event_time(time, window, state, context)
            .map(purging)
    }

    fn on_processing_time(
        &self,
        time: Millis,
        window: &W,
        state: &mut Option<R::State>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        self.inner
            .on_processing_time(time, window, state, context)
            .map(purging)
    }

    fn can_merge(&self) -> bool {
        self.inner.can_merge()
    }

    fn validate(&self) -> Result<(), String> {
        self.inner.validate()
    }

    fn on_merge(
        &self,
        window: &W,
        state: &mut Option<R::State>,
        merged: Vec<R::State>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        self.inner.on_merge(window, state, merged, context)
    }

    fn clear(
        &self,
        window: &W,
        state: Option<&R::State>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        self.inner.clear(window, state, context)
    }
}
