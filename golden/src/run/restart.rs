//! Runners of the restart kinds: the engine's own strategies under a clock moved by hand.

use rheos_cluster::recover::restart_strategy::{Backoff, RestartStrategy};
use rheos_core::rng::Rng;
use rheos_core::time::Millis;
use serde_json::{Value, json};

use super::{Outcome, RunError, Runner};
use crate::scenario::restart::{
    ExponentialDelaySpec, FailureRateSpec, FixedDelaySpec, Restart, RestartStep, UNLIMITED,
};

/// What the clock shows at first; only differences matter.
const CLOCK_START: Millis = 1_000_000;

/// `exponentialDelay`, `failureRate` and `fixedDelay`.
pub(super) struct Strategies;

trait Spec {
    fn strategy(&self) -> RestartStrategy;
}

impl Spec for ExponentialDelaySpec {
    fn strategy(&self) -> RestartStrategy {
        let attempts = self.attempts_before_reset_backoff;
        let backoff = Backoff {
            initial_ms: self.initial_backoff,
            max_ms: self.max_backoff,
            multiplier: self.backoff_multiplier,
            reset_threshold_ms: self.reset_backoff_threshold,
            jitter_factor: self.jitter_factor,
            attempts_before_reset: (attempts != UNLIMITED).then_some(attempts),
        };
        RestartStrategy::exponential_delay(backoff, Rng::new(0))
    }
}

impl Spec for FailureRateSpec {
    fn strategy(&self) -> RestartStrategy {
        RestartStrategy::failure_rate(
            self.max_failures_per_interval,
            self.failure_rate_interval,
            self.delay,
        )
    }
}

impl Spec for FixedDelaySpec {
    fn strategy(&self) -> RestartStrategy {
        RestartStrategy::fixed_delay(self.attempts, self.delay)
    }
}

impl<S: Spec> Runner<Restart<S>> for Strategies {
    fn run(&self, scenario: &Restart<S>, _: u32) -> Result<Outcome, RunError> {
        let mut strategy = scenario.spec.strategy();
        let mut now = CLOCK_START;
        let steps = scenario.input.iter().map(|step| match *step {
            RestartStep::Advance(millis) => {
                now += millis;
                Value::Null
            }
            RestartStep::Fail(_) => {
                let decision = strategy.failed(now);
                json!({
                    "newAttempt": decision.new_attempt,
                    "canRestart": decision.can_restart,
                    "backoff": decision.backoff_ms,
                })
            }
            RestartStep::Query(_) => {
                let decision = strategy.query(now);
                json!({ "canRestart": decision.can_restart, "backoff": decision.backoff_ms })
            }
        });
        Ok(Outcome::of_steps(steps.collect()))
    }
}
