//! What a reader shows: how far it is, and how much is left, under Flink's names.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use rheos_core::time::MIN_TIMESTAMP;
use rheos_runtime::metrics::user::{Counter, MetricGroup};

use super::split::KafkaSplit;

/// The position and the end of each split.
type Progress = Arc<Mutex<Vec<(Arc<AtomicI64>, Arc<AtomicI64>)>>>;

pub(super) struct ReaderMetrics {
    group: MetricGroup,
    progress: Progress,
    /// Records without a value that were skipped.
    pub tombstones: Counter,
}

impl ReaderMetrics {
    pub fn new(group: MetricGroup) -> Self {
        let progress = Progress::default();
        let seen = progress.clone();
        group.gauge_of("pendingRecords", move || {
            let splits = seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let left = splits.iter().map(|(position, end)| {
                let left = end.load(Ordering::Relaxed) - position.load(Ordering::Relaxed);
                left.max(0) as f64
            });
            left.sum()
        });
        Self {
            tombstones: group.counter("numTombstones"),
            group,
            progress,
        }
    }

    /// Position and end of a new split; the position is [`MIN_TIMESTAMP`] until it is taken on.
    pub fn split(&self, split: &KafkaSplit) -> (Arc<AtomicI64>, Arc<AtomicI64>) {
        let position = Arc::new(AtomicI64::new(MIN_TIMESTAMP));
        let end = Arc::new(AtomicI64::new(split.offset));
        let shown = position.clone();
        let offset = split.offset;
        self.group
            .group("KafkaSourceReader")
            .group_of("topic", &split.topic)
            .group_of("partition", &split.partition.to_string())
            // Flink's is the last offset that was emitted.
            .gauge_of("currentOffset", move || {
                let next = shown.load(Ordering::Relaxed).max(offset);
                (next - 1) as f64
            });
        let mut splits = self
            .progress
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        splits.push((position.clone(), end.clone()));
        (position, end)
    }
}
