//! How rows get from one task to another: partitioner → writer → channel → gate.

pub mod channel;
pub mod debloat;
pub mod gate;
pub mod partitioner;
#[cfg(test)]
mod tests;
pub mod writer;
