//! Joins of two streams: by an interval of time around each row, and, as rows of one stream, by
//! window.

pub mod interval;
pub mod interval_buffer;
pub mod interval_function;
pub mod tagged;
