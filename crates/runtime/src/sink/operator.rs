//! Drives a sink's writer, and where it has one, its committer.

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::clock::SharedClock;
use rheos_core::id::{CheckpointId, OperatorId, Place};
use rheos_core::time::Millis;

use super::commits::Commits;
use super::committer::{CommitterContext, Fence, StagedEpoch};
use super::writer::{Sink, SinkWriter, WriterContext};
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, Operator, OperatorContext};
use crate::chain::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::{Deal, OperatorSnapshot};
use crate::deploy::operator_builder::BuildContext;
use crate::error::{BoxError, TaskError};
use crate::rate::TokenBucket;

/// The operator of a sink.
pub struct SinkOperator<T> {
    writer: Box<dyn SinkWriter<T>>,
    place: Place,
    clock: SharedClock,
    bucket: Option<TokenBucket>,
    /// Of an exactly-once sink, in a job that takes checkpoints.
    commits: Option<Commits>,
    operator: OperatorId,
    lineage: String,
    /// No rows follow.
    ending: bool,
    /// Until when the rate limit holds rows back, in milliseconds.
    held_until: Option<Millis>,
}

impl<T: Row> SinkOperator<T> {
    /// Opens the writer of a subtask.
    ///
    /// # Errors
    /// If the writer can't be made.
    pub fn open<S: Sink<T> + ?Sized>(
        sink: &S,
        context: &mut BuildContext,
    ) -> Result<Self, BoxError> {
        let place = context.place.clone();
        let writer = sink
            .writer(&WriterContext {
                place: place.clone(),
                attempt: context.attempt,
                checkpointed: context.checkpointing.is_some(),
                clock: context.clock.clone(),
                configuration: context.configuration.clone(),
                signal: context.signal.clone(),
                io: context.io.clone(),
                metrics: context.metrics.clone(),
                side_outputs: context.side_outputs.clone(),
            })
            .map_err(|error| sink_error(&place, error))?;
        let mut commits = None;
        let mut lineage = String::new();
        if let Some(checkpointing) = context.checkpointing.clone() {
            lineage.clone_from(&checkpointing.lineage);
            let committer = sink
                .committer(&CommitterContext {
                    place: place.clone(),
                    operator: context.operator,
                    lineage: checkpointing.lineage.clone(),
                    clock: context.clock.clone(),
                    configuration: context.configuration.clone(),
                    io: context.io.clone(),
                    metrics: context.metrics.clone(),
                })
                .map_err(|error| sink_error(&place, error))?;
            let (io, signal) = (context.io.clone(), context.signal.clone());
            commits = committer.map(|committer| Commits::new(committer, io, signal));
        }
        let share = f64::from(place.parallelism);
        let now = context.clock.monotonic_micros();
        let bucket = sink
            .rate_limit()
            .map(|rate| TokenBucket::new(rate / share, now));
        Ok(Self {
            writer,
            place,
            clock: context.clock.clone(),
            bucket,
            commits,
            operator: context.operator,
            lineage,
            ending: false,
            held_until: None,
        })
    }

    /// Whether rows have yet to be written or epochs to be applied: the task does not end before.
    fn has_pending(&self) -> bool {
        let commits = self.commits.as_ref();
        commits.is_some_and(|commits| !commits.is_idle()) || self.writer.has_outstanding()
    }

    fn guard<R>(&self, result: Result<R, BoxError>) -> Result<R, BoxError> {
        result.map_err(|error| sink_error(&self.place, error))
    }
}

/// What the writers remember, in a checkpoint.
const WRITER: &str = "writer";
/// The epochs that are not known to be applied, in a checkpoint.
const STAGED: &str = "staged-epochs";

fn sink_error(place: &Place, error: BoxError) -> BoxError {
    Box::new(TaskError::Sink {
        place: place.clone(),
        error,
    })
}

impl<T: Row> Operator<T, ()> for SinkOperator<T> {
    fn process(
        &mut self,
        input: &mut Cursor<T>,
        _out: &mut Outputs<()>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        if let Some(bucket) = &mut self.bucket {
            let allowed = bucket.allowance(context.now_micros).min(input.allowed());
            if allowed == 0 {
                let wait = (bucket.next_micros() - context.now_micros).max(0);
                self.held_until = Some(context.now_millis + wait.div_euclid(1000) + 1);
                return Ok(());
            }
            bucket.spend(allowed);
            input.allow(allowed);
        }
        let result = self.writer.write_batch(input);
        self.guard(result)
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        _out: &mut Outputs<()>,
        _context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let result = self.writer.watermark(watermark);
        self.guard(result)?;
        Ok(Firing::Done)
    }

    fn deadline(&self) -> Option<Millis> {
        [self.held_until, self.writer.flush_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    fn processing_time(
        &mut self,
        _out: &mut Outputs<()>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        if self
            .held_until
            .is_some_and(|until| until <= context.now_millis)
        {
            self.held_until = None;
        }
        if self
            .writer
            .flush_deadline()
            .is_some_and(|at| at <= context.now_millis)
        {
            let result = self.writer.flush(false);
            self.guard(result)?;
        }
        Ok(Firing::Done)
    }

    fn accepts(&self) -> bool {
        self.held_until
            .is_none_or(|until| until <= self.clock.wall_millis())
            && self.writer.is_ready()
            && !(self.ending && self.has_pending())
    }

    fn has_completions(&self) -> bool {
        self.writer.has_news() || self.commits.as_ref().is_some_and(Commits::has_outcome)
    }

    fn unfinished(&self) -> bool {
        self.writer.has_outstanding()
    }

    fn hasten(&mut self) -> Result<(), BoxError> {
        if !self.writer.has_outstanding() {
            return Ok(());
        }
        let result = self.writer.flush(false);
        self.guard(result)
    }

    fn completions(
        &mut self,
        _out: &mut Outputs<()>,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let result = self.writer.take_news();
        self.guard(result)?;
        let result = self.commits.as_mut().map_or(Ok(()), Commits::settle);
        self.guard(result)
    }

    fn barrier(&mut self, barrier: &Barrier, _context: &OperatorContext) -> Result<(), BoxError> {
        let Some(commits) = &mut self.commits else {
            let result = self.writer.flush(false);
            return self.guard(result);
        };
        let staged = self.writer.stage(barrier);
        if let Ok(Some(handle)) = staged {
            commits.staged(StagedEpoch {
                fence: Fence {
                    lineage: self.lineage.clone(),
                    sink: self.operator.to_string(),
                    writer: self.place.subtask,
                    epoch: barrier.checkpoint.0,
                },
                triggered_at: barrier.triggered_at,
                handle,
            });
            return Ok(());
        }
        self.guard(staged.map(|_| ()))
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        out.bytes(WRITER, Deal::Heir, self.writer.snapshot());
        if let Some(commits) = &self.commits {
            let pending = commits.pending().map(StagedEpoch::to_bytes);
            out.bytes(STAGED, Deal::Heir, pending);
        }
        Ok(())
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        let result = self.writer.restore(from.bytes(WRITER));
        self.guard(result)?;
        let staged = from.bytes(STAGED);
        let staged: Result<Vec<StagedEpoch>, _> = staged
            .iter()
            .map(|bytes| StagedEpoch::from_bytes(bytes))
            .collect();
        let staged = self.guard(staged.map_err(BoxError::from))?;
        match &mut self.commits {
            Some(commits) => commits.inherit(staged, from.checkpoint),
            None if staged.is_empty() => {}
            None => {
                let error = "the checkpoint holds epochs that are staged and not committed, and the \
                     sink is now at least once and commits none: run it exactly once until it has \
                     stopped in good order, and change it then";
                return self.guard(Err(error.into()));
            }
        }
        Ok(())
    }

    fn checkpoint_completed(
        &mut self,
        checkpoint: CheckpointId,
        _context: &OperatorContext,
    ) -> Result<(), BoxError> {
        if let Some(commits) = &mut self.commits {
            commits.completed(checkpoint);
        }
        Ok(())
    }

    fn end_of_data(
        &mut self,
        _drain: bool,
        _out: &mut Outputs<()>,
        _context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        self.ending = true;
        if self.commits.is_none() {
            let result = self.writer.flush(true);
            self.guard(result)?;
        }
        Ok(Firing::Done)
    }

    fn close(&mut self) {
        self.writer.close();
    }
}
