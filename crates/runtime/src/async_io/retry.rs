//! When a row is tried again: a pure decider of attempts, results and chance.
//!
//! As in Flink, `max_attempts` counts the attempts after the first, the delay before attempt *n*
//! belongs to attempt *n*, and the operator's time-out covers all attempts and the delays between
//! them. Unlike in Flink, the end of the input does not cut retries short.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::rng::Rng;

use crate::error::BoxError;

type IfResult<Out> = Arc<dyn Fn(&[Out]) -> bool + Send + Sync>;
type IfError = Arc<dyn Fn(&BoxError) -> bool + Send + Sync>;

#[derive(Debug, Clone, Copy)]
enum Backoff {
    Never,
    Fixed {
        delay: Duration,
    },
    Exponential {
        initial: Duration,
        max: Duration,
        multiplier: f64,
    },
}

/// When to try again.
///
/// ```
/// use std::time::Duration;
/// use rheos_runtime::async_io::RetryStrategy;
///
/// let strategy = RetryStrategy::<String>::exponential_backoff(
///         5,
///         Duration::from_millis(50),
///         Duration::from_secs(2),
///         2.0,
///     )
///     .jitter(0.2)
///     .if_result(|rows| rows.is_empty());
/// # let _ = strategy;
/// ```
pub struct RetryStrategy<Out> {
    backoff: Backoff,
    max_attempts: u32,
    jitter: f64,
    if_result: Option<IfResult<Out>>,
    if_error: Option<IfError>,
}

impl<Out> Clone for RetryStrategy<Out> {
    fn clone(&self) -> Self {
        Self {
            backoff: self.backoff,
            max_attempts: self.max_attempts,
            jitter: self.jitter,
            if_result: self.if_result.clone(),
            if_error: self.if_error.clone(),
        }
    }
}

impl<Out> std::fmt::Debug for RetryStrategy<Out> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetryStrategy")
            .field("backoff", &self.backoff)
            .field("max_attempts", &self.max_attempts)
            .field("jitter", &self.jitter)
            .finish_non_exhaustive()
    }
}

impl<Out> RetryStrategy<Out> {
    fn new(backoff: Backoff, max_attempts: u32) -> Self {
        Self {
            backoff,
            max_attempts,
            jitter: 0.0,
            if_result: None,
            if_error: None,
        }
    }

    /// Never.
    pub fn none() -> Self {
        Self::new(Backoff::Never, 0)
    }

    /// Up to `max_attempts` times, each time after `delay`.
    pub fn fixed_delay(max_attempts: u32, delay: Duration) -> Self {
        Self::new(Backoff::Fixed { delay }, max_attempts)
    }

    /// Up to `max_attempts` times: first after `initial`, then after `multiplier` times the delay
    /// before, at most after `max`.
    pub fn exponential_backoff(
        max_attempts: u32,
        initial: Duration,
        max: Duration,
        multiplier: f64,
    ) -> Self {
        Self::new(
            Backoff::Exponential {
                initial,
                max,
                multiplier,
            },
            max_attempts,
        )
    }

    /// Makes each delay longer or shorter by a random share of up to `share` of it, so that rows
    /// which failed together don't come back together. Between 0 and 1.
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Tries again after a result for which this holds, too.
    pub fn if_result(mut self, again: impl Fn(&[Out]) -> bool + Send + Sync + 'static) -> Self {
        self.if_result = Some(Arc::new(again));
        self
    }

    /// Tries again only after an error for which this holds; without it, after any error.
    pub fn if_error(mut self, again: impl Fn(&BoxError) -> bool + Send + Sync + 'static) -> Self {
        self.if_error = Some(Arc::new(again));
        self
    }

    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some(format!(
                "has a retry jitter of {}; it must lie in 0..=1",
                self.jitter
            ));
        }
        match self.backoff {
            Backoff::Exponential {
                initial,
                max,
                multiplier,
            } if !(multiplier.is_finite() && multiplier >= 1.0) || max < initial => Some(format!(
                "retries after {initial:?}, at most {max:?}, times {multiplier}; the multiplier \
                     must be at least 1 and the longest delay at least the first"
            )),
            _ => None,
        }
    }

    /// The delay in milliseconds before the attempt after `attempts` of them, if the outcome of the
    /// last one is to be tried again.
    pub fn next_delay(
        &self,
        attempts: u32,
        outcome: &Result<Vec<Out>, BoxError>,
        rng: &mut Rng,
    ) -> Option<i64> {
        if attempts > self.max_attempts {
            return None;
        }
        let again = match outcome {
            Ok(rows) => self.if_result.as_ref().is_some_and(|again| again(rows)),
            Err(error) => self.if_error.as_ref().is_none_or(|again| again(error)),
        };
        if !again {
            return None;
        }
        let delay = match self.backoff {
            Backoff::Never => return None,
            Backoff::Fixed { delay } => delay.as_secs_f64(),
            Backoff::Exponential {
                initial,
                max,
                multiplier,
            } => {
                let before = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
                (initial.as_secs_f64() * multiplier.powi(before)).min(max.as_secs_f64())
            }
        };
        let swing = 1.0 + self.jitter * (2.0 * rng.unit() - 1.0);
        Some((delay * swing * 1000.0).round() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<Vec<i32>, BoxError> {
        Err("refused".into())
    }

    #[test]
    fn the_first_attempt_does_not_count() {
        let strategy = RetryStrategy::fixed_delay(2, Duration::from_millis(10));
        let mut rng = Rng::new(1);
        assert_eq!(strategy.next_delay(1, &failed(), &mut rng), Some(10));
        assert_eq!(strategy.next_delay(2, &failed(), &mut rng), Some(10));
        assert_eq!(strategy.next_delay(3, &failed(), &mut rng), None);
    }

    #[test]
    fn delays_grow_up_to_the_longest() {
        let strategy = RetryStrategy::exponential_backoff(
            99,
            Duration::from_millis(10),
            Duration::from_millis(70),
            2.0,
        );
        let mut rng = Rng::new(1);
        let delays: Vec<_> = (1..=5)
            .filter_map(|n| strategy.next_delay(n, &failed(), &mut rng))
            .collect();
        assert_eq!(delays, [10, 20, 40, 70, 70]);
        assert_eq!(strategy.next_delay(90, &failed(), &mut rng), Some(70));
    }

    #[test]
    fn jitter_swings_around_the_delay() {
        let strategy = RetryStrategy::fixed_delay(1, Duration::from_secs(1)).jitter(0.5);
        let mut rng = Rng::new(7);
        let delays: Vec<_> = (0..200)
            .filter_map(|_| strategy.next_delay(1, &failed(), &mut rng))
            .collect();
        assert!(delays.iter().all(|delay| (500..=1500).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 700) && delays.iter().any(|d| *d > 1300));
    }

    #[test]
    fn predicates_choose_what_is_tried_again() {
        let strategy = RetryStrategy::<i32>::fixed_delay(1, Duration::ZERO)
            .if_result(|rows| rows.is_empty())
            .if_error(|error| error.to_string() == "refused");
        let mut rng = Rng::new(1);
        assert!(strategy.next_delay(1, &failed(), &mut rng).is_some());
        assert!(
            strategy
                .next_delay(1, &Err("gone".into()), &mut rng)
                .is_none()
        );
        assert!(strategy.next_delay(1, &Ok(vec![]), &mut rng).is_some());
        assert!(strategy.next_delay(1, &Ok(vec![1]), &mut rng).is_none());
        let plain = RetryStrategy::<i32>::fixed_delay(1, Duration::ZERO);
        assert!(plain.next_delay(1, &Ok(vec![]), &mut rng).is_none());
    }
}
