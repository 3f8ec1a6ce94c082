//! Whether a failed job may restart, and when: Flink's four restart strategies.
//!
//! Life cycle: one strategy lives as long as a job. Each failure is reported with
//! [`RestartStrategy::failed`]; the job then restarts after [`Decision::backoff_ms`], or fails for
//! good if it [`can_restart`](Decision::can_restart) no more. [`RestartStrategy::query`] asks again
//! without a failure.
//!
//! Invariants, as Flink has them:
//! - *Exponential delay*: failures up to and including the planned restart belong to the attempt
//!   under way and change nothing. The time begins anew once the job has run for the threshold
//!   since the *planned restart*, not since the last failure.
//! - *Failure rate*: the times of the last n + 1 failures are kept; the job may restart as long as
//!   there are no more than n, or the oldest is older than the interval, strictly.
//! - *Fixed delay*: as many failures may be restarted as there are attempts.

use std::collections::VecDeque;
use std::time::Duration;

use rheos_core::config::options::{
    EXPONENTIAL_DELAY_ATTEMPTS, EXPONENTIAL_DELAY_INITIAL_BACKOFF, EXPONENTIAL_DELAY_JITTER_FACTOR,
    EXPONENTIAL_DELAY_MAX_BACKOFF, EXPONENTIAL_DELAY_MULTIPLIER, EXPONENTIAL_DELAY_RESET_THRESHOLD,
    FAILURE_RATE_DELAY, FAILURE_RATE_INTERVAL, FAILURE_RATE_MAX_FAILURES, FIXED_DELAY_ATTEMPTS,
    FIXED_DELAY_DELAY, RESTART_STRATEGY,
};
use rheos_core::config::{ConfigError, ConfigOption, ConfigValue, Configuration, parse_choice};
use rheos_core::rng::Rng;
use rheos_core::time::Millis;

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the failure begins a new attempt; `false` if it belongs to one under way.
    pub new_attempt: bool,
    /// Whether the job may restart; if not, it has failed for good.
    pub can_restart: bool,
    /// Milliseconds from now to the restart.
    pub backoff_ms: Millis,
}

/// A restart strategy with what it remembers of failures.
#[derive(Debug, Clone)]
pub enum RestartStrategy {
    /// The first failure is the last.
    None,
    /// A number of restarts, each after the same time.
    FixedDelay(FixedDelay),
    /// Restarts as long as failures are rare enough.
    FailureRate(FailureRate),
    /// Restarts after times that grow.
    ExponentialDelay(ExponentialDelay),
}

/// See [`RestartStrategy::FixedDelay`].
#[derive(Debug, Clone)]
pub struct FixedDelay {
    attempts: u32,
    delay_ms: Millis,
    failures: u32,
}

/// See [`RestartStrategy::FailureRate`].
#[derive(Debug, Clone)]
pub struct FailureRate {
    max_failures: usize,
    interval_ms: Millis,
    delay_ms: Millis,
    /// Times of the last `max_failures + 1` failures, the oldest first.
    failures: VecDeque<Millis>,
}

/// How the times of [`RestartStrategy::ExponentialDelay`] grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Milliseconds before the first restart.
    pub initial_ms: Millis,
    /// The most milliseconds before a restart.
    pub max_ms: Millis,
    /// What the time is multiplied by at each attempt.
    pub multiplier: f64,
    /// Milliseconds without a failure after a restart that make the time begin anew.
    pub reset_threshold_ms: Millis,
    /// By what share the time is made longer or shorter at random, from 0 to 1.
    pub jitter_factor: f64,
    /// Attempts without a reset in between before the job fails; `None` is no bound.
    pub attempts_before_reset: Option<u32>,
}

/// See [`RestartStrategy::ExponentialDelay`].
#[derive(Debug, Clone)]
pub struct ExponentialDelay {
    backoff: Backoff,
    rng: Rng,
    attempt: u32,
    /// When the next restart is planned, or the last one was.
    restart_at: Option<Millis>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    None,
    FixedDelay,
    FailureRate,
    ExponentialDelay,
}

const KINDS: [(&str, Kind); 9] = [
    ("none", Kind::None),
    ("off", Kind::None),
    ("disable", Kind::None),
    ("fixed-delay", Kind::FixedDelay),
    ("fixeddelay", Kind::FixedDelay),
    ("failure-rate", Kind::FailureRate),
    ("failurerate", Kind::FailureRate),
    ("exponential-delay", Kind::ExponentialDelay),
    ("exponentialdelay", Kind::ExponentialDelay),
];

impl RestartStrategy {
    /// The strategy that a configuration asks for. With none set it is exponential delay if there
    /// are checkpoints to restart from, and none otherwise.
    ///
    /// # Errors
    /// A value is unknown, not of its type or out of its range.
    pub fn from_configuration(
        conf: &Configuration,
        checkpoints: bool,
        rng: Rng,
    ) -> Result<Self, ConfigError> {
        let kind = match conf.get_set(&RESTART_STRATEGY)? {
            None if checkpoints => Kind::ExponentialDelay,
            None => Kind::None,
            Some(name) => parse_choice(&name, &KINDS).ok_or_else(|| {
                let expected = "one of none, fixed-delay, failure-rate, exponential-delay";
                wrong(conf, &RESTART_STRATEGY, expected)
            })?,
        };
        match kind {
            Kind::None => Ok(Self::None),
            Kind::FixedDelay => {
                let attempts = conf.get(&FIXED_DELAY_ATTEMPTS)?;
                Ok(Self::fixed_delay(
                    attempts,
                    millis(conf.get(&FIXED_DELAY_DELAY)?),
                ))
            }
            Kind::FailureRate => {
                let max_failures = conf.get(&FAILURE_RATE_MAX_FAILURES)?;
                if max_failures == 0 {
                    return Err(wrong(conf, &FAILURE_RATE_MAX_FAILURES, "at least 1"));
                }
                let interval = positive(conf, &FAILURE_RATE_INTERVAL)?;
                let delay = millis(conf.get(&FAILURE_RATE_DELAY)?);
                Ok(Self::failure_rate(max_failures, interval, delay))
            }
            Kind::ExponentialDelay => Ok(Self::exponential_delay(backoff(conf)?, rng)),
        }
    }

    /// At most `attempts` restarts, each after `delay_ms`.
    pub fn fixed_delay(attempts: u32, delay_ms: Millis) -> Self {
        Self::FixedDelay(FixedDelay {
            attempts,
            delay_ms,
            failures: 0,
        })
    }

    /// Restarts after `delay_ms` as long as no more than `max_failures` fall into `interval_ms`.
    pub fn failure_rate(max_failures: u32, interval_ms: Millis, delay_ms: Millis) -> Self {
        let max_failures = usize::try_from(max_failures).unwrap_or(usize::MAX);
        let failures = VecDeque::new();
        Self::FailureRate(FailureRate {
            max_failures,
            interval_ms,
            delay_ms,
            failures,
        })
    }

    /// Restarts after times that grow; `rng` gives the jitter.
    pub fn exponential_delay(backoff: Backoff, rng: Rng) -> Self {
        Self::ExponentialDelay(ExponentialDelay {
            backoff,
            rng,
            attempt: 0,
            restart_at: None,
        })
    }

    /// Takes note of a failure at `now`, in milliseconds of any clock that does not go back.
    pub fn failed(&mut self, now: Millis) -> Decision {
        let new_attempt = match self {
            Self::None => true,
            Self::FixedDelay(fixed) => {
                fixed.failures = fixed.failures.saturating_add(1);
                true
            }
            Self::FailureRate(rate) => {
                if rate.failures.len() > rate.max_failures {
                    rate.failures.pop_front();
                }
                rate.failures.push_back(now);
                true
            }
            Self::ExponentialDelay(delay) => delay.failed(now),
        };
        Decision {
            new_attempt,
            ..self.query(now)
        }
    }

    /// What holds at `now` without a further failure; `new_attempt` is false.
    pub fn query(&self, now: Millis) -> Decision {
        let (can_restart, backoff_ms) = match self {
            Self::None => (false, 0),
            Self::FixedDelay(fixed) => (fixed.failures <= fixed.attempts, fixed.delay_ms),
            Self::FailureRate(rate) => (rate.can_restart(now), rate.delay_ms),
            Self::ExponentialDelay(delay) => delay.query(now),
        };
        Decision {
            new_attempt: false,
            can_restart,
            backoff_ms,
        }
    }
}

impl FailureRate {
    fn can_restart(&self, now: Millis) -> bool {
        let full = self.failures.len() > self.max_failures;
        match self.failures.front() {
            Some(oldest) if full => now.saturating_sub(*oldest) > self.interval_ms,
            _ => true,
        }
    }
}

impl ExponentialDelay {
    fn failed(&mut self, now: Millis) -> bool {
        let rested = match self.restart_at {
            Some(restart_at) if now <= restart_at => return false,
            Some(restart_at) => now.saturating_sub(restart_at) >= self.backoff.reset_threshold_ms,
            None => true,
        };
        if rested {
            self.attempt = 0;
        }
        self.restart_at = Some(now.saturating_add(self.next_backoff()));
        self.attempt = self.attempt.saturating_add(1);
        true
    }

    fn query(&self, now: Millis) -> (bool, Millis) {
        let can_restart = self
            .backoff
            .attempts_before_reset
            .is_none_or(|n| self.attempt <= n);
        let restart_at = self.restart_at.unwrap_or(now);
        (can_restart, restart_at.saturating_sub(now).max(0))
    }

    fn next_backoff(&mut self) -> Millis {
        let Backoff {
            initial_ms,
            max_ms,
            multiplier,
            ..
        } = self.backoff;
        // A cast of a float too large for the integer gives the greatest integer.
        let grown = (initial_ms as f64 * multiplier.powf(f64::from(self.attempt))) as Millis;
        grown
            .saturating_add(self.jitter(grown))
            .min(max_ms)
            .max(initial_ms)
    }

    /// A number from −`factor`·`grown` to +`factor`·`grown`.
    fn jitter(&mut self, grown: Millis) -> Millis {
        let offset = (grown as f64 * self.backoff.jitter_factor) as u64;
        if offset == 0 {
            return 0;
        }
        let drawn = self.rng.below(offset.saturating_mul(2).saturating_add(1));
        Millis::try_from(i128::from(drawn) - i128::from(offset)).unwrap_or(0)
    }
}

/// Flink's conditions on the exponential delay's options, each named by its key.
fn backoff(conf: &Configuration) -> Result<Backoff, ConfigError> {
    let initial_ms = positive(conf, &EXPONENTIAL_DELAY_INITIAL_BACKOFF)?;
    let max_ms = positive(conf, &EXPONENTIAL_DELAY_MAX_BACKOFF)?;
    if max_ms < initial_ms {
        return Err(ConfigError::Conflict {
            detail: format!(
                "`{}` ({initial_ms} ms) is above `{}` ({max_ms} ms); lower the one or raise the \
                 other",
                EXPONENTIAL_DELAY_INITIAL_BACKOFF.key, EXPONENTIAL_DELAY_MAX_BACKOFF.key
            ),
        });
    }
    let multiplier = conf.get(&EXPONENTIAL_DELAY_MULTIPLIER)?;
    if multiplier < 1.0 {
        return Err(wrong(conf, &EXPONENTIAL_DELAY_MULTIPLIER, "at least 1.0"));
    }
    let jitter_factor = conf.get(&EXPONENTIAL_DELAY_JITTER_FACTOR)?;
    if !(0.0..=1.0).contains(&jitter_factor) {
        return Err(wrong(
            conf,
            &EXPONENTIAL_DELAY_JITTER_FACTOR,
            "from 0.0 to 1.0",
        ));
    }
    let reset_threshold_ms = positive(conf, &EXPONENTIAL_DELAY_RESET_THRESHOLD)?;
    let attempts_before_reset = conf.get_set(&EXPONENTIAL_DELAY_ATTEMPTS)?;
    if attempts_before_reset == Some(0) {
        return Err(wrong(conf, &EXPONENTIAL_DELAY_ATTEMPTS, "at least 1"));
    }
    Ok(Backoff {
        initial_ms,
        max_ms,
        multiplier,
        reset_threshold_ms,
        jitter_factor,
        attempts_before_reset,
    })
}

fn positive(conf: &Configuration, option: &ConfigOption<Duration>) -> Result<Millis, ConfigError> {
    match millis(conf.get(option)?) {
        0 => Err(wrong(conf, option, "at least 1 ms")),
        millis => Ok(millis),
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// The error for an option's value, by the spelling that is set.
fn wrong<T: ConfigValue>(
    conf: &Configuration,
    option: &ConfigOption<T>,
    expected: &str,
) -> ConfigError {
    let set = option.spellings().find(|key| conf.raw(key).is_some());
    conf.bad_value(set.unwrap_or(option.key), expected)
}

#[cfg(test)]
mod tests;
