//! Joins and co-groups of two streams by window.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::chain::collector::Collector;
use rheos_runtime::join::tagged::Tagged;
use rheos_runtime::join::window::WindowJoinOperator;
use rheos_runtime::join::window_group::{EachPair, GroupFunction, WholeGroup};
use rheos_runtime::window::assigner::WindowAssigner;
use rheos_runtime::window::evictor::Evictor;
use rheos_runtime::window::spec::WindowSpec;
use rheos_runtime::window::trigger::Trigger;

use super::connected_streams::two_inputs;
use super::data_stream::DataStream;
use super::key_selector::KeySelector;
use super::keyed_stream::KeyedStream;

/// Marks what is made of pairs; see [`DataStream::join`].
pub enum Join {}

/// Marks what is made of both lists of a window; see [`DataStream::co_group`].
pub enum CoGroup {}

/// Two streams to be joined or co-grouped; the key of the left one comes next.
pub struct WindowedStreams<Left, Right, Kind> {
    left: DataStream<Left>,
    right: DataStream<Right>,
    kind: PhantomData<fn() -> Kind>,
}

impl<Left: Row> DataStream<Left> {
    /// Joins this stream with another: each pair of rows that have a key and a window in common.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (_orders, orders) = harness.input::<(u64, String)>("orders");
    /// # let (_payments, payments) = harness.input::<(u64, i64)>("payments");
    /// let paid = orders
    ///     .join(&payments)
    ///     .where_key(|order| order.0)
    ///     .equal_to(|payment| payment.0)
    ///     .window(TumblingEventTimeWindows::of(Duration::from_secs(3600)))
    ///     .apply(|order, payment| (order.1.clone(), payment.1))
    ///     .name("paid");
    /// ```
    pub fn join<Right: Row>(
        &self,
        other: &DataStream<Right>,
    ) -> WindowedStreams<Left, Right, Join> {
        WindowedStreams {
            left: self.clone(),
            right: other.clone(),
            kind: PhantomData,
        }
    }

    /// Groups this stream with another: all rows of both that have a key and a window in common,
    /// also where one of them has none there.
    ///
    /// ```
    /// use rheos::prelude::*;
    ///
    /// # let harness = rheos::harness::Harness::new();
    /// # let (_orders, orders) = harness.input::<(u64, String)>("orders");
    /// # let (_payments, payments) = harness.input::<(u64, i64)>("payments");
    /// let unpaid = orders
    ///     .co_group(&payments)
    ///     .where_key(|order| order.0)
    ///     .equal_to(|payment| payment.0)
    ///     .window(TumblingEventTimeWindows::of(Duration::from_secs(3600)))
    ///     .apply(|orders, payments, out| {
    ///         if payments.is_empty() {
    ///             orders.iter().for_each(|order| out.collect(order.1.clone()));
    ///         }
    ///         Ok(())
    ///     })
    ///     .name("unpaid");
    /// ```
    pub fn co_group<Right: Row>(
        &self,
        other: &DataStream<Right>,
    ) -> WindowedStreams<Left, Right, CoGroup> {
        WindowedStreams {
            left: self.clone(),
            right: other.clone(),
            kind: PhantomData,
        }
    }
}

type KeyOf<K, T> = Arc<dyn Fn(&T) -> K + Send + Sync>;

impl<Left: Row, Right: Row, Kind> WindowedStreams<Left, Right, Kind> {
    /// The key of the left rows.
    pub fn where_key<K, F>(self, key: F) -> WhereKey<K, Left, Right, Kind>
    where
        K: Row,
        F: Fn(&Left) -> K + Send + Sync + 'static,
    {
        WhereKey {
            streams: self,
            key: Arc::new(key),
        }
    }
}

/// Two streams, the left one with its key.
pub struct WhereKey<K, Left, Right, Kind> {
    streams: WindowedStreams<Left, Right, Kind>,
    key: KeyOf<K, Left>,
}

impl<K: Row, Left: Row, Right: Row, Kind> WhereKey<K, Left, Right, Kind> {
    /// The key of the right rows.
    pub fn equal_to<F>(self, key: F) -> EqualKeys<K, Left, Right, Kind>
    where
        F: Fn(&Right) -> K + Send + Sync + 'static,
    {
        let WindowedStreams { left, right, .. } = self.streams;
        let (left_key, right_key): (_, KeyOf<K, Right>) = (self.key, Arc::new(key));
        let (of_left, of_right) = (left_key.clone(), right_key.clone());
        EqualKeys {
            left: left.key_by(move |row| of_left(row)),
            right: right.key_by(move |row| of_right(row)),
            tagged: KeySelector::new(move |row: &Tagged<Left, Right>| match row {
                Tagged::Left(row) => left_key(row),
                Tagged::Right(row) => right_key(row),
            }),
            kind: PhantomData,
        }
    }
}

/// Two streams with their keys; the windows come next.
pub struct EqualKeys<K, Left, Right, Kind> {
    left: KeyedStream<K, Left>,
    right: KeyedStream<K, Right>,
    tagged: KeySelector<K, Tagged<Left, Right>>,
    kind: PhantomData<fn() -> Kind>,
}

impl<K: Row, Left: Row, Right: Row, Kind> EqualKeys<K, Left, Right, Kind> {
    /// Gathers the rows of both streams in windows. Sessions are those of both together.
    pub fn window<A>(self, assigner: A) -> JoinWindows<K, Left, Right, A, Kind>
    where
        A: WindowAssigner<Tagged<Left, Right>>,
    {
        let spec = WindowSpec {
            keys: self.tagged.keys(),
            assigner: Arc::new(assigner),
            trigger: None,
            evictor: None,
            lateness: 0,
            late: None,
            slicing: false,
        };
        JoinWindows {
            left: self.left,
            right: self.right,
            spec,
            kind: PhantomData,
        }
    }
}

/// Two streams in windows; what is made of them comes last.
pub struct JoinWindows<K, Left, Right, A, Kind>
where
    A: WindowAssigner<Tagged<Left, Right>>,
{
    left: KeyedStream<K, Left>,
    right: KeyedStream<K, Right>,
    spec: WindowSpec<K, Tagged<Left, Right>, A::Window>,
    kind: PhantomData<fn() -> Kind>,
}

impl<K, Left, Right, A, Kind> JoinWindows<K, Left, Right, A, Kind>
where
    K: Row,
    Left: Row,
    Right: Row,
    A: WindowAssigner<Tagged<Left, Right>>,
{
    /// Windows fire when this trigger says so, instead of the assigner's default.
    pub fn trigger(mut self, trigger: impl Trigger<Tagged<Left, Right>, A::Window>) -> Self {
        self.spec.trigger = Some(Arc::new(trigger));
        self
    }

    /// Leaves rows out of windows when they fire.
    pub fn evictor(mut self, evictor: impl Evictor<Tagged<Left, Right>, A::Window>) -> Self {
        self.spec.evictor = Some(Arc::new(evictor));
        self
    }

    /// Keeps windows for this long after the watermark has reached their end; a row that comes in
    /// meanwhile makes its windows fire anew. Rows that are later still are counted in
    /// `numLateRecordsDropped`.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        self.spec.lateness = Millis::try_from(lateness.as_millis()).unwrap_or(Millis::MAX);
        self
    }

    fn operator<Out, F>(
        self,
        kind: &str,
        open: impl Fn() -> F + Send + Sync + 'static,
    ) -> DataStream<Out>
    where
        Out: Row,
        F: GroupFunction<Left, Right, Out>,
    {
        let Self {
            left, right, spec, ..
        } = self;
        let builder = left.stream.builder.clone();
        for problem in spec.problems() {
            builder.borrow_mut().problem(kind, problem);
        }
        let inputs = (
            left.stream.upstreams.as_slice(),
            right.stream.upstreams.as_slice(),
        );
        two_inputs(&builder, kind, inputs, move |context| {
            WindowJoinOperator::open(&spec, context, open())
        })
    }
}

impl<K, Left, Right, A> JoinWindows<K, Left, Right, A, Join>
where
    K: Row,
    Left: Row,
    Right: Row,
    A: WindowAssigner<Tagged<Left, Right>>,
{
    /// Makes one row of each pair. It has the window's greatest timestamp.
    pub fn apply<Out, F>(self, function: F) -> DataStream<Out>
    where
        Out: Row,
        F: Fn(&Left, &Right) -> Out + Clone + Send + Sync + 'static,
    {
        self.flat_apply(move |left, right, out| {
            out.collect(function(left, right));
            Ok(())
        })
    }

    /// Makes any number of rows of each pair.
    pub fn flat_apply<Out, F>(self, function: F) -> DataStream<Out>
    where
        Out: Row,
        F: Fn(&Left, &Right, &mut Collector<'_, Out>) -> Result<(), BoxError>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.operator("Window Join", move || EachPair(function.clone()))
    }
}

impl<K, Left, Right, A> JoinWindows<K, Left, Right, A, CoGroup>
where
    K: Row,
    Left: Row,
    Right: Row,
    A: WindowAssigner<Tagged<Left, Right>>,
{
    /// Hands the rows of each window that fires to a function: the left and the right ones, each in
    /// the order of arrival, of which one list may be empty. What it collects has the window's
    /// greatest timestamp.
    pub fn apply<Out, F>(self, function: F) -> DataStream<Out>
    where
        Out: Row,
        F: Fn(&[Left], &[Right], &mut Collector<'_, Out>) -> Result<(), BoxError>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.operator("Co-Group", move || WholeGroup(function.clone()))
    }
}
