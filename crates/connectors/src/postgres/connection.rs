//! A connection to a server, and what becomes of one that was lost.
//!
//! A statement whose connection was lost, or that was not answered in time, may still be at work: a
//! server that hung for a minute goes on with what it had read. Before anything is written again the
//! session of the lost connection is ended ([`Connection::end_session`]), so an old batch can't write
//! over a newer one.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{Fault, fault};
use crate::error::ConnectorError;
use crate::net::Trust;
use crate::secret::{Secret, without_user};

/// Where a server is, and how to speak with it.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=require`, or libpq's `host=… user=…`;
    /// `${env:NAME}` and `${file:PATH}` in it are replaced. Several hosts are tried in order.
    pub url: Secret,
    /// The user, if it is not in the address.
    pub username: Option<Secret>,
    /// The password, if it is not in the address.
    pub password: Option<Secret>,
    /// Whose certificates are trusted. With `sslmode=require` in the address the server must have TLS,
    /// and certificate and host name are checked. An address that does not say takes TLS where the
    /// server has it and is trusted, and else goes on without, with a warning.
    pub trust: Trust,
    /// How long connecting may take; 10 seconds unless told.
    pub connect_timeout: Duration,
    /// How long a statement may take before its connection is given up; 60 seconds unless told.
    pub request_timeout: Duration,
}

impl PostgresOptions {
    /// The defaults, at this address.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            trust: Trust::System,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
        }
    }

    /// Runs statements, such as `CREATE TABLE IF NOT EXISTS …`, in one transaction and by one program
    /// at a time: for what a job needs before it begins.
    ///
    /// # Errors
    /// What the server says, or that it did not answer.
    pub async fn execute(&self, statements: &str) -> Result<(), ConnectorError> {
        let connector = self.connector()?;
        let prepared = async {
            let connection = connector.connect().await?;
            let sql = exclusive(statements);
            let running = connection.client.batch_execute(&sql);
            within(connector.request_timeout, "the statements", running).await
        };
        prepared.await.map_err(|fault| connector.unanswered(fault))
    }

    /// What connections are made from.
    pub(super) fn connector(&self) -> Result<Connector, ConnectorError> {
        let url = self.url.reveal()?;
        // What the client says of an address might hold a part of it.
        let mut config = Config::from_str(&url).map_err(|_| {
            ConnectorError::Setting(format!(
                "'{}' is no address of PostgreSQL: postgres://USER:PASSWORD@HOST:PORT/DATABASE",
                if url.contains("://") {
                    without_user(&url)
                } else {
                    "***".to_owned()
                }
            ))
        })?;
        config.connect_timeout(self.connect_timeout);
        if config.get_application_name().is_none() {
            config.application_name("rheos");
        }
        if let Some(username) = &self.username {
            config.user(username.reveal()?);
        }
        if let Some(password) = &self.password {
            config.password(password.reveal()?);
        }
        let server = config.get_hosts().iter().map(|host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            #[allow(unreachable_patterns, reason = "sockets are of Unix")]
            other => format!("{other:?}"),
        });
        let server = server.collect::<Vec<_>>().join(",");
        let database = config.get_dbname().unwrap_or("").to_owned();
        Ok(Connector {
            name: format!("{server}/{database}"),
            tls: MakeRustlsConnect::new(self.trust.client()?),
            config,
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
            plain: Arc::default(),
        })
    }
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    /// Host and database, for messages.
    pub name: String,
    config: Config,
    tls: MakeRustlsConnect,
    connect_timeout: Duration,
    pub request_timeout: Duration,
    /// Whether it has been told that there is no TLS.
    plain: Arc<AtomicBool>,
}

/// Statements that run one at a time: PostgreSQL's IF NOT EXISTS does not keep two from colliding.
pub(super) fn exclusive(statements: &str) -> String {
    format!("BEGIN; SELECT pg_advisory_xact_lock(7237122); {statements}; COMMIT")
}

/// Which session of the server a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    process: i32,
    started: String,
}

/// A connection; ends when it is dropped.
pub(super) struct Connection {
    pub client: Client,
    pub session: Session,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Awaits an answer for so long.
pub(super) async fn within<R>(
    timeout: Duration,
    what: &str,
    answer: impl Future<Output = Result<R, tokio_postgres::Error>> + Send,
) -> Result<R, Fault> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(answer) => answer.map_err(|error| fault(&error)),
        Err(_) => Err(Fault::Passing(format!(
            "no answer to {what} within {} ms",
            timeout.as_millis()
        ))),
    }
}

impl Connector {
    /// The error of a question that the server did not answer.
    pub fn unanswered(&self, fault: Fault) -> ConnectorError {
        let (Fault::Passing(message) | Fault::Row(message) | Fault::Fatal(message)) = fault;
        ConnectorError::Lookup {
            target: format!("PostgreSQL at {}", self.name),
            message,
        }
    }

    /// Whether TLS failed that was but preferred, which is what an address says that says nothing.
    fn may_do_without_tls(&self, message: &str) -> bool {
        let may = self.config.get_ssl_mode() == SslMode::Prefer
            && message.starts_with("error performing TLS handshake");
        if may && !self.plain.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "PostgreSQL at {}: {message}; going on without TLS, which the address does not ask \
                 for: with sslmode=require it is had or the job fails, with sslmode=disable it is not \
                 tried",
                self.name
            );
        }
        may
    }

    pub async fn connect(&self) -> Result<Connection, Fault> {
        // The client's own time-out is a host's; names are looked up and greetings awaited beside it.
        let whole = self.connect_timeout.saturating_mul(2);
        let connecting = self.config.connect(self.tls.clone());
        let connected = match within(whole, "connecting", connecting).await {
            Err(Fault::Fatal(message)) if self.may_do_without_tls(&message) => {
                let mut plain = self.config.clone();
                plain.ssl_mode(SslMode::Disable);
                let connecting = plain.connect(self.tls.clone());
                within(whole, "connecting", connecting).await
            }
            connected => connected,
        };
        let (client, connection) = connected?;
        let driver = tokio::runtime::Handle::current().spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection to PostgreSQL ended: {error}");
            }
        });
        let mut connection = Connection {
            client,
            session: Session {
                process: 0,
                started: String::new(),
            },
            driver: driver.abort_handle(),
        };
        let sql =
            "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let asked = connection.client.query_one(sql, &[]);
        let row = within(self.request_timeout, "the first question", asked).await?;
        connection.session = Session {
            process: row.get(0),
            started: row.get(1),
        };
        Ok(connection)
    }
}

impl Connection {
    /// Ends another session of the same user, if it is there, and waits until it is gone.
    pub async fn end_session(&self, session: &Session, timeout: Duration) -> Result<(), Fault> {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE pid = $1 AND backend_start::text = $2";
        let until_gone = async {
            loop {
                let found = self
                    .client
                    .query(sql, &[&session.process, &session.started])
                    .await?;
                if found.is_empty() {
                    return Ok(());
                }
                crate::net::pause(Duration::from_millis(20)).await;
            }
        };
        within(timeout, "the end of the lost session", until_gone).await
    }
}
