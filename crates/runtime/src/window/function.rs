//! What is made of a window when it fires.

use rheos_core::Row;
use rheos_core::id::Place;
use rheos_core::time::Millis;

use crate::chain::collector::Collector;
use crate::chain::operator::OperatorContext;
use crate::error::BoxError;

/// What a window function can ask while it sees a window.
pub struct WindowContext<'a> {
    operator: &'a OperatorContext,
}

impl<'a> WindowContext<'a> {
    pub(crate) fn new(operator: &'a OperatorContext) -> Self {
        Self { operator }
    }

    /// The operator's watermark; [`rheos_core::time::MIN_TIMESTAMP`] before the first.
    pub fn watermark(&self) -> Millis {
        self.operator.watermark
    }

    /// Processing time.
    pub fn processing_time(&self) -> Millis {
        self.operator.now_millis
    }

    /// Operator, subtask, parallelism.
    pub fn place(&self) -> &Place {
        &self.operator.place
    }
}

/// Makes rows of the aggregate, or the reduced row, of a window. What it collects has the window's
/// greatest timestamp.
///
/// Implemented by users, closures included; made on each subtask by a factory that hands it its
/// state, called from the task's thread.
pub trait WindowFunction<K: Row, W, R, Out: Row>: 'static {
    /// A window of a key fires.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn apply(
        &mut self,
        key: &K,
        window: &W,
        result: R,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// The window goes: drops what the function has in state for it, its per-window state excepted,
    /// which is dropped anyway.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn clear(&mut self, key: &K, window: &W, context: &WindowContext<'_>) -> Result<(), BoxError> {
        let _ = (key, window, context);
        Ok(())
    }

    /// Whether [`WindowFunction::clear`] does anything: functions that say no can be spared it.
    fn clears(&self) -> bool {
        true
    }
}

impl<K: Row, W, R, Out: Row, F> WindowFunction<K, W, R, Out> for F
where
    F: FnMut(&K, &W, R, &WindowContext<'_>, &mut Collector<'_, Out>) -> Result<(), BoxError>
        + 'static,
{
    fn apply(
        &mut self,
        key: &K,
        window: &W,
        result: R,
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        self(key, window, result, context, out)
    }

    fn clears(&self) -> bool {
        false
    }
}

/// Makes rows of all the rows of a window, which it is given in the order of arrival; where windows
/// have merged, those of the older one first.
///
/// Implemented by users, closures included; made on each subtask by a factory that hands it its
/// state, called from the task's thread.
pub trait ProcessWindowFunction<K: Row, W, T: Row, Out: Row>: 'static {
    /// A window of a key fires.
    ///
    /// # Errors
    /// Whatever ends the job.
    fn process(
        &mut self,
        key: &K,
        window: &W,
        rows: &[T],
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError>;

    /// See [`WindowFunction::clear`].
    ///
    /// # Errors
    /// Whatever ends the job.
    fn clear(&mut self, key: &K, window: &W, context: &WindowContext<'_>) -> Result<(), BoxError> {
        let _ = (key, window, context);
        Ok(())
    }
}

impl<K: Row, W, T: Row, Out: Row, F> ProcessWindowFunction<K, W, T, Out> for F
where
    F: FnMut(&K, &W, &[T], &WindowContext<'_>, &mut Collector<'_, Out>) -> Result<(), BoxError>
        + 'static,
{
    fn process(
        &mut self,
        key: &K,
        window: &W,
        rows: &[T],
        context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        self(key, window, rows, context, out)
    }
}

/// Emits the result itself.
#[derive(Debug, Clone, Copy)]
pub struct EmitResult;

impl<K: Row, W: 'static, Out: Row> WindowFunction<K, W, Out, Out> for EmitResult {
    #[inline]
    fn apply(
        &mut self,
        _key: &K,
        _window: &W,
        result: Out,
        _context: &WindowContext<'_>,
        out: &mut Collector<'_, Out>,
    ) -> Result<(), BoxError> {
        out.collect(result);
        Ok(())
    }

    fn clears(&self) -> bool {
        false
    }
}
