//! Servers in trouble: of their own to each test, killed, stopped, full and busy, as real ones are.
//! What is shown of each: the job is held up rather than losing rows, completes no checkpoint while
//! rows before it are not written, goes on by itself, and every row is there in the end. The table of
//! all faults and their tests is docs/faults.md.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[path = "../common/mod.rs"]
mod common;

mod lookups;
mod postgres;
mod redis;
mod search;
