//! SQL: execution.

use super::Area::Sql;
use super::Kind::{Bool, Duration, Enum, Float, Int, MemorySize, Str};
use super::Verdict::{Later, NoMeaning};
use super::reason::NO_CODEGEN;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("table.exec.async-lookup.buffer-capacity", &[], Int, "100", Later(Sql)),
    opt("table.exec.async-lookup.output-mode", &[], Str, "ORDERED", Later(Sql)),
    opt("table.exec.async-lookup.timeout", &[], Duration, "3 min", Later(Sql)),
    opt("table.exec.async-scalar.buffer-capacity", &[], Int, "10", Later(Sql)),
    opt("table.exec.async-scalar.max-attempts", &[], Int, "3", Later(Sql)),
    opt("table.exec.async-scalar.retry-delay", &[], Duration, "100 ms", Later(Sql)),
    opt("table.exec.async-scalar.retry-strategy", &[], Enum(&["NO_RETRY", "FIXED_DELAY"]), "FIXED_DELAY", Later(Sql)),
    opt("table.exec.async-scalar.timeout", &[], Duration, "3 min", Later(Sql)),
    opt("table.exec.async-state.enabled", &[], Bool, "false", Later(Sql)),
    opt("table.exec.deduplicate.insert-update-after-sensitive-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.exec.deduplicate.mini-batch.compact-changes-enabled", &[], Bool, "false", Later(Sql)),
    opt("table.exec.disabled-operators", &[], Str, "", Later(Sql)),
    opt("table.exec.interval-join.min-cleanup-interval", &[], Duration, "0 ms", Later(Sql)),
    opt("table.exec.legacy-cast-behaviour", &[], Str, "DISABLED", NoMeaning(NO_CODEGEN)),
    opt("table.exec.local-hash-agg.adaptive.distinct-value-rate-threshold", &[], Float, "0.5", Later(Sql)),
    opt("table.exec.local-hash-agg.adaptive.enabled", &[], Bool, "true", Later(Sql)),
    opt("table.exec.local-hash-agg.adaptive.sampling-threshold", &[], Int, "500000", Later(Sql)),
    opt("table.exec.mini-batch.allow-latency", &[], Duration, "0 ms", Later(Sql)),
    opt("table.exec.mini-batch.enabled", &[], Bool, "false", Later(Sql)),
    opt("table.exec.mini-batch.size", &[], Int, "-1", Later(Sql)),
    opt("table.exec.operator-fusion-codegen.enabled", &[], Bool, "false", NoMeaning(NO_CODEGEN)),
    opt("table.exec.rank.topn-cache-size", &[], Int, "10000", Later(Sql)),
    opt("table.exec.resource.default-parallelism", &[], Int, "-1", Later(Sql)),
    opt("table.exec.simplify-operator-name-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.exec.sink.keyed-shuffle", &[], Str, "AUTO", Later(Sql)),
    opt("table.exec.sink.nested-constraint-enforcer", &[], Str, "IGNORE", Later(Sql)),
    opt("table.exec.sink.not-null-enforcer", &[], Str, "ERROR", Later(Sql)),
    opt("table.exec.sink.rowtime-inserter", &[], Str, "ENABLED", Later(Sql)),
    opt("table.exec.sink.type-length-enforcer", &[], Str, "IGNORE", Later(Sql)),
    opt("table.exec.sink.upsert-materialize", &[], Str, "AUTO", Later(Sql)),
    opt("table.exec.sort.async-merge-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.exec.sort.default-limit", &[], Int, "-1", Later(Sql)),
    opt("table.exec.sort.max-num-file-handles", &[], Int, "128", Later(Sql)),
    opt("table.exec.source.cdc-events-duplicate", &[], Bool, "false", Later(Sql)),
    opt("table.exec.source.idle-timeout", &[], Duration, "0 ms", Later(Sql)),
    opt("table.exec.spill-compression.block-size", &[], MemorySize, "64 kb", Later(Sql)),
    opt("table.exec.spill-compression.enabled", &[], Bool, "true", Later(Sql)),
    opt("table.exec.state.ttl", &[], Duration, "0 ms", Later(Sql)),
    opt("table.exec.uid.format", &[], Str, "<id>_<transformation>", Later(Sql)),
    opt("table.exec.uid.generation", &[], Str, "PLAN_ONLY", Later(Sql)),
    opt("table.exec.unbounded-over.version", &[], Int, "2", Later(Sql)),
    opt("table.exec.window-agg.buffer-size-limit", &[], Int, "100000", Later(Sql)),
];
