//! Fires at the window's end, by the clock.

use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// Fires when processing time reaches the window's end.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessingTimeTrigger;

impl ProcessingTimeTrigger {
    /// The trigger.
    pub fn create() -> Self {
        Self
    }
}

impl<T, W: Window> Trigger<T, W> for ProcessingTimeTrigger {
    type State = ();

    fn on_element(
        &self,
        _row: &T,
        _timestamp: Millis,
        window: &W,
        _state: &mut Option<()>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        context.register_processing_time_timer(window.max_timestamp());
        Ok(TriggerResult::Continue)
    }

    fn on_processing_time(
        &self,
        time: Millis,
        window: &W,
        _state: &mut Option<()>,
        _context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        Ok(match time == window.max_timestamp() {
            true => TriggerResult::Fire,
            false => TriggerResult::Continue,
        })
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(
        &self,
        window: &W,
        _state: &mut Option<()>,
        _merged: Vec<()>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        if window.max_timestamp() > context.processing_time() {
            context.register_processing_time_timer(window.max_timestamp());
        }
        Ok(())
    }

    fn clear(
        &self,
        window: &W,
        _state: Option<&()>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        context.delete_processing_time_timer(window.max_timestamp());
        Ok(())
    }
}
