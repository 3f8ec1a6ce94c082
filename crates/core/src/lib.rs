//! The vocabulary of Rheos: rows and their codec, the elements that flow, time, key groups,
//! identifiers, configuration. No I/O and no async runtime: everything above stands on this crate,
//! so it depends on next to nothing.
//!
//! | module | what it holds |
//! |---|---|
//! | [`row`] | `Row`, what `#[derive(Row)]` gives: schema, codec, field visitor, key bytes |
//! | [`change`] | a row with what has become of it: inserted, updated, deleted |
//! | [`element`] | `Batch`, `Element`, `Control`: what flows on a channel |
//! | [`barrier`] | the barrier of a checkpoint or savepoint |
//! | [`key_group`] | key → hash → key group → subtask |
//! | [`time`] | event-time constants and watermark arithmetic |
//! | [`clock`], [`rng`], [`spawn`] | what the simulation owns: time, randomness, threads |
//! | [`id`] | names of jobs, operators, subtasks, attempts, generations |
//! | [`job_graph`] | what to run: operators, edges, chains |
//! | [`config`] | Flink's configuration keys and files |
#![deny(missing_docs)]

// `#[derive(Row)]` names this crate by its public path; inside it, that path is itself.
#[allow(
    unused_extern_crates,
    reason = "used where the crate derives `Row` for types of its own"
)]
extern crate self as rheos_core;

pub mod barrier;
pub mod change;
pub mod clock;
pub mod config;
pub mod element;
pub mod id;
pub mod job_graph;
pub mod key_group;
pub mod queue;
pub mod rng;
pub mod row;
pub mod spawn;
pub mod time;
pub mod vectors;

pub use row::Row;
