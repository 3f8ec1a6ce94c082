//! Whole jobs from a generator to files, whatever stops them: failures, other parallelisms, savepoints,
//! storage that goes and comes back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests, on real time"
)]

#[path = "../common/mod.rs"]
mod common;

mod cancellation;
mod exactly_once;
mod rescale;
mod s3_checkpoints;
mod savepoints;
mod state_in_rocksdb;
