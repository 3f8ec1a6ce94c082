//! Windows of one size that start every so often, and so overlap or leave gaps.

use std::time::Duration;

use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::Namespace;

use super::assigner::{
    AssignContext, DefaultTrigger, WindowAssigner, number_of_start, start_of_number,
};
use super::millis::{check, whole_millis};
use super::slices::{Slices, slide_start};
use super::tumbling::{NO_TIMESTAMP, check_offset};
use super::window::TimeWindow;
use crate::error::BoxError;

macro_rules! sliding {
    ($(#[$doc:meta])* $name:ident, $label:literal, $event:literal, $trigger:ident, $time:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            size: Duration,
            slide: Duration,
            offset: Millis,
        }

        impl $name {
            /// Windows of this size that start every `slide`: whole milliseconds, at least one. With
            /// a slide greater than the size, rows in between have no window.
            pub fn of(size: Duration, slide: Duration) -> Self {
                Self { size, slide, offset: 0 }
            }

            /// Windows start this much after multiples of the slide.
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
                let (size, slide) = (whole_millis(self.size), whole_millis(self.slide));
                let mut start = slide_start(time, self.offset, slide);
                while start > time.saturating_sub(size) {
                    windows.push(TimeWindow::of(start, size));
                    match start.checked_sub(slide) {
                        Some(before) => start = before,
                        None => break,
                    }
                }
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
                $event.then_some(Slices {
                    size: whole_millis(self.size),
                    slide: whole_millis(self.slide),
                    offset: self.offset,
                    window: |window| window,
                })
            }

            fn validate(&self) -> Result<(), String> {
                check("windows of size", self.size)?;
                check("windows with slide", self.slide)?;
                check_offset(self.offset, self.slide)
            }

            fn name(&self) -> &'static str {
                $label
            }
        }
    };
}

sliding! {
    /// Windows of event time that slide.
    SlidingEventTimeWindows, "SlidingEventTimeWindows", true, EventTime, |c| c.timestamp
}

sliding! {
    /// Windows of processing time that slide.
    SlidingProcessingTimeWindows, "SlidingProcessingTimeWindows", false, ProcessingTime,
    |c| c.processing_time
}
