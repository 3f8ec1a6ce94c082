//! The job: `pipeline.*`, `execution.*`, `parallelism.*`.

use super::Area::{Checkpoints, Cluster, Rest};
use super::Kind::{Bool, Duration, Enum, Int, List, Map, MemorySize, Str, Timeout};
use super::Verdict::{Honoured, Later, NoMeaning};
use super::reason::{
    DERIVED_CODEC, KEY_GROUPS, ONE_BINARY, ROWS_MOVE, SPLITS_PAUSE, STREAMING_ONLY,
};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("execution.allow-client-job-configurations", &[], Bool, "true", Later(Cluster)),
    opt("execution.attached", &[], Bool, "false", Later(Cluster)),
    opt("execution.batch-shuffle-mode", &[], Str, "ALL_EXCHANGES_BLOCKING", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch-state-backend.enabled", &[], Bool, "true", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.adaptive.auto-parallelism.avg-data-volume-per-task", &[], MemorySize, "16 mb", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.adaptive.auto-parallelism.default-source-parallelism", &[], Int, "", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.adaptive.auto-parallelism.enabled", &[], Bool, "true", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.adaptive.auto-parallelism.max-parallelism", &[], Int, "128", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.adaptive.auto-parallelism.min-parallelism", &[], Int, "1", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.job-recovery.enabled", &[], Bool, "false", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.speculative.block-slow-node-duration", &[], Duration, "1 min", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.speculative.enabled", &[], Bool, "false", NoMeaning(STREAMING_ONLY)),
    opt("execution.batch.speculative.max-concurrent-executions", &[], Int, "2", NoMeaning(STREAMING_ONLY)),
    opt("execution.buffer-timeout.enabled", &[], Bool, "true", Honoured),
    opt("execution.buffer-timeout.interval", &["execution.buffer-timeout"], Timeout, "100 ms", Honoured).ours("5 ms"),
    opt("execution.job-listeners", &[], List, "", Later(Cluster)),
    opt("execution.job-status-changed-listeners", &[], List, "", Later(Cluster)),
    opt("execution.program-config.enabled", &[], Bool, "true", Later(Cluster)),
    opt("execution.program-config.wildcards", &[], List, "", Later(Cluster)),
    opt("execution.runtime-mode", &[], Enum(&["STREAMING", "BATCH", "AUTOMATIC"]), "STREAMING", NoMeaning(STREAMING_ONLY)),
    opt("execution.shutdown-on-attached-exit", &["execution.shutdown-on-attached-exit.enabled"], Bool, "false", Later(Cluster)),
    opt("execution.sort-keyed-partition.memory", &[], MemorySize, "128 mb", NoMeaning(STREAMING_ONLY)),
    opt("execution.sort-partition.memory", &[], MemorySize, "128 mb", NoMeaning(STREAMING_ONLY)),
    opt("execution.sorted-inputs.enabled", &[], Bool, "true", NoMeaning(STREAMING_ONLY)),
    opt("execution.sorted-inputs.memory", &[], MemorySize, "128 mb", NoMeaning(STREAMING_ONLY)),
    opt("execution.submit-failed-job-on-application-error", &[], Bool, "false", Later(Cluster)),
    opt("execution.target", &[], Str, "", Later(Cluster)),
    opt("parallelism.default", &[], Int, "1", Honoured),
    opt("pipeline.auto-generate-uids", &[], Bool, "true", Later(Checkpoints)),
    opt("pipeline.auto-watermark-interval", &[], Duration, "200 ms", Honoured),
    opt("pipeline.cached-files", &[], List, "", NoMeaning(ONE_BINARY)),
    opt("pipeline.classpaths", &[], List, "", NoMeaning(ONE_BINARY)),
    opt("pipeline.closure-cleaner-level", &[], Str, "RECURSIVE", NoMeaning(ONE_BINARY)),
    opt("pipeline.default-kryo-serializers", &[], List, "", NoMeaning(DERIVED_CODEC)),
    opt("pipeline.force-avro", &[], Bool, "false", NoMeaning(DERIVED_CODEC)),
    opt("pipeline.force-kryo", &[], Bool, "false", NoMeaning(DERIVED_CODEC)),
    opt("pipeline.generic-types", &[], Bool, "true", NoMeaning(DERIVED_CODEC)),
    opt("pipeline.global-job-parameters", &[], Map, "", Later(Rest)),
    opt("pipeline.jars", &[], List, "", NoMeaning(ONE_BINARY)),
    opt("pipeline.jobvertex-parallelism-overrides", &[], Map, "", Later(Cluster)),
    opt("pipeline.max-parallelism", &[], Int, "-1", Honoured),
    opt("pipeline.name", &[], Str, "", Honoured),
    opt("pipeline.object-reuse", &[], Bool, "false", NoMeaning(ROWS_MOVE)),
    opt("pipeline.operator-chaining.chain-operators-with-different-max-parallelism", &[], Bool, "true", NoMeaning(KEY_GROUPS)),
    opt("pipeline.operator-chaining.enabled", &["pipeline.operator-chaining"], Bool, "true", Honoured),
    opt("pipeline.registered-kryo-types", &[], List, "", NoMeaning(DERIVED_CODEC)),
    opt("pipeline.registered-pojo-types", &[], List, "", NoMeaning(DERIVED_CODEC)),
    opt("pipeline.serialization-config", &[], List, "", NoMeaning(DERIVED_CODEC)),
    opt("pipeline.vertex-description-mode", &[], Enum(&["TREE", "CASCADING"]), "TREE", Later(Rest)),
    opt("pipeline.vertex-name-include-index-prefix", &[], Bool, "false", Later(Rest)),
    opt("pipeline.watermark-alignment.allow-unaligned-source-splits", &[], Bool, "false", NoMeaning(SPLITS_PAUSE)),
];
