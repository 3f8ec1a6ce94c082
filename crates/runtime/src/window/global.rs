//! One window a key.

use rheos_state::Namespace;

use super::assigner::{AssignContext, DefaultTrigger, WindowAssigner};
use super::window::GlobalWindow;
use crate::error::BoxError;

/// One window for all rows of a key. It fires by whatever trigger the job gives it, and never ends.
#[derive(Debug, Clone, Copy)]
pub struct GlobalWindows {
    trigger: DefaultTrigger,
}

impl GlobalWindows {
    /// Windows that never fire by themselves.
    pub fn create() -> Self {
        Self {
            trigger: DefaultTrigger::Never,
        }
    }

    /// Windows that fire at the end of a bounded stream.
    pub fn create_with_end_of_stream_trigger() -> Self {
        Self {
            trigger: DefaultTrigger::EndOfStream,
        }
    }
}

impl<T> WindowAssigner<T> for GlobalWindows {
    type Window = GlobalWindow;

    fn assign(
        &self,
        _row: &T,
        _context: AssignContext,
        windows: &mut Vec<GlobalWindow>,
    ) -> Result<(), BoxError> {
        windows.push(GlobalWindow);
        Ok(())
    }

    fn default_trigger(&self) -> DefaultTrigger {
        self.trigger
    }

    fn is_event_time(&self) -> bool {
        false
    }

    fn number_of(&self, _window: &GlobalWindow) -> Option<Namespace> {
        Some(0)
    }

    fn window_of(&self, _number: Namespace) -> Option<GlobalWindow> {
        Some(GlobalWindow)
    }

    fn name(&self) -> &'static str {
        "GlobalWindows"
    }
}
