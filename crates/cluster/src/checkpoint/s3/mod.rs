//! Checkpoints in S3, and in stores that speak like it (the feature `s3`).
//!
//! Invariants: an object is there whole or not at all; of several who create one, one succeeds, which is
//! tried by a race before a job's log is kept there ([`race`]). Calls block until the store has
//! answered, or has not for a minute; what can be sent again is, with pauses that grow.

mod settings;

#[cfg(feature = "s3")]
mod client;
#[cfg(feature = "s3")]
mod race;
#[cfg(feature = "s3")]
mod storage;
#[cfg(all(test, feature = "s3"))]
mod tests;

pub use settings::S3Settings;
#[cfg(feature = "s3")]
pub use storage::S3Storage;
