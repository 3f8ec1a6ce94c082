//! Debezium's change events as rows.
//!
//! A record of a table holds an envelope: what the row was, what it is, and how that came about. The
//! type of the stream says what is made of it: [`Change`](rheos_core::change::Change) rows, which are
//! the table's rows with a [`RowKind`](rheos_core::change::RowKind), or [`DebeziumEvent`]s, which keep
//! the source's words (table, position in its log, transaction).
//!
//! [`DebeziumJson`] reads JSON, with or without Kafka Connect's schema beside each record, from files
//! and, as `Values(DebeziumJson::new())`, from Kafka; [`DebeziumAvro`] reads Avro by a schema registry.
//! Tombstones, heartbeats, and what tells of transactions and of changes of schemas hold no rows and
//! are passed over.

#[cfg(feature = "kafka")]
mod avro;
mod changes;
mod decimal;
mod envelope;
mod event;
mod json;
mod others;
#[cfg(test)]
mod tests;
mod unavailable;

#[cfg(feature = "kafka")]
pub use avro::{DebeziumAvro, DebeziumAvroDecoder};
pub use changes::{MissingBefore, Truncates, UnavailableValues};
pub use decimal::{Unscaled, VariableScale};
pub use envelope::ChangeRow;
pub use event::{DebeziumEvent, LogicalMessage, Operation, Origin, TransactionPlace};
pub use json::{DebeziumJson, DebeziumJsonDecoder, DebeziumJsonEncoder};

/// See `crate::fuzzing`.
#[cfg(all(feature = "kafka", any(fuzzing, test)))]
pub(crate) fn fuzz_avro(bytes: &[u8]) {
    use rheos_core::change::Change;
    use rheos_core::row::Schema;

    #[derive(rheos_core::Row, Clone)]
    struct Account {
        id: i32,
        owner: Option<String>,
        balance: Option<Unscaled>,
    }
    let text = include_str!("../../tests/fixtures/debezium/envelope.avsc");
    let reader = Schema::parse_avro_json(text)
        .and_then(|schema| avro::EnvelopeReader::new::<Change<Account>>(&schema));
    let (rules, suspicion) = (changes::Rules::default(), unavailable::Suspicion::binary());
    match reader {
        Ok(reader) => {
            let _ = reader.read(bytes, Some(&suspicion), &rules, |_: Change<Account>| {});
        }
        Err(error) => panic!("the schema of the target: {error}"),
    }
}
