//! Connections of the control plane, encrypted if that is configured, as tonic takes and makes them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rheos_runtime::network::endpoint::{admit, pause};
use rheos_runtime::network::{Security, SecurityError, Wire};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{BoxFuture, Service, http::Uri};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How many processes may be shown in at once; those behind them wait.
const AT_ONCE: usize = 256;

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

/// Takes the connections of a listener for as long as somebody takes them from here. Who is slow to
/// show a certificate holds nobody up.
pub fn incoming(
    listener: TcpListener,
    security: Security,
    io: &tokio::runtime::Handle,
) -> ReceiverStream<io::Result<Link>> {
    let (made, links) = mpsc::channel(1);
    let spawner = io.clone();
    io.spawn(async move {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = made.closed() => return,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("taking a connection of a TaskManager: {error}");
                    pause().await;
                    continue;
                }
            };
            let (made, security) = (made.clone(), security.clone());
            spawner.spawn(async move {
                let _place = place;
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("a connection from {from}: {error}");
                }
                match admit(stream, &security).await {
                    Ok(wire) => {
                        // Nobody takes it once the JobManager ends.
                        let _ = made.send(Ok(Link(wire))).await;
                    }
                    // A standby that looks whether the leader is there.
                    Err(SecurityError::Ended) => {}
                    Err(error) => tracing::warn!("a connection from {from} is refused: {error}"),
                }
            });
        }
    });
    ReceiverStream::new(links)
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
