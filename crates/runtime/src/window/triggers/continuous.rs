//! Fires every so often, while a window is open.

use std::time::Duration;

use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::window::millis::{check, whole_millis};
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// Fires every interval of event time, aligned to the epoch, and at the window's end. An interval
/// without a new row fires too, with the contents so far.
#[derive(Debug, Clone, Copy)]
pub struct ContinuousEventTimeTrigger {
    interval: Duration,
}

impl ContinuousEventTimeTrigger {
    /// Fires every `interval`: whole milliseconds, at least one.
    pub fn of(interval: Duration) -> Self {
        Self { interval }
    }

    fn millis(&self) -> Millis {
        whole_millis(self.interval).max(1)
    }
}

/// The end of the interval that `time` lies in, at most `max`. The remainder is the truncating one,
/// as in Flink: it has the sign of the time.
fn next_fire(time: Millis, interval: Millis, max: Millis) -> Millis {
    (time - time % interval).saturating_add(interval).min(max)
}

impl<T, W: Window> Trigger<T, W> for ContinuousEventTimeTrigger {
    /// When it fires next.
    type State = Millis;

    fn on_element(
        &self,
        _row: &T,
        timestamp: Millis,
        window: &W,
        state: &mut Option<Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        let max = window.max_timestamp();
        if max <= context.watermark() {
            return Ok(TriggerResult::Fire);
        }
        context.register_event_time_timer(max);
        if state.is_none() {
            let next = next_fire(timestamp, self.millis(), max);
            *state = Some(next);
            context.register_event_time_timer(next);
        }
        Ok(TriggerResult::Continue)
    }

    fn on_event_time(
        &self,
        time: Millis,
        window: &W,
        state: &mut Option<Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        let max = window.max_timestamp();
        if time == max {
            return Ok(TriggerResult::Fire);
        }
        if *state != Some(time) {
            return Ok(TriggerResult::Continue);
        }
        let next = time.saturating_add(self.millis()).min(max);
        *state = Some(next);
        context.register_event_time_timer(next);
        Ok(TriggerResult::Fire)
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<(), String> {
        check("a continuous trigger of interval", self.interval)
    }

    fn on_merge(
        &self,
        _window: &W,
        state: &mut Option<Millis>,
        merged: Vec<Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        *state = merged.into_iter().chain(*state).min();
        if let Some(next) = *state {
            context.register_event_time_timer(next);
        }
        Ok(())
    }

    fn clear(
        &self,
        window: &W,
        state: Option<&Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        context.delete_event_time_timer(window.max_timestamp());
        if let Some(next) = state {
            context.delete_event_time_timer(*next);
        }
        Ok(())
    }
}

/// Fires every interval of processing time after a row, aligned to the epoch.
#[derive(Debug, Clone, Copy)]
pub struct ContinuousProcessingTimeTrigger {
    interval: Duration,
}

impl ContinuousProcessingTimeTrigger {
    /// Fires every `interval`: whole milliseconds, at least one.
    pub fn of(interval: Duration) -> Self {
        Self { interval }
    }

    fn millis(&self) -> Millis {
        whole_millis(self.interval).max(1)
    }
}

impl<T, W: Window> Trigger<T, W> for ContinuousProcessingTimeTrigger {
    /// When it fires next.
    type State = Millis;

    fn on_element(
        &self,
        _row: &T,
        _timestamp: Millis,
        window: &W,
        state: &mut Option<Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        if state.is_none() {
            let now = context.processing_time();
            let next = next_fire(now, self.millis(), window.max_timestamp());
            *state = Some(next);
            context.register_processing_time_timer(next);
        }
        Ok(TriggerResult::Continue)
    }

    fn on_processing_time(
        &self,
        time: Millis,
        window: &W,
        state: &mut Option<Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        if *state == Some(time) {
            *state = None;
            let max = window.max_timestamp();
            let next = time.saturating_add(self.millis()).min(max);
            if next > time {
                *state = Some(next);
                context.register_processing_time_timer(next);
            }
            return Ok(TriggerResult::Fire);
        }
        Ok(TriggerResult::Continue)
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<(), String> {
        check("a continuous trigger of interval", self.interval)
    }

    fn on_merge(
        &self,
        _window: &W,
        state: &mut Option<Millis>,
        merged: Vec<Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        *state = merged.into_iter().chain(*state).min();
        if let Some(next) = *state {
            context.register_processing_time_timer(next);
        }
        Ok(())
    }

    fn clear(
        &self,
        _window: &W,
        state: Option<&Millis>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        if let Some(next) = state {
            context.delete_processing_time_timer(*next);
        }
        Ok(())
    }
}
