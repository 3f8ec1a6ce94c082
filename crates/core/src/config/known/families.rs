//! Families of keys: where an unknown key is an error, and what holds for a whole family.

use super::Area::{Ha, Metrics, Recovery, Sql, StateMetrics};
use super::Verdict::{self, Later, NoMeaning};
use super::reason;

/// Keys that begin alike.
#[derive(Debug)]
pub struct Family {
    /// How they begin, up to and including a dot.
    pub prefix: &'static str,
    /// The answer to every key below it that the table does not have; `None` where such a key is
    /// an error.
    pub verdict: Option<Verdict>,
}

const fn strict(prefix: &'static str) -> Family {
    Family {
        prefix,
        verdict: None,
    }
}

const fn open(prefix: &'static str, verdict: Verdict) -> Family {
    Family {
        prefix,
        verdict: Some(verdict),
    }
}

/// Flink's own families, and the one of Rheos. The longest prefix that fits decides.
pub const FAMILIES: &[Family] = &[
    open("$internal.", NoMeaning("Flink writes it for itself")),
    open("akka.", NoMeaning(reason::NO_ACTORS)),
    open("blob.", NoMeaning(reason::ONE_BINARY)),
    open("classloader.", NoMeaning(reason::ONE_BINARY)),
    open("cleanup-strategy.", Later(Ha)),
    strict("client."),
    strict("cluster."),
    open("containerized.", NoMeaning(reason::NO_SCRIPTS)),
    open("dstl.", NoMeaning(reason::NO_CHANGELOG)),
    strict("env."),
    open("events.reporter.", Later(Metrics)),
    strict("events."),
    strict("execution."),
    open("external-resource.", NoMeaning(reason::NO_GPU)),
    strict("heartbeat."),
    strict("high-availability."),
    open(
        "high-availability.kubernetes.",
        NoMeaning(reason::NO_ZOOKEEPER),
    ),
    open(
        "high-availability.zookeeper.",
        NoMeaning(reason::NO_ZOOKEEPER),
    ),
    strict("historyserver."),
    strict("io."),
    open("jmx.", NoMeaning(reason::NO_JVM)),
    strict("job-result-store."),
    strict("jobmanager."),
    open("jobmanager.failure-enrichers.", Later(Recovery)),
    strict("jobstore."),
    strict("metrics."),
    open("metrics.reporter.", Later(Metrics)),
    open("metrics.scope.variables.", Later(Metrics)),
    strict("parallelism."),
    open("pekko.", NoMeaning(reason::NO_ACTORS)),
    strict("pipeline."),
    strict("process."),
    open("python.", NoMeaning(reason::NO_PYTHON)),
    open("queryable-state.", NoMeaning(reason::NO_QUERYABLE)),
    strict("resourcemanager."),
    strict("rest."),
    strict("rheos."),
    strict("restart-strategy."),
    strict("security."),
    open(
        "security.delegation.token.provider.",
        NoMeaning(reason::NO_KERBEROS),
    ),
    strict("sink."),
    strict("slot."),
    strict("slotmanager."),
    open("slow-task-detector.", NoMeaning(reason::STREAMING_ONLY)),
    open("sql-client.", Later(Sql)),
    open("sql-gateway.", Later(Sql)),
    strict("state."),
    open("state.backend.forst.", NoMeaning(reason::NO_FORST)),
    open("state.backend.rocksdb.metrics.", Later(StateMetrics)),
    strict("table."),
    strict("task."),
    strict("taskmanager."),
    open("taskmanager.network.netty.", NoMeaning(reason::NO_NETTY)),
    open("traces.reporter.", Later(Metrics)),
    strict("traces."),
    strict("web."),
    open("yarn.", NoMeaning("it runs without YARN")),
    open("mesos.", NoMeaning("it runs without Mesos")),
    open("zookeeper.", NoMeaning(reason::NO_ZOOKEEPER)),
];

/// The family of `key`: that of the longest prefix that fits.
pub(crate) fn of(key: &str) -> Option<&'static Family> {
    FAMILIES
        .iter()
        .filter(|f| key.starts_with(f.prefix))
        .max_by_key(|f| f.prefix.len())
}
