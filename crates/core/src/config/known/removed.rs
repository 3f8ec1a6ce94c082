//! Removed in Flink 2, still accepted.

use super::Area::Sql;
use super::Kind::{Bool, Int, Str};
use super::Verdict::{Later, NoMeaning};
use super::reason::{BYTE_CREDIT, EVERY_SLOT, NO_NETTY, ONE_TCP, STREAMING_ONLY};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("jobmanager.adaptive-scheduler.min-parallelism-increase", &[], Int, "1", NoMeaning(EVERY_SLOT)),
    opt("table.optimizer.source.aggregate-pushdown-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.optimizer.source.predicate-pushdown-enabled", &[], Bool, "true", Later(Sql)),
    opt("taskmanager.network.batch-shuffle.compression.enabled", &[], Bool, "true", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.network.blocking-shuffle.type", &[], Str, "file", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.network.hybrid-shuffle.enable-new-mode", &[], Bool, "true", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.network.hybrid-shuffle.memory-decoupling.enabled", &[], Bool, "false", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.network.hybrid-shuffle.num-retained-in-memory-regions-max", &[], Int, "1048576", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.network.hybrid-shuffle.spill-index-region-group-size", &[], Int, "1024", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.network.max-num-tcp-connections", &[], Int, "1", NoMeaning(ONE_TCP)),
    opt("taskmanager.network.memory.buffers-per-channel", &[], Int, "2", NoMeaning(BYTE_CREDIT)),
    opt("taskmanager.network.memory.floating-buffers-per-gate", &[], Int, "8", NoMeaning(BYTE_CREDIT)),
    opt("taskmanager.network.memory.max-buffers-per-channel", &[], Int, "10", NoMeaning(BYTE_CREDIT)),
    opt("taskmanager.network.memory.max-overdraft-buffers-per-gate", &[], Int, "5", NoMeaning(BYTE_CREDIT)),
    opt("taskmanager.network.netty.client.numThreads", &[], Int, "-1", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.num-arenas", &[], Int, "-1", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.sendReceiveBufferSize", &[], Int, "0", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.server.backlog", &[], Int, "0", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.server.numThreads", &[], Int, "-1", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.transport", &[], Str, "auto", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.sort-shuffle.min-parallelism", &[], Int, "1", NoMeaning(STREAMING_ONLY)),
];
