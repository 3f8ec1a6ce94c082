//! Rheos: stream processing with Flink's semantics, in Rust.
//!
//! A job is a program: it describes streams in a [`StreamEnv`], and [`main`] makes a command of it
//! that runs the job in one process, draws its plan, and takes Flink's configuration.
//!
//! | module | what it holds |
//! |---|---|
//! | [`env`](mod@env) | `StreamEnv`, where a job begins |
//! | [`stream`] | the operators |
//! | [`command`] | `rheos::main`: a job as a command |
//! | [`configuration`] | reading a configuration file |
//! | [`harness`] | testing a pipeline under a virtual clock |
//! | [`monitor`] | what a run shows while it lasts, and its summary |
//! | [`execute`] | running a program in this process |
//! | [`session`] | the processes of a session, in which several jobs run |
//! | [`prelude`] | what most jobs import |
#![deny(missing_docs)]

pub mod command;
pub mod configuration;
pub mod env;
pub mod error;
pub mod execute;
mod graph_builder;
pub mod harness;
pub mod monitor;
pub mod prelude;
pub mod session;
pub mod stream;

pub use command::{Finished, RunOptions, main, main_then, main_with, run_job};
pub use env::StreamEnv;
pub use error::ApiError;
pub use rheos_cluster as cluster;
pub use rheos_core as core;
pub use rheos_runtime as runtime;
pub use rheos_state as state;
