//! Every metric there is, in one place: its name, where it is kept and what it means.
//!
//! Names are Flink's where the meaning is; `docs/metrics.md` is written from this enum, and a test
//! holds the two together. Adding a metric: a variant, its line in [`Metric::description`], its place
//! in [`Metric::ALL`], and the line of [`super::registry`] that reads it.

use std::fmt::Write as _;

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
    Latency,
    StateKeyCount,
    StateSize,
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
    YoungCollections,
    YoungCollectionTime,
    OldCollections,
    OldCollectionTime,
    ThreadCount,
    NumRunningJobs,
    Uptime,
    NumRestarts,
    LastCheckpointDuration,
    LastCheckpointSize,
    LastCheckpointFullSize,
    LastCheckpointCompletedTimestamp,
    NumberOfInProgressCheckpoints,
    NumberOfCompletedCheckpoints,
    NumberOfFailedCheckpoints,
    TotalNumberOfCheckpoints,
}

const TASK: &[Scope] = &[Scope::Task];
const OPERATOR: &[Scope] = &[Scope::Operator];
const BOTH: &[Scope] = &[Scope::Task, Scope::Operator];
const PROCESS: &[Scope] = &[Scope::JobManager, Scope::TaskManager];
const TASK_MANAGER: &[Scope] = &[Scope::TaskManager];
const JOB: &[Scope] = &[Scope::JobManagerJob];

const fn flinks(
    name: &'static str,
    kind: Kind,
    scopes: &'static [Scope],
    unit: &'static str,
    meaning: &'static str,
) -> Description {
    Description {
        name,
        kind,
        scopes,
        unit,
        flinks: true,
        meaning,
    }
}

const fn own(
    name: &'static str,
    kind: Kind,
    scopes: &'static [Scope],
    unit: &'static str,
    meaning: &'static str,
) -> Description {
    Description {
        name,
        kind,
        scopes,
        unit,
        flinks: false,
        meaning,
    }
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
        Metric::Latency,
        Metric::StateKeyCount,
        Metric::StateSize,
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
        Metric::YoungCollections,
        Metric::YoungCollectionTime,
        Metric::OldCollections,
        Metric::OldCollectionTime,
        Metric::ThreadCount,
        Metric::NumRunningJobs,
        Metric::Uptime,
        Metric::NumRestarts,
        Metric::LastCheckpointDuration,
        Metric::LastCheckpointSize,
        Metric::LastCheckpointFullSize,
        Metric::LastCheckpointCompletedTimestamp,
        Metric::NumberOfInProgressCheckpoints,
        Metric::NumberOfCompletedCheckpoints,
        Metric::NumberOfFailedCheckpoints,
        Metric::TotalNumberOfCheckpoints,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    /// What there is to know about it.
    #[rustfmt::skip]
    pub const fn description(self) -> Description {
        use Kind::{Counter, Gauge, Histogram, Meter};
        match self {
            Metric::NumRecordsIn => flinks("numRecordsIn", Counter, BOTH, "rows",
                "Rows taken since the task started; for a source, rows read. A task's are its head's."),
            Metric::NumRecordsInPerSecond => flinks("numRecordsInPerSecond", Meter, BOTH, "rows/s",
                "Rows taken a second."),
            Metric::NumRecordsOut => flinks("numRecordsOut", Counter, BOTH, "rows",
                "Rows emitted since the task started, side outputs not among them. A task's are those that leave its chain."),
            Metric::NumRecordsOutPerSecond => flinks("numRecordsOutPerSecond", Meter, BOTH, "rows/s",
                "Rows emitted a second."),
            Metric::NumRecordsInErrors => flinks("numRecordsInErrors", Counter, OPERATOR, "records",
                "Records that a source could not read and went past."),
            Metric::NumRecordsOutErrors => flinks("numRecordsOutErrors", Counter, OPERATOR, "rows",
                "Rows that a sink could not write and went past."),
            Metric::NumLateRecordsDropped => flinks("numLateRecordsDropped", Counter, OPERATOR, "rows",
                "Late rows that no side output took."),
            Metric::NumLateRecordsToSideOutput => own("numLateRecordsToSideOutput", Counter, OPERATOR, "rows",
                "Late rows that went to the operator's side output for them."),
            Metric::CurrentInputWatermark => flinks("currentInputWatermark", Gauge, BOTH, "ms",
                "The watermark that was last taken up; -9223372036854775808 before the first."),
            Metric::CurrentOutputWatermark => flinks("currentOutputWatermark", Gauge, OPERATOR, "ms",
                "The watermark that was last passed on, all that it fired before it; -9223372036854775808 before the first."),
            Metric::WatermarkLag => flinks("watermarkLag", Gauge, OPERATOR, "ms",
                "Of a source: how far its watermark is behind the wall clock. Absent before the first watermark and after the last."),
            Metric::BusyTimeMsPerSecond => flinks("busyTimeMsPerSecond", Gauge, TASK, "ms/s",
                "Time in which the task worked, or waited for a system outside that it asked or writes to."),
            Metric::IdleTimeMsPerSecond => flinks("idleTimeMsPerSecond", Gauge, TASK, "ms/s",
                "Time in which the task waited for input."),
            Metric::BackPressuredTimeMsPerSecond => flinks("backPressuredTimeMsPerSecond", Gauge, TASK, "ms/s",
                "Time in which the task waited for output: what takes its rows was not ready. The sum of soft and hard."),
            Metric::SoftBackPressuredTimeMsPerSecond => flinks("softBackPressuredTimeMsPerSecond", Gauge, TASK, "ms/s",
                "Back-pressured, but answering its mail. All back-pressure here is of this kind: output is looked at before input is taken."),
            Metric::HardBackPressuredTimeMsPerSecond => flinks("hardBackPressuredTimeMsPerSecond", Gauge, TASK, "ms/s",
                "Back-pressured and unable to answer. Always 0: a task never blocks on its output."),
            Metric::BackPressureRatio => own("backPressureRatio", Gauge, TASK, "0 to 1",
                "backPressuredTimeMsPerSecond as a share of the second."),
            Metric::IsBackPressured => flinks("isBackPressured", Gauge, TASK, "0 or 1",
                "Whether the task waits for output at the moment."),
            Metric::AccumulateBusyTimeMs => flinks("accumulateBusyTimeMs", Gauge, TASK, "ms",
                "Busy time since the task started."),
            Metric::AccumulateIdleTimeMs => flinks("accumulateIdleTimeMs", Gauge, TASK, "ms",
                "Idle time since the task started."),
            Metric::AccumulateBackPressuredTimeMs => flinks("accumulateBackPressuredTimeMs", Gauge, TASK, "ms",
                "Back-pressured time since the task started."),
            Metric::InputQueueSize => flinks("inputQueueSize", Gauge, TASK, "bytes",
                "What is queued before the task, as it was after its last step; estimated from a sample of the rows. Flink gives 0 for local channels."),
            Metric::DebloatedBufferSize => flinks("debloatedBufferSize", Gauge, TASK, "bytes",
                "Credit that the task grants to those before it, in time with its pace, over all of its channels."),
            Metric::InPoolUsage => flinks("inPoolUsage", Gauge, TASK, "0 to 1",
                "inputQueueSize as a share of the credit granted; above 1 where one batch lies beyond it."),
            Metric::Latency => flinks("latency", Histogram, &[Scope::Job], "ms",
                "How long latency markers took from a source (source_id, all of its subtasks) to an operator's subtask. They wait in queues but pass by user code. metrics.latency.interval turns them on."),
            Metric::StateKeyCount => own("stateKeyCount", Gauge, OPERATOR, "keys",
                "Keys with something in the state that the label `state` names; brought up to date about once a second."),
            Metric::StateSize => own("stateSize", Gauge, OPERATOR, "bytes",
                "Memory that the state holds, estimated from a sample."),
            Metric::AsyncInFlight => own("asyncInFlight", Gauge, OPERATOR, "rows",
                "Rows of asynchronous I/O whose answer is awaited."),
            Metric::AsyncRetries => own("asyncRetries", Counter, OPERATOR, "attempts",
                "Attempts beyond a row's first."),
            Metric::AsyncTimeouts => own("asyncTimeouts", Counter, OPERATOR, "rows",
                "Rows that had no answer within the time-out."),
            Metric::AsyncFailures => own("asyncFailures", Counter, OPERATOR, "attempts",
                "Attempts that gave an error."),
            Metric::AsyncFallbacks => own("asyncFallbacks", Counter, OPERATOR, "rows",
                "Rows that the fallback answered."),
            Metric::CircuitBreakerState => own("circuitBreakerState", Gauge, OPERATOR, "state",
                "0 closed, 1 open, 2 half-open."),
            Metric::CircuitBreakerTransitions => own("circuitBreakerTransitions", Counter, OPERATOR, "changes",
                "Changes of the circuit breaker's state."),
            Metric::CircuitBreakerRejected => own("circuitBreakerRejected", Counter, OPERATOR, "attempts",
                "Attempts that the circuit breaker did not let through."),
            Metric::HeapUsed => flinks("Status.JVM.Memory.Heap.Used", Gauge, PROCESS, "bytes",
                "There is no JVM: memory that is accounted for, which is what states hold (estimated) and what is queued before tasks."),
            Metric::HeapMax => flinks("Status.JVM.Memory.Heap.Max", Gauge, PROCESS, "bytes",
                "The budget of what Heap.Used counts: `taskmanager.memory.managed.*` and `taskmanager.memory.network.*` of the process's memory, or of what the machine or its control group has if that is less."),
            Metric::ManagedMemoryUsed => flinks("Status.Flink.Memory.Managed.Used", Gauge, TASK_MANAGER, "bytes",
                "What states hold, estimated."),
            Metric::ManagedMemoryTotal => flinks("Status.Flink.Memory.Managed.Total", Gauge, TASK_MANAGER, "bytes",
                "The budget for state."),
            Metric::ResidentMemory => own("Status.Process.Memory.Resident", Gauge, PROCESS, "bytes",
                "What the process has in memory, all told, as the system counts it."),
            Metric::YoungCollections => flinks("Status.JVM.GarbageCollector.G1_Young_Generation.Count", Counter, PROCESS, "collections",
                "Always 0: there is no garbage collector. Kept for the boards that ask for it."),
            Metric::YoungCollectionTime => flinks("Status.JVM.GarbageCollector.G1_Young_Generation.Time", Counter, PROCESS, "ms",
                "Always 0, as the count."),
            Metric::OldCollections => flinks("Status.JVM.GarbageCollector.G1_Old_Generation.Count", Counter, PROCESS, "collections",
                "Always 0, as the count of the young."),
            Metric::OldCollectionTime => flinks("Status.JVM.GarbageCollector.G1_Old_Generation.Time", Counter, PROCESS, "ms",
                "Always 0, as the count of the young."),
            Metric::ThreadCount => flinks("Status.JVM.Threads.Count", Gauge, PROCESS, "threads",
                "Threads of the process."),
            Metric::NumRunningJobs => flinks("numRunningJobs", Gauge, &[Scope::JobManager], "jobs",
                "Jobs that run in the process."),
            Metric::Uptime => flinks("uptime", Gauge, JOB, "ms",
                "How long the job has run since it was last started."),
            Metric::NumRestarts => flinks("numRestarts", Gauge, JOB, "restarts",
                "How often the job has been started again."),
            Metric::LastCheckpointDuration => flinks("lastCheckpointDuration", Gauge, JOB, "ms",
                "From the trigger of the last completed checkpoint to its completion; -1 before the first."),
            Metric::LastCheckpointSize => flinks("lastCheckpointSize", Gauge, JOB, "bytes",
                "What the last completed checkpoint holds; -1 before the first."),
            Metric::LastCheckpointFullSize => flinks("lastCheckpointFullSize", Gauge, JOB, "bytes",
                "As lastCheckpointSize: no checkpoint is incremental."),
            Metric::LastCheckpointCompletedTimestamp => flinks("lastCheckpointCompletedTimestamp", Gauge, JOB, "ms",
                "When the last completed checkpoint was complete; -1 before the first."),
            Metric::NumberOfInProgressCheckpoints => flinks("numberOfInProgressCheckpoints", Gauge, JOB, "checkpoints",
                "Checkpoints that have begun and not ended."),
            Metric::NumberOfCompletedCheckpoints => flinks("numberOfCompletedCheckpoints", Gauge, JOB, "checkpoints",
                "Checkpoints that were completed, since the job was started in this process."),
            Metric::NumberOfFailedCheckpoints => flinks("numberOfFailedCheckpoints", Gauge, JOB, "checkpoints",
                "Checkpoints that failed, expired or were given up."),
            Metric::TotalNumberOfCheckpoints => flinks("totalNumberOfCheckpoints", Gauge, JOB, "checkpoints",
                "Checkpoints in progress, completed and failed."),
        }
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

/// The table of all metrics in Markdown.
pub fn render_markdown() -> String {
    let mut text = String::new();
    for (scope, title) in [
        (Scope::Task, "Of a task (a chain's subtask)"),
        (Scope::Operator, "Of an operator in one subtask"),
        (Scope::Job, "Of a job, between its operators"),
        (Scope::JobManagerJob, "Of a job"),
        (Scope::TaskManager, "Of a process that holds tasks"),
        (Scope::JobManager, "Of a process that holds the JobManager"),
    ] {
        // Writing to a string can't fail.
        let _ = writeln!(text, "### {title}\n");
        let _ = writeln!(text, "| Metric | Prometheus | Kind | Unit | Meaning |");
        let _ = writeln!(text, "|---|---|---|---|---|");
        for metric in Metric::ALL {
            let description = metric.description();
            if !description.scopes.contains(&scope) {
                continue;
            }
            let own = if description.flinks {
                ""
            } else {
                " *(Rheos's own)*"
            };
            let _ = writeln!(
                text,
                "| `{}`{own} | `{}` | {} | {} | {} |",
                description.name,
                prometheus_name(scope, description.name),
                description.kind.name(),
                description.unit,
                description.meaning,
            );
        }
        text.push('\n');
    }
    text
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
