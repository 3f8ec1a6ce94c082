//! The channels of one attempt, made all at once and handed out to both sides.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_runtime::deploy::edge_builder::{AnyEnd, EdgeBuilder};
use rheos_runtime::exchange::lane::LaneId;
use rheos_runtime::network::NetworkError;
use rheos_runtime::network::job_network::RemoteEnd;
use rheos_runtime::task::mailbox::MailSender;

use super::placement::Placement;

/// A task as its channels know it.
pub(super) struct ChannelTask {
    /// Its index in the job.
    pub index: usize,
    /// Its mail, if it runs in this process.
    pub mail: Option<MailSender>,
    /// The TaskManager that it runs in.
    pub runs_in: u32,
}

/// Ends of the channels of one edge: by subtask, in the order of the subtasks of the other side.
#[derive(Default)]
pub(super) struct EdgeChannels {
    senders: BTreeMap<u32, Vec<AnyEnd>>,
    receivers: BTreeMap<u32, Vec<AnyEnd>>,
}

impl EdgeChannels {
    /// Makes the channels between the subtasks of two vertices, as far as they have an end in this
    /// process; `id` names the edge, see [`LaneId`]. `number` is that of the next channel, which is the
    /// same in every process.
    pub fn new(
        (edge, id): (&Arc<dyn EdgeBuilder>, u64),
        (senders, receivers): (&[ChannelTask], &[ChannelTask]),
        window: usize,
        (number, placement): (&mut u32, Option<&Placement<'_>>),
    ) -> Result<Self, NetworkError> {
        let mut channels = Self::default();
        let (from_count, to_count) = (senders.len() as u32, receivers.len() as u32);
        for (from, sender) in (0u32..).zip(senders) {
            for (to, receiver) in (0u32..).zip(receivers) {
                if !edge.connects(from, from_count, to, to_count) {
                    continue;
                }
                let lane = LaneId {
                    edge: id,
                    sender: from,
                    senders: from_count,
                };
                let channel = *number;
                *number += 1;
                let end = |task: &ChannelTask, mail| RemoteEnd {
                    peer: task.runs_in,
                    channel,
                    task: 0,
                    mail,
                    window,
                };
                let network = placement.map(|placement| placement.network);
                let (out, into) = match (&sender.mail, &receiver.mail, network) {
                    (Some(out), Some(into), _) => {
                        let ends = edge.channel(lane, out.signal(), into.signal(), window);
                        (Some(ends.0), Some(ends.1))
                    }
                    (Some(out), None, Some(network)) => {
                        let end = RemoteEnd {
                            task: sender.index,
                            ..end(receiver, out)
                        };
                        (Some(edge.remote_sender(network, end)?), None)
                    }
                    (None, Some(into), Some(network)) => {
                        let end = RemoteEnd {
                            task: receiver.index,
                            ..end(sender, into)
                        };
                        (None, Some(edge.remote_receiver(lane, network, end)?))
                    }
                    _ => (None, None),
                };
                if let Some(out) = out {
                    channels.senders.entry(from).or_default().push(out);
                }
                if let Some(into) = into {
                    channels.receivers.entry(to).or_default().push(into);
                }
            }
        }
        Ok(channels)
    }

    /// The sending ends of a subtask.
    pub fn take_senders(&mut self, subtask: u32) -> Vec<AnyEnd> {
        self.senders.remove(&subtask).unwrap_or_default()
    }

    /// The receiving ends of a subtask.
    pub fn take_receivers(&mut self, subtask: u32) -> Vec<AnyEnd> {
        self.receivers.remove(&subtask).unwrap_or_default()
    }
}
