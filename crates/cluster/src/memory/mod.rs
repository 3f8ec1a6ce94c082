//! The memory of the process: what it may have, what its states come to, and when that ends.
//!
//! Life of a [`MemoryWatch`]: made when a job starts → looks at states and process, tells how fast states grow
//! and when they will have no room ([`forecast`]) → says that the job must end, while there is still
//! room to end it in good order ([`limit`]).

mod amount;
pub mod forecast;
pub mod limit;
pub(crate) mod system;
mod watch;

pub(crate) use amount::mebibytes;
pub use system::{managed_memory, process_memory};
pub use watch::{MemoryWatch, jobmanager_memory, soonest};
