//! Sinks: a writer a subtask, and the operator that drives it.

pub mod operator;
pub mod writer;
