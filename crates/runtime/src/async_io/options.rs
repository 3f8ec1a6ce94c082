//! How an asynchronous operator treats its rows.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;

use super::circuit_breaker::CircuitBreaker;
use super::function::AsyncError;
use super::retry::RetryStrategy;
use crate::error::BoxError;

pub(super) type Fallback<In, Out> =
    Arc<dyn Fn(In, &AsyncError) -> Result<Vec<Out>, BoxError> + Send + Sync>;

pub(super) type Sequence<In> = Arc<dyn Fn(&In) -> u64 + Send + Sync>;

/// Time-out, capacity, retries, circuit breaker and fallback of an asynchronous operator.
///
/// By default 100 rows are in flight in a subtask, a row's time is up after 3 minutes, nothing is
/// tried again, and an error ends the job.
///
/// ```
/// use std::time::Duration;
/// use rheos_runtime::async_io::{AsyncOptions, CircuitBreaker, RetryStrategy};
///
/// let options: AsyncOptions<String, (String, Option<f64>)> = AsyncOptions::new()
///     .timeout(Duration::from_secs(5))
///     .capacity(1_000)
///     .retry(RetryStrategy::fixed_delay(3, Duration::from_millis(100)))
///     .circuit_breaker(CircuitBreaker::consecutive_failures(10))
///     .fallback(|city, _error| (city, None));
/// # let _ = options;
/// ```
pub struct AsyncOptions<In, Out> {
    pub(super) timeout: Option<Duration>,
    pub(super) capacity: usize,
    pub(super) retry: RetryStrategy<Out>,
    pub(super) breaker: Option<CircuitBreaker>,
    pub(super) fallback: Option<Fallback<In, Out>>,
    pub(super) sequence: Option<Sequence<In>>,
}

impl<In, Out> Default for AsyncOptions<In, Out> {
    fn default() -> Self {
        Self::new()
    }
}

impl<In, Out> Clone for AsyncOptions<In, Out> {
    fn clone(&self) -> Self {
        Self {
            timeout: self.timeout,
            capacity: self.capacity,
            retry: self.retry.clone(),
            breaker: self.breaker.clone(),
            fallback: self.fallback.clone(),
            sequence: self.sequence.clone(),
        }
    }
}

impl<In, Out> AsyncOptions<In, Out> {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            timeout: Some(Duration::from_secs(180)),
            capacity: 100,
            retry: RetryStrategy::none(),
            breaker: None,
            fallback: None,
            sequence: None,
        }
    }

    /// How long a row may take, from when it is taken on: all attempts and the delays between them.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets a row take as long as it likes. A request that is never answered then holds back the
    /// watermark for ever.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// Rows in flight in a subtask; further ones are held back.
    pub fn capacity(mut self, rows: usize) -> Self {
        self.capacity = rows;
        self
    }

    /// When to try again.
    pub fn retry(mut self, strategy: RetryStrategy<Out>) -> Self {
        self.retry = strategy;
        self
    }

    /// When not to try at all. Each attempt is a call to the breaker; while it is open, rows go
    /// straight to the fallback, and without one the job ends.
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Gives the row's result where the function has none: after the last attempt, after the
    /// time-out, and while the circuit breaker is open.
    pub fn fallback(
        self,
        fallback: impl Fn(In, &AsyncError) -> Out + Send + Sync + 'static,
    ) -> Self {
        self.try_fallback(move |row, error| Ok(vec![fallback(row, error)]))
    }

    /// As [`AsyncOptions::fallback`], with any number of rows, or an error that ends the job.
    pub fn try_fallback(
        mut self,
        fallback: impl Fn(In, &AsyncError) -> Result<Vec<Out>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.fallback = Some(Arc::new(fallback));
        self
    }

    /// Keeps the results of rows with equal keys in the order of the input, where results are
    /// otherwise emitted as they come: the firings of one window, of which the last shall count. Rows
    /// of other keys don't wait for them.
    pub fn in_order_of<K: Row>(mut self, key: impl Fn(&In) -> K + Send + Sync + 'static) -> Self {
        // Keys of one hash keep an order that nobody asked for, and no harm is done.
        self.sequence = Some(Arc::new(move |row| key(row).key_hash()));
        self
    }

    pub(super) fn timeout_millis(&self) -> Option<i64> {
        self.timeout
            .map(|timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX))
    }

    /// What is wrong with them, if anything; reads on after the operator's name.
    pub fn problem(&self) -> Option<String> {
        if self.capacity == 0 {
            return Some("has a capacity of 0; at least one row must be in flight".to_owned());
        }
        if self
            .timeout
            .is_some_and(|timeout| timeout < Duration::from_millis(1))
        {
            return Some(
                "has a time-out below 1 ms; use no_timeout() to wait without limit".to_owned(),
            );
        }
        self.retry
            .problem()
            .or_else(|| self.breaker.as_ref().and_then(CircuitBreaker::problem))
    }
}
