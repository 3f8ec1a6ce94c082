//! Checkpoints, savepoints and restoring from them.

use super::Area::Checkpoints;
use super::Kind::{Bool, Duration, Enum, Float, Int, MemorySize, Str};
use super::Verdict::{Honoured, Later, NoMeaning};
use super::reason::{IN_FLIGHT_FILE, INTERRUPTIBLE, NO_ITERATIONS};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("execution.checkpointing.aligned-checkpoint-timeout", &["execution.checkpointing.alignment-timeout"], Duration, "0 ms", Honoured).ours("1 s"),
    opt("execution.checkpointing.checkpoints-after-tasks-finish", &["execution.checkpointing.checkpoints-after-tasks-finish.enabled"], Bool, "true", Later(Checkpoints)),
    opt("execution.checkpointing.cleaner.parallel-mode", &["state.checkpoint.cleaner.parallel-mode"], Bool, "true", Later(Checkpoints)),
    opt("execution.checkpointing.create-subdir", &["state.checkpoints.create-subdir"], Bool, "true", Later(Checkpoints)),
    opt("execution.checkpointing.data-inline-threshold", &["state.storage.fs.memory-threshold", "state.backend.fs.memory-threshold"], MemorySize, "20 kb", Honoured).ours("64 kb"),
    opt("execution.checkpointing.dir", &["state.checkpoints.dir", "state.backend.fs.checkpointdir"], Str, "", Honoured),
    opt("execution.checkpointing.externalized-checkpoint-retention", &["execution.checkpointing.externalized-checkpoint"], Enum(&["DELETE_ON_CANCELLATION", "RETAIN_ON_CANCELLATION", "NO_EXTERNALIZED_CHECKPOINTS"]), "NO_EXTERNALIZED_CHECKPOINTS", Honoured).ours("RETAIN_ON_CANCELLATION"),
    opt("execution.checkpointing.file-merging.across-checkpoint-boundary", &[], Bool, "false", Later(Checkpoints)),
    opt("execution.checkpointing.file-merging.enabled", &[], Bool, "false", Later(Checkpoints)),
    opt("execution.checkpointing.file-merging.max-file-size", &[], MemorySize, "32 mb", Later(Checkpoints)),
    opt("execution.checkpointing.file-merging.max-space-amplification", &[], Float, "2.0", Later(Checkpoints)),
    opt("execution.checkpointing.file-merging.pool-blocking", &[], Bool, "false", Later(Checkpoints)),
    opt("execution.checkpointing.force-unaligned", &[], Bool, "false", NoMeaning(NO_ITERATIONS)),
    opt("execution.checkpointing.incremental", &["state.backend.incremental"], Bool, "false", Later(Checkpoints)).ours("true"),
    opt("execution.checkpointing.interval", &[], Duration, "", Honoured),
    opt("execution.checkpointing.interval-during-backlog", &[], Duration, "", Later(Checkpoints)),
    opt("execution.checkpointing.local-backup.dirs", &["taskmanager.state.local.root-dirs"], Str, "", Later(Checkpoints)),
    opt("execution.checkpointing.local-backup.enabled", &["state.backend.local-recovery"], Bool, "false", Later(Checkpoints)),
    opt("execution.checkpointing.max-concurrent-checkpoints", &[], Int, "1", Honoured),
    opt("execution.checkpointing.min-pause", &[], Duration, "0 ms", Honoured),
    opt("execution.checkpointing.mode", &[], Enum(&["EXACTLY_ONCE", "AT_LEAST_ONCE"]), "EXACTLY_ONCE", Later(Checkpoints)),
    opt("execution.checkpointing.num-retained", &["state.checkpoints.num-retained"], Int, "1", Honoured),
    opt("execution.checkpointing.prefer-checkpoint-for-recovery", &[], Bool, "false", Later(Checkpoints)),
    opt("execution.checkpointing.savepoint-dir", &["state.savepoints.dir", "savepoints.state.backend.fs.dir"], Str, "", Honoured),
    opt("execution.checkpointing.snapshot-compression", &[], Bool, "false", Later(Checkpoints)),
    opt("execution.checkpointing.storage", &["state.checkpoint-storage"], Str, "", Honoured),
    opt("execution.checkpointing.timeout", &[], Duration, "10 min", Honoured),
    opt("execution.checkpointing.tolerable-failed-checkpoints", &[], Int, "0", Honoured),
    opt("execution.checkpointing.unaligned.enabled", &["execution.checkpointing.unaligned"], Bool, "false", Honoured).ours("true"),
    opt("execution.checkpointing.unaligned.forced", &[], Bool, "false", NoMeaning(NO_ITERATIONS)),
    opt("execution.checkpointing.unaligned.interruptible-timers.enabled", &[], Bool, "false", NoMeaning(INTERRUPTIBLE)),
    opt("execution.checkpointing.unaligned.max-subtasks-per-channel-state-file", &[], Int, "5", NoMeaning(IN_FLIGHT_FILE)),
    opt("execution.checkpointing.write-buffer-size", &["state.storage.fs.write-buffer-size", "state.backend.fs.write-buffer-size"], Int, "4096", Later(Checkpoints)),
    opt("execution.state-recovery.claim-mode", &["execution.savepoint-restore-mode"], Enum(&["CLAIM", "NO_CLAIM", "LEGACY"]), "NO_CLAIM", Later(Checkpoints)),
    opt("execution.state-recovery.from-local", &["state.backend.local-recovery"], Bool, "false", Later(Checkpoints)),
    opt("execution.state-recovery.ignore-unclaimed-state", &["execution.savepoint.ignore-unclaimed-state"], Bool, "false", Honoured),
    opt("execution.state-recovery.path", &["execution.savepoint.path"], Str, "", Honoured),
    opt("execution.state-recovery.without-channel-state.checkpoint-id", &["execution.checkpointing.recover-without-channel-state.checkpoint-id"], Int, "-1", Later(Checkpoints)),
];
