//! A client for look-ups: some connections, shared by many questions.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row as PgRow, Statement};

use super::connection::{Connection, Connector, PostgresOptions, within};
use crate::error::ConnectorError;

/// Asks one question of PostgreSQL, again and again, over a pool of connections; for asynchronous
/// I/O. Cheap to clone. Connections are made when they are first needed, their statement is kept
/// prepared, and one that fails is given up: the retries, the time-out and the circuit breaker are the
/// operator's ([`AsyncOptions`](rheos_runtime::async_io::AsyncOptions)).
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::{PostgresLookup, PostgresOptions};
///
/// # fn lookup(words: &DataStream<String>) -> Result<(), BoxError> {
/// let options = PostgresOptions::new("postgres://rheos@db/words");
/// let meanings =
///     PostgresLookup::new(options, "SELECT meaning FROM meanings WHERE word = $1", 8)?;
/// let ask = move |word: String| {
///     let meanings = meanings.clone();
///     async move {
///         let found = meanings.ask(&[&word]).await?;
///         let meaning = found.first().map(|row| row.get::<_, String>(0));
///         Ok::<_, BoxError>([(word, meaning)])
///     }
/// };
/// # let _ = ask;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresLookup {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    sql: String,
    idle: Mutex<Vec<(Connection, Statement)>>,
    permits: Semaphore,
}

impl PostgresLookup {
    /// A client with at most so many connections.
    ///
    /// # Errors
    /// If the address can't be used.
    pub fn new(
        options: PostgresOptions,
        sql: impl Into<String>,
        connections: usize,
    ) -> Result<Self, ConnectorError> {
        Ok(Self {
            shared: Arc::new(Shared {
                connector: options.connector()?,
                sql: sql.into(),
                idle: Mutex::default(),
                permits: Semaphore::new(connections.max(1)),
            }),
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, Statement)>> {
        let idle = self.shared.idle.lock();
        idle.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The rows that answer the question for these parameters. Waits for a connection to be free; a
    /// question that is dropped gives its connection up.
    ///
    /// # Errors
    /// What the server says, or that it did not answer.
    pub async fn ask(
        &self,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<PgRow>, ConnectorError> {
        let connector = &self.shared.connector;
        let refused = |fault| connector.unanswered(fault);
        let _permit = self.shared.permits.acquire().await.ok();
        let kept = loop {
            let kept = self.idle().pop();
            // One that ended while nobody asked is no failure of this question.
            if kept
                .as_ref()
                .is_none_or(|(connection, _)| !connection.client.is_closed())
            {
                break kept;
            }
        };
        let timeout = connector.request_timeout;
        let (connection, statement) = match kept {
            Some(kept) => kept,
            None => {
                let connection = connector.connect().await.map_err(refused)?;
                let prepared = connection.client.prepare(&self.shared.sql);
                let statement = within(timeout, "PREPARE", prepared)
                    .await
                    .map_err(refused)?;
                (connection, statement)
            }
        };
        let asked = connection.client.query(&statement, parameters);
        match within(timeout, "the question", asked).await {
            Ok(rows) => {
                self.idle().push((connection, statement));
                Ok(rows)
            }
            Err(fault) => Err(refused(fault)),
        }
    }
}
