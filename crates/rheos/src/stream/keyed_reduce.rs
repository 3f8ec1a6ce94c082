//! Running sums and their like: the rows of each key reduced to one, which is emitted at every row.

use rheos_core::Row;
use rheos_runtime::BoxError;
use rheos_runtime::chain::collector::Collector;
use rheos_runtime::keyed::context::KeyedContext;
use rheos_runtime::keyed::function::KeyedProcessFunction;
use rheos_state::ValueState;

use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;

struct Reduce<T, F> {
    so_far: ValueState<T>,
    reduce: F,
}

impl<K: Row, T: Row, F: Fn(&mut T, T) + 'static> KeyedProcessFunction<K, T, T> for Reduce<T, F> {
    fn process(
        &mut self,
        row: T,
        _context: &KeyedContext<'_, K>,
        out: &mut Collector<'_, T>,
    ) -> Result<(), BoxError> {
        let reduced = self.so_far.modify(|so_far| {
            match so_far {
                Some(so_far) => (self.reduce)(so_far, row),
                None => *so_far = Some(row),
            }
            so_far.clone()
        });
        if let Some(reduced) = reduced {
            out.collect(reduced);
        }
        Ok(())
    }
}

impl<K: Row, T: Row> KeyedStream<K, T> {
    /// Reduces the rows of each key, `reduce(&mut so_far, next)`, and emits what they come to so far
    /// at every row. Flink's `reduce` on a keyed stream, and with it its `sum`, `min` and `max`.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (mut input, sales) = harness.input::<(String, i64)>("sales");
    /// let turnover = sales
    ///     .key_by(|(shop, _)| shop.clone())
    ///     .reduce(|sum, sale| sum.1 += sale.1)
    ///     .name("turnover");
    /// # let output = harness.output(&turnover);
    /// # let mut job = harness.start()?;
    /// # input.push(("Oslo".into(), 2), 0);
    /// # input.push(("Bergen".into(), 5), 0);
    /// # input.push(("Oslo".into(), 3), 0);
    /// # job.settle()?;
    /// # assert_eq!(
    /// #     output.take_rows(),
    /// #     [("Oslo".into(), 2), ("Bergen".into(), 5), ("Oslo".into(), 5)]
    /// # );
    /// # Ok::<(), rheos::harness::HarnessError>(())
    /// ```
    pub fn reduce<F>(&self, reduce: F) -> DataStream<T>
    where
        F: Fn(&mut T, T) + Clone + Send + Sync + 'static,
    {
        self.process(move |open| {
            Ok(Reduce {
                so_far: open.value_state("reduced")?,
                reduce: reduce.clone(),
            })
        })
    }
}
