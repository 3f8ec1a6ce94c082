//! Streams: what the operators of a job are called on.

mod async_stream;
pub mod data_stream;
pub mod key_selector;
pub mod keyed_stream;
pub mod sink;
pub mod sink_ext;
pub mod windowed_stream;
