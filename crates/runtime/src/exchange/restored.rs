//! What of the elements in flight at a checkpoint comes to one new subtask, and on which channel.
//!
//! Where neither side has changed its parallelism each channel gets back what it had, with its
//! watermark. Else rows go where their edge's rule sends them now, in the order they had on their
//! channel, and watermarks are left out: senders send theirs again, behind the rows.

use rheos_core::Row;
use rheos_core::element::{Batch, Element};
use rheos_core::key_group::subtask_of;
use rheos_core::time::{MIN_TIMESTAMP, Millis};
use rheos_state::image::same_schema;

use super::in_flight::{ChannelHeader, decode, input_of, list_name};
use super::lane::LaneId;
use super::partitioner::Partitioning;
use crate::checkpoint::restore::{OperatorRestore, decode_error};
use crate::checkpoint::snapshot::ListImage;
use crate::error::BoxError;

/// A subtask's share, by the indices of its channels.
pub struct Restored<T> {
    /// Rows and watermarks; those of a channel in order.
    pub elements: Vec<(usize, Element<T>)>,
    /// Watermarks of channels.
    pub watermarks: Vec<(usize, Millis)>,
    /// The watermark of the gate; the least where it is not known.
    pub output: Millis,
}

/// Picks the channel that an old one's elements go to; whether it is the very same.
fn lane_of<T>(
    lanes: &[(LaneId, Partitioning<T>)],
    header: &ChannelHeader,
) -> Option<(usize, bool)> {
    let of_edge = || {
        let lanes = lanes.iter().enumerate();
        lanes.filter(|(_, (id, _))| id.edge == header.edge)
    };
    let same =
        of_edge().find(|(_, (id, _))| (id.sender, id.senders) == (header.sender, header.senders));
    if let Some((index, _)) = same {
        return Some((index, true));
    }
    let sender = header.sender as usize;
    let nth = sender.checked_rem(of_edge().count());
    let index = match nth {
        Some(nth) => of_edge().nth(nth).map(|(index, _)| index),
        // The edge is new: any channel of the input carries such rows.
        None => sender.checked_rem(lanes.len()),
    };
    index.map(|index| (index, false))
}

/// What of a batch belongs to the new subtask.
fn own_rows<T: Row>(
    batch: Batch<T>,
    partitioning: &Partitioning<T>,
    from: &OperatorRestore,
    channel: usize,
) -> Batch<T> {
    let mut batch = batch;
    let own = from.subtask;
    if !matches!(partitioning, Partitioning::Hash(_)) {
        let to = match partitioning {
            Partitioning::Global => 0,
            _ => (channel % from.parallelism.max(1) as usize) as u32,
        };
        if to != own {
            batch.clear();
        }
        return batch;
    }
    partitioning.add_hashes(&mut batch);
    let mut kept = Batch::default();
    let (hashes, timestamps) = (batch.hashes.iter(), batch.timestamps.iter());
    for ((row, hash), timestamp) in batch.rows.drain(..).zip(hashes).zip(timestamps) {
        if subtask_of(*hash, from.parallelism) == own {
            kept.push_hashed(row, *timestamp, *hash);
        }
    }
    kept
}

/// The share of the subtask that `from` is for, in what was in flight before this input.
///
/// # Errors
/// If it can't be read, is of other rows, or there is no channel that it could come from.
pub fn share<T: Row>(
    from: &OperatorRestore,
    input: usize,
    lanes: &[(LaneId, Partitioning<T>)],
) -> Result<Restored<T>, BoxError> {
    let mut restored = Restored {
        elements: Vec::new(),
        watermarks: Vec::new(),
        output: MIN_TIMESTAMP,
    };
    let name = list_name(input);
    let rescaled = from.operator.parts.len() != from.parallelism as usize;
    let mut channel = 0;
    for (part, snapshot) in from.operator.parts.iter().enumerate() {
        let lists = snapshot.iter().flat_map(|snapshot| &snapshot.lists);
        for list in lists.filter(|list| list.name == name) {
            same_schema(&name, "value", &list.schema, &T::schema())?;
            for entry in &list.entries {
                channel += 1;
                if !rescaled && part != from.subtask as usize {
                    continue;
                }
                let read = decode::<T>(entry);
                let (header, elements) = read.map_err(|source| decode_error(&name, source))?;
                let Some((lane, same)) = lane_of(lanes, &header) else {
                    return Err(no_channel(input).into());
                };
                let exact = same && !rescaled;
                if exact {
                    restored.watermarks.push((lane, header.watermark));
                    restored.output = restored.output.max(header.output);
                }
                let Some((_, partitioning)) = lanes.get(lane) else {
                    continue;
                };
                for element in elements {
                    match element {
                        Element::Batch(mut batch) => {
                            if rescaled {
                                batch = own_rows(batch, partitioning, from, channel);
                            } else {
                                partitioning.add_hashes(&mut batch);
                            }
                            if !batch.is_empty() {
                                restored.elements.push((lane, Element::Batch(batch)));
                            }
                        }
                        Element::Control(control) if exact => {
                            restored.elements.push((lane, Element::Control(control)));
                        }
                        Element::Control(_) => {}
                    }
                }
            }
        }
    }
    Ok(restored)
}

/// The rows of the share of an operator in the middle of a chain, in the order of their channels:
/// each old channel goes whole to one subtask.
///
/// # Errors
/// As [`share`].
pub fn rows<T: Row>(from: &OperatorRestore, input: usize) -> Result<Vec<Batch<T>>, BoxError> {
    // No channel of before is found here: one stands for all, and its watermarks for none.
    let lane = LaneId {
        edge: 0,
        sender: 0,
        senders: 0,
    };
    let restored = share::<T>(from, input, &[(lane, Partitioning::Rebalance)])?;
    let elements = restored.elements.into_iter();
    Ok(elements
        .filter_map(|(_, element)| match element {
            Element::Batch(batch) => Some(batch),
            Element::Control(_) => None,
        })
        .collect())
}

fn no_channel(input: usize) -> String {
    format!(
        "the checkpoint holds rows that were in flight before input {input} of the operator, and the \
         job has no exchange there any more: let the former job run until an aligned checkpoint \
         (execution.checkpointing.unaligned.enabled: false) before its graph is changed"
    )
}

/// Finds rows in flight before inputs that an operator does not have, of which there are `inputs`.
///
/// # Errors
/// If there are some.
pub fn check_inputs(from: &OperatorRestore, inputs: usize) -> Result<(), BoxError> {
    let parts = from.operator.parts.iter().flatten();
    let holds = |list: &&ListImage| list.entries.iter().any(|entry| !entry.value.is_empty());
    for list in parts.flat_map(|part| &part.lists).filter(holds) {
        if let Some(input) = input_of(&list.name).filter(|input| *input >= inputs) {
            return Err(no_channel(input).into());
        }
    }
    Ok(())
}
