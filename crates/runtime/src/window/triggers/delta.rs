//! Fires by how far a row is from the one that fired last.

use std::marker::PhantomData;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;

use crate::error::BoxError;
use crate::window::trigger::{Trigger, TriggerContext, TriggerResult};
use crate::window::window::Window;

/// How far the second row is from the first.
pub type DeltaFunction<T> = dyn Fn(&T, &T) -> f64 + Send + Sync;

/// Fires when a row is further than a threshold from the row of the last firing, or from the first.
pub struct DeltaTrigger<T> {
    threshold: f64,
    delta: Arc<DeltaFunction<T>>,
    row: PhantomData<fn() -> T>,
}

impl<T> Clone for DeltaTrigger<T> {
    fn clone(&self) -> Self {
        Self {
            threshold: self.threshold,
            delta: self.delta.clone(),
            row: PhantomData,
        }
    }
}

impl<T> DeltaTrigger<T> {
    /// Fires when `delta(row of the last firing, row)` is greater than `threshold`.
    pub fn of(threshold: f64, delta: impl Fn(&T, &T) -> f64 + Send + Sync + 'static) -> Self {
        Self {
            threshold,
            delta: Arc::new(delta),
            row: PhantomData,
        }
    }
}

impl<T: Row, W: Window> Trigger<T, W> for DeltaTrigger<T> {
    /// The row of the last firing.
    type State = T;

    fn on_element(
        &self,
        row: &T,
        _timestamp: Millis,
        _window: &W,
        state: &mut Option<T>,
        _context: &TriggerContext<'_>,
    ) -> Result<TriggerResult, BoxError> {
        match state {
            None => {
                *state = Some(row.clone());
                Ok(TriggerResult::Continue)
            }
            Some(last) if (self.delta)(last, row) > self.threshold => {
                last.clone_from(row);
                Ok(TriggerResult::Fire)
            }
            Some(_) => Ok(TriggerResult::Continue),
        }
    }
}
