//! Counters and gauges of tasks and operators, under Flink's names.

pub mod async_io;
pub mod operator;
pub mod task;
