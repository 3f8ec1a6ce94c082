//! The interval join: pairs of rows of equal key whose times differ by what an interval says.
//!
//! A row is late if its time is below the watermark; it is neither joined nor kept. Another one is
//! joined with the rows that the other side has kept, at once, and is then kept itself, see
//! [`super::interval_buffer`].
//!
//! A row with many partners is joined with as many as the outputs take, and is resumed later; until
//! it is done with, nothing else happens to the operator.

use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::{KeyContext, KeyedBackend, ListStateDescriptor, Namespace, PendingSeal, Timers};

use super::interval_buffer::{IntervalBuffer, Reach, Waiting};
use super::interval_function::{JoinContext, ProcessJoinFunction};
use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, OperatorContext, TwoInputOperator};
use crate::chain::outputs::Outputs;
use crate::chain::side_output::{OutputTag, SideOutput};
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::connect::keyed_rows::KeyedRows;
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::keyed::keys::Keys;
use crate::keyed::open::OpenContext;
use crate::metrics::operator::OperatorMetrics;
use crate::metrics::states::{StateSize, sizes_of};

/// Which pairs an interval join makes, and what becomes of late rows.
pub struct IntervalJoin<Left, Right> {
    /// The least `right.time - left.time` of a pair, in milliseconds; included.
    pub lower: Millis,
    /// The greatest; included.
    pub upper: Millis,
    /// Where late rows of the left side go.
    pub left_late: Option<OutputTag<Left>>,
    /// Where late rows of the right side go.
    pub right_late: Option<OutputTag<Right>>,
}

/// A row that is being joined.
struct Probe<T> {
    row: T,
    timestamp: Millis,
    slot: u32,
    hash: u64,
    /// Partners that it has met.
    met: usize,
}

/// One of the two sides.
struct Side<K, T> {
    /// Whose timers are whose.
    namespace: Namespace,
    keys: Keys<K, T>,
    kept: IntervalBuffer<T>,
    reach: Reach,
    late: Option<SideOutput<T>>,
    unfinished: Option<Probe<T>>,
}

/// What both sides need of the operator.
struct Shared {
    keys: Rc<KeyContext>,
    timers: Timers,
    metrics: Arc<OperatorMetrics>,
}

impl Shared {
    fn register(&self, namespace: Namespace, at: Millis) {
        self.keys.set_namespace(namespace);
        self.timers.register(at);
    }
}

impl<K: Row, T: Row> Side<K, T> {
    /// Takes a row in, the current key's.
    fn take<Other: Row, Out: Row>(
        &mut self,
        (row, timestamp): (T, Millis),
        others: &IntervalBuffer<Other>,
        shared: &Shared,
        out: &mut Outputs<Out>,
        operator: &OperatorContext,
        pair: impl FnMut(&T, Millis, &Other, Millis, &mut Outputs<Out>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        if timestamp == MIN_TIMESTAMP {
            return Err("a row without an event time came to an interval join; \
                 give the source a WatermarkStrategy with a timestamp assigner"
                .into());
        }
        if timestamp < operator.watermark {
            match &self.late {
                Some(late) => late.emit(row, timestamp),
                None => shared.metrics.add_late_dropped(1),
            }
            return Ok(());
        }
        let (slot, hash) = (shared.keys.slot(), shared.keys.hash());
        let probe = Probe {
            row,
            timestamp,
            slot,
            hash,
            met: 0,
        };
        self.join(probe, others, shared, out, operator, pair)
    }

    /// Joins a row as far as there is room, then keeps it.
    fn join<Other: Row, Out: Row>(
        &mut self,
        probe: Probe<T>,
        others: &IntervalBuffer<Other>,
        shared: &Shared,
        out: &mut Outputs<Out>,
        operator: &OperatorContext,
        mut pair: impl FnMut(&T, Millis, &Other, Millis, &mut Outputs<Out>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        let Probe {
            row,
            timestamp,
            met,
            ..
        } = &probe;
        let mut meet = |other: &Waiting<Other>| -> Result<bool, BoxError> {
            pair(row, *timestamp, &other.row, other.timestamp, out)?;
            Ok(!out.is_full())
        };
        match others.partners(*timestamp, self.reach, *met, operator.watermark, &mut meet)? {
            Some(met) => self.unfinished = Some(Probe { met, ..probe }),
            None => {
                let timer = |at| shared.register(self.namespace, at);
                self.kept
                    .add(probe.row, probe.timestamp, operator.watermark, timer);
            }
        }
        Ok(())
    }

    fn clean_up(&self, shared: &Shared, watermark: Millis) {
        self.kept
            .clean_up(watermark, |at| shared.register(self.namespace, at));
    }
}

/// Runs a function over the pairs of an interval join.
pub struct IntervalJoinOperator<K, Left, Right, F> {
    rows: KeyedRows<K>,
    shared: Shared,
    left: Side<K, Left>,
    right: Side<K, Right>,
    function: F,
}

const LEFT: Namespace = 0;
const RIGHT: Namespace = 1;

impl<K: Row, Left: Row, Right: Row, F> IntervalJoinOperator<K, Left, Right, F> {
    /// Opens the function on its subtask.
    ///
    /// # Errors
    /// If the function's factory fails, or declares a state with a name that the join uses
    /// (`left-buffer`, `right-buffer`).
    pub fn open(
        join: &IntervalJoin<Left, Right>,
        left_keys: Keys<K, Left>,
        right_keys: Keys<K, Right>,
        build: &mut BuildContext,
        factory: impl FnOnce(&mut OpenContext<'_, K>) -> Result<F, BoxError>,
    ) -> Result<Self, BoxError> {
        let left_late = join
            .left_late
            .as_ref()
            .map(|tag| build.side_output(tag))
            .transpose()?;
        let right_late = join
            .right_late
            .as_ref()
            .map(|tag| build.side_output(tag))
            .transpose()?;
        let metrics = build.metrics.clone();
        let mut backend = KeyedBackend::new();
        let left_rows = backend.list(&ListStateDescriptor::new("left-buffer"))?;
        let right_rows = backend.list(&ListStateDescriptor::new("right-buffer"))?;
        let function = factory(&mut OpenContext::new(build, &mut backend))?;
        let mut rows = KeyedRows::new(backend)?;
        rows.attach_store(build)?;
        let reach = Reach {
            from: join.lower,
            to: join.upper,
        };
        let shared = Shared {
            keys: rows.backend().context().clone(),
            timers: rows.event_timers().clone(),
            metrics,
        };
        Ok(Self {
            rows,
            shared,
            left: Side {
                namespace: LEFT,
                keys: left_keys,
                kept: IntervalBuffer::new(left_rows, reach),
                reach,
                late: left_late,
                unfinished: None,
            },
            right: Side {
                namespace: RIGHT,
                keys: right_keys,
                kept: IntervalBuffer::new(right_rows, reach.reversed()),
                reach: reach.reversed(),
                late: right_late,
                unfinished: None,
            },
            function,
        })
    }
}

/// Calls the function with a pair.
fn call<Left: Row, Right: Row, Out: Row>(
    function: &mut impl ProcessJoinFunction<Left, Right, Out>,
    (left, left_time): (&Left, Millis),
    (right, right_time): (&Right, Millis),
    out: &mut Outputs<Out>,
    operator: &OperatorContext,
) -> Result<(), BoxError> {
    let context = JoinContext::new(operator, left_time, right_time);
    let mut collector = Collector::new(out, context.timestamp());
    function.process(left, right, &context, &mut collector)
}

impl<K, Left, Right, Out, F> TwoInputOperator<Left, Right, Out>
    for IntervalJoinOperator<K, Left, Right, F>
where
    K: Row,
    Left: Row,
    Right: Row,
    Out: Row,
    F: ProcessJoinFunction<Left, Right, Out>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<Left>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let Self {
            rows,
            shared,
            left,
            right,
            function,
        } = self;
        let keys = left.keys.clone();
        rows.process(&keys, input, out, context, |row, timestamp, _, out| {
            left.take(
                (row, timestamp),
                &right.kept,
                shared,
                out,
                context,
                |l, lt, r, rt, out| call(function, (l, lt), (r, rt), out, context),
            )
        })
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<Right>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let Self {
            rows,
            shared,
            left,
            right,
            function,
        } = self;
        let keys = right.keys.clone();
        rows.process(&keys, input, out, context, |row, timestamp, _, out| {
            right.take(
                (row, timestamp),
                &left.kept,
                shared,
                out,
                context,
                |r, rt, l, lt, out| call(function, (l, lt), (r, rt), out, context),
            )
        })
    }

    fn unfinished(&self) -> bool {
        self.left.unfinished.is_some() || self.right.unfinished.is_some()
    }

    fn resume(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let Self {
            rows,
            shared,
            left,
            right,
            function,
        } = self;
        shared.keys.set_now(context.now_millis);
        // Its slot is still its own: the partners that it has not met hold it.
        if let Some(probe) = left.unfinished.take() {
            shared.keys.set_key(probe.slot, probe.hash);
            left.join(
                probe,
                &right.kept,
                shared,
                out,
                context,
                |l, lt, r, rt, out| call(function, (l, lt), (r, rt), out, context),
            )?;
        }
        if let Some(probe) = right.unfinished.take() {
            shared.keys.set_key(probe.slot, probe.hash);
            right.join(
                probe,
                &left.kept,
                shared,
                out,
                context,
                |r, rt, l, lt, out| call(function, (l, lt), (r, rt), out, context),
            )?;
        }
        rows.end_batch();
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let Self {
            rows,
            shared,
            left,
            right,
            ..
        } = self;
        rows.watermark(watermark, out, context, |due, _, _| {
            match due.namespace {
                LEFT => left.clean_up(shared, watermark),
                _ => right.clean_up(shared, watermark),
            }
            Ok(())
        })
    }

    fn states(&self) -> Vec<StateSize> {
        sizes_of(self.rows.backend())
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        self.rows.snapshot(out)?;
        Ok(())
    }

    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        self.rows.write_frozen(out)
    }

    fn thaw(&mut self) {
        self.rows.thaw();
    }

    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        self.rows.take_seal()
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.rows.restore(from, context)?;
        Ok(())
    }
}
