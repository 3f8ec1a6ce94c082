//! What makes connections safe: between the processes of a cluster ([`Security`]) TLS with certificates
//! on both sides, if it is configured; to REST ([`ServerSecurity`], [`ClientSecurity`]) TLS as a web site
//! has it, where the server's certificate is held against the host's name; or nothing.
//!
//! Invariant: once it is configured between processes, no byte of ours goes over a connection whose other side has not
//! shown a certificate by an authority of the truststore. Such a certificate means "belongs to the
//! cluster", as in Flink: it is not held against a host's name, since TaskManagers come and go at any
//! address. So the truststore is for an authority of the cluster's own, never for public ones.
//!
//! Life: made from files when a process starts, shared by all its connections until it ends.

#[cfg(feature = "tls")]
mod tls;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How connections between processes are made safe; cheap to clone. The default is not at all.
#[derive(Clone, Default)]
pub struct Security {
    server: ServerSecurity,
    client: ClientSecurity,
}

impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.server.fmt(f)
    }
}

impl Security {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        self.server.is_on()
    }

    /// TLS 1.3 or 1.2. `keystore` is a PEM file with this process's certificate, those that vouch for it
    /// and its key; `truststore` one with the authorities of the cluster.
    ///
    /// # Errors
    /// What is wrong with which file.
    #[cfg(feature = "tls")]
    pub fn tls(
        keystore: &std::path::Path,
        truststore: &std::path::Path,
    ) -> Result<Self, SecurityError> {
        let (server, client) = tls::of_the_cluster(keystore, truststore)?;
        Ok(Self {
            server: ServerSecurity { tls: Some(server) },
            client: ClientSecurity { tls: Some(client) },
        })
    }

    /// Makes a connection safe that another process has made.
    ///
    /// # Errors
    /// Why it is not: the other side speaks no TLS, or shows no certificate that is trusted.
    pub async fn accept(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        self.server.accept(stream).await
    }

    /// Makes a connection of this process's own safe.
    ///
    /// # Errors
    /// As [`Security::accept`]; that the other side does not trust *this* process is said by the first
    /// read from it.
    pub async fn connect(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        if !self.is_on() {
            return Ok(Wire::Plain(stream));
        }
        // No name is asked for: where it is says nothing of who it is.
        let peer = stream.peer_addr();
        let peer = peer.map_err(|error| SecurityError::Handshake(error.to_string()))?;
        self.client.connect(&peer.ip().to_string(), stream).await
    }
}

/// How a server makes connections safe that are made to it; cheap to clone. The default is not at all.
#[derive(Clone, Default)]
pub struct ServerSecurity {
    #[cfg(feature = "tls")]
    tls: Option<tls::Server>,
}

impl std::fmt::Debug for ServerSecurity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_on() { "TLS" } else { "no TLS" })
    }
}

impl ServerSecurity {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// TLS 1.3 or 1.2 for REST, as a web site has it. `keystore` is a PEM file with the server's
    /// certificate, those that vouch for it and its key; `clients`, if they are to show certificates, one
    /// with the authorities that vouch for them.
    ///
    /// # Errors
    /// What is wrong with which file.
    #[cfg(feature = "tls")]
    pub fn of_rest(
        keystore: &std::path::Path,
        clients: Option<&std::path::Path>,
    ) -> Result<Self, SecurityError> {
        Ok(Self {
            tls: Some(tls::rest_server(keystore, clients)?),
        })
    }

    /// Makes a connection safe that a client has made.
    ///
    /// # Errors
    /// Why it is not: the client speaks no TLS, or shows no certificate where one is asked for.
    pub async fn accept(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.accept(stream).await;
        }
        Ok(Wire::Plain(stream))
    }
}

/// How a client makes its connections safe; cheap to clone. The default is not at all.
#[derive(Clone, Default)]
pub struct ClientSecurity {
    #[cfg(feature = "tls")]
    tls: Option<tls::Client>,
}

impl std::fmt::Debug for ClientSecurity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_on() { "TLS" } else { "no TLS" })
    }
}

impl ClientSecurity {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// TLS 1.3 or 1.2 to a REST. `truststore` is a PEM file with the authorities that may vouch for the
    /// server, those of the system without it; `keystore` one with this client's certificate, those that
    /// vouch for it and its key, for servers that ask for one.
    ///
    /// # Errors
    /// What is wrong with which file.
    #[cfg(feature = "tls")]
    pub fn to_rest(
        truststore: Option<&std::path::Path>,
        keystore: Option<&std::path::Path>,
    ) -> Result<Self, SecurityError> {
        Ok(Self {
            tls: Some(tls::rest_client(truststore, keystore)?),
        })
    }

    /// Makes a connection safe that was made to this host.
    ///
    /// # Errors
    /// Why it is not: the server speaks no TLS, or shows no certificate that is trusted. That it does
    /// not trust this client is said by the first read from it: see [`ClientSecurity::said`].
    pub async fn connect(&self, host: &str, stream: TcpStream) -> Result<Wire, SecurityError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.connect(host, stream).await;
        }
        #[cfg(not(feature = "tls"))]
        let _nobody_s = host;
        Ok(Wire::Plain(stream))
    }

    /// What TLS says by an error of a connection, if it is TLS that says it.
    pub fn said(&self, error: &(dyn std::error::Error + 'static)) -> Option<SecurityError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.said(error);
        }
        #[cfg(not(feature = "tls"))]
        let _never = error;
        None
    }
}

/// Why a connection is not safe, or can't be made so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecurityError {
    /// The connection ended before the other side had shown who it is: somebody who only looks whether
    /// this process is there.
    #[error("it has closed the connection before it said who it is")]
    Ended,
    /// The other side must be configured otherwise, or is no process of the cluster.
    #[error("{0}")]
    Handshake(String),
    /// A file of this process is no good.
    #[error("{key} {path}: {reason}")]
    File {
        /// The option that names it.
        key: &'static str,
        /// Where it is.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the system, or TLS, says of a connection that is made.
pub fn said(error: &io::Error) -> String {
    #[cfg(feature = "tls")]
    if error
        .get_ref()
        .is_some_and(|cause| cause.is::<rustls::Error>())
    {
        return tls::explain(error, &tls::INTERNAL).to_string();
    }
    error.to_string()
}

/// A connection, encrypted or not.
#[derive(Debug)]
pub enum Wire {
    /// As it is.
    Plain(TcpStream),
    /// Under TLS.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::TlsStream<TcpStream>>),
}

impl Wire {
    /// The connection below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.get_ref().0,
        }
    }
}

macro_rules! either {
    ($wire:expr, $stream:ident => $what:expr) => {
        match $wire.get_mut() {
            Wire::Plain($stream) => $what,
            #[cfg(feature = "tls")]
            Wire::Tls($stream) => $what,
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(context, into))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Wire::Plain(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}
