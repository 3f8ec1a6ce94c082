//! What is told a second: two looks at counters and the time between them.
//!
//! The clock is the caller's, so rates can be tested; a period that is shorter than the sampler's is
//! not looked at, so that several readers of one registry do not cut each other's periods short.

use std::collections::BTreeMap;

use super::handle::TaskHandle;
use super::task::TimesSnapshot;
use super::user::{UserMetric, UserName};

/// Rows a second of one operator in one subtask.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperatorRates {
    /// Taken.
    pub records_in: f64,
    /// Emitted.
    pub records_out: f64,
    /// Of the users' meters.
    pub meters: BTreeMap<UserName, f64>,
}

/// What one task did in the last period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskRates {
    /// Busy milliseconds a second.
    pub busy: f64,
    /// Idle milliseconds a second.
    pub idle: f64,
    /// Back-pressured milliseconds a second.
    pub back_pressured: f64,
    /// Rows a second that its head took.
    pub records_in: f64,
    /// Rows a second that left it.
    pub records_out: f64,
    /// Of its operators, as in its handle.
    pub operators: Vec<OperatorRates>,
}

#[derive(Debug, Default)]
struct Look {
    times: TimesSnapshot,
    records_in: u64,
    records_out: u64,
    operators: Vec<(u64, u64, BTreeMap<UserName, u64>)>,
}

impl Look {
    fn at(task: &TaskHandle, now_micros: i64) -> Self {
        let operators = task.operators.iter().map(|operator| {
            let meters =
                operator.metrics.user().all().into_iter().filter_map(
                    |(name, metric)| match metric {
                        UserMetric::Meter(meter) => Some((name, meter.count())),
                        _ => None,
                    },
                );
            (
                operator.metrics.records_in(),
                operator.metrics.records_out(),
                meters.collect(),
            )
        });
        Self {
            times: task.times.read_at(now_micros),
            records_in: task.records_in(),
            records_out: task.records_out(),
            operators: operators.collect(),
        }
    }

    fn since(&self, before: &Look, micros: i64) -> TaskRates {
        let seconds = micros as f64 / 1e6;
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        let (busy, idle, back_pressured) = self.times.per_second_since(&before.times);
        let operators = self
            .operators
            .iter()
            .enumerate()
            .map(|(index, (rows_in, out, meters))| {
                let nothing = (0, 0, BTreeMap::new());
                let (in_then, out_then, meters_then) =
                    before.operators.get(index).unwrap_or(&nothing);
                let meters = meters.iter().map(|(name, count)| {
                    let then = meters_then.get(name).copied().unwrap_or(0);
                    (name.clone(), rate(*count, then))
                });
                OperatorRates {
                    records_in: rate(*rows_in, *in_then),
                    records_out: rate(*out, *out_then),
                    meters: meters.collect(),
                }
            });
        TaskRates {
            busy,
            idle,
            back_pressured,
            records_in: rate(self.records_in, before.records_in),
            records_out: rate(self.records_out, before.records_out),
            operators: operators.collect(),
        }
    }
}

/// Looks at the counters of a job's tasks, and tells what they did since its last look.
#[derive(Debug)]
pub struct Sampler {
    period_micros: i64,
    looked_micros: i64,
    looks: Vec<Look>,
    rates: Vec<TaskRates>,
}

impl Sampler {
    /// A sampler whose first period begins now, with a look at these tasks.
    pub fn new(tasks: &[TaskHandle], period_micros: i64, now_micros: i64) -> Self {
        Self {
            period_micros: period_micros.max(1),
            looked_micros: now_micros,
            looks: tasks
                .iter()
                .map(|task| Look::at(task, now_micros))
                .collect(),
            rates: tasks
                .iter()
                .map(|task| TaskRates {
                    operators: vec![OperatorRates::default(); task.operators.len()],
                    ..TaskRates::default()
                })
                .collect(),
        }
    }

    /// Looks again, if a period has passed; the rates of the last whole period, by task. `tasks` are
    /// those that it was made with.
    pub fn sample(&mut self, tasks: &[TaskHandle], now_micros: i64) -> &[TaskRates] {
        let passed = now_micros - self.looked_micros;
        if passed >= self.period_micros {
            let looks: Vec<Look> = tasks
                .iter()
                .map(|task| Look::at(task, now_micros))
                .collect();
            let pairs = looks.iter().zip(&self.looks);
            self.rates = pairs
                .map(|(now, before)| now.since(before, passed))
                .collect();
            self.looks = looks;
            self.looked_micros = now_micros;
        }
        &self.rates
    }
}
