//! Connections to servers: TCP, with TLS by rustls where it is asked for.

mod tls;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};

pub use tls::{Identity, Tls, Trust};

/// A stream to a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// How to connect.
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Bytes of the socket's receive buffer; the system's choice if there are none.
    pub receive_buffer: Option<u32>,
    /// Bytes of the socket's send buffer; the system's choice if there are none.
    pub send_buffer: Option<u32>,
}

/// Connects to a server, through TLS if it is given.
///
/// # Errors
/// What the network says, of the last address if the host has several; a time-out; what TLS refuses
/// (of kind [`io::ErrorKind::InvalidData`]).
pub async fn connect(
    host: &str,
    port: u16,
    tls: Option<&Tls>,
    options: &ConnectOptions,
) -> io::Result<Box<dyn Stream>> {
    let connecting = async {
        let stream = open(host, port, options).await?;
        stream.set_nodelay(true)?;
        Ok::<Box<dyn Stream>, io::Error>(match tls {
            Some(tls) => Box::new(tls.handshake(host, stream).await?),
            None => Box::new(stream),
        })
    };
    match options.timeout {
        Some(timeout) => tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| {
                let message = format!("no connection within {} ms", timeout.as_millis());
                io::Error::new(io::ErrorKind::TimedOut, message)
            })?,
        None => connecting.await,
    }
}

async fn open(host: &str, port: u16, options: &ConnectOptions) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(bytes) = options.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = options.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Lets time pass.
pub async fn pause(duration: Duration) {
    // The time-out is what is waited for.
    let _ = tokio::time::timeout(duration, std::future::pending::<()>()).await;
}
