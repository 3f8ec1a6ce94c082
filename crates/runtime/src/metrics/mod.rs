//! Counters and gauges of tasks and operators, under Flink's names.
//!
//! A task's thread writes [`task::TaskTimes`] and [`operator::OperatorMetrics`]; whoever watches holds
//! [`handle::TaskHandle`]s on them, and reads them through a [`registry::MetricRegistry`], which knows
//! every metric by its name in [`metric::Metric`]. What is told a second comes from two looks and the
//! time between: [`sampler::Sampler`]. What Prometheus reads is [`prometheus`]'s.

pub mod async_io;
pub mod checkpoints;
pub mod growth;
pub mod handle;
pub mod metric;
pub mod operator;
pub mod prometheus;
pub mod registry;
pub mod sample;
pub mod sampler;
pub mod states;
pub mod status;
pub mod task;
pub mod user;
