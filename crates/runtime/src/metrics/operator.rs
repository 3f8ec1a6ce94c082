//! The counters of one operator in one subtask. Written by its thread, read by any.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use hdrhistogram::Histogram;
use rheos_core::element::LatencyMarker;
use rheos_core::id::OperatorId;
use rheos_core::time::{MIN_TIMESTAMP, Millis};

use super::async_io::AsyncIoMetrics;
use super::states::StateSize;
use super::user::{Counter, MetricGroup, UserMetric, UserMetrics};

/// What every operator counts.
#[derive(Debug)]
pub struct OperatorMetrics {
    records_in: AtomicU64,
    records_out: AtomicU64,
    watermark: AtomicI64,
    output_watermark: AtomicI64,
    late_dropped: AtomicU64,
    late_to_side: AtomicU64,
    records_in_errors: AtomicU64,
    records_out_errors: AtomicU64,
    /// By source operator and source subtask, in microseconds.
    latency: Mutex<BTreeMap<(OperatorId, u32), Histogram<u64>>>,
    async_io: OnceLock<AsyncIoMetrics>,
    states: Mutex<Vec<StateSize>>,
    user: Arc<UserMetrics>,
}

impl Default for OperatorMetrics {
    fn default() -> Self {
        Self {
            records_in: AtomicU64::new(0),
            records_out: AtomicU64::new(0),
            watermark: AtomicI64::new(MIN_TIMESTAMP),
            output_watermark: AtomicI64::new(MIN_TIMESTAMP),
            late_dropped: AtomicU64::new(0),
            late_to_side: AtomicU64::new(0),
            records_in_errors: AtomicU64::new(0),
            records_out_errors: AtomicU64::new(0),
            latency: Mutex::new(BTreeMap::new()),
            async_io: OnceLock::new(),
            states: Mutex::new(Vec::new()),
            user: Arc::new(UserMetrics::default()),
        }
    }
}

impl OperatorMetrics {
    /// Counts from 0 again, for another attempt.
    pub fn reset(&self) {
        for count in [
            &self.records_in,
            &self.records_out,
            &self.late_dropped,
            &self.late_to_side,
            &self.records_in_errors,
            &self.records_out_errors,
        ] {
            count.store(0, Ordering::Relaxed);
        }
        for watermark in [&self.watermark, &self.output_watermark] {
            watermark.store(MIN_TIMESTAMP, Ordering::Relaxed);
        }
        for (_, metric) in self.user.all() {
            if let UserMetric::Counter(count) = metric {
                count.inc_by(-count.count());
            }
        }
    }

    /// Rows taken since the task started.
    pub fn records_in(&self) -> u64 {
        self.records_in.load(Ordering::Relaxed)
    }

    /// Rows emitted since the task started.
    pub fn records_out(&self) -> u64 {
        self.records_out.load(Ordering::Relaxed)
    }

    /// The operator's watermark.
    pub fn watermark(&self) -> Millis {
        self.watermark.load(Ordering::Relaxed)
    }

    /// The watermark that the operator has passed on.
    pub fn output_watermark(&self) -> Millis {
        self.output_watermark.load(Ordering::Relaxed)
    }

    /// Late rows that went to a side output.
    pub fn late_to_side(&self) -> u64 {
        self.late_to_side.load(Ordering::Relaxed)
    }

    /// Late rows that no side output took.
    pub fn late_dropped(&self) -> u64 {
        self.late_dropped.load(Ordering::Relaxed)
    }

    /// Records that a source could not read and did not fail on: Flink's `numRecordsInErrors`.
    pub fn records_in_errors(&self) -> u64 {
        self.records_in_errors.load(Ordering::Relaxed)
    }

    /// Rows that a sink could not write and did not fail on: Flink's `numRecordsOutErrors`.
    pub fn records_out_errors(&self) -> u64 {
        self.records_out_errors.load(Ordering::Relaxed)
    }

    /// Sets [`OperatorMetrics::records_in`].
    pub fn set_records_in(&self, records: u64) {
        self.records_in.store(records, Ordering::Relaxed);
    }

    /// Sets [`OperatorMetrics::records_out`].
    pub fn set_records_out(&self, records: u64) {
        self.records_out.store(records, Ordering::Relaxed);
    }

    /// Sets [`OperatorMetrics::watermark`].
    pub fn set_watermark(&self, watermark: Millis) {
        self.watermark.store(watermark, Ordering::Relaxed);
    }

    /// Sets [`OperatorMetrics::output_watermark`].
    pub fn set_output_watermark(&self, watermark: Millis) {
        self.output_watermark.store(watermark, Ordering::Relaxed);
    }

    /// Counts late rows that a side output took.
    pub fn add_late_to_side(&self, records: u64) {
        self.late_to_side.fetch_add(records, Ordering::Relaxed);
    }

    /// What is in the operator's states.
    pub fn states(&self) -> Vec<StateSize> {
        self.states
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// Sets [`OperatorMetrics::states`].
    pub fn set_states(&self, states: Vec<StateSize>) {
        *self
            .states
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = states;
    }

    /// The metrics that users made.
    pub fn user(&self) -> &UserMetrics {
        &self.user
    }

    /// Where functions of the operator make metrics of their own.
    pub fn group(&self) -> MetricGroup {
        MetricGroup::new(self.user.clone())
    }

    /// A counter of the operator's function: see [`MetricGroup::counter`].
    pub fn counter(&self, name: &str) -> Counter {
        self.group().counter(name)
    }

    /// Counts late rows that nobody took.
    pub fn add_late_dropped(&self, records: u64) {
        self.late_dropped.fetch_add(records, Ordering::Relaxed);
    }

    /// The counters of asynchronous I/O, where the operator does any.
    pub fn async_io(&self) -> Option<&AsyncIoMetrics> {
        self.async_io.get()
    }

    /// The counters of asynchronous I/O, which the operator has from now on.
    pub(crate) fn open_async_io(&self) -> &AsyncIoMetrics {
        self.async_io.get_or_init(AsyncIoMetrics::default)
    }

    /// Counts records that could not be read.
    pub fn add_records_in_errors(&self, records: u64) {
        self.records_in_errors.fetch_add(records, Ordering::Relaxed);
    }

    /// Counts rows that could not be written.
    pub fn add_records_out_errors(&self, records: u64) {
        self.records_out_errors
            .fetch_add(records, Ordering::Relaxed);
    }

    /// Records how long a marker was on its way.
    pub fn record_latency(&self, marker: &LatencyMarker, now_micros: i64) {
        let micros = u64::try_from(now_micros - marker.emitted_at_micros).unwrap_or(0);
        let mut latency = self
            .latency
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let histogram = match latency.entry((marker.source, marker.subtask)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => match Histogram::new(3) {
                Ok(histogram) => entry.insert(histogram),
                Err(_) => return,
            },
        };
        histogram.saturating_record(micros.max(1));
    }

    /// The latency histograms by source operator and source subtask, in microseconds.
    pub fn latency(&self) -> BTreeMap<(OperatorId, u32), Histogram<u64>> {
        self.latency
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }
}
