//! Runs scenarios. A runner sees the scenario and never what Flink gave for it.
//!
//! Each family of kinds has a file with its runners; [`run`] knows which kind is run by which.

pub(crate) mod backend;
pub(crate) mod crash;
mod drive;
mod interval_join;
mod keyed_process;
mod restart;
mod watermark;
mod window;
mod window_join;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::scenario::Program;

/// What Rheos gave for a scenario, in the form of the scenario files: fields by their names there,
/// times through [`crate::scenario::stream::Time`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// The records in the order in which they came, or what each step gave.
    pub output: Vec<Value>,
    /// Late elements in the order in which they came.
    pub late: Vec<Value>,
    /// Late elements of the left side.
    pub late_left: Vec<Value>,
    /// Late elements of the right side.
    pub late_right: Vec<Value>,
}

impl Outcome {
    /// The outcome of a kind of steps.
    fn of_steps(output: Vec<Value>) -> Self {
        Self {
            output,
            ..Self::default()
        }
    }
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The kind is left out on purpose.
    #[error("complex event processing is not supported")]
    NotSupported,
    /// Nobody has written a runner for the kind.
    #[error("there is no runner for this kind")]
    NoRunner,
    /// The scenario could not be run to its end.
    #[error("{0}")]
    Failed(String),
}

/// Runs the scenarios of one form. Implemented once a kind; called from one thread.
pub trait Runner<S> {
    /// Runs one scenario at this parallelism (above 1 only for kinds with keys).
    ///
    /// # Errors
    /// [`RunError::Failed`] with what went wrong.
    fn run(&self, scenario: &S, parallelism: u32) -> Result<Outcome, RunError>;
}

/// Runs a scenario with the runner of its kind. A panic is a failure like any other.
///
/// # Errors
/// Why there is no outcome.
pub fn run(program: &Program, parallelism: u32) -> Result<Outcome, RunError> {
    crash::begin(parallelism);
    catch_unwind(AssertUnwindSafe(|| dispatch(program, parallelism)))
        .unwrap_or_else(|panic| Err(RunError::Failed(format!("panicked: {}", message(&*panic)))))
}

fn dispatch(program: &Program, parallelism: u32) -> Result<Outcome, RunError> {
    match program {
        Program::WatermarkGenerator(s) => watermark::Generator.run(s, parallelism),
        Program::StatusWatermarkValve(s) => watermark::Valve.run(s, parallelism),
        Program::CombinedWatermarkStatus(s) => watermark::Combined.run(s, parallelism),
        Program::WatermarkOutputMultiplexer(s) => watermark::Multiplexer.run(s, parallelism),
        Program::ExponentialDelay(s) => restart::Strategies.run(s, parallelism),
        Program::FailureRate(s) => restart::Strategies.run(s, parallelism),
        Program::FixedDelay(s) => restart::Strategies.run(s, parallelism),
        Program::Cep => Err(RunError::NotSupported),
        Program::Window(s) => window::Windows.run(s, parallelism),
        Program::KeyedProcess(s) => keyed_process::Programs.run(s, parallelism),
        Program::IntervalJoin(s) => interval_join::Independent.run(s, parallelism),
        Program::IntervalJoinLockstep(s) => interval_join::Lockstep.run(s, parallelism),
        Program::WindowJoin(s) => window_join::Join.run(s, parallelism),
        Program::CoGroup(s) => window_join::CoGroup.run(s, parallelism),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
