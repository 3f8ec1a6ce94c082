//! Where a TaskManager takes the data connections of others, for as long as it lives.
//!
//! Who connects says hello first. It is judged by the generation that this process takes part in; who
//! comes from one that this process has not been told of yet waits for that, for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rheos_core::clock::SharedClock;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::connection::{ReadAhead, drive, read_frame};
use super::error::NetworkError;
use super::frame::{Kind, frame};
use super::hello::{Hello, Judgement, judge};
use super::job_network::Members;
use super::security::{Security, SecurityError, Wire};

/// How long a connection may take to be made, on either side.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many processes may be shown in at once; those behind them wait.
const AT_ONCE: usize = 256;

/// How long to wait after the system has refused something.
const PAUSE: Duration = Duration::from_millis(50);

/// See the [module](self).
pub struct DataEndpoint {
    address: SocketAddr,
    current: watch::Sender<Option<Arc<Members>>>,
    io: Handle,
    security: Security,
    accepting: AbortHandle,
}

impl DataEndpoint {
    /// Listens on an address; port 0 is any that is free.
    ///
    /// # Errors
    /// If the system refuses the address.
    pub fn bind(
        address: SocketAddr,
        io: &Handle,
        security: Security,
        clock: SharedClock,
    ) -> Result<Self, NetworkError> {
        let refused = |error: std::io::Error| NetworkError::System {
            what: "listening for data connections on",
            address,
            error: error.to_string(),
        };
        let listener = std::net::TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let bound = listener.local_addr().map_err(refused)?;
        let _entered = io.enter();
        let listener = TcpListener::from_std(listener).map_err(refused)?;
        let (current, _) = watch::channel(None);
        let told = current.subscribe();
        let taken = move |wire, from| welcome(wire, from, told.clone(), clock.clone());
        let accepting = io.spawn(take_in(listener, security.clone(), io.clone(), taken));
        Ok(Self {
            address: bound,
            current,
            io: io.clone(),
            security,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its connections run.
    pub(super) fn io(&self) -> &Handle {
        &self.io
    }

    /// How its connections, and those to others, are made safe.
    pub(super) fn security(&self) -> &Security {
        &self.security
    }

    /// From now on this process takes part in this generation.
    pub(super) fn enter(&self, members: Arc<Members>) {
        self.current.send_replace(Some(members));
    }
}

impl Drop for DataEndpoint {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Waits a moment, before the system is asked again.
async fn pause() {
    let _ = timeout(PAUSE, std::future::pending::<()>()).await;
}

/// Takes connections that other processes make, and makes each safe beside the others: who is slow to show
/// a certificate holds nobody up. `taken` is given each, or why it is refused. Ends when it is dropped.
pub async fn take_in<F, T>(listener: TcpListener, security: Security, io: Handle, taken: F)
where
    F: Fn(Result<Wire, SecurityError>, SocketAddr) -> T + Clone + Send + 'static,
    T: Future<Output = ()> + Send,
{
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("taking a connection of another process: {error}");
                pause().await;
                continue;
            }
        };
        let (taken, security) = (taken.clone(), security.clone());
        io.spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("a connection from {from}: {error}");
            }
            let admitted = admit(stream, &security).await;
            drop(place);
            taken(admitted, from).await;
        });
    }
}

/// Makes a connection safe that another process has made, in a bounded time.
async fn admit(stream: TcpStream, security: &Security) -> Result<Wire, SecurityError> {
    let admitted = timeout(CONNECT_TIMEOUT, security.accept(stream)).await;
    admitted.unwrap_or_else(|_| {
        let waited = CONNECT_TIMEOUT.as_secs();
        Err(SecurityError::Handshake(format!(
            "it has not shown who it is within {waited} s"
        )))
    })
}

/// Takes in who connects; who is refused is named in the log.
async fn welcome(
    wire: Result<Wire, SecurityError>,
    from: SocketAddr,
    told: watch::Receiver<Option<Arc<Members>>>,
    clock: SharedClock,
) {
    let greeted = match wire {
        Ok(wire) => greet(wire, told, clock).await,
        Err(error) => Err(NetworkError::Refused(error.to_string())),
    };
    if let Err(error) = greeted {
        tracing::warn!("a data connection from {from}: {error}");
    }
}

/// Takes in who says a good hello, or refuses it.
async fn greet<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut stream: S,
    mut told: watch::Receiver<Option<Arc<Members>>>,
    clock: SharedClock,
) -> Result<(), NetworkError> {
    let mut ahead = BytesMut::new();
    let late = |_| NetworkError::Refused("it has not said hello in time".to_owned());
    let first = timeout(CONNECT_TIMEOUT, read_frame(&mut stream, &mut ahead)).await;
    let first = match first.map_err(late)? {
        Ok(first) => first,
        Err(error) => {
            refuse(&mut stream, &error.to_string()).await;
            return Err(error);
        }
    };
    if first.header.kind != Kind::Hello {
        let error = NetworkError::corrupt("the first frame is no hello");
        refuse(&mut stream, &error.to_string()).await;
        return Err(error);
    }
    let hello = Hello::parse(&first.payload)?;
    let judged = timeout(CONNECT_TIMEOUT, async {
        loop {
            let members = told.borrow_and_update().clone();
            let own = members.as_ref().map_or(0, |members| members.own);
            let current = members.as_ref().map(|members| &members.incarnation);
            match judge(&hello, own, current) {
                Judgement::Later => {}
                judgement => return (judgement, members),
            }
            if told.changed().await.is_err() {
                let reason = "this TaskManager ends".to_owned();
                return (Judgement::Refused(reason), None);
            }
        }
    });
    let (judgement, members) = judged.await.unwrap_or_else(|_| {
        let reason = format!(
            "this TaskManager has not been told of generation {} of job {}",
            hello.incarnation.generation, hello.incarnation.job
        );
        (Judgement::Refused(reason), None)
    });
    let peer = members.and_then(|members| members.peers.get(&hello.from).cloned());
    let lanes = peer.as_ref().and_then(|peer| peer.attach());
    let reason = match (&judgement, &peer, lanes) {
        (Judgement::Refused(reason), ..) => reason.clone(),
        (_, Some(peer), Some(lanes)) => {
            let welcome = frame(Kind::Welcome, 0, 0, &[]);
            if let Err(error) = stream.write_all(&welcome).await {
                peer.break_off(peer.lost(error.to_string()));
                return Ok(());
            }
            drive(stream, ahead, peer, lanes, clock).await;
            return Ok(());
        }
        (_, Some(_), None) => format!("TaskManager {} is connected already", hello.from),
        (_, None, _) => format!("TaskManager {} is none of this generation", hello.from),
    };
    refuse(&mut stream, &reason).await;
    Err(NetworkError::Refused(reason))
}

/// Tells who connected why it is refused; that it can't be told is no matter.
async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S, reason: &str) {
    let refusal = frame(Kind::Refusal, 0, 0, reason.as_bytes());
    let _ = stream.write_all(&refusal).await;
    let _ = stream.shutdown().await;
}

/// Connects to a peer and says hello.
pub(super) async fn dial(
    address: &str,
    hello: &Hello,
    security: &Security,
) -> Result<(Wire, ReadAhead), String> {
    let connected = timeout(CONNECT_TIMEOUT, async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                // It listens before anybody is told of it: who refuses is gone, or the system was busy.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    return Err(error.to_string());
                }
                Err(error) => {
                    tracing::debug!("connecting to {address}: {error}");
                    pause().await;
                }
            }
        }
    });
    let late = |_| format!("nobody answered within {} s", CONNECT_TIMEOUT.as_secs());
    let stream = connected.await.map_err(late)??;
    stream
        .set_nodelay(true)
        .map_err(|error| error.to_string())?;
    let mut stream = timeout(CONNECT_TIMEOUT, security.connect(stream))
        .await
        .map_err(late)?
        .map_err(|error| error.to_string())?;
    stream
        .write_all(&hello.to_frame())
        .await
        .map_err(|error| error.to_string())?;
    let mut ahead = BytesMut::new();
    // The other side may wait as long before it answers.
    let answered = timeout(2 * CONNECT_TIMEOUT, read_frame(&mut stream, &mut ahead)).await;
    let answer = answered
        .map_err(|_| "it does not answer".to_owned())?
        .map_err(|error| error.to_string())?;
    match answer.header.kind {
        Kind::Welcome => Ok((stream, ahead)),
        Kind::Refusal => Err(String::from_utf8_lossy(&answer.payload).into_owned()),
        other => Err(format!("it answers with {other:?}")),
    }
}
