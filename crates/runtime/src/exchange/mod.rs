//! How rows get from one task to another: partitioner → writer → channel → gate.
//!
//! An unaligned barrier overtakes the rows in a channel: the gate gives them to the checkpoint
//! ([`in_flight`]), and what was restored comes first out of the next job's gate ([`restored`]).

pub mod channel;
pub mod credit;
pub mod debloat;
pub mod gate;
pub mod in_flight;
pub mod lane;
pub mod partitioner;
pub mod restored;
#[cfg(test)]
pub(crate) mod tests;
pub mod writer;
