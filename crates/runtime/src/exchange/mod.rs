//! How rows get from one task to another: partitioner → writer → channel → gate.

pub mod channel;
pub mod debloat;
pub mod gate;
pub mod partitioner;
pub mod writer;
