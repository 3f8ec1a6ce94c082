//! Testing a pipeline, or one operator of it, in one thread under a clock that stands still.
//!
//! The tasks, channels and gates are the ones of production; only the threads are missing: a test
//! steps the tasks itself, in the same order every time. Elements, watermarks and time come by hand,
//! and what came out is a value.
//!
//! ```
//! use rheos::prelude::*;
//! use rheos::harness::Harness;
//!
//! let harness = Harness::new();
//! let (mut numbers, stream) = harness.input::<i64>("numbers");
//! let output = harness.output(&stream.map(|n| n * 2));
//! let mut job = harness.start()?;
//! numbers.push(21, 1_000);
//! job.settle()?;
//! assert_eq!(output.take_rows(), [42]);
//! # Ok::<(), rheos::harness::HarnessError>(())
//! ```

mod input;
mod job;
mod output;

pub use input::TestInput;
pub use job::{Harness, HarnessError, TestCheckpoint, TestJob};
pub use output::TestOutput;
