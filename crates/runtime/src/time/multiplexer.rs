//! The watermarks of a source's splits, combined into the one of its reader.
//!
//! Life of an output: registered when its split is assigned, fed by the split's generator,
//! unregistered when the split ends. A new output counts from "no watermark yet" and so holds the
//! combination back, which never falls.
//!
//! What a generator emits on a row goes in [`Mode::Immediate`] and is combined at once; what it emits
//! in its periodic call goes in [`Mode::Deferred`] and is combined when all splits have been asked,
//! by [`WatermarkOutputMultiplexer::on_periodic`].

use rheos_core::element::StreamStatus;
use rheos_core::time::Millis;

use super::combined::CombinedWatermarkStatus;
use super::generator::WatermarkOutput;

/// The output of one split. Not `Clone`: it ends with [`WatermarkOutputMultiplexer::unregister`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct OutputId(usize);

/// When a change takes part in the combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// At once.
    Immediate,
    /// At the next periodic call, or together with the next immediate change.
    Deferred,
}

/// Flink's `WatermarkOutputMultiplexer`. Owned by a source reader, called from its task's thread.
#[derive(Debug)]
pub struct WatermarkOutputMultiplexer {
    status: CombinedWatermarkStatus,
}

impl Default for WatermarkOutputMultiplexer {
    fn default() -> Self {
        Self::new()
    }
}

impl WatermarkOutputMultiplexer {
    /// One without outputs.
    pub fn new() -> Self {
        Self {
            status: CombinedWatermarkStatus::new(0),
        }
    }

    /// The combined watermark; `MIN_TIMESTAMP` before the first.
    pub fn combined(&self) -> Millis {
        self.status.combined()
    }

    /// A new output, active and without a watermark.
    pub fn register(&mut self) -> OutputId {
        OutputId(self.status.add())
    }

    /// Ends an output. The others are combined without it at the next step that combines.
    pub fn unregister(&mut self, output: OutputId) {
        self.status.remove(output.0);
    }

    /// A watermark of an output.
    pub fn watermark(
        &mut self,
        output: &OutputId,
        watermark: Millis,
        mode: Mode,
    ) -> WatermarkOutput {
        let rose = self.status.set_watermark(output.0, watermark);
        if mode == Mode::Immediate && rose && watermark > self.status.combined() {
            self.on_periodic()
        } else {
            WatermarkOutput::default()
        }
    }

    /// A status of an output.
    pub fn status(
        &mut self,
        output: &OutputId,
        status: StreamStatus,
        mode: Mode,
    ) -> WatermarkOutput {
        self.status.set_idle(output.0, status == StreamStatus::Idle);
        match mode {
            Mode::Immediate => self.on_periodic(),
            Mode::Deferred => WatermarkOutput::default(),
        }
    }

    /// Everything that a generator of this output emitted in one call.
    pub fn apply(
        &mut self,
        output: &OutputId,
        emitted: WatermarkOutput,
        mode: Mode,
    ) -> WatermarkOutput {
        let mut combined = WatermarkOutput::default();
        if let Some(watermark) = emitted.watermark {
            combined.then(self.watermark(output, watermark, mode));
        }
        if let Some(status) = emitted.status {
            combined.then(self.status(output, status, mode));
        }
        combined
    }

    /// Combines what was deferred: a watermark if the combination rose, then idle if all outputs
    /// are (said again each time; [`super::WatermarkEmitter`] drops the repetition).
    pub fn on_periodic(&mut self) -> WatermarkOutput {
        let combination = self.status.combine();
        WatermarkOutput {
            watermark: combination.watermark,
            status: combination.idle.then_some(StreamStatus::Idle),
        }
    }
}
