//! Fires at the window's end, by the watermark.

use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// Fires when the watermark reaches the window's end; after that, at each row that the allowed
/// lateness lets in.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventTimeTrigger;

impl EventTimeTrigger {
    /// The trigger.
    pub fn create() -> Self {
        Self
    }
}

impl<T, W: Window> Trigger<T, W> for EventTimeTrigger {
    type State = ();

    fn on_element(
        &self,
        _row: &T,
        _timestamp: Millis,
        window: &W,
        _state: &mut Option<()>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        if window.max_timestamp() <= context.watermark() {
            return Ok(TriggerResult::Fire);
        }
        context.register_event_time_timer(window.max_timestamp());
        Ok(TriggerResult::Continue)
    }

    fn on_event_time(
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
        // Where the watermark is past the end already, the row that merged them fires.
        if window.max_timestamp() > context.watermark() {
            context.register_event_time_timer(window.max_timestamp());
        }
        Ok(())
    }

    fn clear(
        &self,
        window: &W,
        _state: Option<&()>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        context.delete_event_time_timer(window.max_timestamp());
        Ok(())
    }
}
