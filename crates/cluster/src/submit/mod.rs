//! A job as those see it who submitted it: the [states](status) of its life, and the
//! [decisions](lifecycle) that lead from one to the next, and its [failures].

pub mod failures;
pub mod lifecycle;
pub mod status;

pub use status::{JobStatus, Timeline};
