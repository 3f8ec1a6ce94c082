//! SQL: planner and session.

use super::Area::Sql;
use super::Kind::{Bool, Int, List, Str};
use super::Verdict::Later;
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("table.builtin-catalog-name", &[], Str, "default_catalog", Later(Sql)),
    opt("table.builtin-database-name", &[], Str, "default_database", Later(Sql)),
    opt("table.catalog-modification.listeners", &[], List, "", Later(Sql)),
    opt("table.catalog-store.kind", &[], Str, "generic_in_memory", Later(Sql)),
    opt("table.column-expansion-strategy", &[], List, "", Later(Sql)),
    opt("table.display.max-column-width", &[], Int, "30", Later(Sql)),
    opt("table.dml-sync", &[], Bool, "false", Later(Sql)),
    opt("table.local-time-zone", &[], Str, "default", Later(Sql)),
    opt("table.optimizer.agg-phase-strategy", &[], Str, "AUTO", Later(Sql)),
    opt("table.optimizer.distinct-agg.split.bucket-num", &[], Int, "1024", Later(Sql)),
    opt("table.optimizer.distinct-agg.split.enabled", &[], Bool, "false", Later(Sql)),
    opt("table.optimizer.incremental-agg-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.optimizer.join-reorder-enabled", &[], Bool, "false", Later(Sql)),
    opt("table.optimizer.join.broadcast-threshold", &[], Int, "1048576", Later(Sql)),
    opt("table.optimizer.multiple-input-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.optimizer.non-deterministic-update.strategy", &[], Str, "IGNORE", Later(Sql)),
    opt("table.optimizer.reuse-optimize-block-with-digest-enabled", &[], Bool, "false", Later(Sql)),
    opt("table.optimizer.reuse-sink-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.optimizer.reuse-source-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.optimizer.reuse-sub-plan-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.optimizer.source.report-statistics-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.optimizer.sql2rel.project-merge.enabled", &[], Bool, "false", Later(Sql)),
    opt("table.optimizer.union-all-as-breakpoint-enabled", &[], Bool, "true", Later(Sql)),
    opt("table.plan.compile.catalog-objects", &[], Str, "ALL", Later(Sql)),
    opt("table.plan.force-recompile", &[], Bool, "false", Later(Sql)),
    opt("table.plan.restore.catalog-objects", &[], Str, "ALL", Later(Sql)),
    opt("table.resources.download-dir", &[], Str, "", Later(Sql)),
    opt("table.rtas-ctas.atomicity-enabled", &[], Bool, "false", Later(Sql)),
    opt("table.sql-dialect", &[], Str, "default", Later(Sql)),
];
