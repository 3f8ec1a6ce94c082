//! One watermark and one status out of those of a task's input channels.
//!
//! A channel is *aligned* while it takes part in the minimum. It stops when it becomes idle; when it
//! is active again it takes part at once if its last watermark is not behind the output, and
//! otherwise from the watermark with which it catches up. Watermarks of an idle channel are ignored,
//! as are those that do not rise. When the last active channel becomes idle and was the one at the
//! output, the greatest watermark of all channels goes out before the idle status: nobody is left who
//! could hold it back. The output never falls.

use rheos_core::element::{Control, StreamStatus};
use rheos_core::time::{MIN_TIMESTAMP, Millis};

use super::min_tree::MinTree;

#[derive(Debug, Clone, Copy)]
struct Channel {
    watermark: Millis,
    active: bool,
    aligned: bool,
}

/// Flink's `StatusWatermarkValve`. Owned by a gate and called from its task's thread.
#[derive(Debug)]
pub struct StatusWatermarkValve {
    channels: Vec<Channel>,
    /// The watermarks of the aligned channels.
    aligned: MinTree,
    aligned_count: usize,
    active_count: usize,
    /// The last watermark that went out.
    output: Millis,
    idle: bool,
}

impl StatusWatermarkValve {
    /// A valve of so many channels, all active and without a watermark.
    pub fn new(channels: usize) -> Self {
        let channel = Channel {
            watermark: MIN_TIMESTAMP,
            active: true,
            aligned: true,
        };
        Self {
            channels: vec![channel; channels],
            aligned: MinTree::new(channels, MIN_TIMESTAMP),
            aligned_count: channels,
            active_count: channels,
            output: MIN_TIMESTAMP,
            idle: false,
        }
    }

    /// A channel's last watermark; [`MIN_TIMESTAMP`] before the first.
    pub fn of_channel(&self, channel: usize) -> Millis {
        let state = self.channels.get(channel);
        state.map_or(MIN_TIMESTAMP, |state| state.watermark)
    }

    /// Goes on, before anything else, from the watermarks that channels had and the last that went
    /// out. All are active: idleness is told anew. One that is behind takes part when it has caught up.
    pub fn restore(&mut self, watermarks: &[(usize, Millis)], output: Millis) {
        self.output = output;
        for (channel, watermark) in watermarks.iter().copied() {
            let Some(state) = self.channels.get_mut(channel) else {
                continue;
            };
            state.watermark = watermark;
            if watermark >= output {
                self.aligned.set(channel, watermark);
            } else if state.aligned {
                state.aligned = false;
                self.aligned_count -= 1;
                self.aligned.clear(channel);
            }
        }
    }

    /// The last watermark that went out; [`MIN_TIMESTAMP`] before the first.
    pub fn last_output(&self) -> Millis {
        self.output
    }

    /// Whether all channels are idle.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// A watermark from a channel. Emits at most one watermark.
    pub fn watermark(&mut self, channel: usize, watermark: Millis, emit: &mut impl FnMut(Control)) {
        let output = self.output;
        let Some(state) = self.channels.get_mut(channel) else {
            return;
        };
        if self.idle || !state.active || watermark <= state.watermark {
            return;
        }
        state.watermark = watermark;
        if !state.aligned && watermark >= output {
            state.aligned = true;
            self.aligned_count += 1;
        }
        if state.aligned {
            self.aligned.set(channel, watermark);
        }
        self.emit_least(emit);
    }

    /// A status from a channel. Emits at most a watermark and, after it, a status.
    pub fn status(&mut self, channel: usize, idle: bool, emit: &mut impl FnMut(Control)) {
        let Some(state) = self.channels.get_mut(channel) else {
            return;
        };
        if state.active != idle {
            return;
        }
        state.active = !idle;
        let watermark = state.watermark;
        if idle {
            self.active_count -= 1;
            if state.aligned {
                state.aligned = false;
                self.aligned_count -= 1;
                self.aligned.clear(channel);
            }
            if self.active_count == 0 {
                if watermark == self.output {
                    self.emit_greatest(emit);
                }
                self.idle = true;
                emit(Control::Status(StreamStatus::Idle));
            } else if watermark == self.output {
                self.emit_least(emit);
            }
        } else {
            self.active_count += 1;
            if watermark >= self.output && !state.aligned {
                state.aligned = true;
                self.aligned_count += 1;
                self.aligned.set(channel, watermark);
            }
            if self.idle {
                self.idle = false;
                emit(Control::Status(StreamStatus::Active));
            }
        }
    }

    fn emit_least(&mut self, emit: &mut impl FnMut(Control)) {
        if self.aligned_count > 0 {
            self.raise(self.aligned.min(), emit);
        }
    }

    fn emit_greatest(&mut self, emit: &mut impl FnMut(Control)) {
        let greatest = self.channels.iter().map(|c| c.watermark).max();
        self.raise(greatest.unwrap_or(MIN_TIMESTAMP), emit);
    }

    fn raise(&mut self, watermark: Millis, emit: &mut impl FnMut(Control)) {
        if watermark > self.output {
            self.output = watermark;
            emit(Control::Watermark(watermark));
        }
    }
}
