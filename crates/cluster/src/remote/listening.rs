//! Where a JobManager takes TaskManagers in, and what it does for as long as it does.
//!
//! Life: bound → serving, with tasks beside it → ends, tasks and all, with its last handle.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::link::incoming;
use super::service::{ClusterServer, TakesAgents};
use super::settings::RemoteSettings;

/// What fails if [`Listening::bind`] does.
pub const WHAT: &str =
    "listening for TaskManagers at jobmanager.rpc.address and jobmanager.rpc.port";

/// See the [module](self).
pub struct Listening {
    address: SocketAddr,
    tasks: Vec<AbortHandle>,
}

impl Listening {
    /// Listens at the address that is configured.
    ///
    /// # Errors
    /// If the system refuses that address, which is named.
    pub fn bind<T: TakesAgents>(
        settings: &RemoteSettings,
        taker: Arc<T>,
        io: &Handle,
    ) -> io::Result<Self> {
        let host = format!("{}:{}", settings.jobmanager, settings.port);
        let refused = |error: io::Error| io::Error::new(error.kind(), format!("{host}: {error}"));
        let listener = std::net::TcpListener::bind(&host).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let _entered = io.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(refused)?;
        let server = ClusterServer::new(taker);
        let incoming = incoming(listener, settings.security.clone(), io);
        let mut listening = Self {
            address,
            tasks: Vec::new(),
        };
        listening.beside(io, async move {
            let server = tonic::transport::Server::builder().add_service(server);
            if let Err(error) = server.serve_with_incoming(incoming).await {
                tracing::error!("no TaskManager is taken in any more: {error}");
            }
        });
        Ok(listening)
    }

    /// Does this too, for as long.
    pub fn beside(&mut self, io: &Handle, what: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(io.spawn(what).abort_handle());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
