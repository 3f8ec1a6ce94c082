//! Network.

use super::Area::Cluster;
use super::Kind::{Bool, Duration, Enum, Int, Str};
use super::Verdict::{Honoured, Later, NoMeaning};
use super::reason::{BYTE_CREDIT, DEBLOAT, NO_NETTY, ONE_TCP, STREAMING_ONLY};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("taskmanager.network.bind-policy", &[], Enum(&["ip", "name"]), "ip", Later(Cluster)),
    opt("taskmanager.network.compression.codec", &[], Str, "LZ4", Honoured),
    opt("taskmanager.network.compression.enabled", &[], Bool, "false", Honoured),
    opt("taskmanager.network.credit-model", &[], Bool, "true", Later(Cluster)),
    opt("taskmanager.network.detailed-metrics", &[], Bool, "false", Later(Cluster)),
    opt("taskmanager.network.memory.buffer-debloat.enabled", &[], Bool, "false", Honoured).ours("true"),
    opt("taskmanager.network.memory.buffer-debloat.period", &[], Duration, "200 ms", NoMeaning(DEBLOAT)),
    opt("taskmanager.network.memory.buffer-debloat.samples", &[], Int, "20", NoMeaning(DEBLOAT)),
    opt("taskmanager.network.memory.buffer-debloat.target", &[], Duration, "1 s", Honoured).ours("200 ms"),
    opt("taskmanager.network.memory.buffer-debloat.threshold-percentages", &[], Int, "25", NoMeaning(DEBLOAT)),
    opt("taskmanager.network.memory.buffers-per-external-blocking-channel", &[], Int, "16", Later(Cluster)),
    opt("taskmanager.network.memory.exclusive-buffers-request-timeout-ms", &[], Int, "30000", Later(Cluster)),
    opt("taskmanager.network.memory.read-buffer.required-per-gate.max", &[], Int, "", NoMeaning(BYTE_CREDIT)),
    opt("taskmanager.network.netty.client.connectTimeoutSec", &[], Int, "120", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.client.tcp.keepCount", &[], Int, "", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.client.tcp.keepIdleSec", &[], Int, "", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.client.tcp.keepIntervalSec", &[], Int, "", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.netty.server.enabled", &[], Bool, "true", NoMeaning(NO_NETTY)),
    opt("taskmanager.network.numberOfBuffers", &[], Int, "2048", Later(Cluster)),
    opt("taskmanager.network.partition-request-timeout", &[], Duration, "10 s", Later(Cluster)),
    opt("taskmanager.network.request-backoff.initial", &["taskmanager.net.request-backoff.initial"], Int, "100", Later(Cluster)),
    opt("taskmanager.network.request-backoff.max", &["taskmanager.net.request-backoff.max"], Int, "10000", Later(Cluster)),
    opt("taskmanager.network.retries", &[], Int, "0", Later(Cluster)),
    opt("taskmanager.network.sort-shuffle.min-buffers", &[], Int, "512", NoMeaning(STREAMING_ONLY)),
    opt("taskmanager.network.tcp-connection.enable-reuse-across-jobs", &[], Bool, "true", NoMeaning(ONE_TCP)),
];
