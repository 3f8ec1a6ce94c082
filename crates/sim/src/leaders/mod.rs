//! Several JobManagers of one job in one thread, from a seed: which of them leads, and whose checkpoints
//! count, while their clocks differ and drift, and they are stopped in the middle of a step and woken later,
//! killed and started again, cut off from the storage and from each other; over a storage that answers late,
//! not at all, or has its effect long after.
//!
//! ```text
//! seed ─▶ Scenario ─▶ run: fibers, each a JobManager's thread, in the order of simulated time
//!                      │    faults, drawn; each request to the storage is two waits and an effect
//!                      ▼
//!                    Oracle: told of each generation begun and each checkpoint completed, when it is
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`scenario`] | what a run is made of, drawn from a seed |
//! | [`world`] | time, fibers, machines and their clocks |
//! | [`files`] | the storage's files, and what a listing that lags shows of them |
//! | [`link`] | a JobManager's way to the storage |
//! | [`manager`] | a JobManager's life: stands by, leads, takes checkpoints |
//! | [`task_manager`] | a TaskManager's search for the leader |
//! | [`faults`] | what happens to them |
//! | [`oracle`] | what must hold, at any moment and at the end |
//! | [`run`] | the scheduler |
//!
//! The real ones are the candidate's looks and the keeper's renewals with all they decide, the lease's
//! records, the job's log, and the job's folder: what a generation begins with, completing and retiring
//! checkpoints, sweeping. TaskManagers look for the leader with the real seeker, and run nothing. Not
//! in it: the JobMaster with its coordinator and writer (the simulation of a job has those), what
//! JobManagers and TaskManagers tell each other, sockets. The job is without operators: a checkpoint is its manifest and
//! a file.

pub mod faults;
pub mod files;
pub mod link;
pub mod manager;
pub mod oracle;
pub mod run;
pub mod scenario;
pub mod task_manager;
pub mod world;
