//! A change event with all that the source says of it.

use rheos_core::Row;
use rheos_core::change::{Change, RowKind};
use rheos_core::row::Str;

/// What happened, by Debezium's `op`.
#[derive(Row, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `r`: the row was found by a snapshot.
    Read,
    /// `c`: it was inserted.
    Create,
    /// `u`: it was updated.
    Update,
    /// `d`: it was deleted.
    Delete,
    /// `t`: the table was truncated.
    Truncate,
    /// `m`: somebody wrote a message into the source's log.
    Message,
}

/// A change of a row of a table, or what else stood in the source's log.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct DebeziumEvent<T> {
    /// What happened.
    pub op: Operation,
    /// The row before; see [`MissingBefore`](super::MissingBefore) for what it may lack.
    pub before: Option<T>,
    /// The row after.
    pub after: Option<T>,
    /// Where it happened.
    pub source: Origin,
    /// Its place in its transaction, if the connector tells of transactions; none in snapshots.
    pub transaction: Option<TransactionPlace>,
    /// When the connector handled it, in milliseconds since 1970.
    pub ts_ms: Option<i64>,
    /// The message of [`Operation::Message`].
    pub message: Option<LogicalMessage>,
}

/// Where an event comes from: what the connectors of PostgreSQL, MySQL and MariaDB say.
#[derive(Row, Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The connector's version.
    #[row(default)]
    pub version: Str,
    /// The connector: `postgresql`, `mysql`, `mariadb`.
    #[row(default)]
    pub connector: Str,
    /// The prefix of its topics.
    #[row(default)]
    pub name: Str,
    /// When the change was made, in milliseconds since 1970.
    pub ts_ms: Option<i64>,
    /// The same, in microseconds.
    pub ts_us: Option<i64>,
    /// The same, in nanoseconds.
    pub ts_ns: Option<i64>,
    /// `true`, `first`, `first_in_data_collection`, `last_in_data_collection`, `last`, `incremental`
    /// or `false`.
    pub snapshot: Option<Str>,
    /// The database.
    #[row(default)]
    pub db: Str,
    /// The schema; MySQL has none.
    pub schema: Option<Str>,
    /// The table; empty of messages.
    pub table: Option<Str>,
    /// PostgreSQL: positions of the last commit and of this change, as a JSON list.
    pub sequence: Option<String>,
    /// PostgreSQL: the transaction.
    #[row(rename = "txId")]
    pub tx_id: Option<i64>,
    /// PostgreSQL: the position in its log.
    pub lsn: Option<i64>,
    /// PostgreSQL: the oldest transaction that is still open.
    pub xmin: Option<i64>,
    /// PostgreSQL: where the change was replicated from.
    pub origin: Option<String>,
    /// PostgreSQL: its position in that one's log.
    pub origin_lsn: Option<i64>,
    /// MySQL: the server.
    pub server_id: Option<i64>,
    /// MySQL: the transaction.
    pub gtid: Option<String>,
    /// MySQL: the file of its log.
    pub file: Option<Str>,
    /// MySQL: the position in that file.
    pub pos: Option<i64>,
    /// MySQL: which row of the event there.
    pub row: Option<i64>,
    /// MySQL: the connection that made the change.
    pub thread: Option<i64>,
    /// MySQL: the statement that made it, if the server keeps it.
    pub query: Option<String>,
}

/// Which event of its transaction it is.
#[derive(Row, Clone, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// The transaction.
    pub id: String,
    /// The how-manieth event of it, from 1.
    pub total_order: i64,
    /// The how-manieth of its table, from 1.
    pub data_collection_order: i64,
}

/// What `pg_logical_emit_message` wrote.
#[derive(Row, Clone, Debug, PartialEq, Eq)]
pub struct LogicalMessage {
    /// Its prefix.
    pub prefix: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl<T> DebeziumEvent<T> {
    /// The rows that it changes, the one before first; none of truncates and messages. Of an update
    /// without a row before only the one after.
    pub fn changes(self) -> impl Iterator<Item = Change<T>> {
        let (before, after) = match self.op {
            Operation::Read | Operation::Create => (None, Some(RowKind::Insert)),
            Operation::Update => (Some(RowKind::UpdateBefore), Some(RowKind::UpdateAfter)),
            Operation::Delete => (Some(RowKind::Delete), None),
            Operation::Truncate | Operation::Message => (None, None),
        };
        let change = |kind: Option<RowKind>, row: Option<T>| {
            kind.zip(row).map(|(kind, row)| Change::new(kind, row))
        };
        [change(before, self.before), change(after, self.after)]
            .into_iter()
            .flatten()
    }
}
