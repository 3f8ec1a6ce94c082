//! The data connections of one generation of a job, in one TaskManager.
//!
//! Life: made with the placement → the tasks' channels made → joined: of each pair with channels
//! between them the one of the lower index connects → ended with the generation.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
#[cfg(not(loom))]
use tokio::time::timeout;

#[cfg(not(loom))]
use super::connection::drive;
#[cfg(not(loom))]
use super::endpoint::{CONNECT_TIMEOUT, DataEndpoint, dial};
use super::error::NetworkError;
#[cfg(not(loom))]
use super::hello::Hello;
use super::hello::JobIncarnation;
use super::peer::Peer;
use super::remote_receiver::CreditReturn;
use super::remote_sender::RemoteSender;
use super::rows::Compression;
use crate::exchange::channel::{ChannelReceiver, ChannelSender, arriving};
use crate::exchange::credit::Credit;
use crate::task::mailbox::MailSender;

/// A TaskManager of the placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// What people call it.
    pub name: String,
    /// Where it takes data connections.
    pub address: String,
}

/// Who takes part in a generation, seen from one of them.
pub(super) struct Members {
    pub incarnation: JobIncarnation,
    pub own: u32,
    pub peers: BTreeMap<u32, Arc<Peer>>,
}

/// See the [module](self).
pub struct JobNetwork {
    members: Arc<Members>,
    compression: Compression,
    clock: SharedClock,
}

/// A task's end of a channel: its number in the job, and the task's.
#[derive(Clone, Copy)]
pub struct RemoteEnd<'a> {
    /// The TaskManager at the other end, by its index.
    pub peer: u32,
    /// The channel's number, the same at both ends.
    pub channel: u32,
    /// The task's index in the job.
    pub task: usize,
    /// Its mail.
    pub mail: &'a MailSender,
    /// The first window, in bytes: the same at both ends.
    pub window: usize,
}

impl JobNetwork {
    /// The network of the TaskManager `own` among these, which are in the order of their indices.
    pub fn new(
        incarnation: JobIncarnation,
        own: u32,
        all: &[PeerAddress],
        clock: SharedClock,
    ) -> Self {
        let others = (0u32..).zip(all).filter(|(index, _)| *index != own);
        let peers = others.map(|(index, PeerAddress { name, address })| {
            let peer = Peer::new(index, name.clone(), address.clone());
            (index, Arc::new(peer))
        });
        Self {
            members: Arc::new(Members {
                incarnation,
                own,
                peers: peers.collect(),
            }),
            compression: Compression::None,
            clock,
        }
    }

    /// The same, with rows compressed on their way. Each process says so of what it sends.
    #[must_use]
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    fn peer(&self, index: u32) -> Result<&Arc<Peer>, NetworkError> {
        self.members.peers.get(&index).ok_or_else(|| {
            NetworkError::Refused(format!("there is no TaskManager {index} in the placement"))
        })
    }

    /// The sending end of a channel.
    ///
    /// # Errors
    /// If there is no such peer.
    pub fn sender<T>(&self, end: RemoteEnd<'_>) -> Result<ChannelSender<T>, NetworkError> {
        let peer = self.peer(end.peer)?;
        let credit = Arc::new(Credit::new(end.mail.signal(), end.window));
        peer.leaves(end.channel, credit.clone(), end.task, end.mail);
        Ok(ChannelSender::remote(RemoteSender::new(
            end.channel,
            credit,
            (peer.outbound.clone(), self.compression),
            self.clock.clone(),
            end.mail.clone(),
        )))
    }

    /// The receiving end of a channel.
    ///
    /// # Errors
    /// If there is no such peer.
    pub fn receiver<T: Row>(&self, end: RemoteEnd<'_>) -> Result<ChannelReceiver<T>, NetworkError> {
        let peer = self.peer(end.peer)?;
        let told = CreditReturn::new(
            end.channel,
            peer.outbound.clone(),
            end.mail.clone(),
            std::any::type_name::<T>(),
        );
        let (arrivals, receiver) = arriving::<T>(end.mail.signal(), end.window, told);
        peer.arrives(end.channel, arrivals, end.task, end.mail);
        Ok(receiver)
    }

    #[cfg(not(loom))]
    /// Makes the connections. Tasks may run already: what they send waits, and what can't be connected
    /// fails those that need it.
    pub fn join(&self, endpoint: &DataEndpoint) {
        let members = &self.members;
        endpoint.enter(members.clone());
        for peer in members.peers.values().filter(|peer| peer.is_used()) {
            let (peer, clock) = (peer.clone(), self.clock.clone());
            let hello = Hello {
                incarnation: members.incarnation,
                from: members.own,
                to: peer.index,
            };
            if peer.index < members.own {
                endpoint.io().spawn(async move {
                    let _ = timeout(CONNECT_TIMEOUT, std::future::pending::<()>()).await;
                    if !peer.is_attached() {
                        let waited = CONNECT_TIMEOUT.as_secs();
                        let reason = format!("it has not connected within {waited} s");
                        peer.break_off(peer.not_connected(reason));
                    }
                });
                continue;
            }
            let security = endpoint.security().clone();
            endpoint.io().spawn(async move {
                match dial(&peer.address, &hello, &security).await {
                    Ok((stream, ahead)) => {
                        if let Some(lanes) = peer.attach() {
                            drive(stream, ahead, &peer, lanes, clock).await;
                        }
                    }
                    Err(reason) => peer.break_off(peer.not_connected(reason)),
                }
            });
        }
    }

    /// The generation has ended: connections end once what waits is written.
    pub fn end(&self) {
        for peer in self.members.peers.values() {
            peer.end();
        }
    }
}

impl Drop for JobNetwork {
    fn drop(&mut self) {
        self.end();
    }
}
