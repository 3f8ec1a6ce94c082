//! The tasks of an attempt, as the JobMaster reaches them in their TaskManagers.

use rheos_core::row::Writer;
use rheos_runtime::network::control::barrier_to;

use super::agents::Agents;
use super::message::{Heartbeat, Order, Ordered, Tell, Told};
use super::outbox::Outbox;
use crate::embedded::attempt::{Command, Host, Reach};

/// A task in another process. Orders to one TaskManager arrive in the order in which they are given,
/// whichever of its tasks they are for.
pub(super) struct RemoteTask {
    pub outbox: Outbox<Order>,
    pub generation: u64,
    pub task: u64,
}

impl Reach for RemoteTask {
    fn tell(&self, command: Command) {
        let what = match command {
            Command::Checkpoint(barrier) => {
                let mut out = Writer::new();
                barrier_to(&barrier, &mut out);
                Told::Barrier(out.into_vec())
            }
            Command::CheckpointCompleted(checkpoint) => Told::Completed(checkpoint.0),
            Command::Stop { drain } => Told::Stop(drain),
            Command::Cancel => Told::Cancel(Heartbeat {}),
        };
        self.outbox.put(Order {
            generation: self.generation,
            what: Some(Ordered::Tell(Tell {
                tasks: vec![self.task],
                what: Some(what),
            })),
        });
    }
}

/// The TaskManagers of an attempt.
pub(super) struct Hosts {
    pub agents: Agents,
    pub generation: u64,
}

impl Host for Hosts {
    fn end(self: Box<Self>) {
        self.agents.release(self.generation);
    }
}
