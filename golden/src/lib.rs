//! Golden scenarios: exact inputs, and the outputs that Apache Flink 2.3 gave for them.
//!
//! A line of a scenario file goes through three hands, and the types keep them apart:
//!
//! 1. [`scenario`] reads it into a [`scenario::Scenario`] (what to run) and a [`scenario::Sealed`]
//!    (what Flink gave, still undecoded text);
//! 2. a runner of [`run`] gets the scenario alone and returns its own [`run::Outcome`];
//! 3. [`judge`] opens the sealed text and compares, as far as Flink guarantees an order.
//!
//! [`suite`] does this for a folder, [`report`] says what came of it. A kind without a runner fails;
//! only complex event processing counts as not supported.
#![deny(missing_docs)]

pub mod judge;
pub mod report;
pub mod run;
pub mod scenario;
pub mod suite;
