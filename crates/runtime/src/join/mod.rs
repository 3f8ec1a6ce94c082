//! Joins of two streams: by an interval of time around each row, and by window.

pub mod interval;
mod interval_buffer;
pub mod interval_function;
pub mod tagged;
pub mod window;
pub mod window_group;
