//! Checkpoints from the JobManager's side: when, of what, kept where.
//!
//! ```text
//! coordinator: trigger n ─▶ barriers to the sources … pieces and snapshots of the tasks
//!              ─▶ writer: files
//!              all written ─▶ writer: manifest, then the record in the log ─▶ complete
//!              ─▶ tasks hear of it (sinks commit) ─▶ older checkpoints are deleted
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`settings`] | what a configuration says of checkpoints |
//! | [`coordinator`] | which checkpoint is under way and what becomes of it: decisions only |
//! | [`location`] | a place as it is configured |
//! | [`storage`], [`folder`], [`memory`], [`s3`] | where files lie |
//! | [`log`] | the only truth about a job: its generations and complete checkpoints |
//! | [`store_files`] | files of stores, which checkpoints share |
//! | [`fitting`] | whether a job can read what a checkpoint holds |
//! | [`manifest`] | what a checkpoint consists of |
//! | `files`, `kept_store`, `restore_folder` | reading it back; the files of a store on this machine |
//! | [`job_store`] | a job's folder: whose it is, what to resume from |
//! | [`savepoint`] | pictures that a person asks for |
//! | [`copies`] | copies in a second place |
//! | [`history`] | what became of each, for whoever asks |
//! | [`writer`], [`task_files`] | the thread that writes, and the files of a task |
//! | [`progress`] | what tasks ask while they write |

pub mod coordinator;
pub mod copies;
pub mod error;
mod files;
pub mod fitting;
pub mod folder;
pub mod history;
pub mod job_store;
mod kept_store;
pub mod location;
pub mod log;
pub mod manifest;
pub mod memory;
pub(crate) mod numbered;
pub mod progress;
mod restore_folder;
pub mod s3;
pub mod savepoint;
pub mod settings;
pub mod storage;
pub mod store_files;
pub mod task_files;
pub mod writer;

pub use error::CheckpointError;
pub use job_store::{JobStore, Resume, folder_of};
pub use location::Location;
pub use settings::CheckpointSettings;
