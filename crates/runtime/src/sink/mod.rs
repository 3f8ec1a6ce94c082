//! Sinks: a writer a subtask, the operator that drives it, and, for those that are exactly once, a
//! committer that applies what the writer has staged.
//!
//! ```text
//! rows ──▶ SinkWriter::write … barrier n ──▶ SinkWriter::stage ──▶ handle, in checkpoint n
//!                                  checkpoint n is complete ──▶ Committer::commit(epochs ≤ n)
//!                                  restored from n          ──▶ Committer::commit(epochs ≤ n), again
//! ```

mod commits;
pub mod committer;
pub mod operator;
pub mod writer;
