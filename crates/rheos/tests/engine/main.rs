//! The engine through its API: operators, windows, checkpoints, and what a running job tells.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests, some of them on real time"
)]

#[path = "../common/mod.rs"]
mod common;

mod checkpoint;
mod connect;
mod interval_join;
mod job_master;
mod reporter;
mod rest;
mod state_sizes;
mod unaligned;
mod window_join;
mod window_properties;
mod windows;
