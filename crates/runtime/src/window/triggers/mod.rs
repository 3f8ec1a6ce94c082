//! The triggers that come with the engine. They are Flink's, call for call.

mod continuous;
mod count;
mod delta;
mod end_of_stream;
mod event_time;
mod never;
mod processing_time;
mod purging;

pub use continuous::{ContinuousEventTimeTrigger, ContinuousProcessingTimeTrigger};
pub use count::CountTrigger;
pub use delta::{DeltaFunction, DeltaTrigger};
pub use end_of_stream::EndOfStreamTrigger;
pub use event_time::EventTimeTrigger;
pub use never::NeverTrigger;
pub use processing_time::ProcessingTimeTrigger;
pub use purging::PurgingTrigger;
