//! What makes connections between the processes of a cluster safe: TLS with certificates on both
//! sides, if it is configured; or nothing.
//!
//! Invariant: once it is configured, no byte of ours goes over a connection whose other side has not
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

/// How connections are made safe; cheap to clone. The default is not at all.
#[derive(Clone, Default)]
pub struct Security {
    #[cfg(feature = "tls")]
    tls: Option<tls::Tls>,
}

impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_on() { "TLS" } else { "no TLS" })
    }
}

impl Security {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
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
        Ok(Self {
            tls: Some(tls::Tls::new(keystore, truststore)?),
        })
    }

    /// Makes a connection safe that another process has made.
    ///
    /// # Errors
    /// Why it is not: the other side speaks no TLS, or shows no certificate that is trusted.
    pub async fn accept(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.accept(stream).await;
        }
        Ok(Wire::Plain(stream))
    }

    /// Makes a connection of this process's own safe.
    ///
    /// # Errors
    /// As [`Security::accept`]; that the other side does not trust *this* process is said by the first
    /// read from it.
    pub async fn connect(&self, stream: TcpStream) -> Result<Wire, SecurityError> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.connect(stream).await;
        }
        Ok(Wire::Plain(stream))
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
        return tls::explain(error).to_string();
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
