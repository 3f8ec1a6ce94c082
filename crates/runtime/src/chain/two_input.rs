//! The stage of an operator with two inputs of different types: always the head of a chain.
//!
//! Its watermark is the least of both inputs', as Flink's `CombinedWatermarkStatus` has it.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::element::{Control, StreamStatus};
use rheos_core::id::CheckpointId;
use rheos_core::time::MIN_TIMESTAMP;
use rheos_state::PendingSeal;

use super::inbox::{Cursor, Inbox};
use super::operator::{Firing, TwoInputOperator};
use super::outputs::Outputs;
use super::stage::{Stage, StageContext};
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::OperatorSnapshot;
use crate::error::BoxError;
use crate::metrics::states::StateSize;
use crate::task::mailbox::Mail;
use crate::time::combined::CombinedWatermarkStatus;

/// A stage whose operator has two inputs.
pub struct TwoInputStage<Left, Right, Out> {
    context: StageContext,
    operator: Box<dyn TwoInputOperator<Left, Right, Out>>,
    left: Rc<Inbox<Left>>,
    right: Rc<Inbox<Right>>,
    out: Outputs<Out>,
    /// Control elements with the input that they came from.
    controls: VecDeque<(usize, Control)>,
    combined: CombinedWatermarkStatus,
    /// Control elements that the combination gave, not yet acted on.
    ready: VecDeque<Control>,
    idle: bool,
    burst: bool,
    records_in: u64,
}

impl<Left: Row, Right: Row, Out: Row> TwoInputStage<Left, Right, Out> {
    /// A stage around an operator.
    pub fn new(
        context: StageContext,
        operator: Box<dyn TwoInputOperator<Left, Right, Out>>,
        left: Rc<Inbox<Left>>,
        right: Rc<Inbox<Right>>,
        out: Outputs<Out>,
    ) -> Self {
        Self {
            context,
            operator,
            left,
            right,
            out,
            controls: VecDeque::new(),
            combined: CombinedWatermarkStatus::new(2),
            ready: VecDeque::new(),
            idle: false,
            burst: false,
            records_in: 0,
        }
    }

    fn deadline_passed(&self) -> bool {
        self.operator
            .deadline()
            .is_some_and(|at| at <= self.context.clock.wall_millis())
    }

    fn combine(&mut self, input: usize, control: Control) {
        let change = match control {
            Control::Watermark(watermark) => self.combined.watermark(input, watermark),
            Control::Status(status) => self.combined.status(input, status == StreamStatus::Idle),
            other => {
                self.ready.push_back(other);
                return;
            }
        };
        // A watermark of an idle stream would be overlooked downstream: it is sent while the stream
        // is active, before it becomes idle or after it has become active.
        let status_changes = change.idle != self.idle;
        self.idle = change.idle;
        if status_changes && !change.idle {
            self.ready.push_back(Control::Status(StreamStatus::Active));
        }
        if let Some(watermark) = change.watermark {
            self.ready.push_back(Control::Watermark(watermark));
        }
        if status_changes && change.idle {
            self.ready.push_back(Control::Status(StreamStatus::Idle));
        }
    }

    /// One slice of timers, rows or control elements.
    fn run_slice(&mut self) -> Result<(), BoxError> {
        if self.deadline_passed() {
            self.operator
                .processing_time(&mut self.out, &self.context.operator)?;
        }
        let context = &self.context;
        if context.frozen {
            return Ok(());
        }
        if self.left.has_rows() {
            self.records_in += run_rows(context, &self.left, |rows| {
                self.operator
                    .process_left(rows, &mut self.out, &context.operator)
            })?;
        } else if self.right.has_rows() {
            self.records_in += run_rows(context, &self.right, |rows| {
                self.operator
                    .process_right(rows, &mut self.out, &context.operator)
            })?;
        } else {
            if self.ready.is_empty()
                && let Some((input, control)) = self.controls.pop_front()
            {
                self.combine(input, control);
            }
            if let Some(control) = self.ready.front().copied() {
                self.run_control(control)?;
            }
        }
        Ok(())
    }

    fn run_control(&mut self, control: Control) -> Result<(), BoxError> {
        let firing = match control {
            Control::Watermark(watermark) => {
                if watermark <= self.context.operator.watermark && !self.burst {
                    // Known since before a restore.
                    self.ready.pop_front();
                    return Ok(());
                }
                self.context.operator.watermark = watermark;
                self.context.metrics.set_watermark(watermark);
                let firing =
                    self.operator
                        .watermark(watermark, &mut self.out, &self.context.operator)?;
                self.burst = firing == Firing::More;
                firing
            }
            Control::EndOfData { drain } => {
                let firing =
                    self.operator
                        .end_of_data(drain, &mut self.out, &self.context.operator)?;
                self.burst = firing == Firing::More;
                firing
            }
            Control::LatencyMarker(marker) => {
                let now = self.context.clock.monotonic_micros();
                self.context.metrics.record_latency(&marker, now);
                Firing::Done
            }
            Control::EndOfPartition => {
                self.context.ended = true;
                Firing::Done
            }
            Control::Status(_) | Control::Barrier(_) => Firing::Done,
        };
        match firing {
            Firing::More => {}
            Firing::Done => {
                self.ready.pop_front();
                self.context.control(&mut self.out, control);
            }
            Firing::Held => {
                self.ready.pop_front();
            }
        }
        Ok(())
    }
}

/// Runs one slice of rows through `process` and learns what it cost.
fn run_rows<T>(
    context: &StageContext,
    inbox: &Inbox<T>,
    process: impl FnOnce(&mut Cursor<T>) -> Result<(), BoxError>,
) -> Result<u64, BoxError> {
    let started = context.clock.monotonic_micros();
    let mut rows = inbox.rows();
    let before = rows.remaining();
    rows.allow(inbox.slice());
    process(&mut rows)?;
    let taken = before.saturating_sub(rows.remaining());
    drop(rows);
    let elapsed = context.clock.monotonic_micros() - started;
    inbox.learn(
        taken,
        u64::try_from(elapsed).unwrap_or(0).saturating_mul(1000),
    );
    Ok(taken as u64)
}

impl<Left: Row, Right: Row, Out: Row> Stage for TwoInputStage<Left, Right, Out> {
    fn context(&self) -> &StageContext {
        &self.context
    }

    fn has_work(&self, _now_micros: i64) -> bool {
        let input = !self.left.is_empty()
            || !self.right.is_empty()
            || !self.controls.is_empty()
            || !self.ready.is_empty();
        (input && !self.context.frozen) || self.operator.unfinished() || self.deadline_passed()
    }

    fn outputs_ready(&mut self) -> bool {
        let room = self.context.room(&mut self.out);
        self.left.set_room(room);
        self.right.set_room(room);
        room > 0
    }

    fn run(&mut self, now_micros: i64) -> Result<(), BoxError> {
        self.context.set_now(now_micros);
        if self.operator.unfinished() {
            self.operator
                .resume(&mut self.out, &self.context.operator)?;
        }
        if !self.operator.unfinished() && !self.out.is_full() {
            self.run_slice()?;
        }
        self.context.metrics.set_records_in(self.records_in);
        self.context.report(|| self.operator.states());
        self.context.flush(&mut self.out);
        Ok(())
    }

    fn put_control(&mut self, input: usize, control: Control) {
        self.controls.push_back((input, control));
    }

    fn holds_barrier(&self) -> bool {
        self.left.has_rows() || self.right.has_rows() || self.unfinished() || self.holds_end()
    }

    fn holds_end(&self) -> bool {
        let is_end = |control: &Control| matches!(control, Control::EndOfData { .. });
        self.ready.iter().any(is_end) || self.controls.iter().any(|(_, control)| is_end(control))
    }

    fn unfinished(&self) -> bool {
        self.operator.unfinished()
    }

    fn hurry(&mut self, on: bool, freeze: bool) {
        self.context.hurry(&mut self.out, on, freeze);
    }

    fn takes_input(&self) -> bool {
        self.left.is_empty()
            && self.right.is_empty()
            && self.controls.is_empty()
            && self.ready.is_empty()
            && !self.operator.unfinished()
    }

    fn waits_outside(&self) -> bool {
        false
    }

    fn in_burst(&self) -> bool {
        self.burst
    }

    fn barrier(&mut self, barrier: &Barrier, now_micros: i64) -> Result<(), BoxError> {
        self.context.set_now(now_micros);
        self.operator.barrier(barrier, &self.context.operator)?;
        self.context.barrier(&mut self.out, *barrier);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<OperatorSnapshot, BoxError> {
        let mut snapshot = self.context.snapshot(self.burst);
        self.operator.snapshot(&mut snapshot)?;
        Ok(snapshot)
    }

    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        self.operator.write_frozen(out)
    }

    fn thaw(&mut self) {
        self.operator.thaw();
    }

    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        self.operator.take_seal()
    }

    fn restore(&mut self, from: &OperatorRestore) -> Result<(), BoxError> {
        self.records_in = self.context.restore(from, &mut self.out);
        self.operator.restore(from, &self.context.operator)?;
        let watermark = self.context.operator.watermark;
        if watermark > MIN_TIMESTAMP {
            // What was left of a burst goes on, and those downstream hear of the watermark again.
            self.ready.push_back(Control::Watermark(watermark));
            self.burst = true;
        }
        Ok(())
    }

    fn checkpoint_completed(
        &mut self,
        checkpoint: CheckpointId,
        now_micros: i64,
    ) -> Result<(), BoxError> {
        self.context.set_now(now_micros);
        self.operator
            .checkpoint_completed(checkpoint, &self.context.operator)
    }

    fn flush_exchanges(&mut self, now_micros: i64, all: bool) -> bool {
        self.context.flush_exchanges(&mut self.out, now_micros, all)
    }

    fn due(&self) -> Option<i64> {
        self.context.due(&self.out, self.operator.deadline())
    }

    fn flush_due(&self) -> Option<i64> {
        self.context.due(&self.out, None)
    }

    fn mail(&mut self, _mail: Mail) {}

    fn states(&self) -> Vec<StateSize> {
        self.operator.states()
    }

    fn close(&mut self) {
        self.operator.close();
    }
}
