//! What users describe of a sink into a table.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::id::Place;
use rheos_runtime::BoxError;
use rheos_runtime::sink::committer::{Committer, CommitterContext};
use rheos_runtime::sink::writer::{Sink, SinkWriter, WriterContext};

use super::cell::{Cell, CellType, Column, IntoCell, problem, size};
use super::committer::PostgresCommitter;
use super::connection::PostgresOptions;
use super::courier::{Batch, PostgresCourier};
use super::epoch::Epoch;
use super::statement::{Mode, Target};
use crate::delivery::DeliveryGuarantee;
use crate::error::ConnectorError;
use crate::net::Trust;
use crate::outbox::{
    BatchLimits, BatchWriter, Delivery, Gather, LeftOut, Patience, StagingWriter, delivery_setters,
};
use crate::secret::Secret;

type Read<T> = Arc<dyn Fn(&T) -> Cell + Send + Sync>;

/// Writes rows into a table: at least once, a transaction a batch; or exactly once, a transaction a
/// checkpoint and subtask, which also moves the subtask's fence in a table of fences.
///
/// With a key a row takes the place of the one that has it, so what is written twice is there once;
/// without one rows are added. Rows that break a constraint, or that the columns' types do not take,
/// are bad records; the rest of their batch is written.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::{PostgresSink, Timestamp};
///
/// #[derive(Row, Clone)]
/// struct Count {
///     word: String,
///     hour: i64,
///     count: u64,
/// }
///
/// fn write(counts: &DataStream<Count>) {
///     let sink = PostgresSink::new("postgres://rheos:${env:PGPASSWORD}@db/words", "counts")
///         .column("word", |count: &Count| count.word.clone())
///         .column("hour", |count: &Count| Timestamp(count.hour))
///         .column("count", |count: &Count| count.count as i64)
///         .key(["word", "hour"]);
///     counts.sink_to(sink).name("postgres-sink");
/// }
/// ```
#[derive(Clone)]
pub struct PostgresSink<T> {
    options: PostgresOptions,
    target: Target,
    reads: Vec<Read<T>>,
    prepare: Vec<String>,
    delivery: Delivery,
    guarantee: DeliveryGuarantee,
    fence_table: String,
}

impl<T> PostgresSink<T> {
    /// A sink into `table` (or `schema.table`) of the database at `url`; see
    /// [`PostgresOptions::url`].
    pub fn new(url: impl Into<Secret>, table: impl Into<String>) -> Self {
        Self::with(PostgresOptions::new(url), table)
    }

    /// As [`PostgresSink::new`], with these options.
    pub fn with(options: PostgresOptions, table: impl Into<String>) -> Self {
        Self {
            options,
            target: Target {
                table: table.into(),
                columns: Vec::new(),
                key: Vec::new(),
                mode: Mode::Insert,
            },
            reads: Vec::new(),
            prepare: Vec::new(),
            delivery: Delivery::new(BatchLimits {
                max_rows: 1_000,
                max_bytes: 4 * 1024 * 1024,
                interval: Duration::from_secs(1),
            }),
            guarantee: DeliveryGuarantee::default(),
            fence_table: "rheos_fences".to_owned(),
        }
    }

    /// A column, and how it is read from a row.
    #[must_use]
    pub fn column<V: IntoCell>(
        mut self,
        name: impl Into<String>,
        read: impl Fn(&T) -> V + Send + Sync + 'static,
    ) -> Self {
        self.target.columns.push((name.into(), V::TYPE));
        self.reads
            .push(Arc::new(move |row: &T| read(row).into_cell()));
        self
    }

    /// The columns that tell a row from others; the table must have a unique index on them. A row
    /// with a key that is there replaces the other columns of it (`ON CONFLICT … DO UPDATE`).
    #[must_use]
    pub fn key<K: Into<String>>(mut self, columns: impl IntoIterator<Item = K>) -> Self {
        self.target.key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Adds rows by `COPY`, the fastest way in; without a key.
    #[must_use]
    pub fn copy(mut self) -> Self {
        self.target.mode = Mode::Copy;
        self
    }

    /// A statement that is run before the first row, such as `CREATE TABLE IF NOT EXISTS …`; by one
    /// subtask at a time.
    #[must_use]
    pub fn prepare(mut self, statement: impl Into<String>) -> Self {
        self.prepare.push(statement.into());
        self
    }

    delivery_setters!("1,000 rows, 4 MiB or a second");

    /// At least once unless told. Exactly once, rows are kept with the checkpoint and written when it is
    /// complete; `sink.buffer-flush.interval` has no meaning then.
    #[must_use]
    pub fn delivery_guarantee(mut self, guarantee: DeliveryGuarantee) -> Self {
        self.guarantee = guarantee;
        self
    }

    /// The table (or `schema.table`) that says which epochs are written; `rheos_fences` unless told. It
    /// is made where it is not there, and may be shared by jobs.
    #[must_use]
    pub fn fence_table(mut self, table: impl Into<String>) -> Self {
        self.fence_table = table.into();
        self
    }

    fn courier(&self, place: &Place, clock: &SharedClock) -> Result<PostgresCourier, BoxError> {
        let connector = self.options.connector()?;
        let target = format!("table {} at {}", self.target.table, connector.name);
        let backoff = self.delivery.backoff(place, clock);
        Ok(PostgresCourier::new(
            connector,
            self.target.clone(),
            self.prepare.clone(),
            Patience::new(target, backoff),
            clock.clone(),
        ))
    }

    /// Where the server is and how to speak with it, instead of what was given first.
    #[must_use]
    pub fn connection(mut self, options: PostgresOptions) -> Self {
        self.options = options;
        self
    }

    /// Whose certificates are trusted.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.options.trust = trust;
        self
    }

    /// Sets an option by the name that Flink's JDBC connector has for it: `url`, `username`,
    /// `password`, `table-name`, `connection.max-retry-timeout`, `sink.buffer-flush.max-rows`,
    /// `sink.buffer-flush.interval`, `sink.max-retries`.
    ///
    /// # Errors
    /// If there is no such option, or the value is none of its type.
    pub fn option(mut self, key: &str, value: &str) -> Result<Self, ConnectorError> {
        use crate::setting::{count, duration};
        match key {
            "url" => self.options.url = value.trim_start_matches("jdbc:").into(),
            "username" => self.options.username = Some(value.into()),
            "password" => self.options.password = Some(value.into()),
            "table-name" => value.clone_into(&mut self.target.table),
            "connection.max-retry-timeout" => self.options.connect_timeout = duration(key, value)?,
            "sink.buffer-flush.max-rows" => {
                // Zero turns Flink's bound off.
                let rows: usize = count(key, value)?;
                self.delivery.limits.max_rows = if rows == 0 { usize::MAX } else { rows };
            }
            "sink.buffer-flush.interval" => self.delivery.limits.interval = duration(key, value)?,
            "sink.max-retries" => self.delivery.retries.max_retries = Some(count(key, value)?),
            _ => {
                return Err(ConnectorError::Setting(format!(
                    "'{key}' is no option of the PostgreSQL sink"
                )));
            }
        }
        Ok(self)
    }
}

/// Gathers rows as columns.
struct Columns<T> {
    reads: Vec<Read<T>>,
    kinds: Vec<CellType>,
    /// Places of the key among the columns.
    key: Vec<usize>,
    /// Where a row of this key is in the batch: a statement can't change a row twice.
    places: HashMap<Vec<u8>, usize>,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

impl<T> Columns<T> {
    fn begin(&mut self) {
        self.columns = self.kinds.iter().map(|kind| Column::of(*kind)).collect();
        self.places.clear();
        self.rows = 0;
        self.bytes = 0;
    }
}

/// Appends a part of a key so that no two keys have the same bytes.
fn put_key(cell: &Cell, key: &mut Vec<u8>) {
    match cell {
        Cell::Null => key.push(0),
        Cell::Boolean(value) => key.extend([1, u8::from(*value)]),
        Cell::Bigint(value) => {
            key.push(2);
            key.extend(value.to_be_bytes());
        }
        Cell::Timestamptz(value) => {
            key.push(3);
            key.extend(value.to_be_bytes());
        }
        Cell::Double(value) => {
            key.push(4);
            // Both zeros are one to PostgreSQL, and so are all NaNs.
            let value = if value.is_nan() {
                f64::NAN
            } else {
                *value + 0.0
            };
            key.extend(value.to_bits().to_be_bytes());
        }
        Cell::Text(value) => {
            key.push(5);
            key.extend((value.len() as u64).to_be_bytes());
            key.extend(value.as_bytes());
        }
        Cell::Bytea(value) => {
            key.push(6);
            key.extend((value.len() as u64).to_be_bytes());
            key.extend(value);
        }
    }
}

impl<T: 'static> Gather<T> for Columns<T> {
    type Batch = Batch;

    fn put(&mut self, row: &T) -> Result<usize, String> {
        let cells: Vec<Cell> = self.reads.iter().map(|read| read(row)).collect();
        if let Some(problem) = cells.iter().find_map(problem) {
            return Err(problem);
        }
        let mut place = self.rows;
        if !self.key.is_empty() {
            let mut key = Vec::new();
            // A key with a null equals no other, itself included.
            let mut whole = true;
            for at in &self.key {
                let cell = cells.get(*at).unwrap_or(&Cell::Null);
                whole &= *cell != Cell::Null;
                put_key(cell, &mut key);
            }
            if whole {
                place = *self.places.entry(key).or_insert(place);
            }
        }
        self.bytes += cells.iter().map(size).sum::<usize>();
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.put(place, cell)?;
        }
        self.rows = self.rows.max(place + 1);
        Ok(place)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn take(&mut self) -> Batch {
        let columns = std::mem::take(&mut self.columns);
        let (rows, bytes) = (self.rows, self.bytes);
        self.begin();
        Batch {
            columns,
            rows,
            bytes,
        }
    }
}

impl<T: Row> Sink<T> for PostgresSink<T> {
    fn writer(&self, context: &WriterContext) -> Result<Box<dyn SinkWriter<T>>, BoxError> {
        if let Some(problem) = self.target.problem() {
            let table = &self.target.table;
            return Err(ConnectorError::Setting(format!("table {table}: {problem}")).into());
        }
        let courier = self.courier(&context.place, &context.clock)?;
        let name = &courier.connector.name;
        let target = format!("table {} at {name}", self.target.table);
        let key = self.target.key.iter().filter_map(|key| {
            let mut names = self.target.columns.iter().map(|(name, _)| name);
            names.position(|name| name == key)
        });
        let mut gather = Columns {
            reads: self.reads.clone(),
            kinds: self.target.columns.iter().map(|(_, kind)| *kind).collect(),
            key: key.collect(),
            places: HashMap::new(),
            columns: Vec::new(),
            rows: 0,
            bytes: 0,
        };
        gather.begin();
        if self.guarantee == DeliveryGuarantee::ExactlyOnce && context.checkpointed {
            let writer: StagingWriter<_, Epoch> =
                StagingWriter::open(context, &target, gather, self.delivery)?;
            return Ok(Box::new(writer));
        }
        let writer = BatchWriter::open(context, &target, gather, courier, self.delivery)?;
        Ok(Box::new(writer))
    }

    fn committer(
        &self,
        context: &CommitterContext,
    ) -> Result<Option<Box<dyn Committer>>, BoxError> {
        if self.guarantee == DeliveryGuarantee::AtLeastOnce {
            return Ok(None);
        }
        let left_out = LeftOut::new(self.delivery.bad_records, context.metrics.clone())?;
        let Some(io) = context.io.clone() else {
            let problem = "a PostgreSQL sink needs the runtime that I/O runs on";
            return Err(ConnectorError::Setting(problem.to_owned()).into());
        };
        let courier = self.courier(&context.place, &context.clock)?;
        let committer = PostgresCommitter::open(courier, &self.fence_table, left_out, io)?;
        Ok(Some(Box::new(committer)))
    }

    fn rate_limit(&self) -> Option<f64> {
        self.delivery.rate
    }
}
