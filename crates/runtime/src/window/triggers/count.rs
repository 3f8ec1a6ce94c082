//! Fires by the number of rows.

use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// Fires at every n-th row. What is below that when the window ends is never emitted.
#[derive(Debug, Clone, Copy)]
pub struct CountTrigger {
    limit: u64,
}

impl CountTrigger {
    /// Fires at every `limit`-th row.
    pub fn of(limit: u64) -> Self {
        Self { limit }
    }

    fn counted(&self, count: u64, state: &mut Option<u64>) -> TriggerResult {
        if count >= self.limit {
            *state = None;
            return TriggerResult::Fire;
        }
        *state = Some(count);
        TriggerResult::Continue
    }
}

impl<T, W: Window> Trigger<T, W> for CountTrigger {
    type State = u64;

    fn on_element(
        &self,
        _row: &T,
        _timestamp: Millis,
        _window: &W,
        state: &mut Option<u64>,
        _context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        Ok(self.counted(state.unwrap_or(0) + 1, state))
    }

    fn can_merge(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<(), String> {
        match self.limit {
            0 => Err("has a count trigger of 0 rows; it must be at least 1".to_owned()),
            _ => Ok(()),
        }
    }

    fn on_merge(
        &self,
        _window: &W,
        state: &mut Option<u64>,
        merged: Vec<u64>,
        _context: &TriggerContext<'_>,
    ) -> Result<(), BoxError> {
        *state = match state.unwrap_or(0) + merged.into_iter().sum::<u64>() {
            0 => None,
            count => Some(count),
        };
        Ok(())
    }
}
