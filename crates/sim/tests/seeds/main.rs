//! What is run from seeds.
#![allow(clippy::unwrap_used)]

mod jobs;
mod leaders;
