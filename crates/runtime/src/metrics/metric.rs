//! Every metric there is, in one place: its name, where it is kept and what it means.
//!
//! Names are Flink's where the meaning is; `docs/metrics.md` is written from this enum, and a test
//! holds the two together. Adding a metric: a variant, its line in `metric/description.rs`, its place
//! in [`Metric::ALL`], and the line of [`super::registry`] that reads it.

mod description;
mod table;

pub use table::render_markdown;

/// Whose metric it is: what its labels name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A process's that holds the JobManager.
    JobManager,
    /// A job's, as the JobManager sees it.
    JobManagerJob,
    /// A process's that holds tasks.
    TaskManager,
    /// A job's, on one process.
    Job,
    /// A task's: one subtask of a chain.
    Task,
    /// An operator's in one subtask.
    Operator,
}

impl Scope {
    /// What a Prometheus name of the scope begins with, as Flink builds it.
    pub fn prefix(self) -> &'static str {
        match self {
            Scope::JobManager => "flink_jobmanager",
            Scope::JobManagerJob => "flink_jobmanager_job",
            Scope::TaskManager => "flink_taskmanager",
            Scope::Job => "flink_taskmanager_job",
            Scope::Task => "flink_taskmanager_job_task",
            Scope::Operator => "flink_taskmanager_job_task_operator",
        }
    }
}

/// How a metric behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// A value of the moment.
    Gauge,
    /// Events per second.
    Meter,
    /// A distribution.
    Histogram,
}

impl Kind {
    /// The kind in a word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Meter => "meter",
            Kind::Histogram => "histogram",
        }
    }
}

/// What there is to know about a metric.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// Its name; Flink's, where Flink has it.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Where it is kept.
    pub scopes: &'static [Scope],
    /// Its unit.
    pub unit: &'static str,
    /// Whether Flink has it.
    pub flinks: bool,
    /// What it says.
    pub meaning: &'static str,
}

/// A metric of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is described in `description`")]
pub enum Metric {
    NumRecordsIn,
    NumRecordsInPerSecond,
    NumRecordsOut,
    NumRecordsOutPerSecond,
    NumRecordsInErrors,
    NumRecordsOutErrors,
    NumLateRecordsDropped,
    NumLateRecordsToSideOutput,
    CurrentInputWatermark,
    CurrentOutputWatermark,
    WatermarkLag,
    BusyTimeMsPerSecond,
    IdleTimeMsPerSecond,
    BackPressuredTimeMsPerSecond,
    SoftBackPressuredTimeMsPerSecond,
    HardBackPressuredTimeMsPerSecond,
    BackPressureRatio,
    IsBackPressured,
    AccumulateBusyTimeMs,
    AccumulateIdleTimeMs,
    AccumulateBackPressuredTimeMs,
    InputQueueSize,
    DebloatedBufferSize,
    InPoolUsage,
    CheckpointAlignmentTime,
    CheckpointStartDelay,
    Latency,
    StateKeyCount,
    StateSize,
    StateGrowthPerSecond,
    StateSecondsToLimit,
    NumberOfCheckpointCopies,
    NumberOfFailedCheckpointCopies,
    CheckpointCopiesBehind,
    LastCopiedCheckpointTimestamp,
    AsyncInFlight,
    AsyncRetries,
    AsyncTimeouts,
    AsyncFailures,
    AsyncFallbacks,
    CircuitBreakerState,
    CircuitBreakerTransitions,
    CircuitBreakerRejected,
    HeapUsed,
    HeapMax,
    ManagedMemoryUsed,
    ManagedMemoryTotal,
    ResidentMemory,
    NetworkMemoryTotal,
    NetworkMemoryUsed,
    NetworkMemoryAvailable,
    NetworkMemoryRequested,
    CpuLoad,
    CpuTime,
    OpenFiles,
    MaxOpenFiles,
    AllCollections,
    AllCollectionTime,
    AllCollectionRate,
    YoungCollections,
    YoungCollectionTime,
    YoungCollectionRate,
    OldCollections,
    OldCollectionTime,
    OldCollectionRate,
    ThreadCount,
    NumRunningJobs,
    Uptime,
    Downtime,
    RunningTime,
    FailingTime,
    RestartingTime,
    CancellingTime,
    NumRestarts,
    NumRescales,
    LastCheckpointDuration,
    LastCheckpointSize,
    LastCheckpointFullSize,
    LastCheckpointCompletedTimestamp,
    LastCheckpointRestoreTimestamp,
    LastCompletedCheckpointId,
    NumberOfInProgressCheckpoints,
    NumberOfCompletedCheckpoints,
    NumberOfFailedCheckpoints,
    TotalNumberOfCheckpoints,
}

impl Metric {
    /// All of them, in the order of the documentation.
    pub const ALL: &'static [Metric] = &[
        Metric::NumRecordsIn,
        Metric::NumRecordsInPerSecond,
        Metric::NumRecordsOut,
        Metric::NumRecordsOutPerSecond,
        Metric::NumRecordsInErrors,
        Metric::NumRecordsOutErrors,
        Metric::NumLateRecordsDropped,
        Metric::NumLateRecordsToSideOutput,
        Metric::CurrentInputWatermark,
        Metric::CurrentOutputWatermark,
        Metric::WatermarkLag,
        Metric::BusyTimeMsPerSecond,
        Metric::IdleTimeMsPerSecond,
        Metric::BackPressuredTimeMsPerSecond,
        Metric::SoftBackPressuredTimeMsPerSecond,
        Metric::HardBackPressuredTimeMsPerSecond,
        Metric::BackPressureRatio,
        Metric::IsBackPressured,
        Metric::AccumulateBusyTimeMs,
        Metric::AccumulateIdleTimeMs,
        Metric::AccumulateBackPressuredTimeMs,
        Metric::InputQueueSize,
        Metric::DebloatedBufferSize,
        Metric::InPoolUsage,
        Metric::CheckpointAlignmentTime,
        Metric::CheckpointStartDelay,
        Metric::Latency,
        Metric::StateKeyCount,
        Metric::StateSize,
        Metric::StateGrowthPerSecond,
        Metric::StateSecondsToLimit,
        Metric::NumberOfCheckpointCopies,
        Metric::NumberOfFailedCheckpointCopies,
        Metric::CheckpointCopiesBehind,
        Metric::LastCopiedCheckpointTimestamp,
        Metric::AsyncInFlight,
        Metric::AsyncRetries,
        Metric::AsyncTimeouts,
        Metric::AsyncFailures,
        Metric::AsyncFallbacks,
        Metric::CircuitBreakerState,
        Metric::CircuitBreakerTransitions,
        Metric::CircuitBreakerRejected,
        Metric::HeapUsed,
        Metric::HeapMax,
        Metric::ManagedMemoryUsed,
        Metric::ManagedMemoryTotal,
        Metric::ResidentMemory,
        Metric::NetworkMemoryTotal,
        Metric::NetworkMemoryUsed,
        Metric::NetworkMemoryAvailable,
        Metric::NetworkMemoryRequested,
        Metric::CpuLoad,
        Metric::CpuTime,
        Metric::OpenFiles,
        Metric::MaxOpenFiles,
        Metric::AllCollections,
        Metric::AllCollectionTime,
        Metric::AllCollectionRate,
        Metric::YoungCollections,
        Metric::YoungCollectionTime,
        Metric::YoungCollectionRate,
        Metric::OldCollections,
        Metric::OldCollectionTime,
        Metric::OldCollectionRate,
        Metric::ThreadCount,
        Metric::NumRunningJobs,
        Metric::Uptime,
        Metric::Downtime,
        Metric::RunningTime,
        Metric::FailingTime,
        Metric::RestartingTime,
        Metric::CancellingTime,
        Metric::NumRestarts,
        Metric::NumRescales,
        Metric::LastCheckpointDuration,
        Metric::LastCheckpointSize,
        Metric::LastCheckpointFullSize,
        Metric::LastCheckpointCompletedTimestamp,
        Metric::LastCheckpointRestoreTimestamp,
        Metric::LastCompletedCheckpointId,
        Metric::NumberOfInProgressCheckpoints,
        Metric::NumberOfCompletedCheckpoints,
        Metric::NumberOfFailedCheckpoints,
        Metric::TotalNumberOfCheckpoints,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.description().name
    }
}

/// What Flink puts between a job and its latency at the granularity `operator`.
const LATENCY_GROUPS: &str = "latency_source_id_operator_id_operator_subtask_index";

/// A metric's name for Prometheus, by Flink's rule: whatever a name can't have becomes `_`.
pub fn prometheus_name(scope: Scope, name: &str) -> String {
    if scope == Scope::Job && name == Metric::Latency.name() {
        return format!("{}_{LATENCY_GROUPS}_{name}", scope.prefix());
    }
    let filtered: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == ':' || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("{}_{filtered}", scope.prefix())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_variant_is_listed_once_under_a_name_of_its_own() {
        let names: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for (index, metric) in Metric::ALL.iter().enumerate() {
            assert_eq!(
                *metric as usize, index,
                "{metric:?} is listed out of order or not at all"
            );
        }
        assert_eq!(
            *Metric::ALL.last().unwrap(),
            Metric::TotalNumberOfCheckpoints
        );
    }

    #[test]
    fn prometheus_names_are_flink_s() {
        assert_eq!(
            prometheus_name(Scope::Task, "numRecordsIn"),
            "flink_taskmanager_job_task_numRecordsIn"
        );
        assert_eq!(
            prometheus_name(Scope::Operator, "My-Group.count er"),
            "flink_taskmanager_job_task_operator_My_Group_count_er"
        );
    }
}
