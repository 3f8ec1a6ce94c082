//! Event time: how watermarks are born at a source, and how several of them become one.
//!
//! Everything here is a decider: no clock is read and nothing is sent. Processing time comes in as
//! an argument, and what is decided goes out as a value, so the source stage, the gate and the
//! judge of the golden scenarios call the same code. The rules are Apache Flink 2.3's.
//!
//! ```text
//! rows of a split ─ TimestampAssigner ─ WatermarkGenerator ─┐
//! rows of a split ─ TimestampAssigner ─ WatermarkGenerator ─┴ WatermarkOutputMultiplexer
//!                                                                     │
//!                                       source stage: WatermarkEmitter ─ channel ─┐
//!                                                                       channel ─┴ StatusWatermarkValve
//!                                      operator with several inputs: CombinedWatermarkStatus ┘
//! ```
//!
//! The three that combine differ, and must: the *valve* leaves a channel that was idle out until it
//! has caught up, and ignores the watermarks of an idle one; the *combined status* takes a watermark
//! for a sign of life and is held back by whoever lags; the *multiplexer* is a combined status whose
//! inputs come and go. None of them ever falls.

pub mod assigner;
pub mod combined;
pub mod emitter;
pub mod generator;
pub mod idleness;
mod min_tree;
pub mod multiplexer;
pub mod strategy;
pub mod valve;

#[cfg(test)]
mod tests;

pub use assigner::TimestampAssigner;
pub use combined::CombinedWatermarkStatus;
pub use emitter::WatermarkEmitter;
pub use generator::{WatermarkGenerator, WatermarkOutput};
pub use multiplexer::WatermarkOutputMultiplexer;
pub use strategy::{Alignment, WatermarkStrategy};
pub use valve::StatusWatermarkValve;
