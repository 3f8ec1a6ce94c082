//! Which windows a row belongs to.

use rheos_core::time::Millis;
use rheos_state::Namespace;

use super::slices::Slices;
use super::window::Window;
use crate::error::BoxError;

/// What an assigner is told beside the row.
#[derive(Debug, Clone, Copy)]
pub struct AssignContext {
    /// The row's event time; [`rheos_core::time::MIN_TIMESTAMP`] if it has none.
    pub timestamp: Millis,
    /// Processing time.
    pub processing_time: Millis,
}

/// When windows fire unless the job says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultTrigger {
    /// [`super::triggers::EventTimeTrigger`].
    EventTime,
    /// [`super::triggers::ProcessingTimeTrigger`].
    ProcessingTime,
    /// [`super::triggers::EndOfStreamTrigger`].
    EndOfStream,
    /// [`super::triggers::NeverTrigger`].
    Never,
}

/// Gives rows their windows.
///
/// Implemented by [`super::tumbling`], [`super::sliding`], [`super::session`], [`super::global`] and
/// by users; one instance serves all subtasks, called from their threads for each row.
pub trait WindowAssigner<T>: Send + Sync + 'static {
    /// The kind of window.
    type Window: Window;

    /// Appends the windows that the row belongs to.
    ///
    /// # Errors
    /// Where the row can't be assigned, as one without an event time; it ends the job.
    fn assign(
        &self,
        row: &T,
        context: AssignContext,
        windows: &mut Vec<Self::Window>,
    ) -> Result<(), BoxError>;

    /// When windows fire that no other trigger was given for.
    fn default_trigger(&self) -> DefaultTrigger;

    /// Whether windows end by the watermark: only then there is lateness.
    fn is_event_time(&self) -> bool;

    /// Whether windows of a key can merge.
    fn is_merging(&self) -> bool {
        false
    }

    /// The window that two windows of a key become, if they are to be merged.
    fn merged(&self, one: &Self::Window, other: &Self::Window) -> Option<Self::Window> {
        let _ = (one, other);
        None
    }

    /// The number that stands for a window among all of a key, for assigners that find a window
    /// again by it: both this and [`WindowAssigner::window_of`] answer, for every window, or
    /// neither does. Else the windows of a key are listed in its state.
    fn number_of(&self, window: &Self::Window) -> Option<Namespace> {
        let _ = window;
        None
    }

    /// The window of a number, see [`WindowAssigner::number_of`].
    fn window_of(&self, number: Namespace) -> Option<Self::Window> {
        let _ = number;
        None
    }

    /// How windows divide event time, if rows can be gathered between their edges instead of in each
    /// window.
    fn slices(&self) -> Option<Slices<Self::Window>> {
        None
    }

    /// Whether the windows make sense.
    ///
    /// # Errors
    /// What doesn't, for the author of the job.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// Its name in plans.
    fn name(&self) -> &'static str {
        "Window"
    }
}

/// The number of a window of known size, by its start: numbers are in the order of the windows.
pub(crate) fn number_of_start(start: Millis) -> Namespace {
    (start as u64) ^ (1 << 63)
}

/// The reverse of [`number_of_start`].
pub(crate) fn start_of_number(number: Namespace) -> Millis {
    (number ^ (1 << 63)) as i64
}
