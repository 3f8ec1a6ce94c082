//! What can be put around any sink.

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, CommitterContext};
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

/// Wrappers for sinks. Implemented for everything that can be one.
pub trait SinkExt: Sized {
    /// Lets at most so many rows a second into the sink, over all its subtasks together. Rows
    /// beyond that are held back, and show as back-pressure.
    fn rate_limited(self, rows_per_second: f64) -> RateLimited<Self> {
        RateLimited {
            sink: self,
            rows_per_second,
        }
    }
}

impl<S: Send + Sync + 'static> SinkExt for S {}

/// A sink with a limit on its rate; see [`SinkExt::rate_limited`].
#[derive(Debug, Clone)]
pub struct RateLimited<S> {
    sink: S,
    rows_per_second: f64,
}

impl<T: Row, S: Sink<T>> Sink<T> for RateLimited<S> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        self.sink.writer(context)
    }

    fn committer(
        &self,
        context: &CommitterContext,
    ) -> Result<Option<Box<dyn Committer>>, BoxError> {
        self.sink.committer(context)
    }

    fn rate_limit(&self) -> Option<f64> {
        match self.sink.rate_limit() {
            Some(inner) => Some(inner.min(self.rows_per_second)),
            None => Some(self.rows_per_second),
        }
    }
}
