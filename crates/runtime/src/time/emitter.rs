//! What of a source's time goes onto its channels.
//!
//! Invariant: the watermarks that pass rise, the statuses that pass alternate, and an idle source
//! says that it is active before its next watermark: a valve downstream would drop it otherwise.

use rheos_core::element::{Control, StreamStatus};
use rheos_core::time::{MIN_TIMESTAMP, Millis};

use super::generator::WatermarkOutput;

/// The end of a source's watermarks, after the multiplexer. Flink's `WatermarkToDataOutput`.
#[derive(Debug)]
pub struct WatermarkEmitter {
    greatest: Millis,
    idle: bool,
}

impl Default for WatermarkEmitter {
    fn default() -> Self {
        Self {
            greatest: MIN_TIMESTAMP,
            idle: false,
        }
    }
}

impl WatermarkEmitter {
    /// The last watermark that passed; [`MIN_TIMESTAMP`] before the first.
    pub fn last(&self) -> Millis {
        self.greatest
    }

    /// Goes on from the last watermark of a checkpoint.
    pub fn restore(&mut self, last: Millis) {
        self.greatest = last;
    }

    /// Whether the source is idle.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// Passes on what is new, in the order in which it has to be sent.
    pub fn apply(&mut self, output: WatermarkOutput, emit: &mut impl FnMut(Control)) {
        if let Some(watermark) = output.watermark.filter(|w| *w > self.greatest) {
            self.greatest = watermark;
            self.set_idle(false, emit);
            emit(Control::Watermark(watermark));
        }
        if let Some(status) = output.status {
            self.set_idle(status == StreamStatus::Idle, emit);
        }
    }

    fn set_idle(&mut self, idle: bool, emit: &mut impl FnMut(Control)) {
        if self.idle != idle {
            self.idle = idle;
            let status = if idle {
                StreamStatus::Idle
            } else {
                StreamStatus::Active
            };
            emit(Control::Status(status));
        }
    }
}
