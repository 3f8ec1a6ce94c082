//! Windows that end when nothing has come for a while.

use std::time::Duration;

use rheos_core::time::{MIN_TIMESTAMP, Millis};

use super::assigner::{AssignContext, DefaultTrigger, WindowAssigner};
use super::millis::{check, whole_millis};
use super::tumbling::NO_TIMESTAMP;
use super::window::TimeWindow;
use crate::error::BoxError;

/// How long nothing may come before a session ends.
pub trait Gap<T>: Send + Sync + 'static {
    /// The gap after this row.
    fn of(&self, row: &T) -> Duration;

    /// Whether it makes sense.
    ///
    /// # Errors
    /// What doesn't.
    fn validate(&self) -> Result<(), String>;
}

/// The same gap after every row.
#[derive(Debug, Clone, Copy)]
pub struct FixedGap(Duration);

impl<T> Gap<T> for FixedGap {
    fn of(&self, _row: &T) -> Duration {
        self.0
    }

    fn validate(&self) -> Result<(), String> {
        check("sessions with gap", self.0)
    }
}

/// A gap that each row tells.
#[derive(Debug, Clone, Copy)]
pub struct DynamicGap<F>(F);

impl<T, F: Fn(&T) -> Duration + Send + Sync + 'static> Gap<T> for DynamicGap<F> {
    fn of(&self, row: &T) -> Duration {
        (self.0)(row)
    }

    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

macro_rules! session {
    ($(#[$doc:meta])* $name:ident, $label:literal, $event:literal, $trigger:ident, $time:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<G> {
            gap: G,
        }

        impl $name<FixedGap> {
            /// Sessions that end when nothing has come for `gap`: whole milliseconds, at least one.
            pub fn with_gap(gap: Duration) -> Self {
                Self { gap: FixedGap(gap) }
            }
        }

        impl<F> $name<DynamicGap<F>> {
            /// Sessions with a gap that each row tells; one below a millisecond fails the job.
            pub fn with_dynamic_gap<T>(gap: F) -> Self
            where
                F: Fn(&T) -> Duration + Send + Sync + 'static,
            {
                Self { gap: DynamicGap(gap) }
            }
        }

        impl<T, G: Gap<T>> WindowAssigner<T> for $name<G> {
            type Window = TimeWindow;

            fn assign(
                &self,
                row: &T,
                context: AssignContext,
                windows: &mut Vec<TimeWindow>,
            ) -> Result<(), BoxError> {
                let time: fn(AssignContext) -> Millis = $time;
                let time = time(context);
                if $event && time == MIN_TIMESTAMP {
                    return Err(NO_TIMESTAMP.into());
                }
                let gap = whole_millis(self.gap.of(row));
                if gap <= 0 {
                    return Err("a row gives its session a gap below 1 ms".into());
                }
                windows.push(TimeWindow::of(time, gap));
                Ok(())
            }

            fn default_trigger(&self) -> DefaultTrigger {
                DefaultTrigger::$trigger
            }

            fn is_event_time(&self) -> bool {
                $event
            }

            fn is_merging(&self) -> bool {
                true
            }

            fn merged(&self, one: &TimeWindow, other: &TimeWindow) -> Option<TimeWindow> {
                one.touches(other).then(|| one.cover(other))
            }

            fn validate(&self) -> Result<(), String> {
                self.gap.validate()
            }

            fn name(&self) -> &'static str {
                $label
            }
        }
    };
}

session! {
    /// Sessions of event time: the windows of a key that overlap or touch are one.
    EventTimeSessionWindows, "EventTimeSessionWindows", true, EventTime, |c| c.timestamp
}

session! {
    /// Sessions of processing time.
    ProcessingTimeSessionWindows, "ProcessingTimeSessionWindows", false, ProcessingTime,
    |c| c.processing_time
}
