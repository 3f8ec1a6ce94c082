//! A job as those see it who submitted it: the [states](status) of its life, and the
//! [decisions](lifecycle) that lead from one to the next, its [failures] and its [rescales].

pub mod failures;
pub mod lifecycle;
pub mod rescales;
pub mod status;

pub use status::{JobStatus, Timeline};
