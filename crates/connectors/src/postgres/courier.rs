//! A batch on its way into a table.

use bytes::Bytes;
use futures_util::SinkExt as _;
use rheos_core::clock::SharedClock;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;

use super::cell::Column;
use super::connection::{Connection, Connector, Session, exclusive, within};
use super::fault::Fault;
use super::statement::{Mode, Target};
use crate::error::ConnectorError;
use crate::outbox::{Courier, Delivered, Patience, Rejected};

/// Rows as columns.
pub(super) struct Batch {
    pub columns: Vec<Column>,
    pub rows: usize,
    pub bytes: usize,
}

struct Ready {
    connection: Connection,
    statement: Statement,
}

/// Writes batches, each in a transaction of its own.
pub(super) struct PostgresCourier {
    pub connector: Connector,
    pub target: Target,
    /// What is run before the first batch.
    pub prepare: Vec<String>,
    pub patience: Patience,
    pub clock: SharedClock,
    ready: Option<Ready>,
    /// A session that may still be at work on what was asked of it.
    doubtful: Option<Session>,
    prepared: bool,
}

/// How an attempt ended that did not write its rows.
enum Failure {
    Row(String),
    End(ConnectorError),
}

/// Bytes of text that are sent at a time by `COPY`.
const PIECE: usize = 64 * 1024;

impl PostgresCourier {
    pub fn new(
        connector: Connector,
        target: Target,
        prepare: Vec<String>,
        patience: Patience,
        clock: SharedClock,
    ) -> Self {
        Self {
            connector,
            target,
            prepare,
            patience,
            clock,
            ready: None,
            doubtful: None,
            prepared: false,
        }
    }

    async fn open(&mut self) -> Result<(), Fault> {
        let connection = self.connector.connect().await?;
        let timeout = self.connector.request_timeout;
        if let Some(session) = &self.doubtful {
            connection.end_session(session, timeout).await?;
            self.doubtful = None;
        }
        if !self.prepared && !self.prepare.is_empty() {
            let sql = exclusive(&self.prepare.join(";\n"));
            within(
                timeout,
                "the preparation",
                connection.client.batch_execute(&sql),
            )
            .await?;
        }
        self.prepared = true;
        let sql = self.target.sql();
        let statement = within(timeout, "PREPARE", connection.client.prepare(&sql)).await?;
        self.ready = Some(Ready {
            connection,
            statement,
        });
        Ok(())
    }

    /// Connects, unless there is a connection.
    pub async fn ensure(&mut self) -> Result<(), Fault> {
        if self
            .ready
            .as_ref()
            .is_none_or(|ready| ready.connection.client.is_closed())
        {
            self.give_up_connection();
            self.open().await?;
        }
        Ok(())
    }

    /// The connection that is there.
    pub fn client(&self) -> Result<&tokio_postgres::Client, Fault> {
        let ready = self.ready.as_ref();
        ready
            .map(|ready| &ready.connection.client)
            .ok_or_else(|| Fault::Passing("there is no connection".to_owned()))
    }

    pub fn give_up_connection(&mut self) {
        if let Some(ready) = self.ready.take() {
            self.doubtful = Some(ready.connection.session.clone());
        }
    }

    /// Writes some rows; what passes is waited out.
    async fn write(&mut self, batch: &Batch, from: usize, to: usize) -> Result<(), Failure> {
        loop {
            let attempt = async {
                self.ensure().await?;
                insert(self, batch, from, to).await
            };
            match attempt.await {
                Ok(()) => {
                    self.patience.answered();
                    return Ok(());
                }
                Err(Fault::Row(message)) => return Err(Failure::Row(message)),
                Err(Fault::Fatal(message)) => {
                    return Err(Failure::End(self.patience.failed(&message)));
                }
                Err(Fault::Passing(message)) => {
                    self.give_up_connection();
                    self.patience.wait(&message).await.map_err(Failure::End)?;
                }
            }
        }
    }
}

/// Writes some rows of a batch over the connection that is there.
pub(super) async fn insert(
    courier: &PostgresCourier,
    batch: &Batch,
    from: usize,
    to: usize,
) -> Result<(), Fault> {
    let Some(ready) = &courier.ready else {
        return Err(Fault::Passing("there is no connection".to_owned()));
    };
    let timeout = courier.connector.request_timeout;
    let client = &ready.connection.client;
    match courier.target.mode {
        Mode::Insert => {
            let columns = batch.columns.iter();
            let arrays: Vec<Box<dyn ToSql + Sync + Send + '_>> =
                columns.map(|column| column.slice(from, to)).collect();
            let parameters: Vec<&(dyn ToSql + Sync)> = arrays
                .iter()
                .map(|array| &**array as &(dyn ToSql + Sync))
                .collect();
            let executed = client.execute(&ready.statement, &parameters);
            within(timeout, "INSERT", executed).await?;
        }
        Mode::Copy => {
            let copying = async {
                let sink = client.copy_in::<_, Bytes>(&ready.statement).await?;
                let mut sink = std::pin::pin!(sink);
                let mut text = String::with_capacity(PIECE + 1024);
                for row in from..to {
                    for (at, column) in batch.columns.iter().enumerate() {
                        if at > 0 {
                            text.push('\t');
                        }
                        column.copy(row, &mut text);
                    }
                    text.push('\n');
                    if text.len() >= PIECE || row + 1 == to {
                        sink.send(Bytes::from(std::mem::take(&mut text))).await?;
                    }
                }
                sink.finish().await
            };
            within(timeout, "COPY", copying).await?;
        }
    }
    Ok(())
}

impl Courier<Batch> for PostgresCourier {
    async fn deliver(&mut self, batch: Batch) -> Result<Delivered, ConnectorError> {
        let began = self.clock.monotonic_micros();
        let mut rejected = Vec::new();
        // The parts that are still to be written, the first last. One that holds a wrong row is
        // halved, so the wrong ones are found in few statements and the others are written.
        let mut parts = vec![(0, batch.rows)];
        while let Some((from, to)) = parts.pop() {
            match self.write(&batch, from, to).await {
                Ok(()) => {}
                Err(Failure::End(error)) => return Err(error),
                Err(Failure::Row(message)) if to - from <= 1 => rejected.push(Rejected {
                    index: from,
                    message,
                }),
                Err(Failure::Row(_)) => {
                    let middle = from + (to - from) / 2;
                    parts.push((middle, to));
                    parts.push((from, middle));
                }
            }
        }
        let micros = self.clock.monotonic_micros() - began;
        Ok(Delivered {
            bytes: batch.bytes as u64,
            millis: u64::try_from(micros / 1_000).unwrap_or(0),
            rejected,
        })
    }
}
