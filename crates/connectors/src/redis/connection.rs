//! A connection to a server, and the end of one that was lost.
//!
//! Commands whose connection was lost, or that were not answered in time, may still be at work: a
//! server that hung goes on with what it had read. The next connection to it ends the lost one first
//! (`CLIENT KILL`, by number and address), so an old batch can't write over a newer one.

use std::io;
use std::time::Duration;

use futures_util::future::try_join;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::address::{Address, host_and_port};
use super::resp::{Reply, parse, put_command};
use super::verdict::{Verdict, verdict};
use crate::error::ConnectorError;
use crate::net::{ConnectOptions, Stream, Tls, Trust, connect};
use crate::secret::Secret;

/// Where servers are, and how to speak with them.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://USER:PASSWORD@HOST:PORT/DATABASE`; `rediss://` with TLS; `redis-cluster://A,B,C` and
    /// `rediss-cluster://A,B,C` for a cluster, of which some servers are named. `${env:NAME}` and
    /// `${file:PATH}` in it are replaced.
    pub url: Secret,
    /// The user, if it is not in the address.
    pub username: Option<Secret>,
    /// The password, if it is not in the address.
    pub password: Option<Secret>,
    /// Whose certificates are trusted, with TLS.
    pub trust: Trust,
    /// How long connecting may take; 10 seconds unless told.
    pub connect_timeout: Duration,
    /// How long the answers to a batch may take before the connection is given up; 10 seconds unless
    /// told.
    pub request_timeout: Duration,
    /// Replicas that must have a batch before it counts as written (`WAIT`). With 0, the default, what
    /// a master has acknowledged is lost if it dies before it has told a replica.
    pub replicas: u32,
}

impl RedisOptions {
    /// The defaults, at this address.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            trust: Trust::System,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            replicas: 0,
        }
    }

    /// What connections are made from, to servers that know this script.
    pub(super) fn connector(
        &self,
        script: Option<&'static str>,
    ) -> Result<(Connector, Address), ConnectorError> {
        let address = Address::parse(&self.url.reveal()?)?;
        let revealed = |secret: &Option<Secret>| secret.as_ref().map(Secret::reveal).transpose();
        let tls =
            match address.tls {
                true => Some(Tls::new(&self.trust, None).map_err(|message| {
                    ConnectorError::Setting(format!("TLS to Redis: {message}"))
                })?),
                false => None,
            };
        let mut greeting = Vec::new();
        let mut greetings = 0;
        let mut greet = |arguments: &[&str]| {
            put_command(&mut greeting, arguments.iter().map(|text| text.as_bytes()));
            greetings += 1;
        };
        let user = revealed(&self.username)?.or_else(|| address.user.clone());
        let password = revealed(&self.password)?.or_else(|| address.password.clone());
        match (user, password) {
            (None, None) => {}
            (None, Some(password)) => greet(&["AUTH", &password]),
            (Some(user), password) => greet(&["AUTH", &user, &password.unwrap_or_default()]),
        }
        if address.database != 0 {
            greet(&["SELECT", &address.database.to_string()]);
        }
        if let Some(script) = script {
            greet(&["SCRIPT", "LOAD", script]);
        }
        greet(&["CLIENT", "INFO"]);
        let connector = Connector {
            tls,
            greeting,
            greetings,
            connect: ConnectOptions {
                timeout: Some(self.connect_timeout),
                ..ConnectOptions::default()
            },
            timeout: self.request_timeout,
            replicas: self.replicas,
        };
        Ok((connector, address))
    }
}

/// Makes connections.
pub(super) struct Connector {
    tls: Option<Tls>,
    /// The first commands of a connection; the last asks which session it is.
    greeting: Vec<u8>,
    greetings: usize,
    connect: ConnectOptions,
    timeout: Duration,
    replicas: u32,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    Passing(String),
    Fatal(String),
}

/// Which session of a server a connection is: its number, and our end of it as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    id: String,
    address: String,
}

impl Session {
    /// Of what `CLIENT INFO` says: `id=7 addr=127.0.0.1:4711 …`.
    fn told(info: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut fields = info.split_whitespace();
            fields.find_map(|field| field.strip_prefix(name).map(str::to_owned))
        };
        Some(Self {
            id: field("id=")?,
            address: field("addr=")?,
        })
    }
}

/// A connection; ends when it is dropped.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    /// None where the server does not tell: before version 6.2, or not to this user.
    pub session: Option<Session>,
}

/// Bytes that are read at a time.
const PIECE: usize = 16 * 1024;

impl Connector {
    /// Connects to a server, and ends a lost session there.
    pub async fn connect(&self, to: &str, lost: Option<&Session>) -> Result<Connection, Fault> {
        let passing = |error: io::Error| Fault::Passing(format!("{to}: {error}"));
        let (host, port) = host_and_port(to);
        let stream = connect(host, port, self.tls.as_ref(), &self.connect).await;
        let stream = stream.map_err(|error| match error.kind() {
            // What TLS refuses stays refused.
            io::ErrorKind::InvalidData => Fault::Fatal(format!("{to}: {error}")),
            _ => passing(error),
        })?;
        let mut connection = Connection {
            stream,
            session: None,
        };
        let replies = self
            .ask(&mut connection, to, &self.greeting, self.greetings)
            .await?;
        let (info, greetings) = replies.split_last().unzip();
        for reply in greetings.unwrap_or_default() {
            match verdict(reply, to, true) {
                Verdict::Done => {}
                Verdict::Fatal(message) | Verdict::Row(message) => {
                    return Err(Fault::Fatal(format!("{to}: {message}")));
                }
                Verdict::Again(message) | Verdict::Moved(message) | Verdict::Ask(message) => {
                    return Err(Fault::Passing(format!("{to}: {message}")));
                }
            }
        }
        connection.session = info.and_then(|info| Session::told(&info.text()));
        if let Some(lost) = lost {
            self.end(&mut connection, to, lost).await?;
        }
        Ok(connection)
    }

    async fn end(
        &self,
        connection: &mut Connection,
        to: &str,
        lost: &Session,
    ) -> Result<(), Fault> {
        let kill = ["CLIENT", "KILL", "ID", &lost.id, "ADDR", &lost.address];
        let mut command = Vec::new();
        put_command(&mut command, kill.iter().map(|text| text.as_bytes()));
        let replies = self.ask(connection, to, &command, 1).await?;
        if let Some(Reply::Error(error)) = replies.first() {
            tracing::warn!(
                "{to}: {error}: a connection that was lost can't be ended, so what was sent by it \
                 may still be written, over what is newer; let the user do CLIENT KILL"
            );
        }
        Ok(())
    }

    /// Sends commands, and awaits their replies and what they wrote to be replicated.
    pub async fn write(
        &self,
        connection: &mut Connection,
        to: &str,
        mut commands: Vec<u8>,
        count: usize,
    ) -> Result<Vec<Reply>, Fault> {
        if self.replicas == 0 {
            return self.ask(connection, to, &commands, count).await;
        }
        let millis = (self.timeout.as_millis() / 2).max(1).to_string();
        let replicas = self.replicas.to_string();
        let wait = ["WAIT", &replicas, &millis];
        put_command(&mut commands, wait.iter().map(|text| text.as_bytes()));
        let mut replies = self.ask(connection, to, &commands, count + 1).await?;
        match replies.pop() {
            Some(Reply::Integer(had)) if had >= i64::from(self.replicas) => Ok(replies),
            Some(Reply::Integer(had)) => Err(Fault::Passing(format!(
                "{to}: within {millis} ms {had} of {replicas} replicas have what was written"
            ))),
            Some(Reply::Error(error)) => Err(Fault::Passing(format!("{to}: WAIT: {error}"))),
            _ => Err(Fault::Passing(format!("{to}: no answer to WAIT"))),
        }
    }

    /// Sends commands, and awaits their replies.
    pub async fn ask(
        &self,
        connection: &mut Connection,
        to: &str,
        commands: &[u8],
        count: usize,
    ) -> Result<Vec<Reply>, Fault> {
        let exchanged = tokio::time::timeout(self.timeout, connection.exchange(commands, count));
        match exchanged.await {
            Ok(Ok(replies)) => Ok(replies),
            Ok(Err(error)) => Err(Fault::Passing(format!("{to}: {error}"))),
            Err(_) => Err(Fault::Passing(format!(
                "{to}: no answer within {} ms",
                self.timeout.as_millis()
            ))),
        }
    }
}

impl Connection {
    async fn exchange(&mut self, commands: &[u8], count: usize) -> io::Result<Vec<Reply>> {
        // Both at once: a server that must get rid of its replies first would take no commands.
        let (mut reading, mut writing) = tokio::io::split(&mut self.stream);
        let write = async {
            writing.write_all(commands).await?;
            writing.flush().await
        };
        let read = async {
            let mut replies = Vec::new();
            let mut buffer = Vec::with_capacity(PIECE);
            let mut at = 0;
            while replies.len() < count {
                let unread = buffer.get(at..).unwrap_or_default();
                let parsed = parse(unread).map_err(|message| {
                    let message = format!("what it answers is not Redis's: {message}");
                    io::Error::new(io::ErrorKind::InvalidData, message)
                })?;
                if let Some((reply, length)) = parsed {
                    replies.push(reply);
                    at += length;
                    continue;
                }
                buffer.drain(..at);
                at = 0;
                if reading.read_buf(&mut buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok(replies)
        };
        let ((), replies) = try_join(write, read).await?;
        Ok(replies)
    }
}
