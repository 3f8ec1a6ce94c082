//! What happens after a failure. The decisions are pure: time and randomness come in, and whoever
//! runs the job acts on what comes out.

pub mod restart_strategy;

pub use restart_strategy::{Decision, RestartStrategy};
