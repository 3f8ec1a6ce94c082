//! A staged epoch: commands, and how they are applied under a fence.
//!
//! The commands of a slot are applied by a script, in parts, which also moves the slot's fence: a key
//! of the same slot that says up to which command of which epoch all are applied. A server alone has
//! one fence. So an epoch that is applied again, whole or in part, or late by a committer thought dead,
//! changes nothing.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rheos_core::Row;
use rheos_runtime::sink::committer::{Fence, StagedEpoch};

use super::courier::{Batch, Command};
use super::resp::{Reply, parse, put_command};
use super::slot::{SLOTS, slot};
use crate::{handle, outbox};

/// The first byte of a handle: how the rest is to be read.
const VERSION: u8 = 1;
/// Commands and bytes that one call of the script applies: a server does nothing else meanwhile.
const PART_COMMANDS: usize = 500;
const PART_BYTES: usize = 256 * 1024;

/// Applies commands under a fence.
pub(super) const APPLY: &str = include_str!("apply.lua");

#[derive(Row, Debug, Clone, PartialEq)]
struct StagedCommand {
    from: u64,
    to: u64,
    slot: u16,
}

#[derive(Row, Debug, Clone, PartialEq)]
struct StagedBatch {
    bytes: Vec<u8>,
    commands: Vec<StagedCommand>,
}

/// The batches of an epoch, in their order.
#[derive(Row, Debug, Clone, PartialEq, Default)]
pub(super) struct Epoch {
    batches: Vec<StagedBatch>,
}

impl outbox::Epoch for Epoch {
    type Batch = Batch;

    fn push(&mut self, batch: Batch) {
        let commands = batch.commands.iter().map(|command| StagedCommand {
            from: command.from as u64,
            to: command.to as u64,
            slot: command.slot,
        });
        self.batches.push(StagedBatch {
            commands: commands.collect(),
            bytes: batch.bytes,
        });
    }

    fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn to_handle(&self) -> Vec<u8> {
        handle::to_handle(VERSION, self, 0)
    }
}

/// The least number whose digits, as a key's tag, lie in each slot.
fn tags() -> &'static [u32] {
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    TAGS.get_or_init(|| {
        let mut tags = vec![u32::MAX; SLOTS];
        let mut left = SLOTS;
        for number in 0.. {
            let of = usize::from(slot(number.to_string().as_bytes()));
            if let Some(tag) = tags.get_mut(of)
                && *tag == u32::MAX
            {
                *tag = number;
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        tags
    })
}

/// The key of a fence: of a slot, or of a server alone.
fn fence_key(fence: &Fence, of: Option<u16>) -> String {
    let Fence {
        lineage,
        sink,
        writer,
        ..
    } = fence;
    let tag = of.and_then(|slot| tags().get(usize::from(slot)));
    let tag = tag.map_or_else(String::new, |tag| format!("{{{tag}}}"));
    format!("rheos:fence:{tag}{lineage}:{sink}:{writer}")
}

/// The arguments of a command as it lies in a batch.
fn arguments(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let Some((Reply::List(list), length)) = parse(bytes)? else {
        return Err("a command is not whole".to_owned());
    };
    if length != bytes.len() {
        return Err("something stands behind a command".to_owned());
    }
    let texts = list.into_iter().map(|text| match text {
        Reply::Text(text) => Ok(text),
        _ => Err("a command has an argument that is no text".to_owned()),
    });
    let mut texts = texts.collect::<Result<Vec<_>, _>>()?;
    if texts.first().is_some_and(|name| name == b"EVALSHA") && texts.len() > 3 {
        // The one script that rows are written by: inside of another it is a command of that.
        texts.drain(1..3);
        if let Some(name) = texts.first_mut() {
            *name = b"SETNEWEST".to_vec();
        }
    }
    Ok(texts)
}

/// Commands of one slot that one call applies.
#[derive(Default)]
struct Part {
    first: usize,
    count: usize,
    bytes: usize,
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Part {
    fn put(&mut self, command: Vec<Vec<u8>>) {
        let touches = command.first().is_some_and(|name| name != b"PUBLISH");
        if let Some(key) = command.get(1).filter(|_| touches)
            && self.keys.last() != Some(key)
        {
            self.keys.push(key.clone());
        }
        self.count += 1;
        self.bytes += command.iter().map(Vec::len).sum::<usize>();
        self.arguments.push(command.len().to_string().into_bytes());
        self.arguments.extend(command);
    }

    fn is_full(&self) -> bool {
        self.count >= PART_COMMANDS || self.bytes >= PART_BYTES
    }
}

impl Epoch {
    /// Calls of the script `digest` that apply an epoch, of each slot in order or of a server alone;
    /// commands that are refused are left out if `skip`.
    ///
    /// # Errors
    /// Why its handle can't be read.
    pub fn calls_of(
        staged: &StagedEpoch,
        cluster: bool,
        skip: bool,
        digest: &str,
    ) -> Result<Batch, String> {
        let epoch: Self = handle::from_handle(VERSION, &staged.handle)?;
        let mut slots: BTreeMap<u16, Vec<Part>> = BTreeMap::new();
        for batch in &epoch.batches {
            for command in &batch.commands {
                let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                let bytes = batch.bytes.get(at(command.from)..at(command.to));
                let command_arguments = arguments(bytes.unwrap_or_default())?;
                let slot = if cluster { command.slot } else { 0 };
                let parts = slots.entry(slot).or_default();
                if parts.last().is_none_or(Part::is_full) {
                    let first = parts.last().map_or(0, |part| part.first + part.count);
                    parts.push(Part {
                        first,
                        ..Part::default()
                    });
                }
                if let Some(part) = parts.last_mut() {
                    part.put(command_arguments);
                }
            }
        }
        let number = staged.fence.epoch.to_string();
        let mut calls = Batch::default();
        for (slot, parts) in slots {
            let fence = fence_key(&staged.fence, cluster.then_some(slot));
            for part in parts {
                let first = part.first.to_string();
                let keys = (part.keys.len() + 1).to_string();
                let mut call: Vec<&[u8]> = vec![
                    b"EVALSHA",
                    digest.as_bytes(),
                    keys.as_bytes(),
                    fence.as_bytes(),
                ];
                call.extend(part.keys.iter().map(Vec::as_slice));
                let refused: &[u8] = if skip { b"skip" } else { b"fail" };
                call.extend([number.as_bytes(), first.as_bytes(), refused]);
                call.extend(part.arguments.iter().map(Vec::as_slice));
                let from = calls.bytes.len();
                put_command(&mut calls.bytes, call.iter().copied());
                calls.commands.push(Command {
                    from,
                    to: calls.bytes.len(),
                    row: calls.rows,
                    slot,
                });
                calls.rows += 1;
            }
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Epoch as _;

    fn staged(handle: Vec<u8>) -> StagedEpoch {
        StagedEpoch {
            fence: Fence {
                lineage: "l".into(),
                sink: "s".into(),
                writer: 3,
                epoch: 9,
            },
            triggered_at: 0,
            handle,
        }
    }

    fn epoch(commands: usize) -> Epoch {
        let mut batch = Batch::default();
        for n in 0..commands {
            let key = format!("key-{}", n % 3);
            let from = batch.bytes.len();
            let value = n.to_string();
            let command: [&[u8]; 3] = [b"SET", key.as_bytes(), value.as_bytes()];
            put_command(&mut batch.bytes, command.iter().copied());
            batch.commands.push(Command {
                from,
                to: batch.bytes.len(),
                row: n,
                slot: slot(key.as_bytes()),
            });
        }
        let mut epoch = Epoch::default();
        epoch.push(batch);
        epoch
    }

    fn texts(calls: &Batch, call: usize) -> Vec<String> {
        let Command { from, to, .. } = calls.commands[call];
        let Some((Reply::List(list), _)) = parse(&calls.bytes[from..to]).unwrap() else {
            panic!("no command");
        };
        list.iter().map(Reply::text).collect()
    }

    #[test]
    fn a_fence_lies_in_the_slot_of_its_commands() {
        for of in [0u16, 1, 777, 16_383] {
            let staged = staged(Vec::new());
            assert_eq!(slot(fence_key(&staged.fence, Some(of)).as_bytes()), of);
        }
    }

    #[test]
    fn commands_are_applied_by_slot_and_in_parts() {
        let staged = staged(epoch(1_203).to_handle());
        let alone = Epoch::calls_of(&staged, false, false, "sha").unwrap();
        let firsts: Vec<String> = (0..alone.rows)
            .map(|call| {
                let texts = texts(&alone, call);
                let keys: usize = texts[2].parse().unwrap();
                assert_eq!(texts[3], "rheos:fence:l:s:3");
                assert_eq!(texts[3 + keys], "9");
                texts[4 + keys].clone()
            })
            .collect();
        assert_eq!(firsts, ["0", "500", "1000"]);
        let cluster = Epoch::calls_of(&staged, true, true, "sha").unwrap();
        assert_eq!(cluster.rows, 3, "401 commands of each of three slots");
        let slots: Vec<u16> = cluster.commands.iter().map(|call| call.slot).collect();
        for (call, of) in slots.iter().enumerate() {
            let texts = texts(&cluster, call);
            assert_eq!(slot(texts[3].as_bytes()), *of);
            assert_eq!(slot(texts[4].as_bytes()), *of);
        }
    }

    #[test]
    fn what_can_t_be_read_is_refused() {
        let handle = epoch(2).to_handle();
        for len in 0..handle.len() {
            let cut = staged(handle[..len].to_vec());
            assert!(Epoch::calls_of(&cut, false, false, "sha").is_err());
        }
    }
}
