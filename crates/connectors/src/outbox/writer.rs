//! The writer of a sink that gathers rows into batches.

use std::collections::VecDeque;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::row::Writer as RowWriter;
use rheos_core::time::Millis;
use rheos_runtime::BoxError;
use rheos_runtime::chain::inbox::Cursor;
use rheos_runtime::metrics::user::{Counter, Gauge};
use rheos_runtime::sink::writer::{SinkWriter, WriterContext};

use super::courier::{Courier, Outbox};
use super::{BatchLimits, Delivered, Delivery};
use crate::bad_records::{BadRecordHandler, BadRecords, Direction};
use crate::error::ConnectorError;

/// Makes batches of rows. Implemented by connectors; called on the task's thread.
pub(crate) trait Gather<T>: 'static {
    /// What is sent.
    type Batch: Send + 'static;

    /// Takes a row; its place in the batch, which may be that of a row that it replaces.
    ///
    /// # Errors
    /// What is wrong with the row.
    fn put(&mut self, row: &T) -> Result<usize, String>;

    /// Bytes of the batch, as far as they are known.
    fn bytes(&self) -> usize;

    /// The batch, and begins the next.
    fn take(&mut self) -> Self::Batch;
}

/// What is known of a row of a batch after it has been sent.
struct Sent {
    /// Its number in the subtask, from 1.
    number: u64,
    /// Its binary form, if rejected rows go to dead letters.
    bytes: Vec<u8>,
}

/// Gathers rows and sends them.
pub(crate) struct BatchWriter<G, B> {
    gather: G,
    /// Of the batch that is being gathered, by place.
    rows: Vec<Sent>,
    outbox: Outbox<B>,
    /// Of the batches on their way, the oldest first.
    on_the_way: VecDeque<Vec<Sent>>,
    limits: BatchLimits,
    due: Option<Millis>,
    /// A barrier or the end waits for what has been gathered.
    hurry: bool,
    clock: SharedClock,
    bad_records: BadRecordHandler,
    keep_bytes: bool,
    /// For messages.
    sink: String,
    count: u64,
    sent: Counter,
    bytes_sent: Counter,
    errors: Counter,
    send_time: Gauge,
}

impl<G, B: Send + 'static> BatchWriter<G, B> {
    /// A writer in `context`; `target` is where it writes to, for messages.
    pub fn open(
        context: &WriterContext,
        target: &str,
        gather: G,
        courier: impl Courier<B>,
        delivery: Delivery,
    ) -> Result<Self, ConnectorError> {
        let Delivery {
            limits,
            bad_records,
            ..
        } = delivery;
        let Some(io) = &context.io else {
            return Err(ConnectorError::Setting(format!(
                "a sink into {target} needs an I/O runtime, and this run has none"
            )));
        };
        let handler = BadRecordHandler::new(
            bad_records,
            Direction::Out,
            &context.side_outputs,
            context.metrics.clone(),
            context.clock.clone(),
        )?;
        let metrics = context.metrics.group();
        Ok(Self {
            gather,
            rows: Vec::new(),
            outbox: Outbox::open(io, context.signal.clone(), courier),
            on_the_way: VecDeque::new(),
            limits: BatchLimits {
                max_rows: limits.max_rows.max(1),
                max_bytes: limits.max_bytes.max(1),
                ..limits
            },
            due: None,
            hurry: false,
            clock: context.clock.clone(),
            bad_records: handler,
            keep_bytes: bad_records == BadRecords::DeadLetter,
            sink: format!("{} into {target}", context.place),
            count: 0,
            sent: metrics.counter("numRecordsSend"),
            bytes_sent: metrics.counter("numBytesSend"),
            errors: metrics.counter("numRecordsSendErrors"),
            send_time: metrics.gauge("currentSendTime"),
        })
    }

    fn delivered(&mut self, delivered: Delivered) -> Result<(), ConnectorError> {
        let rows = self.on_the_way.pop_front().unwrap_or_default();
        self.send_time.set(delivered.millis as f64);
        self.bytes_sent.inc_by(counted(delivered.bytes));
        let rejected = delivered.rejected.len();
        self.sent
            .inc_by(counted(rows.len().saturating_sub(rejected) as u64));
        self.errors.inc_by(counted(rejected as u64));
        for rejected in delivered.rejected {
            let row = rows.get(rejected.index);
            self.bad_records.handle(
                &self.sink,
                row.map_or(0, |row| row.number),
                0,
                || row.map_or_else(Vec::new, |row| row.bytes.clone()),
                rejected.message,
            )?;
        }
        Ok(())
    }
}

/// As counters count.
pub(super) fn counted(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl<G, B: Send + 'static> BatchWriter<G, B> {
    fn is_full<T>(&self) -> bool
    where
        G: Gather<T, Batch = B>,
    {
        self.rows.len() >= self.limits.max_rows || self.gather.bytes() >= self.limits.max_bytes
    }

    /// Sends what has been gathered, if there is room.
    fn send<T>(&mut self) -> Result<(), ConnectorError>
    where
        G: Gather<T, Batch = B>,
    {
        if !self.rows.is_empty() && self.outbox.has_room() {
            self.outbox.send(self.gather.take())?;
            self.on_the_way.push_back(std::mem::take(&mut self.rows));
            self.due = None;
            self.hurry = false;
        }
        Ok(())
    }
}

impl<T, G, B> SinkWriter<T> for BatchWriter<G, B>
where
    T: Row,
    B: Send + 'static,
    G: Gather<T, Batch = B>,
{
    fn write(&mut self, row: T, _timestamp: Millis) -> Result<(), BoxError> {
        self.count += 1;
        let number = self.count;
        let binary = |row: &T| {
            let mut out = RowWriter::new();
            row.encode(&mut out);
            out.into_vec()
        };
        match self.gather.put(&row) {
            Ok(place) => {
                let bytes = if self.keep_bytes {
                    binary(&row)
                } else {
                    Vec::new()
                };
                let sent = Sent { number, bytes };
                match self.rows.get_mut(place) {
                    Some(replaced) => *replaced = sent,
                    None => self.rows.push(sent),
                }
            }
            Err(message) => {
                self.errors.inc();
                let bytes = || binary(&row);
                self.bad_records
                    .handle(&self.sink, number, 0, bytes, message)?;
                return Ok(());
            }
        }
        if self.due.is_none() {
            let interval = Millis::try_from(self.limits.interval.as_millis());
            let interval = interval.unwrap_or(Millis::MAX);
            self.due = Some(self.clock.wall_millis().saturating_add(interval));
        }
        if self.is_full::<T>() {
            self.send::<T>()?;
        }
        Ok(())
    }

    fn write_batch(&mut self, rows: &mut Cursor<T>) -> Result<(), BoxError> {
        while !self.is_full::<T>()
            && let Some((row, timestamp)) = rows.next()
        {
            self.write(row, timestamp)?;
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        !self.is_full::<T>()
    }

    fn has_outstanding(&self) -> bool {
        !self.rows.is_empty() || !self.outbox.is_empty()
    }

    fn has_news(&self) -> bool {
        self.outbox.has_outcome()
    }

    fn take_news(&mut self) -> Result<(), BoxError> {
        while let Some(outcome) = self.outbox.outcome() {
            let delivered = outcome.map_err(|error| match error {
                // What was said is the courier's; the first row of the batch is known here.
                ConnectorError::NotWritten { sink, message, .. } => ConnectorError::NotWritten {
                    sink,
                    row: self
                        .on_the_way
                        .front()
                        .and_then(|rows| rows.first())
                        .map_or(0, |row| row.number),
                    message,
                },
                other => other,
            })?;
            self.delivered(delivered)?;
        }
        if self.is_full::<T>() || self.hurry {
            self.send::<T>()?;
        }
        Ok(())
    }

    fn flush_deadline(&self) -> Option<Millis> {
        // While there is no room, news is what is waited for.
        self.due.filter(|_| self.outbox.has_room())
    }

    fn flush(&mut self, _end: bool) -> Result<(), BoxError> {
        self.hurry = !self.rows.is_empty();
        Ok(self.send::<T>()?)
    }
}
