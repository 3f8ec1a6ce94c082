//! State backends in general.

use super::Area::{Checkpoints, StateMetrics};
use super::Kind::{Bool, Duration, Int, Str};
use super::Verdict::{Honoured, Later, NoMeaning};
use super::reason::NO_CHANGELOG;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("state.backend.async", &[], Bool, "true", Later(Checkpoints)),
    opt("state.backend.type", &["state.backend"], Str, "hashmap", Honoured),
    opt("state.changelog.enabled", &["state.backend.changelog.enabled"], Bool, "false", NoMeaning(NO_CHANGELOG)),
    opt("state.changelog.max-failures-allowed", &["state.backend.changelog.max-failures-allowed"], Int, "3", NoMeaning(NO_CHANGELOG)),
    opt("state.changelog.periodic-materialize.enabled", &["state.backend.changelog.periodic-materialize.enabled"], Bool, "true", NoMeaning(NO_CHANGELOG)),
    opt("state.changelog.periodic-materialize.interval", &["state.backend.changelog.periodic-materialize.interval"], Duration, "10 min", NoMeaning(NO_CHANGELOG)),
    opt("state.changelog.storage", &["state.backend.changelog.storage"], Str, "memory", NoMeaning(NO_CHANGELOG)),
    opt("state.latency-track.history-size", &["state.backend.latency-track.history-size"], Int, "128", Later(StateMetrics)),
    opt("state.latency-track.keyed-state-enabled", &["state.backend.latency-track.keyed-state-enabled"], Bool, "false", Later(StateMetrics)),
    opt("state.latency-track.sample-interval", &["state.backend.latency-track.sample-interval"], Int, "100", Later(StateMetrics)),
    opt("state.latency-track.state-name-as-variable", &["state.backend.latency-track.state-name-as-variable"], Bool, "true", Later(StateMetrics)),
    opt("state.size-track.history-size", &[], Int, "128", Later(StateMetrics)),
    opt("state.size-track.keyed-state-enabled", &[], Bool, "false", Later(StateMetrics)),
    opt("state.size-track.sample-interval", &[], Int, "100", Later(StateMetrics)),
    opt("state.size-track.state-name-as-variable", &[], Bool, "true", Later(StateMetrics)),
    opt("state.ttl.compatibility.optimize.enabled", &[], Bool, "false", Later(Checkpoints)),
];
