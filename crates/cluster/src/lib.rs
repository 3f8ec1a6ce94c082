//! What a JobManager does, in the direction of control: [`submit`] (a job, its states, and what leads
//! from one to the next) → [`schedule`] (its tasks and what each is at) → [`deploy`] (from a JobGraph to channels and
//! tasks) → [`checkpoint`] (what is kept of them) → [`recover`] (what to do after a failure) → and
//! [`embedded`], where JobManager and TaskManager are one process, or [`remote`], where tasks run in other
//! processes; [`ha`] picks the leader of several JobManagers, and [`session`] runs several jobs in one cluster.
//!
//! [`reporter`] shows the metrics of what runs, [`rest`] answers what tools and people ask, both over
//! [`http`]; [`memory`] ends what would have no room.
//!
//! Decisions are pure; threads, signals and the clock are at the edge, in [`embedded`]. This crate
//! never links a connector.
#![deny(missing_docs)]

pub mod bottleneck;
pub mod checkpoint;
pub mod deploy;
pub mod embedded;
pub mod error;
pub mod ha;
pub mod http;
pub mod memory;
mod pause;
pub mod recover;
pub mod remote;
pub mod reporter;
pub mod rest;
pub mod schedule;
pub mod session;
pub mod submit;
pub mod tls;

pub use error::JobError;
