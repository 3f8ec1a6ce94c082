//! Asynchronous I/O at work in one subtask.
//!
//! Everything is decided on the task's thread: futures only leave their outcome and raise the
//! signal. An outcome counts while its row waits for that very attempt; after a time-out or a later
//! attempt it is dropped.

use std::collections::BTreeSet;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::element::{Control, StreamStatus};
use rheos_core::id::Place;
use rheos_core::rng::{Rng, splitmix64};
use rheos_core::time::Millis;
use tokio::task::AbortHandle;

use super::attempts::{Attempts, Ending, Outcome};
use super::circuit_breaker::{BreakerMachine, BreakerState, Permit, Transition};
use super::function::{AsyncError, AsyncFunction};
use super::options::AsyncOptions;
use super::queue::{AsyncQueue, OutputMode};
use crate::chain::inbox::Cursor;
use crate::chain::operator::{Firing, Operator, OperatorContext};
use crate::chain::outputs::Outputs;
use crate::checkpoint::restore::OperatorRestore;
use crate::checkpoint::snapshot::{Deal, OperatorSnapshot};
use crate::deploy::operator_builder::BuildContext;
use crate::error::{BoxError, TaskError};
use crate::metrics::async_io::AsyncIoMetrics;
use crate::metrics::operator::OperatorMetrics;

/// The rows in flight, in a checkpoint.
const IN_FLIGHT: &str = "in-flight";

/// What a row waits with.
#[derive(Debug, Default)]
struct Waiting {
    /// Attempts made.
    attempts: u32,
    /// The attempt that runs.
    running: Option<(AbortHandle, Option<Permit>)>,
    /// When its time is up.
    time_up: Option<Millis>,
    /// When it is tried again.
    retry_at: Option<Millis>,
}

/// Runs an [`AsyncFunction`] over a stream.
pub struct AsyncWaitOperator<In, Out, F> {
    function: F,
    options: AsyncOptions<In, Out>,
    attempts: Attempts<Out>,
    queue: AsyncQueue<In, Out, Waiting>,
    breaker: Option<BreakerMachine>,
    rng: Rng,
    /// Rows by when their time is up.
    time_ups: BTreeSet<(Millis, u64)>,
    /// Rows by when they are tried again.
    retries: BTreeSet<(Millis, u64)>,
    /// The end of the data is in the queue.
    ending: bool,
    place: Place,
    metrics: Arc<OperatorMetrics>,
}

impl<In: Row, Out: Row, F: AsyncFunction<In, Out>> AsyncWaitOperator<In, Out, F> {
    /// Opens a function on its subtask.
    ///
    /// # Errors
    /// If the job has no runtime for futures.
    pub fn open(
        function: F,
        mode: OutputMode,
        options: AsyncOptions<In, Out>,
        context: &BuildContext,
    ) -> Result<Self, BoxError> {
        let io = context.io.clone().ok_or(
            "asynchronous I/O needs a runtime for its futures, and the job has none: start it with \
             rheos::execute::start, or give a test's harness one with Harness::with_io",
        )?;
        let seed = splitmix64(context.operator.0 ^ u64::from(context.place.subtask));
        context.metrics.open_async_io();
        Ok(Self {
            function,
            attempts: Attempts::new(io, context.signal.clone(), context.clock.clone()),
            queue: AsyncQueue::new(mode),
            breaker: options.breaker.clone().map(BreakerMachine::new),
            options,
            rng: Rng::new(seed),
            time_ups: BTreeSet::new(),
            retries: BTreeSet::new(),
            ending: false,
            place: context.place.clone(),
            metrics: context.metrics.clone(),
        })
    }

    /// The rows in flight with their timestamps, in the order of the input.
    pub fn in_flight(&self) -> impl Iterator<Item = (&In, Millis)> {
        self.queue.inputs()
    }

    fn count(&self, count: impl FnOnce(&AsyncIoMetrics)) {
        count(self.metrics.open_async_io());
    }

    fn note(&self, change: Option<Transition>) {
        let Some(Transition { from, to, reason }) = change else {
            return;
        };
        self.count(|metrics| metrics.breaker_became(to));
        let Place {
            operator, subtask, ..
        } = &self.place;
        if to == BreakerState::Open {
            tracing::warn!(%operator, subtask, %from, %to, %reason, "circuit breaker");
        } else {
            tracing::info!(%operator, subtask, %from, %to, %reason, "circuit breaker");
        }
    }

    fn admit(&mut self, input: In, timestamp: Millis, now: Millis) -> Result<(), BoxError> {
        let timeout = self.options.timeout_millis();
        let time_up = timeout.map(|timeout| now.saturating_add(timeout));
        let sequence = self
            .options
            .sequence
            .as_ref()
            .map(|sequence| sequence(&input));
        let row = self.queue.push(
            input,
            timestamp,
            sequence,
            Waiting {
                time_up,
                ..Waiting::default()
            },
        );
        if let Some(time_up) = time_up {
            self.time_ups.insert((time_up, row));
        }
        self.attempt(row, now)
    }

    fn attempt(&mut self, row: u64, now: Millis) -> Result<(), BoxError> {
        let mut permit = None;
        if let Some(breaker) = &mut self.breaker {
            let (leave, change) = breaker.acquire(now);
            let state = breaker.state();
            self.note(change);
            if leave.is_none() {
                self.count(AsyncIoMetrics::count_rejected);
                let attempts = self
                    .queue
                    .waiting(row)
                    .map_or(0, |row| row.waiting.attempts);
                return self.give_up(row, AsyncError::Rejected { attempts, state });
            }
            permit = leave;
        }
        let Some(entry) = self.queue.waiting(row) else {
            return Ok(());
        };
        entry.waiting.attempts += 1;
        entry.waiting.retry_at = None;
        let attempt = entry.waiting.attempts;
        let future = self.function.invoke(entry.input.clone());
        entry.waiting.running = Some((self.attempts.start(row, attempt, future), permit));
        if attempt > 1 {
            self.count(AsyncIoMetrics::count_retry);
        }
        Ok(())
    }

    fn ended(&mut self, outcome: Outcome<Out>, now: Millis) -> Result<(), BoxError> {
        let Outcome {
            row,
            attempt,
            ending,
            took_millis,
        } = outcome;
        let Some(entry) = self.queue.waiting(row) else {
            return Ok(());
        };
        if entry.waiting.attempts != attempt {
            return Ok(());
        }
        let Some((_, permit)) = entry.waiting.running.take() else {
            return Ok(());
        };
        let answer = match ending {
            Ending::Answer(answer) => answer,
            Ending::Panic(panic) => {
                return Err(Box::new(TaskError::Panic {
                    place: self.place.clone(),
                    message: panic.message,
                    backtrace: panic.backtrace,
                }));
            }
            Ending::Dropped => {
                return Err("the runtime dropped the future of a row: it is shutting down".into());
            }
        };
        self.record(permit, answer.is_err(), took_millis, now);
        if answer.is_err() {
            self.count(AsyncIoMetrics::count_failure);
        }
        if let Some(delay) = self
            .options
            .retry
            .next_delay(attempt, &answer, &mut self.rng)
        {
            let at = now.saturating_add(delay);
            if let Some(entry) = self.queue.waiting(row) {
                entry.waiting.retry_at = Some(at);
                self.retries.insert((at, row));
            }
            return Ok(());
        }
        match answer {
            Ok(results) => self.finish(row, results),
            Err(error) => {
                return self.give_up(
                    row,
                    AsyncError::Failed {
                        attempts: attempt,
                        error,
                    },
                );
            }
        }
        Ok(())
    }

    fn record(&mut self, permit: Option<Permit>, failed: bool, took: i64, now: Millis) {
        if let (Some(breaker), Some(permit)) = (&mut self.breaker, permit) {
            let change = breaker.record(permit, failed, took, now);
            self.note(change);
        }
    }

    fn time_up(&mut self, row: u64, now: Millis) -> Result<(), BoxError> {
        let Some(entry) = self.queue.waiting(row) else {
            return Ok(());
        };
        let attempts = entry.waiting.attempts;
        let input = entry.input.clone();
        let timeout_millis = self.options.timeout_millis().unwrap_or(0);
        if let Some((running, permit)) = entry.waiting.running.take() {
            running.abort();
            self.record(permit, true, timeout_millis, now);
        }
        self.count(AsyncIoMetrics::count_timeout);
        match self.function.timeout(input) {
            Ok(results) => {
                self.finish(row, results);
                Ok(())
            }
            Err(error) => self.give_up(
                row,
                AsyncError::TimedOut {
                    attempts,
                    timeout_millis,
                    error,
                },
            ),
        }
    }

    /// The function has no answer for a row: the fallback's, or the error.
    fn give_up(&mut self, row: u64, error: AsyncError) -> Result<(), BoxError> {
        let Some(fallback) = self.options.fallback.clone() else {
            return Err(Box::new(error));
        };
        let Some(entry) = self.queue.waiting(row) else {
            return Ok(());
        };
        let results = fallback(entry.input.clone(), &error)?;
        self.count(AsyncIoMetrics::count_fallback);
        self.finish(row, results);
        Ok(())
    }

    fn finish(&mut self, row: u64, results: Vec<Out>) {
        let Some(entry) = self.queue.waiting(row) else {
            return;
        };
        let waiting = std::mem::take(&mut entry.waiting);
        if let Some(at) = waiting.time_up {
            self.time_ups.remove(&(at, row));
        }
        if let Some(at) = waiting.retry_at {
            self.retries.remove(&(at, row));
        }
        self.queue.complete(row, results);
    }

    /// Puts a control element behind the rows in flight, if there are any.
    fn hold(&mut self, control: Control) -> Firing {
        if self.queue.is_empty() {
            return Firing::Done;
        }
        self.queue.push_control(control);
        Firing::Held
    }
}

impl<In: Row, Out: Row, F: AsyncFunction<In, Out>> Operator<In, Out>
    for AsyncWaitOperator<In, Out, F>
{
    fn process(
        &mut self,
        input: &mut Cursor<In>,
        _out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        while self.queue.len() < self.options.capacity {
            let Some((row, timestamp)) = input.next() else {
                break;
            };
            self.admit(row, timestamp, context.now_millis)?;
        }
        self.count(|metrics| metrics.set_in_flight(self.queue.len()));
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Millis,
        _out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        Ok(self.hold(Control::Watermark(watermark)))
    }

    fn status(&mut self, status: StreamStatus) -> Firing {
        self.hold(Control::Status(status))
    }

    fn release(&mut self) -> Option<Control> {
        let control = self.queue.pop_control();
        if let Some(Control::EndOfData { .. }) = control {
            self.ending = false;
        }
        control
    }

    fn deadline(&self) -> Option<Millis> {
        let first = |times: &BTreeSet<(Millis, u64)>| times.first().map(|(at, _)| *at);
        [first(&self.time_ups), first(&self.retries)]
            .into_iter()
            .flatten()
            .min()
    }

    fn processing_time(
        &mut self,
        _out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let now = context.now_millis;
        while let Some((_, row)) = pop_due(&mut self.time_ups, now) {
            self.time_up(row, now)?;
        }
        while let Some((_, row)) = pop_due(&mut self.retries, now) {
            self.attempt(row, now)?;
        }
        Ok(Firing::Done)
    }

    fn accepts(&self) -> bool {
        !self.ending && self.queue.len() < self.options.capacity
    }

    fn unfinished(&self) -> bool {
        // The end of the data stands behind the rows in flight.
        self.ending
    }

    fn has_completions(&self) -> bool {
        self.queue.is_ready() || self.attempts.has_outcomes()
    }

    fn completions(
        &mut self,
        out: &mut Outputs<Out>,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        for outcome in self.attempts.take() {
            self.ended(outcome, context.now_millis)?;
        }
        // A row's results leave together: a checkpoint holds its input or has its results sent.
        while !out.is_full()
            && let Some((results, timestamp)) = self.queue.pop_results()
        {
            for result in results {
                out.push(result, timestamp);
            }
        }
        self.count(|metrics| metrics.set_in_flight(self.queue.len()));
        Ok(())
    }

    fn end_of_data(
        &mut self,
        drain: bool,
        _out: &mut Outputs<Out>,
        _context: &OperatorContext,
    ) -> Result<Firing, BoxError> {
        let firing = self.hold(Control::EndOfData { drain });
        self.ending = firing == Firing::Held;
        Ok(firing)
    }

    fn close(&mut self) {
        for row in self.queue.all_waiting() {
            if let Some((running, _)) = row.waiting.running.take() {
                running.abort();
            }
        }
    }

    fn snapshot(&mut self, out: &mut OperatorSnapshot) -> Result<(), BoxError> {
        let inputs = self.queue.inputs();
        let inputs: Vec<(In, Millis)> = inputs.map(|(row, at)| (row.clone(), at)).collect();
        out.list(IN_FLIGHT, Deal::Split, &inputs)?;
        Ok(())
    }

    fn restore(
        &mut self,
        from: &OperatorRestore,
        context: &OperatorContext,
    ) -> Result<(), BoxError> {
        // They are asked again, before any new row and before the watermark behind them.
        for (row, timestamp) in from.list::<(In, Millis)>(IN_FLIGHT)? {
            self.admit(row, timestamp, context.now_millis)?;
        }
        Ok(())
    }
}

fn pop_due(times: &mut BTreeSet<(Millis, u64)>, now: Millis) -> Option<(Millis, u64)> {
    let first = *times.first()?;
    if first.0 > now {
        return None;
    }
    times.pop_first()
}
