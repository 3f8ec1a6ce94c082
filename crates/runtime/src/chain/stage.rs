//! A stage: one operator in its place in a chain, between its inbox and its outputs.
//!
//! The task runs the stage furthest downstream that has work and whose outputs are ready, so rows
//! leave a chain before new ones enter it. A slice of work ends with the outputs flushed.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::clock::SharedClock;
use rheos_core::element::{Batch, Control};
use rheos_core::id::{CheckpointId, Place};
use rheos_core::time::MIN_TIMESTAMP;
use rheos_state::PendingSeal;

use super::inbox::Inbox;
use super::operator::{Firing, Operator, OperatorContext};
use super::outputs::Outputs;
use super::side_output::AnyOutputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::{Counts, OperatorSnapshot};
use crate::error::BoxError;
use crate::exchange::restored::{self, check_inputs};
use crate::metrics::operator::OperatorMetrics;
use crate::metrics::states::{StateReporter, StateSize};
use crate::task::mailbox::Mail;

/// One operator of a chain, its types erased. Implemented by [`OperatorStage`],
/// [`super::two_input::TwoInputStage`] and the source's stage; called by the task on its thread.
pub trait Stage {
    /// Operator, subtask, parallelism.
    fn place(&self) -> &Place {
        &self.context().operator.place
    }
    /// What it has beside its operator.
    fn context(&self) -> &StageContext;
    /// Whether a call of `run` would get something done, were the outputs ready.
    fn has_work(&self, now_micros: i64) -> bool;
    /// Whether every output takes rows. Tells the stages before it in the chain how many it can pass
    /// on: the task asks each stage after those behind it.
    fn outputs_ready(&mut self) -> bool;
    /// Does a bounded slice of work.
    ///
    /// # Errors
    /// What user code, the source or the sink says.
    fn run(&mut self, now_micros: i64) -> Result<(), BoxError>;
    /// Puts a control element behind the rows of an input. For the head of a chain.
    fn put_control(&mut self, input: usize, control: Control);
    /// Whether something waits in the stage that a barrier must not pass: rows, or the end of the data,
    /// behind which there is no other barrier that what it brings about could belong to.
    fn holds_barrier(&self) -> bool;
    /// Whether the end of the data waits in it.
    fn holds_end(&self) -> bool;
    /// Whether something has been begun with that a barrier must not overtake, though it overtakes the
    /// rows behind that.
    fn unfinished(&self) -> bool;
    /// A barrier that may overtake rows waits for those in the chain: its exchanges take them on whatever
    /// their credit. With `freeze`, of a head, no further row is begun with.
    fn hurry(&mut self, on: bool, freeze: bool);
    /// Whether it can be given another element: nothing waits in it.
    fn takes_input(&self) -> bool;
    /// Whether something waits in it for a system outside: an asynchronous request, a sink.
    fn waits_outside(&self) -> bool;
    /// Whether it is at work on a watermark that it hasn't passed on.
    fn in_burst(&self) -> bool;
    /// A barrier waits for rows in the stage.
    ///
    /// # Errors
    /// What user code says.
    fn hasten(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
    /// A barrier passes; the inboxes are empty of rows.
    ///
    /// # Errors
    /// Where something can't be made durable.
    fn barrier(&mut self, barrier: &Barrier, now_micros: i64) -> Result<(), BoxError>;
    /// What the operator remembers at a barrier that has passed.
    ///
    /// # Errors
    /// What can't be written.
    fn snapshot(&mut self) -> Result<OperatorSnapshot, BoxError>;
    /// Writes some of what the snapshot has frozen; says whether that was the last.
    ///
    /// # Errors
    /// What can't be written.
    fn write_frozen(&mut self, out: &mut Vec<u8>) -> Result<bool, BoxError> {
        let _ = out;
        Ok(true)
    }
    /// What is frozen is not wanted any more.
    fn thaw(&mut self) {}
    /// The operator's store as it was at that snapshot, to be sealed.
    fn take_seal(&mut self) -> Option<Arc<PendingSeal>> {
        None
    }
    /// Goes on from a checkpoint; before anything else.
    ///
    /// # Errors
    /// What does not fit the operator.
    fn restore(&mut self, from: &OperatorRestore) -> Result<(), BoxError>;
    /// Takes on what was in flight before an exchange that is gone: the operator, which stood behind
    /// it, is now in the middle of a chain, as happens when both sides come to one parallelism.
    ///
    /// # Errors
    /// What can't be read, or if there is no place for it.
    fn restore_in_flight(&mut self, from: &OperatorRestore) -> Result<(), BoxError> {
        check_inputs(from, 0)
    }
    /// A checkpoint is complete.
    ///
    /// # Errors
    /// What ends the job.
    fn checkpoint_completed(
        &mut self,
        checkpoint: CheckpointId,
        now_micros: i64,
    ) -> Result<(), BoxError>;
    /// What it has counted.
    fn counts(&self) -> Counts {
        Counts::of(&self.context().metrics)
    }
    /// Whether it was stopped, to go on later, and has not come to the end of its data.
    fn stopped(&self) -> bool {
        self.context().stopped.get()
    }
    /// Whether it has come to its end and passes it on once a checkpoint has made that durable.
    fn awaits_checkpoint(&self) -> bool {
        false
    }
    /// Sends what the exchanges of the stage have staged; whether nothing that should go is left.
    fn flush_exchanges(&mut self, now_micros: i64, all: bool) -> bool;
    /// When the stage must be run at the latest, in monotonic microseconds. Later than now if there is
    /// nothing for it to do now and its outputs are ready: the task sleeps until then.
    fn due(&self) -> Option<i64>;
    /// When staged rows must be sent at the latest, in monotonic microseconds; none while they wait for
    /// credit.
    fn flush_due(&self) -> Option<i64>;
    /// A message for the stage.
    fn mail(&mut self, mail: Mail);
    /// Whether it has passed on the end of its data's partition.
    fn ended(&self) -> bool {
        self.context().ended
    }
    /// How much is in each of its operator's states.
    fn states(&self) -> Vec<StateSize> {
        Vec::new()
    }
    /// The task ends.
    fn close(&mut self);
}

/// What every stage has beside its operator.
pub struct StageContext {
    /// Time.
    pub clock: SharedClock,
    /// What the operator sees.
    pub operator: OperatorContext,
    /// Counters.
    pub metrics: Arc<OperatorMetrics>,
    /// Side outputs that have readers.
    pub sides: Vec<Rc<dyn AnyOutputs>>,
    /// Tells how large the operator's states are.
    pub reporter: StateReporter,
    /// Whether the end of partition has passed.
    pub ended: bool,
    /// Whether what passed was the end of data of a job that is stopped without draining.
    pub stopped: Cell<bool>,
    /// No row or control element of the inputs is begun with: a barrier is about to overtake them.
    pub frozen: bool,
}

impl StageContext {
    /// Notes the time.
    pub fn set_now(&mut self, now_micros: i64) {
        self.operator.now_micros = now_micros;
        // Processing time never goes back for an operator, though a machine's clock may.
        self.operator.now_millis = self.operator.now_millis.max(self.clock.wall_millis());
    }

    /// Tells how large the operator's states are, now and then.
    #[inline]
    pub fn report(&mut self, states: impl FnOnce() -> Vec<StateSize>) {
        let now = self.operator.now_millis;
        self.reporter.report(&self.metrics, now, states);
    }

    /// Side outputs take rows.
    pub fn sides_ready(&self) -> bool {
        self.sides.iter().all(|side| side.ready())
    }

    /// What every operator remembers: time and counters.
    pub fn snapshot(&self, burst: bool) -> OperatorSnapshot {
        OperatorSnapshot {
            watermark: self.operator.watermark,
            burst,
            counts: Counts::of(&self.metrics),
            ..OperatorSnapshot::default()
        }
    }

    /// Goes on from there; the rows taken so far.
    pub fn restore<T: Row>(&mut self, from: &OperatorRestore, out: &mut Outputs<T>) -> u64 {
        let watermark = from.watermark();
        self.operator.watermark = watermark;
        self.metrics.set_watermark(watermark);
        let counts = from.counts();
        counts.resume(&self.metrics);
        out.resume_count(counts.records_out);
        counts.records_in
    }

    /// Rows that the main output takes; none while it or a side output takes none.
    pub fn room<T: Row>(&self, out: &mut Outputs<T>) -> usize {
        if out.ready() && self.sides_ready() {
            out.limit().max(1)
        } else {
            0
        }
    }

    /// Flushes the main and the side outputs and counts what went.
    pub fn flush<T: Row>(&self, out: &mut Outputs<T>) {
        let now = self.operator.now_micros;
        out.flush(now);
        for side in &self.sides {
            side.flush(now);
        }
        self.metrics.set_records_out(out.emitted());
    }

    /// Sends a control element to the main and the side outputs, rows first.
    pub fn control<T: Row>(&self, out: &mut Outputs<T>, control: Control) {
        let now = self.operator.now_micros;
        if let Control::Watermark(watermark) = control {
            self.metrics.set_output_watermark(watermark);
        }
        if control == (Control::EndOfData { drain: false }) {
            self.stopped.set(true);
        }
        out.control(control, now);
        for side in &self.sides {
            side.control(control, now);
        }
        self.metrics.set_records_out(out.emitted());
    }

    /// See [`Stage::hurry`].
    pub fn hurry<T: Row>(&mut self, out: &mut Outputs<T>, on: bool, freeze: bool) {
        self.frozen = freeze;
        out.hurry(on);
        for side in &self.sides {
            side.hurry(on);
        }
    }

    /// Sends a barrier past the chain.
    pub fn barrier<T: Row>(&self, out: &mut Outputs<T>, barrier: Barrier) {
        let now = self.operator.now_micros;
        out.control_exchanges(Control::Barrier(barrier), now);
        for side in &self.sides {
            side.control_exchanges(Control::Barrier(barrier), now);
        }
    }

    /// See [`Stage::flush_exchanges`].
    pub fn flush_exchanges<T: Row>(&self, out: &mut Outputs<T>, now: i64, all: bool) -> bool {
        let mut done = out.flush_exchanges(now, all);
        for side in &self.sides {
            done &= side.flush_exchanges(now, all);
        }
        done
    }

    /// When staged rows or the operator's processing time are due, in monotonic microseconds.
    pub fn due<T: Row>(&self, out: &Outputs<T>, deadline: Option<i64>) -> Option<i64> {
        let deadline = deadline.map(|millis| {
            let wait = millis.saturating_sub(self.clock.wall_millis()).max(0);
            self.clock
                .monotonic_micros()
                .saturating_add(wait.saturating_mul(1000))
        });
        let sides = self.sides.iter().filter_map(|side| side.flush_due()).min();
        [deadline, sides, out.flush_due()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// A stage whose operator has one input.
pub struct OperatorStage<In, Out> {
    context: StageContext,
    operator: Box<dyn Operator<In, Out>>,
    inbox: Rc<Inbox<In>>,
    out: Outputs<Out>,
    /// The watermark at work, while its timers fire.
    burst: bool,
    records_in: u64,
}

impl<In: Row, Out: Row> OperatorStage<In, Out> {
    /// A stage around an operator.
    pub fn new(
        context: StageContext,
        operator: Box<dyn Operator<In, Out>>,
        inbox: Rc<Inbox<In>>,
        out: Outputs<Out>,
    ) -> Self {
        Self {
            context,
            operator,
            inbox,
            out,
            burst: false,
            records_in: 0,
        }
    }

    fn deadline_passed(&self) -> bool {
        self.operator
            .deadline()
            .is_some_and(|at| at <= self.context.clock.wall_millis())
    }

    fn run_rows(&mut self) -> Result<(), BoxError> {
        let started = self.context.clock.monotonic_micros();
        let mut rows = self.inbox.rows();
        let before = rows.remaining();
        rows.allow(self.inbox.slice());
        let result = self
            .operator
            .process(&mut rows, &mut self.out, &self.context.operator);
        let taken = before.saturating_sub(rows.remaining());
        drop(rows);
        self.records_in += taken as u64;
        self.context.metrics.set_records_in(self.records_in);
        let elapsed = self.context.clock.monotonic_micros() - started;
        self.inbox.learn(
            taken,
            u64::try_from(elapsed).unwrap_or(0).saturating_mul(1000),
        );
        result
    }

    fn run_control(&mut self, control: Control) -> Result<(), BoxError> {
        let firing = match control {
            Control::Watermark(watermark) => {
                if watermark <= self.context.operator.watermark && !self.burst {
                    // An equal or lower watermark is never seen by an operator.
                    self.inbox.pop_control();
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
            Control::Status(status) => self.operator.status(status),
            Control::Barrier(_) => Firing::Done,
        };
        match firing {
            Firing::More => {}
            Firing::Done => {
                self.inbox.pop_control();
                self.context.control(&mut self.out, control);
            }
            Firing::Held => self.inbox.pop_control(),
        }
        Ok(())
    }
}

impl<In: Row, Out: Row> Stage for OperatorStage<In, Out> {
    fn context(&self) -> &StageContext {
        &self.context
    }

    fn has_work(&self, _now_micros: i64) -> bool {
        let input = !self.inbox.is_empty() && !self.context.frozen;
        (input && (self.burst || self.operator.accepts()))
            || self.operator.has_completions()
            || self.deadline_passed()
    }

    fn outputs_ready(&mut self) -> bool {
        let room = self.context.room(&mut self.out);
        self.inbox.set_room(room);
        room > 0
    }

    fn run(&mut self, now_micros: i64) -> Result<(), BoxError> {
        self.context.set_now(now_micros);
        if self.operator.has_completions() {
            self.operator
                .completions(&mut self.out, &self.context.operator)?;
            let mut released = false;
            while let Some(control) = self.operator.release() {
                self.context.control(&mut self.out, control);
                released = true;
            }
            if released {
                // Nothing follows in this slice: a control element is the last of an inbox.
                return Ok(());
            }
        }
        if self.deadline_passed() {
            self.operator
                .processing_time(&mut self.out, &self.context.operator)?;
        }
        if self.context.frozen {
            // What has been begun with goes on; nothing else.
        } else if self.inbox.has_rows() {
            if self.operator.accepts() && !self.out.is_full() {
                self.run_rows()?;
            }
        } else if let Some(control) = self.inbox.due_control()
            && (self.burst || self.operator.accepts())
        {
            self.run_control(control)?;
        }
        self.context.report(|| self.operator.states());
        self.context.flush(&mut self.out);
        Ok(())
    }

    fn put_control(&mut self, _input: usize, control: Control) {
        self.inbox.put_control(control);
    }

    fn holds_barrier(&self) -> bool {
        self.inbox.has_rows() || self.inbox.has_end() || self.operator.unfinished()
    }

    fn holds_end(&self) -> bool {
        self.inbox.has_end()
    }

    fn unfinished(&self) -> bool {
        self.operator.unfinished()
    }

    fn hurry(&mut self, on: bool, freeze: bool) {
        self.context.hurry(&mut self.out, on, freeze);
    }

    fn hasten(&mut self) -> Result<(), BoxError> {
        self.operator.hasten()
    }

    fn takes_input(&self) -> bool {
        self.inbox.is_empty()
    }

    fn waits_outside(&self) -> bool {
        !self.inbox.is_empty() && !self.operator.accepts()
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
        if snapshot.keyed.is_some() {
            self.inbox.relearn();
        }
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
            self.inbox.put_control(Control::Watermark(watermark));
            self.burst = true;
        }
        Ok(())
    }

    fn restore_in_flight(&mut self, from: &OperatorRestore) -> Result<(), BoxError> {
        check_inputs(from, 1)?;
        let mut rows = Batch::default();
        for mut batch in restored::rows::<In>(from, 0)? {
            rows.append(&mut batch);
        }
        // Before the watermark that `restore` has put there, as they lay behind the exchange.
        self.inbox.rows().fill(rows);
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
