//! How failures that pass by themselves are waited out.

use std::time::Duration;

use rheos_core::rng::Rng;

/// Time between attempts: it doubles from the first wait to the longest, each time made longer or
/// shorter at random by up to a fifth, so that many clients do not come back at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Before the second attempt.
    pub initial_backoff: Duration,
    /// The longest.
    pub max_backoff: Duration,
    /// Attempts beyond the first, after which the job fails; without end unless given.
    pub max_retries: Option<u32>,
}

impl Default for Retries {
    /// From 100 ms to 30 s, while the job lives.
    fn default() -> Self {
        Self {
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(30),
            max_retries: None,
        }
    }
}

/// The waits of one batch.
#[derive(Debug)]
pub(crate) struct Backoff {
    retries: Retries,
    rng: Rng,
    failures: u32,
}

impl Backoff {
    pub fn new(retries: Retries, seed: u64) -> Self {
        Self {
            retries,
            rng: Rng::new(seed),
            failures: 0,
        }
    }

    /// Something was written: the next failure is a first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure; how long to wait, or none if there were enough.
    pub fn next(&mut self) -> Option<Duration> {
        let doublings = self.failures.min(30);
        self.failures = self.failures.saturating_add(1);
        if self
            .retries
            .max_retries
            .is_some_and(|max| self.failures > max)
        {
            return None;
        }
        let longest = self.retries.max_backoff.max(self.retries.initial_backoff);
        let wait = self
            .retries
            .initial_backoff
            .saturating_mul(1 << doublings)
            .min(longest);
        Some(wait.mul_f64(0.8 + 0.4 * self.rng.unit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end_when_told() {
        let retries = Retries {
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_millis(500),
            max_retries: Some(5),
        };
        let mut backoff = Backoff::new(retries, 7);
        for expected in [100.0, 200.0, 400.0, 500.0, 500.0] {
            let wait = backoff.next().unwrap().as_secs_f64() * 1_000.0;
            assert!((expected * 0.8..=expected * 1.2).contains(&wait), "{wait}");
        }
        assert_eq!(backoff.next(), None);
        backoff.reset();
        assert!(backoff.next().unwrap() <= Duration::from_millis(120));
    }

    #[test]
    fn by_default_they_never_end() {
        let mut backoff = Backoff::new(Retries::default(), 7);
        for _ in 0..10_000 {
            assert!(backoff.next().unwrap() <= Duration::from_secs(36));
        }
    }
}
