//! What becomes of events that are no plain change.

use rheos_core::change::{Change, RowKind};
use rheos_core::row::RowError;

use super::event::Operation;

/// What an update becomes whose event lacks the row before, as PostgreSQL's do unless the table has
/// `REPLICA IDENTITY FULL`.
///
/// A *deletion* without full identity can't be told from one with it: its `before` holds the key, and
/// empty or null values in all other columns. So under [`MissingBefore::Upsert`] deletions must be read
/// by their key, and columns that are not of the key be optional, text or numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissingBefore {
    /// A bad record. As Flink.
    #[default]
    Fail,
    /// The row after alone, as `+U`: whoever reads it knows rows by a key.
    Upsert,
}

/// What a value becomes that was not in the source's log since it did not change, where Debezium writes
/// `__debezium_unavailable_value` in its place (PostgreSQL's long values without full identity).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnavailableValues {
    /// The record is bad if the row has the field.
    #[default]
    Fail,
    /// That text, as if it were the value. As Flink.
    Keep,
}

/// What becomes of a table that was truncated. The connector leaves such events out unless it is told
/// otherwise (`skipped.operations`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Truncates {
    /// A bad record: which rows are gone is not known.
    #[default]
    Fail,
    /// Passed over; the rows stay with those who read them.
    Ignore,
}

/// What is chosen of these.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    pub missing_before: MissingBefore,
    pub unavailable: UnavailableValues,
    pub truncates: Truncates,
}

/// Debezium's letter for an operation.
pub(super) fn operation(letter: &str) -> Result<Operation, RowError> {
    Ok(match letter {
        "r" => Operation::Read,
        "c" => Operation::Create,
        "u" => Operation::Update,
        "d" => Operation::Delete,
        "t" => Operation::Truncate,
        "m" => Operation::Message,
        other => {
            return Err(RowError::mismatch(format!(
                "{other:?} is none of Debezium's operations r, c, u, d, t, m"
            ))
            .in_field("op"));
        }
    })
}

/// Hands out the rows of an event, those of an update together or not at all.
pub(super) fn changes<T>(
    operation: Operation,
    before: Option<T>,
    after: Option<T>,
    rules: &Rules,
    emit: &mut impl FnMut(Change<T>),
) -> Result<(), RowError> {
    match operation {
        Operation::Read | Operation::Create => {
            let row = after.ok_or_else(|| lacks("after", "an insertion"))?;
            emit(Change::new(RowKind::Insert, row));
        }
        Operation::Update => {
            let after = after.ok_or_else(|| lacks("after", "an update"))?;
            match (before, rules.missing_before) {
                (Some(before), _) => emit(Change::new(RowKind::UpdateBefore, before)),
                (None, MissingBefore::Upsert) => {}
                (None, MissingBefore::Fail) => return Err(no_identity()),
            }
            emit(Change::new(RowKind::UpdateAfter, after));
        }
        Operation::Delete => {
            let row = before.ok_or_else(|| lacks("before", "a deletion"))?;
            emit(Change::new(RowKind::Delete, row));
        }
        Operation::Truncate if rules.truncates == Truncates::Fail => return Err(truncated()),
        Operation::Truncate | Operation::Message => {}
    }
    Ok(())
}

#[cold]
fn lacks(field: &'static str, of: &str) -> RowError {
    RowError::mismatch(format!(
        "the event of {of} lacks the row; give the table a primary key or REPLICA IDENTITY FULL"
    ))
    .in_field(field)
}

#[cold]
fn no_identity() -> RowError {
    RowError::mismatch(
        "the event of an update lacks the row before; give the table REPLICA IDENTITY FULL \
         (PostgreSQL), or read updates as upserts by missing_before(MissingBefore::Upsert)",
    )
    .in_field("before")
}

#[cold]
fn truncated() -> RowError {
    RowError::mismatch(
        "the table was truncated, and which rows are gone is not known; have the connector skip \
         such events (skipped.operations=t), or pass them over by truncates(Truncates::Ignore)",
    )
}
