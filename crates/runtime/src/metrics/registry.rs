//! Every metric of the jobs of a process, for whoever shows them.
//!
//! Life of a job's metrics: registered when its tasks are deployed → read by anyone, any number of
//! times → gone when the [`Registration`] is dropped, which the job does when it has ended. There are
//! as many series as tasks, operators and names in the job's code make, whatever its data: see
//! [`super::user::MAX_USER_METRICS`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use hdrhistogram::Histogram;
use rheos_core::clock::SharedClock;
use rheos_core::id::{OperatorId, VertexId};
use rheos_core::time::{MAX_WATERMARK, MIN_TIMESTAMP, Millis};

use super::checkpoints::CheckpointStats;
use super::growth::StateGrowths;
use super::handle::{JobIdentity, OperatorHandle, TaskHandle};
use super::metric::{Kind, Metric, Scope};
use super::sample::{Sample, Value};
use super::sampler::{OperatorRates, Sampler, TaskRates};
use super::status::{JobStatus, StatusTimes};
use super::task::TaskActivity;
use super::user::{Summary, UserMetric};

/// How long the period of a rate is at least, in microseconds.
const PERIOD_MICROS: i64 = 1_000_000;

struct JobEntry {
    identity: JobIdentity,
    attempt: u32,
    /// How many of the attempts before ended for another parallelism.
    rescales: u32,
    tasks: Vec<TaskHandle>,
    clock: SharedClock,
    status: StatusTimes,
    sampler: Sampler,
    checkpoints: CheckpointStats,
    growth: StateGrowths,
}

#[derive(Default)]
struct Jobs {
    next: u64,
    entries: BTreeMap<u64, JobEntry>,
}

/// The metrics of the jobs of a process.
#[derive(Clone, Default)]
pub struct MetricRegistry {
    jobs: Arc<Mutex<Jobs>>,
}

/// Keeps a job's metrics in the registry for as long as it lives.
pub struct Registration {
    jobs: Weak<Mutex<Jobs>>,
    number: u64,
}

impl Registration {
    /// Shows that the job does something else from now on.
    pub fn set_status(&self, status: JobStatus) {
        if let Some(jobs) = self.jobs.upgrade()
            && let Some(job) = lock(&jobs).entries.get_mut(&self.number)
        {
            let now = job.clock.monotonic_micros();
            job.status.set(status, now);
        }
    }

    /// Tells how many of the attempts before ended for another parallelism, and not by a failure.
    pub fn set_rescales(&self, rescales: u32) {
        if let Some(jobs) = self.jobs.upgrade()
            && let Some(job) = lock(&jobs).entries.get_mut(&self.number)
        {
            job.rescales = rescales;
        }
    }

    /// Shows what becomes of the job's checkpoints and how its states grow, too.
    pub fn show(&self, checkpoints: CheckpointStats, growth: StateGrowths) {
        if let Some(jobs) = self.jobs.upgrade()
            && let Some(job) = lock(&jobs).entries.get_mut(&self.number)
        {
            job.checkpoints = checkpoints;
            job.growth = growth;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(jobs) = self.jobs.upgrade() {
            lock(&jobs).entries.remove(&self.number);
        }
    }
}

fn lock(jobs: &Mutex<Jobs>) -> MutexGuard<'_, Jobs> {
    jobs.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl MetricRegistry {
    /// Shows the metrics of a job's tasks until the answer is dropped. `clock` is that of the tasks.
    #[must_use = "the metrics go when it is dropped"]
    pub fn register(
        &self,
        identity: JobIdentity,
        attempt: u32,
        tasks: Vec<TaskHandle>,
        clock: SharedClock,
    ) -> Registration {
        let now = clock.monotonic_micros();
        let sampler = Sampler::new(&tasks, PERIOD_MICROS, now);
        let mut jobs = lock(&self.jobs);
        let number = jobs.next;
        jobs.next += 1;
        jobs.entries.insert(
            number,
            JobEntry {
                identity,
                attempt,
                rescales: 0,
                tasks,
                clock,
                status: StatusTimes::running_since(now),
                sampler,
                checkpoints: CheckpointStats::default(),
                growth: StateGrowths::default(),
            },
        );
        Registration {
            jobs: Arc::downgrade(&self.jobs),
            number,
        }
    }

    /// Every metric as it is now. Rates are those of the last whole second or more.
    pub fn snapshot(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for job in lock(&self.jobs).entries.values_mut() {
            let (now, wall) = (job.clock.monotonic_micros(), job.clock.wall_millis());
            let rates = job.sampler.sample(&job.tasks, now);
            let mut out = Out {
                samples: &mut samples,
                job: &job.identity,
                attempt: job.attempt,
            };
            out.job(&job.status, job.rescales, now);
            out.checkpoints(&job.checkpoints);
            out.growth(&job.growth);
            for (task, rates) in job.tasks.iter().zip(rates) {
                out.task(task, rates, now);
                for (operator, rates) in task.operators.iter().zip(&rates.operators) {
                    out.operator(task, operator, rates, wall);
                }
            }
        }
        samples
    }
}

fn text(key: &str, value: impl ToString) -> (String, String) {
    (key.to_owned(), value.to_string())
}

/// A counter for a value of the engine's; counts do not come near its end.
fn integer(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

struct Out<'a> {
    samples: &'a mut Vec<Sample>,
    job: &'a JobIdentity,
    attempt: u32,
}

impl Out<'_> {
    fn push(&mut self, scope: Scope, labels: &[(String, String)], metric: Metric, value: Value) {
        let description = metric.description();
        self.samples.push(Sample {
            name: description.name.to_owned(),
            kind: description.kind,
            scope,
            labels: labels.to_vec(),
            value,
        });
    }

    fn job_labels(&self) -> [(String, String); 2] {
        [
            text("job_id", &self.job.id),
            text("job_name", &self.job.name),
        ]
    }

    fn job(&mut self, times: &StatusTimes, rescales: u32, now: i64) {
        use JobStatus as S;
        use Metric as M;
        let labels = self.job_labels();
        for (metric, value) in [
            (M::Uptime, times.millis_in(S::Running, now)),
            (M::Downtime, times.millis_down(now)),
            (M::RunningTime, times.millis_in(S::Running, now)),
            (M::FailingTime, times.millis_in(S::Failing, now)),
            (M::RestartingTime, times.millis_in(S::Restarting, now)),
            (M::CancellingTime, times.millis_in(S::Cancelling, now)),
            (
                M::NumRestarts,
                i64::from(self.attempt.saturating_sub(rescales)),
            ),
            (M::NumRescales, i64::from(rescales)),
        ] {
            self.push(Scope::JobManagerJob, &labels, metric, Value::Integer(value));
        }
    }

    fn checkpoints(&mut self, stats: &CheckpointStats) {
        use Metric as M;
        let Some(counts) = stats.counts() else { return };
        let labels = self.job_labels();
        let last = counts.last;
        let size = || last.map_or(Value::Integer(-1), |last| integer(last.bytes));
        let in_progress = counts.in_progress as u64;
        let total = in_progress + counts.completed + counts.failed;
        for (metric, value) in [
            (
                M::LastCheckpointDuration,
                Value::Integer(last.map_or(-1, |last| last.duration_millis)),
            ),
            (M::LastCheckpointSize, size()),
            (M::LastCheckpointFullSize, size()),
            (
                M::LastCheckpointCompletedTimestamp,
                Value::Integer(last.map_or(-1, |last| last.completed_at)),
            ),
            (
                M::LastCheckpointRestoreTimestamp,
                Value::Integer(counts.restored_at.unwrap_or(-1)),
            ),
            (
                M::LastCompletedCheckpointId,
                last.map_or(Value::Integer(-1), |last| integer(last.number)),
            ),
            (M::NumberOfInProgressCheckpoints, integer(in_progress)),
            (M::NumberOfCompletedCheckpoints, integer(counts.completed)),
            (M::NumberOfFailedCheckpoints, integer(counts.failed)),
            (M::TotalNumberOfCheckpoints, integer(total)),
        ] {
            self.push(Scope::JobManagerJob, &labels, metric, value);
        }
        let Some(copies) = counts.copies else { return };
        let last = copies.last.map_or(-1, |(_, completed_at)| completed_at);
        for (metric, value) in [
            (M::NumberOfCheckpointCopies, integer(copies.completed)),
            (M::NumberOfFailedCheckpointCopies, integer(copies.failed)),
            (M::CheckpointCopiesBehind, integer(copies.behind)),
            (M::LastCopiedCheckpointTimestamp, Value::Integer(last)),
        ] {
            self.push(Scope::JobManagerJob, &labels, metric, value);
        }
    }

    fn growth(&mut self, growth: &StateGrowths) {
        for state in growth.get() {
            let mut labels = self.job_labels().to_vec();
            labels.extend([
                text("operator_id", state.operator_id),
                text("operator_name", &state.operator),
                text("state", &state.state),
            ]);
            let scope = Scope::JobManagerJob;
            let rate = Value::Number(state.per_second);
            self.push(scope, &labels, Metric::StateGrowthPerSecond, rate);
            if let Some(left) = state.seconds_to_limit {
                let left = Value::Number(left);
                self.push(scope, &labels, Metric::StateSecondsToLimit, left);
            }
        }
    }

    fn task_labels(&self, task: &TaskHandle) -> Vec<(String, String)> {
        let head = task
            .operators
            .first()
            .map(|head| VertexId(head.id).to_string())
            .unwrap_or_default();
        let subtask = task.place.subtask;
        // Flink's form: which job, which vertex, which subtask of it, which attempt.
        let attempt_id = format!("{}_{head}_{subtask}_{}", self.job.id, self.attempt);
        let mut labels = self.job_labels().to_vec();
        labels.extend([
            text("task_id", head),
            text("task_name", &task.place.operator),
            text("task_attempt_id", attempt_id),
            text("task_attempt_num", self.attempt),
            text("subtask_index", subtask),
        ]);
        labels
    }

    fn task(&mut self, task: &TaskHandle, rates: &TaskRates, now_micros: i64) {
        use Metric as M;
        let labels = self.task_labels(task);
        let times = task.times.read_at(now_micros);
        let (queued, granted) = task.times.input();
        let waits = i64::from(task.times.activity() == TaskActivity::BackPressured);
        let watermark = task
            .operators
            .first()
            .map_or(MIN_TIMESTAMP, |o| o.metrics.watermark());
        let usage = if granted == 0 {
            0.0
        } else {
            queued as f64 / granted as f64
        };
        let mut push = |metric, value| self.push(Scope::Task, &labels, metric, value);
        push(M::NumRecordsIn, integer(task.records_in()));
        push(M::NumRecordsInPerSecond, Value::Number(rates.records_in));
        push(M::NumRecordsOut, integer(task.records_out()));
        push(M::NumRecordsOutPerSecond, Value::Number(rates.records_out));
        push(M::CurrentInputWatermark, Value::Integer(watermark));
        push(M::BusyTimeMsPerSecond, Value::Number(rates.busy));
        push(M::IdleTimeMsPerSecond, Value::Number(rates.idle));
        push(
            M::BackPressuredTimeMsPerSecond,
            Value::Number(rates.back_pressured),
        );
        push(
            M::SoftBackPressuredTimeMsPerSecond,
            Value::Number(rates.back_pressured),
        );
        push(M::HardBackPressuredTimeMsPerSecond, Value::Number(0.0));
        push(
            M::BackPressureRatio,
            Value::Number(rates.back_pressured / 1000.0),
        );
        push(M::IsBackPressured, Value::Integer(waits));
        push(M::AccumulateBusyTimeMs, integer(times.busy / 1000));
        push(M::AccumulateIdleTimeMs, integer(times.idle / 1000));
        push(
            M::AccumulateBackPressuredTimeMs,
            integer(times.back_pressured / 1000),
        );
        let (alignment, start_delay) = task.times.barrier();
        push(M::CheckpointAlignmentTime, integer(alignment));
        push(M::CheckpointStartDelay, integer(start_delay));
        if granted > 0 {
            push(M::InputQueueSize, integer(queued));
            push(M::DebloatedBufferSize, integer(granted));
            push(M::InPoolUsage, Value::Number(usage));
        }
    }

    fn operator(
        &mut self,
        task: &TaskHandle,
        operator: &OperatorHandle,
        rates: &OperatorRates,
        wall_millis: Millis,
    ) {
        use Metric as M;
        let mut labels = self.task_labels(task);
        labels.push(text("operator_id", operator.id));
        labels.push(text("operator_name", &operator.name));
        let metrics = &operator.metrics;
        let mut push = |metric, value| self.push(Scope::Operator, &labels, metric, value);
        push(M::NumRecordsIn, integer(metrics.records_in()));
        push(M::NumRecordsInPerSecond, Value::Number(rates.records_in));
        push(M::NumRecordsOut, integer(metrics.records_out()));
        push(M::NumRecordsOutPerSecond, Value::Number(rates.records_out));
        push(M::NumRecordsInErrors, integer(metrics.records_in_errors()));
        push(
            M::NumRecordsOutErrors,
            integer(metrics.records_out_errors()),
        );
        push(M::NumLateRecordsDropped, integer(metrics.late_dropped()));
        push(
            M::NumLateRecordsToSideOutput,
            integer(metrics.late_to_side()),
        );
        push(
            M::CurrentInputWatermark,
            Value::Integer(metrics.watermark()),
        );
        push(
            M::CurrentOutputWatermark,
            Value::Integer(metrics.output_watermark()),
        );
        let watermark = metrics.watermark();
        if operator.is_source && watermark != MIN_TIMESTAMP && watermark != MAX_WATERMARK {
            push(
                M::WatermarkLag,
                Value::Integer(wall_millis.saturating_sub(watermark)),
            );
        }
        for (metric, value) in metrics.async_io().into_iter().flat_map(|io| io.samples()) {
            push(metric, integer(value));
        }
        for state in metrics.states() {
            let mut labels = labels.clone();
            labels.push(text("state", &state.name));
            self.push(
                Scope::Operator,
                &labels,
                M::StateKeyCount,
                integer(state.keys as u64),
            );
            let bytes = integer(state.estimated_bytes as u64);
            self.push(Scope::Operator, &labels, M::StateSize, bytes);
        }
        self.latency(task, operator);
        self.user(operator, &labels, rates);
    }

    /// By source and operator, as Flink's granularity `operator`: over the source's subtasks.
    fn latency(&mut self, task: &TaskHandle, operator: &OperatorHandle) {
        let mut by_source: BTreeMap<OperatorId, Histogram<u64>> = BTreeMap::new();
        for ((source, _), micros) in operator.metrics.latency() {
            match by_source.entry(source) {
                Entry::Occupied(mut sum) => {
                    // Both have the same precision and grow, so one can take the other.
                    let _ = sum.get_mut().add(&micros);
                }
                Entry::Vacant(entry) => {
                    entry.insert(micros);
                }
            }
        }
        for (source, micros) in by_source {
            let mut labels = self.job_labels().to_vec();
            labels.extend([
                text("source_id", source),
                text("operator_id", operator.id),
                text("operator_name", &operator.name),
                text("operator_subtask_index", task.place.subtask),
            ]);
            let value = Value::Distribution(Summary::of(&micros, 1_000.0));
            self.push(Scope::Job, &labels, Metric::Latency, value);
        }
    }

    fn user(
        &mut self,
        operator: &OperatorHandle,
        labels: &[(String, String)],
        rates: &OperatorRates,
    ) {
        for (name, metric) in operator.metrics.user().all() {
            let (kind, value) = match metric {
                UserMetric::Counter(counter) => (Kind::Counter, Value::Integer(counter.count())),
                UserMetric::Gauge(gauge) => (Kind::Gauge, Value::Number(gauge.value())),
                UserMetric::Reading(read) => (Kind::Gauge, Value::Number(read())),
                UserMetric::Meter(_) => {
                    let rate = rates.meters.get(&name).copied().unwrap_or(0.0);
                    (Kind::Meter, Value::Number(rate))
                }
                UserMetric::Histogram(histogram) => {
                    (Kind::Histogram, Value::Distribution(histogram.summary()))
                }
            };
            let mut labels = labels.to_vec();
            labels.extend(name.variables);
            let scope = Scope::Operator;
            self.samples.push(Sample {
                name: name.path,
                kind,
                scope,
                labels,
                value,
            });
        }
    }
}

#[cfg(test)]
mod tests;
