//! How a source's stage stamps, paces and aligns what its reader gives.

use std::sync::Arc;

use rheos_core::time::Millis;

use super::alignment::AlignmentGroup;
use crate::time::strategy::WatermarkStrategy;

/// What a source's stage is told beside its reader.
pub struct SourceSettings<T> {
    /// How rows get timestamps and watermarks.
    pub strategy: WatermarkStrategy<T>,
    /// How often periodic generators are asked, in milliseconds of processing time.
    pub watermark_interval_millis: Millis,
    /// How often latency markers are sent; none if 0.
    pub latency_interval_millis: Millis,
    /// Whether the job takes checkpoints: the end is then passed on once one has made it durable.
    pub final_checkpoint: bool,
    /// Rows a second that this subtask may emit.
    pub rate: Option<f64>,
    /// The group whose members wait for each other, the drift allowed and how often to look.
    pub alignment: Option<(Arc<AlignmentGroup>, Millis, Millis)>,
}
