//! The envelope as it is written, and what is made of it.
//!
//! `payload` is there where Kafka Connect wrote a schema beside the record: then it is the envelope.

use rheos_core::Row;
use rheos_core::change::Change;
use rheos_core::row::{RowError, Str};

use super::changes::{Rules, changes, operation};
use super::event::{DebeziumEvent, LogicalMessage, Origin, TransactionPlace};

/// What an envelope is unpacked into: [`Change`] of a row, or [`DebeziumEvent`] of it.
pub trait ChangeRow: sealed::Unpack {}

impl<T: Row> ChangeRow for Change<T> {}

impl<T: Row> ChangeRow for DebeziumEvent<T> {}

/// Whether a record was an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpacked {
    /// Its rows were emitted.
    Done,
    /// It has no `op`.
    NoEnvelope,
}

mod sealed {
    use super::{Row, RowError, Rules, Unpacked};

    pub trait Unpack: Row {
        /// The row of the table.
        type Row: Row;

        /// What is read of the envelope.
        type Envelope: Row;

        #[allow(
            private_interfaces,
            reason = "sealed: nobody else implements or calls it"
        )]
        fn unpack(
            envelope: Self::Envelope,
            rules: &Rules,
            emit: &mut impl FnMut(Self),
        ) -> Result<Unpacked, RowError>;
    }
}

/// What changes are made of; the rest is not read.
#[derive(Row, Clone, Debug)]
pub struct Envelope<T> {
    before: Option<T>,
    after: Option<T>,
    op: Option<Str>,
    payload: Option<Box<Envelope<T>>>,
}

/// The whole envelope.
#[derive(Row, Clone, Debug)]
pub struct FullEnvelope<T> {
    before: Option<T>,
    after: Option<T>,
    source: Option<Origin>,
    transaction: Option<TransactionPlace>,
    op: Option<Str>,
    ts_ms: Option<i64>,
    message: Option<LogicalMessage>,
    payload: Option<Box<FullEnvelope<T>>>,
}

impl<T: Row> sealed::Unpack for Change<T> {
    type Row = T;
    type Envelope = Envelope<T>;

    #[allow(
        private_interfaces,
        reason = "sealed: nobody else implements or calls it"
    )]
    fn unpack(
        mut envelope: Envelope<T>,
        rules: &Rules,
        emit: &mut impl FnMut(Self),
    ) -> Result<Unpacked, RowError> {
        if let (None, Some(payload)) = (&envelope.op, envelope.payload.take()) {
            envelope = *payload;
        }
        let Some(op) = &envelope.op else {
            return Ok(Unpacked::NoEnvelope);
        };
        let operation = operation(op)?;
        changes(operation, envelope.before, envelope.after, rules, emit)?;
        Ok(Unpacked::Done)
    }
}

impl<T: Row> sealed::Unpack for DebeziumEvent<T> {
    type Row = T;
    type Envelope = FullEnvelope<T>;

    #[allow(
        private_interfaces,
        reason = "sealed: nobody else implements or calls it"
    )]
    fn unpack(
        mut envelope: FullEnvelope<T>,
        _rules: &Rules,
        emit: &mut impl FnMut(Self),
    ) -> Result<Unpacked, RowError> {
        if let (None, Some(payload)) = (&envelope.op, envelope.payload.take()) {
            envelope = *payload;
        }
        let Some(op) = &envelope.op else {
            return Ok(Unpacked::NoEnvelope);
        };
        emit(Self {
            op: operation(op)?,
            before: envelope.before,
            after: envelope.after,
            source: envelope.source.unwrap_or_default(),
            transaction: envelope.transaction,
            ts_ms: envelope.ts_ms,
            message: envelope.message,
        });
        Ok(Unpacked::Done)
    }
}
