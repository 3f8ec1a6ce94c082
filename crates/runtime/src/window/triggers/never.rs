//! Never fires.

use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// Never fires: what global windows do by themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct NeverTrigger;

impl<T, W: Window> Trigger<T, W> for NeverTrigger {
    type State = ();

    fn on_element(
        &self,
        _row: &T,
        _timestamp: Millis,
        _window: &W,
        _state: &mut Option<()>,
        _context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        Ok(TriggerResult::Continue)
    }

    fn can_merge(&self) -> bool {
        true
    }
}
