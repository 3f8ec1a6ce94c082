//! Joins by window: the rows of two streams in the windows of one operator.
//!
//! Rows get a tag that says whose they are, and go through the window operator as rows of one
//! stream; what a window holds when it fires comes out as a group, and of it the function makes
//! rows, as many at a time as the outputs take: a thousand rows on each side are a million pairs.
//!
//! Invariant: nothing new is given to the windows while a group or a tagged row waits.

use std::collections::VecDeque;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::element::Batch;
use rheos_core::time::Millis;
use rheos_state::PendingSeal;

use super::tagged::Tagged;
use super::window_group::{GroupFunction, WindowGroup};
use crate::chain::collector::Collector;
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, Operator, OperatorContext, TwoInputOperator};
use crate::chain::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::deploy::operator_builder::BuildContext;
use crate::error::BoxError;
use crate::metrics::states::StateSize;
use crate::window::function::WindowContext;
use crate::window::operator::WindowOperator;
use crate::window::spec::WindowSpec;
use crate::window::window::Window;

/// Windows over two streams, and a function over what they hold.
pub struct WindowJoinOperator<K, Left: Row, Right: Row, W: Window, F> {
    windows: WindowOperator<K, Tagged<Left, Right>, W, WindowGroup<Left, Right>>,
    /// Rows that the windows have not yet taken.
    tagged: Cursor<Tagged<Left, Right>>,
    /// What the windows emit into: full after one group.
    fired: Outputs<WindowGroup<Left, Right>>,
    groups: VecDeque<(WindowGroup<Left, Right>, Millis)>,
    /// Calls made with the first group.
    step: usize,
    function: F,
}

impl<K, Left, Right, W, F> WindowJoinOperator<K, Left, Right, W, F>
where
    K: Row,
    Left: Row,
    Right: Row,
    W: Window,
{
    /// Opens the windows and the function on a subtask.
    ///
    /// # Errors
    /// If the windows can't be opened.
    pub fn open<Out: Row>(
        spec: &WindowSpec<K, Tagged<Left, Right>, W>,
        build: &mut BuildContext,
        function: F,
    ) -> Result<Self, BoxError>
    where
        F: GroupFunction<Left, Right, Out>,
    {
        let windows = spec.process_operator(build, |_| {
            Ok(
                |_: &K,
                 _: &W,
                 rows: &[Tagged<Left, Right>],
                 _: &WindowContext<'_>,
                 out: &mut Collector<'_, WindowGroup<Left, Right>>| {
                    out.collect(WindowGroup::of(rows));
                    Ok(())
                },
            )
        })?;
        Ok(Self {
            windows,
            tagged: Cursor::default(),
            fired: Outputs::new(Vec::new()),
            groups: VecDeque::new(),
            step: 0,
            function,
        })
    }

    /// Takes what the windows have emitted, and makes rows of it while there is room.
    fn make<Out: Row>(&mut self, out: &mut Outputs<Out>) -> Result<(), BoxError>
    where
        F: GroupFunction<Left, Right, Out>,
    {
        let fired = self.fired.buffer();
        let fired = fired.rows.drain(..).zip(fired.timestamps.drain(..));
        self.groups
            .extend(fired.filter(|(group, _)| self.function.wants(group)));
        while !out.is_full() {
            let Some((group, timestamp)) = self.groups.front() else {
                break;
            };
            let mut collector = Collector::new(out, *timestamp);
            if self.function.make(group, self.step, &mut collector)? {
                self.step += 1;
            } else {
                self.groups.pop_front();
                self.step = 0;
            }
        }
        Ok(())
    }

    /// Tags rows and lets the windows take them.
    fn take<T: Row, Out: Row>(
        &mut self,
        input: &mut Cursor<T>,
        tag: impl Fn(T) -> Tagged<Left, Right>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>
    where
        F: GroupFunction<Left, Right, Out>,
    {
        let count = input.allowed();
        let Batch {
            mut rows,
            mut timestamps,
            mut hashes,
        } = self.tagged.take_memory();
        hashes.extend(input.hashes().iter().take(count));
        input.each::<BoxError>(count, |row, timestamp| {
            rows.push(tag(row));
            timestamps.push(timestamp);
            Ok(())
        })?;
        self.tagged.fill(Batch {
            rows,
            timestamps,
            hashes,
        });
        self.tagged.allow(count);
        self.go_on(out, context)
    }

    /// Lets the windows take what is tagged, as long as there is room for what they fire.
    fn go_on<Out: Row>(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError>
    where
        F: GroupFunction<Left, Right, Out>,
    {
        self.make(out)?;
        while self.groups.is_empty() && self.tagged.remaining() > 0 {
            self.windows
                .process(&mut self.tagged, &mut self.fired, context)?;
            self.make(out)?;
        }
        Ok(())
    }

    /// Fires timers of the windows, a call of `fire` after the other, as long as there is room for
    /// what they give.
    fn fire<Out: Row>(
        &mut self,
        out: &mut Outputs<Out>,
        mut fire: impl FnMut(
            &mut WindowOperator<K, Tagged<Left, Right>, W, WindowGroup<Left, Right>>,
            &mut Outputs<WindowGroup<Left, Right>>,
        ) -> Result<Firing, BoxError>,
    ) -> Result<Firing, BoxError>
    where
        F: GroupFunction<Left, Right, Out>,
    {
        self.make(out)?;
        while !out.is_full() {
            let firing = fire(&mut self.windows, &mut self.fired)?;
            let paused = firing == Firing::More && self.fired.buffer().is_empty();
            self.make(out)?;
            if !self.groups.is_empty() || paused {
                break;
            }
            if firing == Firing::Done {
                return Ok(Firing::Done);
            }
        }
        Ok(Firing::More)
    }
}

impl<K, Left, Right, W, Out, F> TwoInputOperator<Left, Right, Out>
    for WindowJoinOperator<K, Left, Right, W, F>
where
    K: Row,
    Left: Row,
    Right: Row,
    W: Window,
    Out: Row,
    F: GroupFunction<Left, Right, Out>,
{
    fn process_left(
        &mut self,
        input: &mut Cursor<Left>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.take(input, Tagged::Left, out, context)
    }

    fn process_right(
        &mut self,
        input: &mut Cursor<Right>,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.take(input, Tagged::Right, out, context)
    }

    fn unfinished(&self) -> bool {
        !self.groups.is_empty() || self.tagged.remaining() > 0
    }

    fn resume(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.go_on(out, context)
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        self.fire(out, |windows, fired| {
            windows.watermark(watermark, fired, context)
        })
    }

    fn deadline(&self) -> Option<Millis> {
        self.windows.deadline()
    }

    fn processing_time(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        self.fire(out, |windows, fired| {
            windows.processing_time(fired, context)
        })
    }

    fn barrier(&mut self, barrier: &Barrier, context: &OperatorContext) -> Result<(), BoxError> {
        self.windows.barrier(barrier, context)
    }

    fn states(&self) -> Vec<StateSize> {
        self.windows.states()
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        self.windows.snapshot(out)
    }

    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        self.windows.write_frozen(out)
    }

    fn thaw(&mut self) {
        self.windows.thaw();
    }

    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        self.windows.take_seal()
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        self.windows.restore(from, context)
    }
}
