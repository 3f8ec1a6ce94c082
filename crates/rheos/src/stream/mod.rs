//! Streams: what the operators of a job are called on.

pub mod data_stream;
pub mod key_selector;
pub mod keyed_stream;
pub mod sink;
