//! Restart strategies.

use super::Area::Recovery;
use super::Kind::{Duration, Enum, Float, Int};
use super::Verdict::Later;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("restart-strategy.exponential-delay.attempts-before-reset-backoff", &[], Int, "", Later(Recovery)),
    opt("restart-strategy.exponential-delay.backoff-multiplier", &[], Float, "1.5", Later(Recovery)),
    opt("restart-strategy.exponential-delay.initial-backoff", &[], Duration, "1 s", Later(Recovery)),
    opt("restart-strategy.exponential-delay.jitter-factor", &[], Float, "0.1", Later(Recovery)),
    opt("restart-strategy.exponential-delay.max-backoff", &[], Duration, "1 min", Later(Recovery)),
    opt("restart-strategy.exponential-delay.reset-backoff-threshold", &[], Duration, "1 h", Later(Recovery)),
    opt("restart-strategy.failure-rate.delay", &[], Duration, "1 s", Later(Recovery)),
    opt("restart-strategy.failure-rate.failure-rate-interval", &[], Duration, "1 min", Later(Recovery)),
    opt("restart-strategy.failure-rate.max-failures-per-interval", &[], Int, "1", Later(Recovery)),
    opt("restart-strategy.fixed-delay.attempts", &[], Int, "1", Later(Recovery)),
    opt("restart-strategy.fixed-delay.delay", &[], Duration, "1 s", Later(Recovery)),
    opt("restart-strategy.type", &["restart-strategy"], Enum(&["none", "off", "disable", "fixeddelay", "fixed-delay", "failurerate", "failure-rate", "exponentialdelay", "exponential-delay"]), "", Later(Recovery)),
];
