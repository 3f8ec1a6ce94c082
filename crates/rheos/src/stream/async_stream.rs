//! Asking systems outside about the rows of a stream, many at a time.

use std::future::Future;
use std::sync::Arc;

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::async_io::{AsyncFunction, AsyncOptions, AsyncWaitOperator, OutputMode};
use rheos_runtime::deploy::operator_builder::BuildContext;

use super::data_stream::DataStream;

impl<T: Row> DataStream<T> {
    /// The rows that an asynchronous function gives for each row, in the order of the input.
    /// Flink's `AsyncDataStream.orderedWait`.
    ///
    /// A slow row holds back the results of those behind it; up to the capacity, those are asked
    /// about all the same.
    pub fn async_wait_ordered<Out, Rows, Fut, F>(
        &self,
        function: F,
        options: AsyncOptions<T, Out>,
    ) -> DataStream<Out>
    where
        Out: Row,
        Rows: IntoIterator<Item = Out> + 'static,
        Fut: Future<Output = Result<Rows, BoxError>> + Send + 'static,
        F: Fn(T) -> Fut + Clone + Send + Sync + 'static,
    {
        self.async_wait(OutputMode::Ordered, move |_| Ok(function.clone()), options)
    }

    /// The rows that an asynchronous function gives for each row, as they come; but no result
    /// passes a watermark. Flink's `AsyncDataStream.unorderedWait`.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// async fn temperature(city: &str) -> Result<Option<f64>, BoxError> {
    ///     Ok((city == "Oslo").then_some(4.5))
    /// }
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (_input, cities) = harness.input::<String>("cities");
    /// let temperatures = cities
    ///     .async_wait_unordered(
    ///         |city| async move {
    ///             let found = temperature(&city).await?;
    ///             Ok(vec![(city, found)])
    ///         },
    ///         AsyncOptions::new()
    ///             .timeout(Duration::from_secs(2))
    ///             .circuit_breaker(CircuitBreaker::failure_rate(0.5))
    ///             .fallback(|city, _error| (city, None)),
    ///     )
    ///     .name("temperatures");
    /// ```
    pub fn async_wait_unordered<Out, Rows, Fut, F>(
        &self,
        function: F,
        options: AsyncOptions<T, Out>,
    ) -> DataStream<Out>
    where
        Out: Row,
        Rows: IntoIterator<Item = Out> + 'static,
        Fut: Future<Output = Result<Rows, BoxError>> + Send + 'static,
        F: Fn(T) -> Fut + Clone + Send + Sync + 'static,
    {
        self.async_wait(
            OutputMode::Unordered,
            move |_| Ok(function.clone()),
            options,
        )
    }

    /// As [`DataStream::async_wait_ordered`] by a function that is made on each subtask, and keeps
    /// its client there.
    pub fn async_wait_ordered_with<Out, F, G>(
        &self,
        open: G,
        options: AsyncOptions<T, Out>,
    ) -> DataStream<Out>
    where
        Out: Row,
        F: AsyncFunction<T, Out>,
        G: Fn(&mut BuildContext) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        self.async_wait(OutputMode::Ordered, open, options)
    }

    /// As [`DataStream::async_wait_unordered`] by a function that is made on each subtask, and keeps
    /// its client there.
    pub fn async_wait_unordered_with<Out, F, G>(
        &self,
        open: G,
        options: AsyncOptions<T, Out>,
    ) -> DataStream<Out>
    where
        Out: Row,
        F: AsyncFunction<T, Out>,
        G: Fn(&mut BuildContext) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        self.async_wait(OutputMode::Unordered, open, options)
    }

    fn async_wait<Out, F, G>(
        &self,
        mode: OutputMode,
        open: G,
        options: AsyncOptions<T, Out>,
    ) -> DataStream<Out>
    where
        Out: Row,
        F: AsyncFunction<T, Out>,
        G: Fn(&mut BuildContext) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        if let Some(problem) = options.problem() {
            self.builder.borrow_mut().problem(NAME, problem);
        }
        let open = Arc::new(open);
        self.transform(NAME, move |context| {
            let function = open(context)?;
            AsyncWaitOperator::open(function, mode, options.clone(), context)
        })
    }
}

/// What the operator is called where it has no name.
const NAME: &str = "Async Wait";
