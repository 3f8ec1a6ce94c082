//! The side of asynchronous I/O that users write.

use std::future::Future;

use crate::error::BoxError;

/// Asks a system outside about a row. Implemented by users and by closures `|row| async { … }`;
/// made on each subtask and called on the task's thread, which it must not block. The futures run on
/// the job's I/O runtime, as many at a time as the operator's capacity; they are dropped when their
/// row's time is up or the job ends.
pub trait AsyncFunction<In, Out>: 'static {
    /// The future that gives the rows for `row`: none, one or several.
    fn invoke(&self, row: In) -> impl Future<Output = Result<Vec<Out>, BoxError>> + Send + 'static;

    /// The rows for a row whose time is up. An error goes to the fallback, and where there is none
    /// ends the job.
    ///
    /// # Errors
    /// By default, that the row was not answered in time.
    fn timeout(&self, row: In) -> Result<Vec<Out>, BoxError> {
        let _ = row;
        Err(NOT_IN_TIME.into())
    }
}

pub(crate) const NOT_IN_TIME: &str = "no answer in time";

impl<In, Out, F, Fut, Rows> AsyncFunction<In, Out> for F
where
    F: Fn(In) -> Fut + 'static,
    Fut: Future<Output = Result<Rows, BoxError>> + Send + 'static,
    Rows: IntoIterator<Item = Out>,
{
    fn invoke(&self, row: In) -> impl Future<Output = Result<Vec<Out>, BoxError>> + Send + 'static {
        let answer = self(row);
        async move { Ok(answer.await?.into_iter().collect()) }
    }
}

/// Why a row got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AsyncError {
    /// Its last attempt failed: mend the function or what it asks, or retry more.
    #[error("attempt {attempts} failed: {error}")]
    Failed {
        /// Attempts made.
        attempts: u32,
        /// What the last one said.
        error: BoxError,
    },
    /// Its time was up: allow more time, or give the operator a fallback.
    #[error(
        "{error}: the time-out of {timeout_millis} ms passed in attempt {attempts}; allow more with \
         AsyncOptions::timeout, answer in AsyncFunction::timeout or give a fallback"
    )]
    TimedOut {
        /// Attempts made.
        attempts: u32,
        /// The time-out.
        timeout_millis: i64,
        /// What [`AsyncFunction::timeout`] said.
        error: BoxError,
    },
    /// The circuit breaker let no attempt through: the system outside needs a rest.
    #[error(
        "rejected: the circuit breaker is {state}, after {attempts} attempts at this row; give the \
         operator a fallback to go on without the answer"
    )]
    Rejected {
        /// Attempts made at the row before.
        attempts: u32,
        /// The breaker's state, open or half-open with all permits given away.
        state: super::circuit_breaker::BreakerState,
    },
}
