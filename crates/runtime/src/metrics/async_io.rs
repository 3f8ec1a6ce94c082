//! The counters of asynchronous I/O and its circuit breaker in one subtask. Written by its thread,
//! read by any.

use std::sync::atomic::{AtomicU64, Ordering};

use super::metric::Metric;
use crate::async_io::circuit_breaker::BreakerState;

/// What an asynchronous operator counts beside rows.
#[derive(Debug, Default)]
pub struct AsyncIoMetrics {
    in_flight: AtomicU64,
    retries: AtomicU64,
    timeouts: AtomicU64,
    failures: AtomicU64,
    fallbacks: AtomicU64,
    breaker_state: AtomicU64,
    breaker_transitions: AtomicU64,
    breaker_rejected: AtomicU64,
}

impl AsyncIoMetrics {
    /// Rows taken whose results have not been emitted: `asyncInFlight`.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Attempts after the first of a row: `asyncRetries`.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Rows whose time was up: `asyncTimeouts`.
    pub fn timeouts(&self) -> u64 {
        self.timeouts.load(Ordering::Relaxed)
    }

    /// Attempts that gave an error: `asyncFailures`.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Rows that the fallback answered: `asyncFallbacks`.
    pub fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Ordering::Relaxed)
    }

    /// `circuitBreakerState`: 0 closed, 1 open, 2 half-open.
    pub fn breaker_state(&self) -> u64 {
        self.breaker_state.load(Ordering::Relaxed)
    }

    /// Changes of the breaker's state: `circuitBreakerTransitions`.
    pub fn breaker_transitions(&self) -> u64 {
        self.breaker_transitions.load(Ordering::Relaxed)
    }

    /// Attempts that the breaker did not let through: `circuitBreakerRejected`.
    pub fn breaker_rejected(&self) -> u64 {
        self.breaker_rejected.load(Ordering::Relaxed)
    }

    /// Every value with its metric.
    pub fn samples(&self) -> [(Metric, u64); 8] {
        [
            (Metric::AsyncInFlight, self.in_flight()),
            (Metric::AsyncRetries, self.retries()),
            (Metric::AsyncTimeouts, self.timeouts()),
            (Metric::AsyncFailures, self.failures()),
            (Metric::AsyncFallbacks, self.fallbacks()),
            (Metric::CircuitBreakerState, self.breaker_state()),
            (
                Metric::CircuitBreakerTransitions,
                self.breaker_transitions(),
            ),
            (Metric::CircuitBreakerRejected, self.breaker_rejected()),
        ]
    }

    pub(crate) fn set_in_flight(&self, rows: usize) {
        self.in_flight.store(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_timeout(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_fallback(&self) {
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_rejected(&self) {
        self.breaker_rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn breaker_became(&self, state: BreakerState) {
        let number = match state {
            BreakerState::Closed => 0,
            BreakerState::Open => 1,
            BreakerState::HalfOpen => 2,
        };
        self.breaker_state.store(number, Ordering::Relaxed);
        self.breaker_transitions.fetch_add(1, Ordering::Relaxed);
    }
}
