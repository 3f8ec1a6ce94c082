//! The channels of one attempt, made all at once and handed out to both sides.

use std::collections::BTreeMap;
use std::sync::Arc;

use rheos_runtime::deploy::edge_builder::{AnyEnd, EdgeBuilder};
use rheos_runtime::exchange::lane::LaneId;
use rheos_runtime::task::signal::Signal;

/// Ends of the channels of one edge: by subtask, in the order of the subtasks of the other side.
#[derive(Default)]
pub(super) struct EdgeChannels {
    senders: BTreeMap<u32, Vec<AnyEnd>>,
    receivers: BTreeMap<u32, Vec<AnyEnd>>,
}

impl EdgeChannels {
    /// Makes the channels between the subtasks of two vertices; `id` names the edge, see [`LaneId`].
    pub fn new(
        (edge, id): (&Arc<dyn EdgeBuilder>, u64),
        senders: &[Arc<Signal>],
        receivers: &[Arc<Signal>],
        window: usize,
    ) -> Self {
        let mut channels = Self::default();
        let (from_count, to_count) = (senders.len() as u32, receivers.len() as u32);
        for (from, sender) in (0u32..).zip(senders) {
            for (to, receiver) in (0u32..).zip(receivers) {
                if edge.connects(from, from_count, to, to_count) {
                    let lane = LaneId {
                        edge: id,
                        sender: from,
                        senders: from_count,
                    };
                    let (out, into) = edge.channel(lane, sender.clone(), receiver.clone(), window);
                    channels.senders.entry(from).or_default().push(out);
                    channels.receivers.entry(to).or_default().push(into);
                }
            }
        }
        channels
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
