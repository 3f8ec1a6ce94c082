//! Restart strategies.

use super::Kind::{Duration, Enum, Float, Int};
use super::Verdict::Honoured;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("restart-strategy.exponential-delay.attempts-before-reset-backoff", &[], Int, "", Honoured),
    opt("restart-strategy.exponential-delay.backoff-multiplier", &[], Float, "1.5", Honoured),
    opt("restart-strategy.exponential-delay.initial-backoff", &[], Duration, "1 s", Honoured),
    opt("restart-strategy.exponential-delay.jitter-factor", &[], Float, "0.1", Honoured),
    opt("restart-strategy.exponential-delay.max-backoff", &[], Duration, "1 min", Honoured),
    opt("restart-strategy.exponential-delay.reset-backoff-threshold", &[], Duration, "1 h", Honoured),
    opt("restart-strategy.failure-rate.delay", &[], Duration, "1 s", Honoured),
    opt("restart-strategy.failure-rate.failure-rate-interval", &[], Duration, "1 min", Honoured),
    opt("restart-strategy.failure-rate.max-failures-per-interval", &[], Int, "1", Honoured),
    opt("restart-strategy.fixed-delay.attempts", &[], Int, "1", Honoured),
    opt("restart-strategy.fixed-delay.delay", &[], Duration, "1 s", Honoured),
    opt("restart-strategy.type", &["restart-strategy"], Enum(&["none", "off", "disable", "fixeddelay", "fixed-delay", "failurerate", "failure-rate", "exponentialdelay", "exponential-delay"]), "", Honoured),
];
