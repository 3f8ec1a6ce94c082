//! Joins of two keyed streams by an interval of time around each row.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::chain::collector::Collector;
use rheos_runtime::chain::side_output::OutputTag;
use rheos_runtime::join::interval::{IntervalJoin, IntervalJoinOperator};
use rheos_runtime::join::interval_function::{JoinContext, ProcessJoinFunction};
use rheos_runtime::keyed::open::OpenContext;

use super::connected_streams::KeyedConnectedStreams;
use super::data_stream::DataStream;
use super::keyed_stream::KeyedStream;

/// Two keyed streams whose rows are to be joined; [`IntervalJoinStream::between`] says which.
pub struct IntervalJoinStream<K, Left, Right> {
    streams: KeyedConnectedStreams<K, Left, Right>,
}

impl<K: Row, Left: Row> KeyedStream<K, Left> {
    /// Joins each row of this stream with the rows of the other that have its key and a time near
    /// its own.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (_orders, orders) = harness.input::<(u64, String)>("orders");
    /// # let (_payments, payments) = harness.input::<(u64, i64)>("payments");
    /// // Payments up to an hour after the order.
    /// let paid = orders
    ///     .key_by(|order| order.0)
    ///     .interval_join(&payments.key_by(|payment| payment.0))
    ///     .between(0, 3_600_000)
    ///     .upper_bound_exclusive()
    ///     .process(|order, payment, _context, out| {
    ///         out.collect((order.1.clone(), payment.1));
    ///         Ok(())
    ///     })
    ///     .name("paid");
    /// ```
    pub fn interval_join<Right: Row>(
        &self,
        other: &KeyedStream<K, Right>,
    ) -> IntervalJoinStream<K, Left, Right> {
        IntervalJoinStream {
            streams: self.connect(other),
        }
    }
}

impl<K: Row, Left: Row, Right: Row> IntervalJoinStream<K, Left, Right> {
    /// Makes a pair of a left and a right row if `lower <= right time - left time <= upper`. In
    /// milliseconds; both may be negative.
    pub fn between(self, lower: Millis, upper: Millis) -> IntervalJoined<K, Left, Right> {
        IntervalJoined {
            streams: self.streams,
            lower,
            upper,
            lower_exclusive: false,
            upper_exclusive: false,
            left_late: None,
            right_late: None,
        }
    }
}

/// An interval join, but for what is made of the pairs.
pub struct IntervalJoined<K, Left, Right> {
    streams: KeyedConnectedStreams<K, Left, Right>,
    lower: Millis,
    upper: Millis,
    lower_exclusive: bool,
    upper_exclusive: bool,
    left_late: Option<OutputTag<Left>>,
    right_late: Option<OutputTag<Right>>,
}

impl<K: Row, Left: Row, Right: Row> IntervalJoined<K, Left, Right> {
    /// Leaves out the pairs that differ by the lower bound itself.
    pub fn lower_bound_exclusive(mut self) -> Self {
        self.lower_exclusive = true;
        self
    }

    /// Leaves out the pairs that differ by the upper bound itself.
    pub fn upper_bound_exclusive(mut self) -> Self {
        self.upper_exclusive = true;
        self
    }

    /// Sends rows of the left stream that are behind the watermark to a side output of the
    /// resulting stream. Without it they are counted in `numLateRecordsDropped`.
    pub fn side_output_left_late_data(mut self, tag: &OutputTag<Left>) -> Self {
        self.left_late = Some(tag.clone());
        self
    }

    /// Sends rows of the right stream that are behind the watermark to a side output of the
    /// resulting stream. Without it they are counted in `numLateRecordsDropped`.
    pub fn side_output_right_late_data(mut self, tag: &OutputTag<Right>) -> Self {
        self.right_late = Some(tag.clone());
        self
    }

    /// Hands each pair to a function. What it collects has the later time of both rows.
    pub fn process<Out, F>(self, function: F) -> DataStream<Out>
    where
        Out: Row,
        F: Fn(&Left, &Right, &JoinContext<'_>, &mut Collector<'_, Out>) -> Result<(), BoxError>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.process_with(move |_| Ok(function.clone()))
    }

    /// As [`IntervalJoined::process`], by a function that `open` makes on each subtask, with state
    /// of the pair's key.
    pub fn process_with<Out, F, G>(self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: ProcessJoinFunction<Left, Right, Out>,
        G: Fn(&mut OpenContext<'_, K>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        const KIND: &str = "Interval Join";
        let Self {
            streams,
            lower,
            upper,
            ..
        } = self;
        if lower > upper {
            let problem = format!(
                "is between {lower} and {upper} ms; the lower bound must not be above the upper one"
            );
            streams
                .first
                .stream
                .builder
                .borrow_mut()
                .problem(KIND, problem);
        }
        let join = Arc::new(IntervalJoin {
            lower: lower.saturating_add(i64::from(self.lower_exclusive)),
            upper: upper.saturating_sub(i64::from(self.upper_exclusive)),
            left_late: self.left_late,
            right_late: self.right_late,
        });
        streams.transform(KIND, move |(left, right), context| {
            IntervalJoinOperator::open(&join, left.keys(), right.keys(), context, |opening| {
                open(opening)
            })
        })
    }
}
