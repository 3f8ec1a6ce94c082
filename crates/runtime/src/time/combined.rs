//! One watermark out of those of an operator's inputs, or of a source's splits.
//!
//! The combined watermark is the least over the active inputs; if all are idle, the greatest over
//! all, since then nobody is left to wait for. It never falls. An input that comes back active with
//! an old watermark does hold it back, and a watermark makes its input active. (The valve in front of
//! a task has other rules, see [`super::valve`].)

use rheos_core::time::{MIN_TIMESTAMP, Millis};

use super::min_tree::MinTree;

/// What a step changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Combination {
    /// The combined watermark, if it rose.
    pub watermark: Option<Millis>,
    /// Whether all inputs are idle.
    pub idle: bool,
}

#[derive(Debug, Clone, Copy)]
struct Input {
    watermark: Millis,
    idle: bool,
    present: bool,
}

impl Input {
    const NEW: Input = Input {
        watermark: MIN_TIMESTAMP,
        idle: false,
        present: true,
    };
}

/// Flink's `CombinedWatermarkStatus`. Called from one task's thread.
#[derive(Debug)]
pub struct CombinedWatermarkStatus {
    inputs: Vec<Input>,
    /// Slots of inputs that were removed.
    free: Vec<usize>,
    /// The watermarks of the active inputs.
    active: MinTree,
    active_count: usize,
    combined: Millis,
    idle: bool,
}

impl CombinedWatermarkStatus {
    /// The status of so many inputs, all active and without a watermark.
    pub fn new(inputs: usize) -> Self {
        Self {
            inputs: vec![Input::NEW; inputs],
            free: Vec::new(),
            active: MinTree::new(inputs, MIN_TIMESTAMP),
            active_count: inputs,
            combined: MIN_TIMESTAMP,
            idle: false,
        }
    }

    /// The combined watermark; [`MIN_TIMESTAMP`] before the first.
    pub fn combined(&self) -> Millis {
        self.combined
    }

    /// Whether all inputs were idle when they were last combined.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// A watermark of an input: sets it and combines.
    pub fn watermark(&mut self, input: usize, watermark: Millis) -> Combination {
        self.set_watermark(input, watermark);
        self.combine()
    }

    /// A status of an input: sets it and combines.
    pub fn status(&mut self, input: usize, idle: bool) -> Combination {
        self.set_idle(input, idle);
        self.combine()
    }

    /// Sets an input's watermark, without combining, and makes it active. Whether it rose.
    pub fn set_watermark(&mut self, input: usize, watermark: Millis) -> bool {
        self.set_idle(input, false);
        let Some(state) = self.inputs.get_mut(input).filter(|i| i.present) else {
            return false;
        };
        if watermark <= state.watermark {
            return false;
        }
        state.watermark = watermark;
        self.active.set(input, watermark);
        true
    }

    /// Sets an input's status, without combining.
    pub fn set_idle(&mut self, input: usize, idle: bool) {
        let Some(state) = self.inputs.get_mut(input).filter(|i| i.present) else {
            return;
        };
        if state.idle == idle {
            return;
        }
        state.idle = idle;
        if idle {
            self.active_count -= 1;
            self.active.clear(input);
        } else {
            self.active_count += 1;
            self.active.set(input, state.watermark);
        }
    }

    /// Adds an input, active and without a watermark; it holds the combination back until it has
    /// one. Returns its index, which may be that of one removed earlier.
    pub fn add(&mut self) -> usize {
        let input = match self.free.pop() {
            Some(input) => input,
            None => {
                self.inputs.push(Input::NEW);
                self.inputs.len() - 1
            }
        };
        if let Some(state) = self.inputs.get_mut(input) {
            *state = Input::NEW;
        }
        self.active.grow(self.inputs.len());
        self.active.set(input, MIN_TIMESTAMP);
        self.active_count += 1;
        input
    }

    /// Removes an input, without combining.
    pub fn remove(&mut self, input: usize) {
        let Some(state) = self.inputs.get_mut(input).filter(|i| i.present) else {
            return;
        };
        state.present = false;
        if !state.idle {
            self.active_count -= 1;
        }
        self.active.clear(input);
        self.free.push(input);
    }

    /// Combines what was set. Without any input nothing changes.
    pub fn combine(&mut self) -> Combination {
        if self.inputs.len() == self.free.len() {
            return Combination {
                watermark: None,
                idle: self.idle,
            };
        }
        self.idle = self.active_count == 0;
        let candidate = if self.idle {
            self.greatest()
        } else {
            self.active.min()
        };
        let rose = candidate > self.combined;
        if rose {
            self.combined = candidate;
        }
        Combination {
            watermark: rose.then_some(candidate),
            idle: self.idle,
        }
    }

    fn greatest(&self) -> Millis {
        let present = self.inputs.iter().filter(|i| i.present);
        present.map(|i| i.watermark).max().unwrap_or(MIN_TIMESTAMP)
    }
}
