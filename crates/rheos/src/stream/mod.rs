//! Streams: what the operators of a job are called on.

mod async_stream;
pub mod broadcast_stream;
pub mod connected_streams;
pub mod data_stream;
pub mod interval_join;
pub mod joined_streams;
pub mod key_selector;
mod keyed_reduce;
pub mod keyed_stream;
pub mod sink;
pub mod sink_ext;
pub mod windowed_stream;
