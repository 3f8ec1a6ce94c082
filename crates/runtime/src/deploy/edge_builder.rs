//! An edge of the JobGraph with its row type: makes channels, writers and gates of that type.

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use rheos_core::Row;

use crate::chain::inbox::Inbox;
use crate::error::BoxError;
use crate::exchange::channel::{ChannelSender, channel};
use crate::exchange::debloat::WindowLimits;
use crate::exchange::gate::{Feed, Gate};
use crate::exchange::lane::{LaneEnd, LaneId};
use crate::exchange::partitioner::Partitioning;
use crate::exchange::writer::{BatchLimits, ChannelWriter, ExchangeWriter};
use crate::network::job_network::RemoteEnd;
use crate::network::{JobNetwork, NetworkError};
use crate::task::signal::Signal;

/// One end of a channel on its way to the thread that will use it.
pub type AnyEnd = Box<dyn Any + Send>;

/// An edge, its row type erased. Implemented by [`TypedEdge`]; called by the JobManager (`channel`,
/// `connects`) and on the threads of the tasks (`writer`, `gate`).
pub trait EdgeBuilder: Send + Sync {
    /// The partitioning's name, as Flink's plan shows it.
    fn partitioning(&self) -> &'static str;
    /// Whether one subtask has a channel to another.
    fn connects(&self, sender: u32, senders: u32, receiver: u32, receivers: u32) -> bool;
    /// Sending and receiving end of a local channel.
    fn channel(
        &self,
        id: LaneId,
        sender: Arc<Signal>,
        receiver: Arc<Signal>,
        window: usize,
    ) -> (AnyEnd, AnyEnd);
    /// The sending end of a channel to a subtask of another process.
    ///
    /// # Errors
    /// If the network knows no such process.
    fn remote_sender(
        &self,
        network: &JobNetwork,
        end: RemoteEnd<'_>,
    ) -> Result<AnyEnd, NetworkError>;
    /// The receiving end of a channel from a subtask of another process.
    ///
    /// # Errors
    /// If the network knows no such process.
    fn remote_receiver(
        &self,
        id: LaneId,
        network: &JobNetwork,
        end: RemoteEnd<'_>,
    ) -> Result<AnyEnd, NetworkError>;
    /// The writer of a subtask, as a `Box<dyn ExchangeWriter<T>>`.
    ///
    /// # Errors
    /// If an end is of another type.
    fn writer(
        &self,
        senders: Vec<AnyEnd>,
        seed: u64,
        limits: BatchLimits,
    ) -> Result<Box<dyn Any>, BoxError>;
    /// The gate of a subtask before the inbox of its head, for this input of it.
    ///
    /// # Errors
    /// If an end or the inbox is of another type.
    fn gate(
        &self,
        input: usize,
        receivers: Vec<AnyEnd>,
        inbox: &dyn Any,
        limits: WindowLimits,
        now_micros: i64,
    ) -> Result<Box<dyn Feed>, BoxError>;
}

/// An edge that carries rows of type `T`.
pub struct TypedEdge<T> {
    partitioning: Partitioning<T>,
    row: PhantomData<fn() -> T>,
}

impl<T> TypedEdge<T> {
    /// An edge with this partitioning.
    pub fn new(partitioning: Partitioning<T>) -> Self {
        Self {
            partitioning,
            row: PhantomData,
        }
    }
}

/// The two sides of an edge were built for different types.
pub(crate) fn type_mismatch<T>(what: &str) -> BoxError {
    format!(
        "{what} is not of rows of type {}",
        std::any::type_name::<T>()
    )
    .into()
}

impl<T: Row> EdgeBuilder for TypedEdge<T> {
    fn partitioning(&self) -> &'static str {
        self.partitioning.name()
    }

    fn connects(&self, sender: u32, senders: u32, receiver: u32, receivers: u32) -> bool {
        self.partitioning
            .connects(sender, senders, receiver, receivers)
    }

    fn channel(
        &self,
        id: LaneId,
        sender: Arc<Signal>,
        receiver: Arc<Signal>,
        window: usize,
    ) -> (AnyEnd, AnyEnd) {
        let (sender, receiver) = channel::<T>(sender, receiver, window);
        let partitioning = self.partitioning.clone();
        let end = LaneEnd {
            id,
            partitioning,
            receiver,
        };
        (Box::new(sender), Box::new(end))
    }

    fn remote_sender(
        &self,
        network: &JobNetwork,
        end: RemoteEnd<'_>,
    ) -> Result<AnyEnd, NetworkError> {
        Ok(Box::new(network.sender::<T>(end)?))
    }

    fn remote_receiver(
        &self,
        id: LaneId,
        network: &JobNetwork,
        end: RemoteEnd<'_>,
    ) -> Result<AnyEnd, NetworkError> {
        Ok(Box::new(LaneEnd {
            id,
            partitioning: self.partitioning.clone(),
            receiver: network.receiver::<T>(end)?,
        }))
    }

    fn writer(
        &self,
        senders: Vec<AnyEnd>,
        seed: u64,
        limits: BatchLimits,
    ) -> Result<Box<dyn Any>, BoxError> {
        let senders = senders
            .into_iter()
            .map(|end| end.downcast::<ChannelSender<T>>().map(|end| *end))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| type_mismatch::<T>("a channel"))?;
        let writer: Box<dyn ExchangeWriter<T>> = Box::new(ChannelWriter::new(
            senders,
            self.partitioning.partitioner(seed),
            limits,
        ));
        Ok(Box::new(writer))
    }

    fn gate(
        &self,
        input: usize,
        receivers: Vec<AnyEnd>,
        inbox: &dyn Any,
        limits: WindowLimits,
        now_micros: i64,
    ) -> Result<Box<dyn Feed>, BoxError> {
        let receivers = receivers
            .into_iter()
            .map(|end| end.downcast::<LaneEnd<T>>().map(|end| *end))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| type_mismatch::<T>("a channel"))?;
        let inbox = inbox
            .downcast_ref::<Rc<Inbox<T>>>()
            .ok_or_else(|| type_mismatch::<T>("the input of the operator"))?;
        Ok(Box::new(Gate::new(
            input,
            receivers,
            inbox.clone(),
            limits,
            now_micros,
        )))
    }
}
