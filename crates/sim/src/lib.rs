//! Whole jobs in one thread, from a seed: what runs next, what time it is, what fails and where it
//! crashes are all drawn from one number, so that a run that went wrong can be had again.
//!
//! ```text
//! seed ─▶ Scenario ─▶ run: lives of a job (SteppedJob), one after the other, beside their zombies
//!                      │    over what outlives them: input, checkpoint store, tables outside
//!                      ▼
//!                    Outcome: what the oracles say, how far it came, where it crashed
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`scenario`] | what a run is made of, drawn from a seed, and made smaller where one fails |
//! | [`chaos`] | what fails, and before or after its effect |
//! | [`storage`] | a checkpoint store that fails |
//! | [`table`] | a system outside that takes staged epochs behind a fence, and fails |
//! | [`source`], [`job`] | the job |
//! | [`run`] | the scheduler |
//! | `settings` | what checkpoints are taken by |
//! | [`oracle`] | what must hold at the end |
//! | [`leaders`] | another kind of run: several JobManagers, of which one leads |
//!
//! The engine is the real one: tasks, exchange, state, coordinator, writer, log and restore. Not in
//! it: threads, sockets, the job's restart strategy (each failure is a new life here), RocksDB.

pub mod chaos;
pub mod job;
pub mod leaders;
pub mod oracle;
pub mod run;
pub mod scenario;
mod settings;
pub mod source;
pub mod storage;
pub mod table;
