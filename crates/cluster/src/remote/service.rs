//! The one call of a control plane, such as `rheos.Cluster/Attach`: a TaskManager sends reports for as
//! long as it lives and gets orders. Written by hand where a code generator would need a compiler
//! of protocol buffers.

use std::convert::Infallible;
use std::sync::Arc;

use tonic::codegen::{Body, BoxFuture, Context, Poll, Service, StdError, http};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::outbox::{Answers, Outbox, Requests};

/// A control plane: what its sides tell each other. Implemented by types without values.
pub trait Plane: Send + Sync + 'static {
    /// From a TaskManager.
    type Report: prost::Message + Default + 'static;
    /// To one.
    type Order: prost::Message + Default + 'static;
    /// The name of its service.
    const SERVICE: &'static str;
    /// The path of its call.
    const PATH: &'static str;
    /// A TaskManager's sign of life.
    fn alive() -> Self::Report;
}

/// The greatest message: what a task leaves can be large.
const GREATEST: usize = 256 << 20;

/// Takes TaskManagers in. Implemented by [`super::agents::Agents`] for those of a job, and by
/// [`crate::session`]'s JobManager for those of a session; called on the I/O runtime.
pub trait TakesAgents: Send + Sync + 'static {
    /// What is spoken.
    type Plane: Plane;

    /// One has connected: its reports, and where orders for it go.
    fn attached(
        &self,
        reports: Streaming<<Self::Plane as Plane>::Report>,
        from: String,
    ) -> Outbox<<Self::Plane as Plane>::Order>;
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

impl<T: TakesAgents> tonic::server::NamedService for ClusterServer<T> {
    const NAME: &'static str = T::Plane::SERVICE;
}

struct Attach<T>(Arc<T>);

impl<T: TakesAgents> tonic::server::StreamingService<<T::Plane as Plane>::Report> for Attach<T> {
    type Response = <T::Plane as Plane>::Order;
    type ResponseStream = Answers<Self::Response>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<<T::Plane as Plane>::Report>>) -> Self::Future {
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
        let known = request.uri().path() == T::Plane::PATH;
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
pub async fn attach<P: Plane>(
    channel: Channel,
    reports: Outbox<P::Report>,
) -> Result<Streaming<P::Order>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel)
        .max_decoding_message_size(GREATEST)
        .max_encoding_message_size(GREATEST);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let codec: ProstCodec<P::Report, P::Order> = ProstCodec::default();
    let path = http::uri::PathAndQuery::from_static(P::PATH);
    let answer = grpc
        .streaming(Request::new(Requests(reports)), path, codec)
        .await?;
    Ok(answer.into_inner())
}
