//! Scenarios of the three kinds that are about restarts.

use serde::Deserialize;

/// How often means "without a bound".
pub const UNLIMITED: u32 = 2_147_483_647;

/// Steps of a restart strategy.
#[derive(Debug)]
pub struct Restart<S> {
    /// The strategy.
    pub spec: S,
    /// The steps.
    pub input: Vec<RestartStep>,
}

/// A step of a restart strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestartStep {
    /// The clock moves, in milliseconds.
    Advance(i64),
    /// A failure is reported.
    Fail(bool),
    /// The strategy is asked.
    Query(bool),
}

/// `exponentialDelay`. Milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExponentialDelaySpec {
    /// Before the first restart.
    pub initial_backoff: i64,
    /// The most.
    pub max_backoff: i64,
    /// From one attempt to the next.
    pub backoff_multiplier: f64,
    /// Time without failure after which the backoff begins anew.
    pub reset_backoff_threshold: i64,
    /// The random share.
    pub jitter_factor: f64,
    /// Attempts without a reset before the job fails.
    pub attempts_before_reset_backoff: u32,
}

/// `failureRate`. Milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailureRateSpec {
    /// Failures that are borne within the interval.
    pub max_failures_per_interval: u32,
    /// The interval.
    pub failure_rate_interval: i64,
    /// Before a restart.
    pub delay: i64,
}

/// `fixedDelay`. Milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FixedDelaySpec {
    /// Failures that are borne.
    pub attempts: u32,
    /// Before a restart.
    pub delay: i64,
}
