//! Metrics.

use super::Area::Metrics;
use super::Kind::{Bool, Duration, Enum, Int, List, Str};
use super::Verdict::{Honoured, Later, NoMeaning};
use super::reason::NO_ACTORS;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("events.reporters", &[], Str, "", Later(Metrics)),
    opt("metrics.fetcher.update-interval", &[], Duration, "10 s", Later(Metrics)),
    opt("metrics.internal.query-service.port", &[], Str, "0", NoMeaning(NO_ACTORS)),
    opt("metrics.internal.query-service.thread-priority", &[], Int, "1", NoMeaning(NO_ACTORS)),
    opt("metrics.job.status.enable", &[], List, "CURRENT_TIME", Later(Metrics)),
    opt("metrics.latency.granularity", &[], Enum(&["single", "operator", "subtask"]), "operator", Later(Metrics)),
    opt("metrics.latency.history-size", &[], Int, "128", Later(Metrics)),
    opt("metrics.latency.interval", &[], Duration, "0 ms", Honoured),
    opt("metrics.reporter.prom.factory.class", &["metrics.reporter.prom.class"], Str, "", Honoured),
    opt("metrics.reporter.prom.filterLabelValueCharacters", &[], Bool, "true", Honoured),
    opt("metrics.reporter.prom.host", &[], Str, "", Honoured).ours("127.0.0.1"),
    opt("metrics.reporter.prom.port", &[], Str, "9249", Honoured),
    opt("metrics.reporters", &[], Str, "", Honoured),
    opt("metrics.scope.delimiter", &[], Str, ".", Later(Metrics)),
    opt("metrics.scope.jm", &[], Str, "<host>.jobmanager", Later(Metrics)),
    opt("metrics.scope.jm-job", &["metrics.scope.jm.job"], Str, "<host>.jobmanager.<job_name>", Later(Metrics)),
    opt("metrics.scope.jm-operator", &[], Str, "<host>.jobmanager.<job_name>.<operator_name>", Later(Metrics)),
    opt("metrics.scope.operator", &[], Str, "<host>.taskmanager.<tm_id>.<job_name>.<operator_name>.<subtask_index>", Later(Metrics)),
    opt("metrics.scope.task", &[], Str, "<host>.taskmanager.<tm_id>.<job_name>.<task_name>.<subtask_index>", Later(Metrics)),
    opt("metrics.scope.tm", &[], Str, "<host>.taskmanager.<tm_id>", Later(Metrics)),
    opt("metrics.scope.tm-job", &["metrics.scope.tm.job"], Str, "<host>.taskmanager.<tm_id>.<job_name>", Later(Metrics)),
    opt("metrics.scope.tm-operator", &["metrics.scope.tm.operator"], Str, "<host>.taskmanager.<tm_id>.<job_name>.<operator_name>.<subtask_index>", Later(Metrics)),
    opt("metrics.scope.variables.excludes", &[], List, "", Later(Metrics)),
    opt("metrics.system-resource", &[], Bool, "false", Later(Metrics)),
    opt("metrics.system-resource-probing-interval", &[], Duration, "5 s", Later(Metrics)),
    opt("traces.reporters", &[], Str, "", Later(Metrics)),
];
