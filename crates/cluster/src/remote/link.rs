//! Connections of the control plane, encrypted if that is configured, as tonic takes and makes them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rheos_runtime::network::endpoint::take_in;
use rheos_runtime::network::{Security, SecurityError, Wire};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service, http::Uri};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// A connection that has been made safe.
pub struct Link(Wire);

impl Connected for Link {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.0.socket().connect_info()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Takes the connections of a listener for as long as somebody takes them from here.
pub fn incoming(
    listener: TcpListener,
    security: Security,
    io: &tokio::runtime::Handle,
) -> ReceiverStream<io::Result<Link>> {
    let (made, links) = mpsc::channel(1);
    let closed = made.clone();
    let taken = move |wire, from| hand_on(wire, from, made.clone());
    let taking = take_in(listener, security, io.clone(), taken);
    io.spawn(async move {
        tokio::select! {
            () = taking => {}
            () = closed.closed() => {}
        }
    });
    ReceiverStream::new(links)
}

async fn hand_on(
    wire: Result<Wire, SecurityError>,
    from: SocketAddr,
    made: mpsc::Sender<io::Result<Link>>,
) {
    match wire {
        // Nobody takes it once the JobManager ends.
        Ok(wire) => drop(made.send(Ok(Link(wire))).await),
        // A standby that looks whether the leader is there.
        Err(SecurityError::Ended) => {}
        Err(error) => tracing::warn!("a connection from {from} is refused: {error}"),
    }
}

/// Makes the connection to a JobManager.
#[derive(Clone)]
pub struct Connector {
    /// How it is made safe.
    pub security: Security,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let security = self.security.clone();
        Box::pin(async move {
            let authority = uri.authority().map(|authority| authority.as_str());
            let stream = TcpStream::connect(authority.unwrap_or_default()).await?;
            stream.set_nodelay(true)?;
            let wire = security.connect(stream).await.map_err(io::Error::other)?;
            Ok(TokioIo::new(wire))
        })
    }
}
