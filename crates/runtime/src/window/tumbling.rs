//! Windows side by side.

use std::time::Duration;

use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::Namespace;

use super::assigner::{
    AssignContext, DefaultTrigger, WindowAssigner, number_of_start, start_of_number,
};
use super::millis::{check, whole_millis};
use super::slices::{Slices, slide_start};
use super::window::TimeWindow;
use crate::error::BoxError;

/// Why a row has no window of event time.
pub(crate) const NO_TIMESTAMP: &str = "a row without a timestamp came to an event-time window; give \
     its source a timestamp assigner, or use windows of processing time";

/// Whether an offset is less than the distance of windows.
pub(crate) fn check_offset(offset: Millis, slide: Duration) -> Result<(), String> {
    if offset.unsigned_abs() >= whole_millis(slide).unsigned_abs() {
        return Err(format!(
            "has windows with offset {offset} ms; it must be less than {slide:?}, either way"
        ));
    }
    Ok(())
}

macro_rules! tumbling {
    ($(#[$doc:meta])* $name:ident, $label:literal, $event:literal, $trigger:ident, $time:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            size: Duration,
            offset: Millis,
        }

        impl $name {
            /// Windows of this size: whole milliseconds, at least one.
            pub fn of(size: Duration) -> Self {
                Self { size, offset: 0 }
            }

            /// Windows start this much after multiples of their size.
            pub fn offset(self, offset: Duration) -> Self {
                self.offset_millis(whole_millis(offset))
            }

            /// As `offset`, by milliseconds; negative for earlier.
            pub fn offset_millis(mut self, offset: Millis) -> Self {
                self.offset = offset;
                self
            }
        }

        impl<T> WindowAssigner<T> for $name {
            type Window = TimeWindow;

            fn assign(
                &self,
                _row: &T,
                context: AssignContext,
                windows: &mut Vec<TimeWindow>,
            ) -> Result<(), BoxError> {
                let time: fn(AssignContext) -> Millis = $time;
                let time = time(context);
                if $event && time == MIN_TIMESTAMP {
                    return Err(NO_TIMESTAMP.into());
                }
                let size = whole_millis(self.size);
                windows.push(TimeWindow::of(slide_start(time, self.offset, size), size));
                Ok(())
            }

            fn default_trigger(&self) -> DefaultTrigger {
                DefaultTrigger::$trigger
            }

            fn is_event_time(&self) -> bool {
                $event
            }

            fn number_of(&self, window: &TimeWindow) -> Option<Namespace> {
                Some(number_of_start(window.start))
            }

            fn window_of(&self, number: Namespace) -> Option<TimeWindow> {
                Some(TimeWindow::of(start_of_number(number), whole_millis(self.size)))
            }

            fn slices(&self) -> Option<Slices<TimeWindow>> {
                let size = whole_millis(self.size);
                $event.then_some(Slices {
                    size,
                    slide: size,
                    offset: self.offset,
                    window: |window| window,
                })
            }

            fn validate(&self) -> Result<(), String> {
                check("windows of size", self.size)?;
                check_offset(self.offset, self.size)
            }

            fn name(&self) -> &'static str {
                $label
            }
        }
    };
}

tumbling! {
    /// Windows of event time, side by side.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rheos_runtime::window::tumbling::TumblingEventTimeWindows;
    ///
    /// let five_minutes = TumblingEventTimeWindows::of(Duration::from_secs(300));
    /// # let _ = five_minutes;
    /// ```
    TumblingEventTimeWindows, "TumblingEventTimeWindows", true, EventTime, |c| c.timestamp
}

tumbling! {
    /// Windows of processing time, side by side.
    TumblingProcessingTimeWindows, "TumblingProcessingTimeWindows", false, ProcessingTime,
    |c| c.processing_time
}
