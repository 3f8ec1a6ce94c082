//! Drives a sink's writer.

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_core::time::Millis;

use super::writer::{Sink, SinkWriter, WriterContext};
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, Operator, OperatorContext};
use crate::chain::outputs::Outputs;
use crate::deploy::operator_builder::BuildContext;
use crate::error::{BoxError, TaskError};
use crate::rate::TokenBucket;

/// The operator of a sink.
pub struct SinkOperator<T> {
    writer: Box<dyn SinkWriter<T>>,
    place: Place,
    clock: SharedClock,
    bucket: Option<TokenBucket>,
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
                clock: context.clock.clone(),
                configuration: context.configuration.clone(),
                signal: context.signal.clone(),
                io: context.io.clone(),
                metrics: context.metrics.clone(),
                side_outputs: context.side_outputs.clone(),
            })
            .map_err(|error| sink_error(&place, error))?;
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
            held_until: None,
        })
    }

    fn guard<R>(&self, result: Result<R, BoxError>) -> Result<R, BoxError> {
        result.map_err(|error| sink_error(&self.place, error))
    }
}

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
    }

    fn barrier(&mut self, _barrier: &Barrier, _context: &OperatorContext) -> Result<(), BoxError> {
        let result = self.writer.flush(false);
        self.guard(result)
    }

    fn end_of_data(
        &mut self,
        _drain: bool,
        _out: &mut Outputs<()>,
        _context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let result = self.writer.flush(true);
        self.guard(result)?;
        Ok(Firing::Done)
    }

    fn close(&mut self) {
        self.writer.close();
    }
}
