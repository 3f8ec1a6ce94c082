//! The head of a source's chain: polls the reader, stamps rows, makes watermarks.
//!
//! Rows leave before anything that speaks of them: a watermark that a row brought about follows the
//! row, and the rows behind it in the same poll follow the watermark. Each split has a generator of
//! its own; the source's watermark is their combination.
//!
//! Life cycle: reading → the reader's splits are used up and no more will come, or the task was told
//! to stop → end of data → where the job takes checkpoints, one that began after it is complete →
//! end of partition.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::element::{Batch, Control, LatencyMarker};
use rheos_core::id::{CheckpointId, OperatorId};
use rheos_core::time::{MAX_WATERMARK, MIN_TIMESTAMP, Millis};

use super::coordinator::SourceCoordinator;
use super::output::{Run, SourceOutput};
use super::reader::{ReaderStatus, SourceReader};
use super::settings::SourceSettings;
use super::split::SplitState;
use crate::chain::outputs::Outputs;
use crate::chain::stage::{Stage, StageContext};
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::{Deal, OperatorSnapshot};
use crate::error::BoxError;
use crate::rate::TokenBucket;
use crate::task::mailbox::{Mail, MailSender};
use crate::time::emitter::WatermarkEmitter;
use crate::time::generator::WatermarkOutput;
use crate::time::multiplexer::{Mode, WatermarkOutputMultiplexer};

/// The stage of a source.
pub struct SourceStage<T, S> {
    context: StageContext,
    id: OperatorId,
    reader: Box<dyn SourceReader<T, S>>,
    coordinator: Arc<SourceCoordinator<S>>,
    mail: MailSender,
    settings: SourceSettings<T>,
    out: Outputs<T>,
    polled: SourceOutput<T>,
    /// Rows that the last poll gave.
    usual: usize,
    /// Rows of a poll that wait behind a watermark, with their runs.
    held: Batch<T>,
    held_runs: VecDeque<Run>,
    held_from: usize,
    controls: VecDeque<Control>,
    splits: BTreeMap<u32, SplitState<T>>,
    multiplexer: WatermarkOutputMultiplexer,
    emitter: WatermarkEmitter,
    pace: Option<TokenBucket>,
    requested: bool,
    no_more_splits: bool,
    pending_until: Option<i64>,
    pending: bool,
    next_periodic: Millis,
    next_marker: Millis,
    next_alignment: Millis,
    ahead: bool,
    stop: Option<bool>,
    ending: bool,
    last: Last,
    /// The barrier that has passed last.
    barrier: Option<CheckpointId>,
    records: u64,
}

/// What the end of partition waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing.
    Free,
    /// The barrier of a checkpoint.
    Barrier,
    /// That checkpoint, or a later one, to be complete.
    Completion(CheckpointId),
}

/// The name of the readers' splits in a checkpoint.
const SPLITS: &str = "splits";

impl<T: Row, S: Row> SourceStage<T, S> {
    /// A stage that reads through `reader`.
    pub fn new(
        parts: (StageContext, Outputs<T>),
        id: OperatorId,
        reader: Box<dyn SourceReader<T, S>>,
        coordinator: Arc<SourceCoordinator<S>>,
        mail: MailSender,
        settings: SourceSettings<T>,
    ) -> Self {
        let (context, out) = parts;
        let now = context.operator.now_millis;
        let pace = settings
            .rate
            .map(|rate| TokenBucket::new(rate, context.operator.now_micros));
        let next_periodic = now + settings.watermark_interval_millis.max(1);
        let next_marker = now + settings.latency_interval_millis;
        Self {
            context,
            id,
            reader,
            coordinator,
            mail,
            settings,
            out,
            polled: SourceOutput::default(),
            usual: 0,
            held: Batch::default(),
            held_runs: VecDeque::new(),
            held_from: 0,
            controls: VecDeque::new(),
            splits: BTreeMap::new(),
            multiplexer: WatermarkOutputMultiplexer::new(),
            emitter: WatermarkEmitter::default(),
            pace,
            requested: false,
            no_more_splits: false,
            pending_until: None,
            pending: false,
            next_periodic,
            next_marker,
            next_alignment: now,
            ahead: false,
            stop: None,
            ending: false,
            last: Last::Free,
            barrier: None,
            records: 0,
        }
    }

    fn subtask(&self) -> u32 {
        self.context.operator.place.subtask
    }

    /// Sends on what the multiplexer combined, behind the rows.
    fn emit(&mut self, combined: WatermarkOutput) {
        let controls = &mut self.controls;
        self.emitter
            .apply(combined, &mut |control| controls.push_back(control));
        let last = self.emitter.last();
        self.context.operator.watermark = last;
        self.context.metrics.set_watermark(last);
    }

    fn periodic(&mut self) {
        let now = self.context.operator.now_millis;
        for state in self.splits.values_mut() {
            let mut output = WatermarkOutput::default();
            state.generator.on_periodic(now, &mut output);
            state.note(&output);
            self.multiplexer
                .apply(&state.output, output, Mode::Deferred);
        }
        let combined = self.multiplexer.on_periodic();
        self.emit(combined);
    }

    fn start_split(&mut self, split: u32) -> &mut SplitState<T> {
        let multiplexer = &mut self.multiplexer;
        let strategy = &self.settings.strategy;
        let (ahead, now) = (self.ahead, self.context.operator.now_millis);
        self.splits.entry(split).or_insert_with(|| {
            let mut generator = strategy.generator();
            if ahead {
                // The whole source is paused, and will resume all its splits.
                generator.pause(now);
            }
            SplitState {
                output: multiplexer.register(),
                generator,
                paused: false,
                watermark: MIN_TIMESTAMP,
            }
        })
    }

    /// Takes rows from what was polled into the outputs, up to the first watermark.
    fn move_held(&mut self) {
        while self.controls.is_empty() {
            let Some(run) = self.held_runs.front().copied() else {
                break;
            };
            self.start_split(run.split);
            let Some(split) = self.splits.get_mut(&run.split) else {
                break;
            };
            let rows = self.held.rows.get(..run.end).unwrap_or(&[]);
            let timestamps = self.held.timestamps.get(..run.end).unwrap_or(&[]);
            let mut output = WatermarkOutput::default();
            let next = split
                .generator
                .on_batch(rows, timestamps, self.held_from, &mut output);
            split.note(&output);
            let combined = self
                .multiplexer
                .apply(&split.output, output, Mode::Immediate);
            self.held_from = next;
            if next >= run.end {
                self.held_runs.pop_front();
            }
            if combined.is_empty() {
                continue;
            }
            // Rows up to here go out before the watermark.
            let rest = self.held.rows.split_off(next);
            let rest_timestamps = self.held.timestamps.split_off(next);
            let mut head = std::mem::replace(
                &mut self.held,
                Batch {
                    rows: rest,
                    timestamps: rest_timestamps,
                    hashes: Vec::new(),
                },
            );
            self.out.buffer().append(&mut head);
            for run in &mut self.held_runs {
                run.end -= next;
            }
            self.held_from = 0;
            self.emit(combined);
        }
        if self.held_runs.is_empty() && !self.held.is_empty() {
            let memory = std::mem::take(&mut self.held);
            if self.out.buffer().is_empty() {
                self.held = std::mem::replace(self.out.buffer(), memory);
                self.held.clear();
            } else {
                let mut memory = memory;
                self.out.buffer().append(&mut memory);
                self.held = memory;
            }
            self.held_from = 0;
        }
        if self.held_runs.is_empty() {
            let (watermark, status) = (self.polled.watermark.take(), self.polled.status.take());
            if watermark.is_some() || status.is_some() {
                self.emit(WatermarkOutput { watermark, status });
            }
        }
    }

    fn poll_reader(&mut self) -> Result<(), BoxError> {
        let now = self.context.operator.now_micros;
        let mut budget = self.out.limit();
        if let Some(pace) = &mut self.pace {
            budget = budget.min(pace.allowance(now));
            if budget == 0 {
                self.pending = true;
                self.pending_until = Some(pace.next_micros());
                return Ok(());
            }
        }
        self.polled.batch = std::mem::take(&mut self.held);
        self.polled.batch.clear();
        self.polled.batch.reserve(self.usual.min(budget));
        let status = self.reader.poll(&mut self.polled, budget)?;
        self.usual = self.polled.len();
        let count = self.polled.batch.len();
        self.records += count as u64;
        self.context.metrics.set_records_in(self.records);
        if let Some(pace) = &mut self.pace {
            pace.spend(count);
        }
        self.held = std::mem::take(&mut self.polled.batch);
        self.held_from = 0;
        self.held_runs.clear();
        self.held_runs.extend(self.polled.runs.drain(..));
        self.settings.strategy.assigner().assign(
            &self.held.rows,
            &mut self.held.timestamps,
            self.context.operator.now_millis,
        );
        for split in std::mem::take(&mut self.polled.started) {
            self.start_split(split);
        }
        match status {
            ReaderStatus::More => {}
            ReaderStatus::Pending { until } => {
                self.pending = count == 0 && self.polled.watermark.is_none();
                self.pending_until = until;
            }
            ReaderStatus::WantsSplit => {
                if self.no_more_splits {
                    if count == 0 {
                        self.stop.get_or_insert(true);
                    }
                } else if !self.requested {
                    self.requested = true;
                    self.coordinator.request(self.subtask(), self.mail.clone());
                    self.pending = count == 0;
                    self.pending_until = None;
                } else {
                    self.pending = count == 0;
                    self.pending_until = None;
                }
            }
        }
        Ok(())
    }

    fn finish_splits(&mut self) {
        if !self.held_runs.is_empty() || self.polled.finished.is_empty() {
            return;
        }
        for split in std::mem::take(&mut self.polled.finished) {
            if let Some(state) = self.splits.remove(&split) {
                self.multiplexer.unregister(state.output);
            }
        }
        if !self.splits.is_empty() {
            let combined = self.multiplexer.on_periodic();
            self.emit(combined);
        }
    }

    /// Reports to the alignment group, and pauses what runs ahead of it.
    fn align(&mut self) {
        let Some((group, drift, interval)) = &self.settings.alignment else {
            return;
        };
        let now = self.context.operator.now_millis;
        if now < self.next_alignment {
            return;
        }
        self.next_alignment = now + (*interval).max(1);
        let own = self.context.operator.watermark;
        let subtask = self.context.operator.place.subtask;
        if self.emitter.is_idle() || self.ending {
            group.leave(self.id.0, subtask);
            return;
        }
        let limit = group.report(self.id.0, subtask, own).saturating_add(*drift);
        for (split, state) in &mut self.splits {
            let pause = state.watermark > limit;
            if pause != state.paused && self.reader.pause_split(*split, pause) {
                state.paused = pause;
                if pause {
                    state.generator.pause(now);
                } else {
                    state.generator.resume(now);
                }
            }
        }
        let ahead = own > limit;
        if ahead != self.ahead {
            self.ahead = ahead;
            for state in self.splits.values_mut() {
                if ahead {
                    state.generator.pause(now);
                } else {
                    state.generator.resume(now);
                }
            }
        }
    }

    fn end(&mut self, drain: bool) {
        self.ending = true;
        if let Some((group, _, _)) = &self.settings.alignment {
            group.leave(self.id.0, self.subtask());
        }
        if drain {
            let mut end = WatermarkOutput::default();
            end.emit_watermark(MAX_WATERMARK);
            self.emit(end);
        }
        self.controls.push_back(Control::EndOfData { drain });
        if self.settings.final_checkpoint {
            self.last = Last::Barrier;
        } else {
            self.controls.push_back(Control::EndOfPartition);
        }
    }

    fn timers_due(&self) -> bool {
        let now = self.context.clock.wall_millis();
        now >= self.next_periodic
            || (self.settings.latency_interval_millis > 0 && now >= self.next_marker)
            || (self.settings.alignment.is_some() && now >= self.next_alignment)
    }

    fn can_poll(&self, now_micros: i64) -> bool {
        if self.ahead || self.ending {
            return false;
        }
        !self.pending
            || self.pending_until.is_some_and(|until| until <= now_micros)
            || self.reader.is_available()
    }
}

impl<T: Row, S: Row> Stage for SourceStage<T, S> {
    fn context(&self) -> &StageContext {
        &self.context
    }

    fn has_work(&self, now_micros: i64) -> bool {
        if self.context.ended {
            return false;
        }
        if self.context.frozen {
            return !self.held_runs.is_empty();
        }
        !self.controls.is_empty()
            || !self.held_runs.is_empty()
            || (self.stop.is_some() && !self.ending)
            || (!self.ending && self.timers_due())
            || self.can_poll(now_micros)
    }

    fn outputs_ready(&mut self) -> bool {
        self.out.ready() && self.context.sides_ready()
    }

    fn run(&mut self, now_micros: i64) -> Result<(), BoxError> {
        self.context.set_now(now_micros);
        let now = self.context.operator.now_millis;
        if self.controls.is_empty() {
            if self.held_runs.is_empty() && !self.context.frozen {
                self.finish_splits();
                if let Some(drain) = self.stop
                    && !self.ending
                {
                    self.end(drain);
                } else if !self.ending && !self.ahead {
                    self.pending = false;
                    self.poll_reader()?;
                }
            }
            self.move_held();
        }
        if now >= self.next_periodic && self.held_runs.is_empty() && !self.ending {
            self.next_periodic = now + self.settings.watermark_interval_millis.max(1);
            self.periodic();
        }
        self.align();
        if self.settings.latency_interval_millis > 0 && now >= self.next_marker && !self.ending {
            self.next_marker = now + self.settings.latency_interval_millis;
            let marker = LatencyMarker {
                emitted_at_micros: self.context.clock.monotonic_micros(),
                source: self.id,
                subtask: self.subtask(),
            };
            self.controls.push_back(Control::LatencyMarker(marker));
        }
        self.context.flush(&mut self.out);
        while let Some(control) = self.controls.pop_front() {
            self.context.control(&mut self.out, control);
            if control == Control::EndOfPartition {
                self.context.ended = true;
            }
        }
        Ok(())
    }

    fn put_control(&mut self, _input: usize, control: Control) {
        self.controls.push_back(control);
    }

    fn holds_barrier(&self) -> bool {
        !self.held_runs.is_empty()
    }

    fn holds_end(&self) -> bool {
        false
    }

    fn unfinished(&self) -> bool {
        self.holds_barrier()
    }

    fn hurry(&mut self, on: bool, freeze: bool) {
        self.context.hurry(&mut self.out, on, freeze);
    }

    fn takes_input(&self) -> bool {
        false
    }

    fn waits_outside(&self) -> bool {
        false
    }

    fn in_burst(&self) -> bool {
        false
    }

    fn barrier(&mut self, barrier: &Barrier, now_micros: i64) -> Result<(), BoxError> {
        self.context.set_now(now_micros);
        self.barrier = Some(barrier.checkpoint);
        if self.last == Last::Barrier {
            self.last = Last::Completion(barrier.checkpoint);
        }
        self.context.barrier(&mut self.out, *barrier);
        Ok(())
    }

    fn snapshot(&mut self) -> Result<OperatorSnapshot, BoxError> {
        let mut snapshot = self.context.snapshot(false);
        snapshot.watermark = self.emitter.last();
        let splits = match self.barrier {
            Some(checkpoint) => self.reader.snapshot(checkpoint),
            None => self.reader.splits(),
        };
        snapshot.list(SPLITS, Deal::Split, &splits)?;
        Ok(snapshot)
    }

    fn restore(&mut self, from: &OperatorRestore) -> Result<(), BoxError> {
        self.records = self.context.restore(from, &mut self.out);
        let splits: Vec<S> = from.list(SPLITS)?;
        if !splits.is_empty() {
            self.reader.add_splits(splits);
        }
        let watermark = self.context.operator.watermark;
        if watermark > MIN_TIMESTAMP && watermark < MAX_WATERMARK {
            self.emitter.restore(watermark);
            self.controls.push_back(Control::Watermark(watermark));
        }
        Ok(())
    }

    fn checkpoint_completed(
        &mut self,
        checkpoint: CheckpointId,
        now_micros: i64,
    ) -> Result<(), BoxError> {
        self.context.set_now(now_micros);
        self.reader.checkpoint_completed(checkpoint);
        if let Last::Completion(first) = self.last
            && checkpoint >= first
        {
            self.last = Last::Free;
            self.controls.push_back(Control::EndOfPartition);
        }
        Ok(())
    }

    fn awaits_checkpoint(&self) -> bool {
        self.last != Last::Free
    }

    fn flush_exchanges(&mut self, now_micros: i64, all: bool) -> bool {
        self.context.flush_exchanges(&mut self.out, now_micros, all)
    }

    fn due(&self) -> Option<i64> {
        // Frozen, it does nothing by the clock either.
        if self.ending || self.context.frozen {
            return self.flush_due();
        }
        let mut deadline = self.next_periodic;
        if self.settings.latency_interval_millis > 0 {
            deadline = deadline.min(self.next_marker);
        }
        if self.settings.alignment.is_some() {
            deadline = deadline.min(self.next_alignment);
        }
        let due = self.context.due(&self.out, Some(deadline));
        if self.pending && !self.ahead {
            return [due, self.pending_until].into_iter().flatten().min();
        }
        due
    }

    fn flush_due(&self) -> Option<i64> {
        self.context.due(&self.out, None)
    }

    fn mail(&mut self, mail: Mail) {
        match mail {
            Mail::Stop { drain } => {
                self.stop.get_or_insert(drain);
            }
            Mail::Splits(splits) => {
                self.requested = false;
                self.pending = false;
                if let Ok(splits) = splits.downcast::<Vec<S>>() {
                    self.reader.add_splits(*splits);
                }
            }
            Mail::NoMoreSplits => {
                self.requested = false;
                self.no_more_splits = true;
                self.pending = false;
            }
            Mail::Checkpoint(_) | Mail::CheckpointCompleted(_) | Mail::Cancel | Mail::Fail(_) => {}
        }
    }

    fn close(&mut self) {
        self.reader.close();
    }
}
