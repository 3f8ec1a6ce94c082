//! A stream divided into windows, and what can be made of them.

use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::chain::collector::Collector;
use rheos_runtime::chain::side_output::OutputTag;
use rheos_runtime::deploy::operator_builder::{BuildContext, OperatorBuilder};
use rheos_runtime::window::assigner::WindowAssigner;
use rheos_runtime::window::evictor::Evictor;
use rheos_runtime::window::fold::{Aggregation, Reduction};
use rheos_runtime::window::function::{
    EmitResult, ProcessWindowFunction, WindowContext, WindowFunction,
};
use rheos_runtime::window::open::WindowOpenContext;
use rheos_runtime::window::spec::WindowSpec;
use rheos_runtime::window::trigger::Trigger;
use rheos_state::AggregateFunction;

use super::data_stream::DataStream;
use super::key_selector::KeySelector;
use super::keyed_stream::KeyedStream;
use crate::graph_builder::Upstream;

/// A stream whose rows are gathered by key and window. What it says about windows comes first, what
/// is made of them last:
///
/// ```
/// use rheos::prelude::*;
///
/// struct Count;
///
/// impl AggregateFunction for Count {
///     type In = String;
///     type Acc = i64;
///     type Out = i64;
///     fn create_accumulator(&self) -> i64 {
///         0
///     }
///     fn add(&self, count: &mut i64, _word: String) {
///         *count += 1;
///     }
///     fn get_result(&self, count: &i64) -> i64 {
///         *count
///     }
///     fn merge(&self, into: &mut i64, from: i64) {
///         *into += from;
///     }
/// }
///
/// # let harness = rheos::harness::Harness::new();
/// # let (_input, words) = harness.input::<String>("words");
/// let late = OutputTag::<String>::new("late");
/// let counted = words
///     .key_by(|word| word.clone())
///     .window(SlidingEventTimeWindows::of(Duration::from_secs(60), Duration::from_secs(10)))
///     .allowed_lateness(Duration::from_secs(5))
///     .side_output_late_data(&late)
///     .aggregate_apply(Count, |word, window, count, _context, out| {
///         out.collect(format!("{word} {count} until {}", window.end));
///         Ok(())
///     })
///     .name("count");
/// let too_late = counted.side_output(&late);
/// # let _ = too_late;
/// ```
pub struct WindowedStream<K, T, A: WindowAssigner<T>> {
    stream: DataStream<T>,
    upstreams: Vec<Upstream<T>>,
    spec: WindowSpec<K, T, A::Window>,
    at_most: Option<u32>,
}

impl<K, T, A: WindowAssigner<T>> Clone for WindowedStream<K, T, A> {
    fn clone(&self) -> Self {
        Self {
            stream: self.stream.clone(),
            upstreams: self.upstreams.clone(),
            spec: self.spec.clone(),
            at_most: self.at_most,
        }
    }
}

impl<K: Row, T: Row> KeyedStream<K, T> {
    /// Gathers the rows of each key in windows.
    pub fn window<A: WindowAssigner<T>>(&self, assigner: A) -> WindowedStream<K, T, A> {
        let upstreams = self.stream.upstreams.clone();
        WindowedStream::new(&self.stream, upstreams, &self.selector, assigner, None)
    }
}

impl<T: Row> DataStream<T> {
    /// Gathers all rows in windows, whatever their key, in one subtask.
    pub fn window_all<A: WindowAssigner<T>>(&self, assigner: A) -> WindowedStream<(), T, A> {
        let selector = KeySelector::new(|_: &T| ());
        WindowedStream::new(self, self.upstreams.clone(), &selector, assigner, Some(1))
    }
}

impl<K: Row, T: Row, A: WindowAssigner<T>> WindowedStream<K, T, A> {
    fn new(
        stream: &DataStream<T>,
        upstreams: Vec<Upstream<T>>,
        selector: &KeySelector<K, T>,
        assigner: A,
        at_most: Option<u32>,
    ) -> Self {
        let spec = WindowSpec {
            keys: selector.keys(),
            assigner: Arc::new(assigner),
            trigger: None,
            evictor: None,
            lateness: 0,
            late: None,
            slicing: true,
        };
        Self {
            stream: stream.clone(),
            upstreams,
            spec,
            at_most,
        }
    }

    /// Windows fire when this trigger says so, instead of the assigner's default.
    pub fn trigger(mut self, trigger: impl Trigger<T, A::Window>) -> Self {
        self.spec.trigger = Some(Arc::new(trigger));
        self
    }

    /// Leaves rows out of windows when they fire. All rows are then kept until their window goes,
    /// for aggregations too.
    pub fn evictor(mut self, evictor: impl Evictor<T, A::Window>) -> Self {
        self.spec.evictor = Some(Arc::new(evictor));
        self
    }

    /// Keeps windows for this long after the watermark has reached their end; a row that comes in
    /// meanwhile makes its windows fire anew.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Self {
        if !lateness.subsec_nanos().is_multiple_of(1_000_000) {
            self.stream.builder.borrow_mut().problem(
                self.spec.assigner.name(),
                format!("has allowed lateness {lateness:?}; it must be whole milliseconds"),
            );
        }
        self.spec.lateness = Millis::try_from(lateness.as_millis()).unwrap_or(Millis::MAX);
        self
    }

    /// Sends rows that no window takes, for they are late, to a side output, which is read from the
    /// resulting stream. Without it they are counted in `numLateRecordsDropped`.
    pub fn side_output_late_data(mut self, tag: &OutputTag<T>) -> Self {
        self.spec.late = Some(tag.clone());
        self
    }

    /// Keeps a window's rows apart from those of other windows, where they would be gathered once
    /// for all windows that slide over them. The results are the same; this is for comparison.
    #[doc(hidden)]
    pub fn without_slicing(mut self) -> Self {
        self.spec.slicing = false;
        self
    }

    /// The operator, its stage made by `build`.
    fn operator<Out: Row>(self, build: impl OperatorBuilder + 'static) -> DataStream<Out> {
        let mut builder = self.stream.builder.borrow_mut();
        let node = builder.add("Window", Arc::new(build));
        builder.modify_node(node, |node| {
            node.name = self.spec.assigner.name().to_owned();
            node.at_most = self.at_most;
        });
        for problem in self.spec.problems() {
            builder.problem(self.spec.assigner.name(), problem);
        }
        builder.connect(&self.upstreams, node, 0);
        drop(builder);
        DataStream::of_node(self.stream.builder.clone(), node)
    }

    /// Reduces the rows of a window to one, in the order of arrival: `reduce(&mut so_far, next)`.
    pub fn reduce<F>(self, reduce: F) -> DataStream<T>
    where
        F: Fn(&mut T, T) + Clone + Send + Sync + 'static,
    {
        self.reduce_with(reduce, |_| Ok(EmitResult))
    }

    /// As [`WindowedStream::reduce`], and hands the reduced row to a function, which `open` makes on
    /// each subtask with its state.
    pub fn reduce_with<Out, R, F, G>(self, reduce: R, open: G) -> DataStream<Out>
    where
        Out: Row,
        R: Fn(&mut T, T) + Clone + Send + Sync + 'static,
        F: WindowFunction<K, A::Window, T, Out>,
        G: Fn(&mut WindowOpenContext<'_, K>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        let spec = self.spec.clone();
        self.operator(move |build: &mut BuildContext| {
            spec.fold(build, Reduction(reduce.clone()), |opening| open(opening))
        })
    }

    /// As [`WindowedStream::reduce_with`], by a closure.
    pub fn reduce_apply<Out, R, F>(self, reduce: R, function: F) -> DataStream<Out>
    where
        Out: Row,
        R: Fn(&mut T, T) + Clone + Send + Sync + 'static,
        F: Fn(
                &K,
                &A::Window,
                T,
                &WindowContext<'_>,
                &mut Collector<'_, Out>,
            ) -> Result<(), BoxError>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.reduce_with(reduce, move |_| Ok(function.clone()))
    }

    /// Aggregates the rows of a window.
    pub fn aggregate<Agg>(self, aggregate: Agg) -> DataStream<Agg::Out>
    where
        Agg: AggregateFunction<In = T>,
        Agg::Acc: Row,
        Agg::Out: Row,
    {
        self.aggregate_with(aggregate, |_| Ok(EmitResult))
    }

    /// As [`WindowedStream::aggregate`], and hands the result to a function, which `open` makes on
    /// each subtask with its state.
    pub fn aggregate_with<Out, Agg, F, G>(self, aggregate: Agg, open: G) -> DataStream<Out>
    where
        Out: Row,
        Agg: AggregateFunction<In = T>,
        Agg::Acc: Row,
        F: WindowFunction<K, A::Window, Agg::Out, Out>,
        G: Fn(&mut WindowOpenContext<'_, K>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        let spec = self.spec.clone();
        let aggregate = Arc::new(aggregate);
        self.operator(move |build: &mut BuildContext| {
            spec.fold(build, Aggregation(aggregate.clone()), |opening| {
                open(opening)
            })
        })
    }

    /// As [`WindowedStream::aggregate_with`], by a closure.
    pub fn aggregate_apply<Out, Agg, F>(self, aggregate: Agg, function: F) -> DataStream<Out>
    where
        Out: Row,
        Agg: AggregateFunction<In = T>,
        Agg::Acc: Row,
        F: Fn(
                &K,
                &A::Window,
                Agg::Out,
                &WindowContext<'_>,
                &mut Collector<'_, Out>,
            ) -> Result<(), BoxError>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.aggregate_with(aggregate, move |_| Ok(function.clone()))
    }

    /// Keeps all rows of a window, and hands them to a function, which `open` makes on each subtask
    /// with its state.
    pub fn process<Out, F, G>(self, open: G) -> DataStream<Out>
    where
        Out: Row,
        F: ProcessWindowFunction<K, A::Window, T, Out>,
        G: Fn(&mut WindowOpenContext<'_, K>) -> Result<F, BoxError> + Send + Sync + 'static,
    {
        let spec = self.spec.clone();
        self.operator(move |build: &mut BuildContext| spec.process(build, |opening| open(opening)))
    }

    /// As [`WindowedStream::process`], by a closure.
    pub fn apply<Out, F>(self, function: F) -> DataStream<Out>
    where
        Out: Row,
        F: Fn(
                &K,
                &A::Window,
                &[T],
                &WindowContext<'_>,
                &mut Collector<'_, Out>,
            ) -> Result<(), BoxError>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.process(move |_| Ok(function.clone()))
    }
}
