//! Looks at the process four times a second, and at its states once. See the [module](super).

use std::collections::BTreeMap;

use rheos_core::clock::SharedClock;
use rheos_core::config::{ConfigError, Configuration, MemoryBudget, options};
use rheos_core::id::OperatorId;
use rheos_runtime::metrics::growth::StateGrowth;

use super::amount::mebibytes;
use super::forecast::{History, in_words, magnitude};
use super::limit::{self, Resident};
use super::system;
use crate::deploy::JobMetrics;
use crate::error::JobError;

/// Microseconds between two looks at the process.
const PERIOD: i64 = 250_000;
/// Seconds between two looks at the states, whose sizes are told about as often.
const STATES: f64 = 1.0;
/// What is further away than this many seconds is not told in words.
const FAR: f64 = 1_000.0 * 3_600.0;
/// States that an error names.
const NAMED: usize = 3;
/// What bounds a process beside the control group and the machine.
struct Bound {
    key: &'static str,
    /// All that does.
    all: &'static str,
}

const TASKMANAGER: Bound = Bound {
    key: "taskmanager.memory.process.size",
    all: "taskmanager.memory.process.size, the control group or the machine",
};
const JOBMANAGER: Bound = Bound {
    key: "jobmanager.memory.process.size",
    all: "jobmanager.memory.process.size, the control group or the machine",
};

/// An operator's state.
type StateKey = (OperatorId, String);

struct Watched {
    operator: String,
    bytes: u64,
    history: History,
    /// The magnitude of its forecast when that was last told.
    told: Option<i32>,
}

/// Bytes that a JobManager's process may have, as configured.
///
/// # Errors
/// If the value is none.
pub fn jobmanager_memory(configuration: &Configuration) -> Result<Option<u64>, ConfigError> {
    let size = configuration.get_set(&options::JOBMANAGER_MEMORY_PROCESS_SIZE)?;
    Ok(size.map(|size| size.bytes()))
}

/// See the [module](super).
pub struct MemoryWatch {
    clock: SharedClock,
    /// What the process may have; none where the system does not tell.
    limit: Option<u64>,
    bound: Bound,
    next: i64,
    sampled: Option<f64>,
    resident: Option<Resident>,
    states: BTreeMap<StateKey, Watched>,
}

impl MemoryWatch {
    /// A watch over tasks in this process: of a job that runs in it alone, or of a TaskManager.
    ///
    /// # Errors
    /// If the configured memory can't be divided.
    pub fn new(configuration: &Configuration, clock: SharedClock) -> Result<Self, JobError> {
        let divide = |available| MemoryBudget::divide(configuration, available);
        let budget = system::available().map(divide).transpose();
        let budget = budget.map_err(|error| JobError::Configuration(error.to_string()))?;
        Ok(Self::within(
            budget.map(|budget| budget.total),
            TASKMANAGER,
            clock,
        ))
    }

    /// A watch over a JobManager, whose tasks are in other processes.
    ///
    /// # Errors
    /// If the configured memory is none.
    pub fn of_jobmanager(
        configuration: &Configuration,
        clock: SharedClock,
    ) -> Result<Self, JobError> {
        let configured = jobmanager_memory(configuration);
        let configured = configured.map_err(|error| JobError::Configuration(error.to_string()))?;
        let limit = [configured, system::available()]
            .into_iter()
            .flatten()
            .min();
        Ok(Self::within(limit, JOBMANAGER, clock))
    }

    fn within(limit: Option<u64>, bound: Bound, clock: SharedClock) -> Self {
        Self {
            next: clock.monotonic_micros(),
            clock,
            limit,
            bound,
            sampled: None,
            resident: None,
            states: BTreeMap::new(),
        }
    }

    /// Looks, if it is time to, and tells; the reason that the job must end.
    pub fn look(&mut self, metrics: &JobMetrics) -> Option<JobError> {
        let now = self.clock.monotonic_micros();
        // Under a clock that is moved by hand memory has nothing to do with time.
        if now < self.next || !self.clock.is_real() {
            return None;
        }
        self.next = now + PERIOD;
        let resident = system::resident()?;
        self.judge(metrics, now as f64 / 1e6, resident)
    }

    fn judge(&mut self, metrics: &JobMetrics, seconds: f64, resident: u64) -> Option<JobError> {
        let due = self.sampled.is_none_or(|at| seconds - at >= STATES);
        if due {
            self.sampled = Some(seconds);
            self.sample(metrics, seconds);
        }
        let limit = self.limit?;
        let seen = Resident {
            at: seconds,
            bytes: resident as f64,
        };
        let before = self.resident.replace(seen);
        let room = limit::threshold(limit) - seen.bytes;
        if due {
            metrics.growth.set(self.growths(room));
            self.tell(room);
        }
        if !limit::is_reached(before, seen, limit) {
            return None;
        }
        if !due {
            // What fills up within a second is named too.
            self.sample(metrics, seconds);
        }
        Some(JobError::OutOfMemory {
            resident: mebibytes(resident),
            limit: mebibytes(limit),
            bounds: self.bound.all,
            key: self.bound.key,
            states: self.largest(),
        })
    }

    fn sample(&mut self, metrics: &JobMetrics, seconds: f64) {
        for watched in self.states.values_mut() {
            watched.bytes = 0;
        }
        for operator in metrics.tasks.iter().flat_map(|task| &task.operators) {
            for state in operator.metrics.states() {
                let watched = self.states.entry((operator.id, state.name));
                let watched = watched.or_insert_with(|| Watched {
                    operator: operator.name.clone(),
                    bytes: 0,
                    history: History::default(),
                    told: None,
                });
                watched.bytes += state.estimated_bytes as u64;
            }
        }
        for watched in self.states.values_mut() {
            watched.history.push(seconds, watched.bytes as f64);
        }
    }

    fn growths(&self, room: f64) -> Vec<StateGrowth> {
        let known = self.states.iter().filter_map(|((id, state), watched)| {
            let per_second = watched.history.rate()?;
            Some(StateGrowth {
                operator_id: *id,
                operator: watched.operator.clone(),
                state: state.clone(),
                bytes: watched.bytes,
                per_second,
                seconds_to_limit: watched.history.seconds_to(room),
            })
        });
        known.collect()
    }

    /// Says in the log what is coming, each time it has come nearer by an order of magnitude.
    fn tell(&mut self, room: f64) {
        for ((_, state), watched) in &mut self.states {
            let Some(rate) = watched.history.rate() else {
                continue;
            };
            let left = watched.history.seconds_to(room);
            let Some(left) = left.filter(|left| *left < FAR) else {
                watched.told = None;
                continue;
            };
            let magnitude = magnitude(left);
            if watched.told.is_some_and(|told| told <= magnitude) {
                continue;
            }
            watched.told = Some(magnitude);
            tracing::warn!(
                operator = %watched.operator,
                state = %state,
                bytes = watched.bytes,
                bytes_per_second = rate.round() as u64,
                seconds_to_limit = left.round() as u64,
                "{}; give it a time-to-live, or the process more memory",
                sentence(&watched.operator, state, watched.bytes, rate, left)
            );
        }
    }

    /// The largest states, for an error.
    fn largest(&self) -> String {
        let mut states: Vec<_> = self.states.iter().collect();
        states.sort_by_key(|(_, watched)| std::cmp::Reverse(watched.bytes));
        let named = states.iter().take(NAMED).map(|((_, state), watched)| {
            format!(
                "'{state}' of '{}' {}",
                watched.operator,
                mebibytes(watched.bytes)
            )
        });
        let named: Vec<String> = named.collect();
        if named.is_empty() {
            "none is known".to_owned()
        } else {
            named.join(", ")
        }
    }
}

/// Of states that grow, the one that has no room first, in words; none where that is far away.
pub fn soonest(growths: &[StateGrowth]) -> Option<String> {
    let growing = growths.iter().filter_map(|growth| {
        let left = growth.seconds_to_limit.filter(|left| *left < FAR)?;
        Some((left, growth))
    });
    let (left, growth) = growing.min_by(|(a, _), (b, _)| a.total_cmp(b))?;
    let (operator, state) = (&growth.operator, &growth.state);
    Some(sentence(
        operator,
        state,
        growth.bytes,
        growth.per_second,
        left,
    ))
}

/// What is coming, in words.
fn sentence(operator: &str, state: &str, bytes: u64, rate: f64, left: f64) -> String {
    format!(
        "state '{state}' of '{operator}' holds {} and grows by {} a minute: it reaches the limit in {}",
        mebibytes(bytes),
        mebibytes((rate * 60.0) as u64),
        in_words(left)
    )
}

#[cfg(test)]
mod tests;
