//! What Flink calls I/O metrics: rows in and out, and where the time went, of a task or of several.
//!
//! Bytes are not counted within a process, where rows move as they are: 0, and not complete.

use rheos_runtime::metrics::handle::TaskHandle;
use serde_json::{Map, Value, json};

use super::aggregate::{Statistics, object};
use crate::embedded::JobHandle;

/// See the [module](self).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct IoMetrics {
    read_records: u64,
    write_records: u64,
    back_pressured: u64,
    idle: u64,
    busy: u64,
}

impl IoMetrics {
    /// Of one task.
    pub(super) fn of(task: &TaskHandle, now_micros: i64) -> Self {
        let times = task.times.read_at(now_micros);
        let head = task.operators.first();
        Self {
            // A source's head reads no rows of other tasks.
            read_records: match head {
                Some(head) if head.is_source => 0,
                _ => task.records_in(),
            },
            write_records: task.records_out(),
            back_pressured: times.back_pressured / 1000,
            idle: times.idle / 1000,
            busy: times.busy / 1000,
        }
    }

    /// Of the tasks of a vertex, subtask by subtask.
    pub(super) fn of_vertex(job: &JobHandle, vertex: usize) -> Vec<Self> {
        let now = job.clock().monotonic_micros();
        let metrics = job.metrics();
        let tasks = metrics.tasks.iter();
        tasks
            .filter(|task| task.vertex == vertex)
            .map(|task| Self::of(task, now))
            .collect()
    }

    /// Of several together.
    pub(super) fn sum(all: &[Self]) -> Self {
        all.iter().fold(Self::default(), |sum, one| Self {
            read_records: sum.read_records + one.read_records,
            write_records: sum.write_records + one.write_records,
            back_pressured: sum.back_pressured + one.back_pressured,
            idle: sum.idle + one.idle,
            busy: sum.busy + one.busy,
        })
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "read-bytes": 0,
            "read-bytes-complete": false,
            "write-bytes": 0,
            "write-bytes-complete": false,
            "read-records": self.read_records,
            "read-records-complete": true,
            "write-records": self.write_records,
            "write-records-complete": true,
            "accumulated-backpressured-time": self.back_pressured,
            "accumulated-idle-time": self.idle,
            "accumulated-busy-time": self.busy as f64,
        })
    }

    /// The statistics of several, field by field.
    pub(super) fn statistics(all: &[Self]) -> Map<String, Value> {
        let of = |value: fn(&Self) -> u64| {
            let values = all
                .iter()
                .map(|one| i64::try_from(value(one)).unwrap_or(i64::MAX));
            Statistics::of(values.collect()).json()
        };
        object([
            ("read-bytes", of(|_| 0)),
            ("write-bytes", of(|_| 0)),
            ("read-records", of(|one| one.read_records)),
            ("write-records", of(|one| one.write_records)),
            (
                "accumulated-backpressured-time",
                of(|one| one.back_pressured),
            ),
            ("accumulated-idle-time", of(|one| one.idle)),
            ("accumulated-busy-time", of(|one| one.busy)),
        ])
    }
}
