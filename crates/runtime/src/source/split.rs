//! What a source's stage keeps for each split.

use rheos_core::time::Millis;

use crate::time::generator::{WatermarkGenerator, WatermarkOutput};
use crate::time::multiplexer::OutputId;

/// The watermark of one split of a source.
pub(super) struct SplitState<T> {
    /// Its place in the source's combination.
    pub output: OutputId,
    /// Makes its watermarks.
    pub generator: Box<dyn WatermarkGenerator<T>>,
    /// Whether its alignment group has paused it.
    pub paused: bool,
    /// The greatest watermark it has given.
    pub watermark: Millis,
}

impl<T> SplitState<T> {
    /// Notes what its generator emitted.
    pub fn note(&mut self, output: &WatermarkOutput) {
        if let Some(watermark) = output.watermark {
            self.watermark = self.watermark.max(watermark);
        }
    }
}
