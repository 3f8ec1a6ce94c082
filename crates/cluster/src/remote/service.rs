//! The one call of the control plane, `rheos.Cluster/Attach`: a TaskManager sends [`Report`]s for as
//! long as it lives and gets [`Order`]s. Written by hand where a code generator would need a compiler
//! of protocol buffers.

use std::convert::Infallible;
use std::sync::Arc;

use tonic::codegen::{Body, BoxFuture, Context, Poll, Service, StdError, http};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::message::{Order, Report};
use super::outbox::{Answers, Outbox, Requests};

/// Its path.
const ATTACH: &str = "/rheos.Cluster/Attach";

/// The greatest message: what a task leaves can be large.
const GREATEST: usize = 256 << 20;

/// Takes TaskManagers in. Implemented by [`super::agents::Agents`]; called on the I/O runtime.
pub trait TakesAgents: Send + Sync + 'static {
    /// One has connected: its reports, and where orders for it go.
    fn attached(&self, reports: Streaming<Report>, from: String) -> Outbox<Order>;
}

/// The server's side.
pub struct ClusterServer<T> {
    inner: Arc<T>,
}

impl<T> Clone for ClusterServer<T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<T> ClusterServer<T> {
    /// Serves with this.
    pub fn new(inner: Arc<T>) -> Self {
        Self { inner }
    }
}

impl<T> tonic::server::NamedService for ClusterServer<T> {
    const NAME: &'static str = "rheos.Cluster";
}

struct Attach<T>(Arc<T>);

impl<T: TakesAgents> tonic::server::StreamingService<Report> for Attach<T> {
    type Response = Order;
    type ResponseStream = Answers<Order>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Report>>) -> Self::Future {
        let from = request.remote_addr();
        let from = from.map_or_else(|| "somewhere".to_owned(), |from| from.to_string());
        let outbox = self.0.attached(request.into_inner(), from);
        Box::pin(async move { Ok(Response::new(Answers(outbox))) })
    }
}

impl<T, B> Service<http::Request<B>> for ClusterServer<T>
where
    T: TakesAgents,
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let known = request.uri().path() == ATTACH;
        let method = Attach(self.inner.clone());
        Box::pin(async move {
            if !known {
                return Ok(Status::unimplemented("the call is 'Attach'").into_http());
            }
            let mut grpc = tonic::server::Grpc::new(ProstCodec::default())
                .max_decoding_message_size(GREATEST)
                .max_encoding_message_size(GREATEST);
            Ok(grpc.streaming(method, request).await)
        })
    }
}

/// Attaches to a JobManager: sends what is in the outbox, and gives its orders.
///
/// # Errors
/// What the JobManager, or the way there, says.
pub async fn attach(channel: Channel, reports: Outbox<Report>) -> Result<Streaming<Order>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel)
        .max_decoding_message_size(GREATEST)
        .max_encoding_message_size(GREATEST);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let codec: ProstCodec<Report, Order> = ProstCodec::default();
    let path = http::uri::PathAndQuery::from_static(ATTACH);
    let answer = grpc
        .streaming(Request::new(Requests(reports)), path, codec)
        .await?;
    Ok(answer.into_inner())
}
