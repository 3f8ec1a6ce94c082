//! Asynchronous I/O: rows that wait for a system outside without holding up those behind them.
//!
//! A row is taken, its future runs on the job's I/O runtime, and its results are emitted on the
//! task's thread: in the order of the input ([`OutputMode::Ordered`]), or as they come
//! ([`OutputMode::Unordered`]), but never across a watermark. At most `capacity` rows are in flight;
//! their inputs are kept until their results have been emitted, so that a checkpoint can hold them.
//!
//! Life of a row: queued → attempts, each let through by the circuit breaker and followed by a delay
//! while the retry strategy says so → done (results, the fallback's or the time-out's row) →
//! emitted. Time-outs and delays go by the job's clock; the futures themselves by the runtime's.
//!
//! | file | what it holds |
//! |---|---|
//! | [`function`] | `AsyncFunction`, the side that users write, and what can go wrong in it |
//! | [`options`] | time-out, capacity, fallback |
//! | [`retry`] | when to try again: a pure decider |
//! | [`circuit_breaker`] | when not to try at all: a pure state machine |
//! | [`queue`] | what is in flight, and in which order it may leave |
//! | [`operator`] | all of it at work in one subtask |

mod attempts;
mod call_window;
pub mod circuit_breaker;
pub mod function;
pub mod operator;
pub mod options;
pub mod queue;
pub mod retry;

pub use circuit_breaker::{BreakerState, CircuitBreaker};
pub use function::{AsyncError, AsyncFunction};
pub use operator::AsyncWaitOperator;
pub use options::AsyncOptions;
pub use queue::OutputMode;
pub use retry::RetryStrategy;
