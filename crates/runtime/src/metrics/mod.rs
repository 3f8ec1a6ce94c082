//! Counters and gauges of tasks and operators, under Flink's names.

pub mod operator;
pub mod task;
