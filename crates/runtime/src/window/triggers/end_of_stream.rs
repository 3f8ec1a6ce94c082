//! Fires once, at the end of a bounded stream.

use rheos_core::time::{MAX_WATERMARK, Millis};

use crate::error::BoxError;
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// Fires when the watermark says that the input has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndOfStreamTrigger;

impl<T, W: Window> Trigger<T, W> for EndOfStreamTrigger {
    type State = ();

    fn on_element(
        &self,
        _row: &T,
        _timestamp: Millis,
        _window: &W,
        _state: &mut Option<()>,
        context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        context.register_event_time_timer(MAX_WATERMARK);
        Ok(TriggerResult::Continue)
    }

    fn on_event_time(
        &self,
        time: Millis,
        _window: &W,
        _state: &mut Option<()>,
        _context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        Ok(match time {
            MAX_WATERMARK => TriggerResult::Fire,
            _ => TriggerResult::Continue,
        })
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn on_merge(
        &self,
        _window: &W,
        _state: &mut Option<()>,
        _merged: Vec<()>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        context.register_event_time_timer(MAX_WATERMARK);
        Ok(())
    }

    fn clear(
        &self,
        _window: &W,
        _state: Option<&()>,
        context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        context.delete_event_time_timer(MAX_WATERMARK);
        Ok(())
    }
}
