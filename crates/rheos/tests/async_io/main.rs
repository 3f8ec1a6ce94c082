//! Asynchronous I/O: under a clock that stands still, with answers given by hand, and on threads.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod breaker;
mod desk;
mod on_threads;
mod order;
mod rate_limit;
mod retries;
