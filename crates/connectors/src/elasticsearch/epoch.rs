//! A staged epoch: actions as the commit sends them, but for what only the barrier knows.
//!
//! The commit gives each action a version (`external`): the time at which its checkpoint was triggered,
//! in milliseconds, times 2²², and its place in the epoch. Triggers of one job rise, over its restarts
//! too. So an epoch that is applied again changes nothing, nor does one that a committer thought dead
//! applies late. A document without an id of its own gets one that says where it stands.

use rheos_core::Row;
use rheos_runtime::sink::committer::{Fence, StagedEpoch};

use super::bulk::{Batch, Item};
use crate::{handle, outbox};

/// The first byte of a handle: how the rest is to be read.
const VERSION: u8 = 1;
/// Bits of a version that are for the place in the epoch. Where an epoch has more actions the next
/// millisecond's versions are used, which no other checkpoint has: they are 10 ms apart and more.
const PLACE_BITS: u32 = 22;

#[derive(Row, Debug, Clone, PartialEq)]
struct StagedItem {
    from: u64,
    split: u64,
    to: u64,
    deletes: bool,
    identified: bool,
    versioned: bool,
}

#[derive(Row, Debug, Clone, PartialEq)]
struct StagedBatch {
    text: Vec<u8>,
    items: Vec<StagedItem>,
}

/// The batches of an epoch, in their order.
#[derive(Row, Debug, Clone, PartialEq, Default)]
pub(super) struct Epoch {
    batches: Vec<StagedBatch>,
}

impl outbox::Epoch for Epoch {
    type Batch = Batch;

    fn push(&mut self, batch: Batch) {
        let items = batch.items.iter().map(|item| StagedItem {
            from: item.from as u64,
            split: item.split as u64,
            to: item.to as u64,
            deletes: item.deletes,
            identified: item.identified,
            versioned: item.versioned,
        });
        self.batches.push(StagedBatch {
            items: items.collect(),
            text: batch.text,
        });
    }

    fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn to_handle(&self) -> Vec<u8> {
        handle::to_handle(VERSION, self, 0)
    }
}

/// The id of a document that has none: the same whenever its epoch is applied, and nobody else's.
fn id_of(fence: &Fence, place: u64) -> String {
    let Fence {
        lineage,
        sink,
        writer,
        epoch,
    } = fence;
    format!("{lineage}-{sink}-{writer}-{epoch}-{place}")
}

impl Epoch {
    /// The batches that apply an epoch.
    ///
    /// # Errors
    /// Why its handle can't be read.
    pub fn batches_of(staged: &StagedEpoch) -> Result<Vec<Batch>, String> {
        let epoch: Self = handle::from_handle(VERSION, &staged.handle)?;
        let first = u64::try_from(staged.triggered_at)
            .ok()
            .and_then(|millis| millis.checked_mul(1 << PLACE_BITS))
            .filter(|version| i64::try_from(*version).is_ok())
            .ok_or_else(|| format!("{} is no time of a trigger", staged.triggered_at))?;
        let mut place = 0;
        let mut batches = Vec::new();
        for StagedBatch { text, items } in epoch.batches {
            let mut batch = Batch::default();
            for item in items {
                let piece = |from: u64, to: u64| {
                    let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                    text.get(at(from)..at(to)).unwrap_or_default()
                };
                let from = batch.text.len();
                let out = &mut batch.text;
                out.extend_from_slice(piece(item.from, item.split));
                if !item.identified {
                    let id = id_of(&staged.fence, place);
                    out.extend_from_slice(format!(",\"_id\":\"{id}\"").as_bytes());
                }
                if !item.versioned {
                    let version = first.saturating_add(place);
                    let version = format!(",\"version\":{version},\"version_type\":\"external\"");
                    out.extend_from_slice(version.as_bytes());
                }
                let split = out.len();
                out.extend_from_slice(piece(item.split, item.to));
                batch.items.push(Item {
                    from,
                    split,
                    to: batch.text.len(),
                    row: batch.items.len(),
                    deletes: item.deletes,
                    identified: true,
                    versioned: true,
                });
                place += 1;
            }
            batches.push(batch);
        }
        Ok(batches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Epoch as _;

    fn staged(triggered_at: i64, handle: Vec<u8>) -> StagedEpoch {
        StagedEpoch {
            fence: Fence {
                lineage: "l".into(),
                sink: "s".into(),
                writer: 3,
                epoch: 9,
            },
            triggered_at,
            handle,
        }
    }

    fn batch(line: &str, identified: bool, versioned: bool) -> Batch {
        let text = format!("{line}}}}}\n{{\"n\":1}}\n").into_bytes();
        Batch {
            items: vec![Item {
                from: 0,
                split: line.len(),
                to: text.len(),
                row: 0,
                deletes: false,
                identified,
                versioned,
            }],
            text,
        }
    }

    #[test]
    fn actions_get_their_versions_and_ids_by_their_places() {
        let mut epoch = Epoch::default();
        epoch.push(batch(
            "{\"index\":{\"_index\":\"i\",\"_id\":\"a\"",
            true,
            false,
        ));
        epoch.push(batch("{\"index\":{\"_index\":\"i\"", false, false));
        epoch.push(batch(
            "{\"index\":{\"_index\":\"i\",\"_id\":\"c\",\"version\":7,\"version_type\":\"external\"",
            true,
            true,
        ));
        let batches = Epoch::batches_of(&staged(1_000, epoch.to_handle())).unwrap();
        let lines: Vec<String> = batches
            .iter()
            .map(|batch| String::from_utf8(batch.text.clone()).unwrap())
            .collect();
        let first = 1_000u64 << 22;
        assert_eq!(
            lines[0],
            format!(
                "{{\"index\":{{\"_index\":\"i\",\"_id\":\"a\",\"version\":{first},\
                 \"version_type\":\"external\"}}}}\n{{\"n\":1}}\n"
            )
        );
        assert!(lines[1].contains("\"_id\":\"l-s-3-9-1\""), "{}", lines[1]);
        assert!(lines[1].contains(&format!("\"version\":{}", first + 1)));
        assert!(lines[2].contains("\"version\":7,"), "{}", lines[2]);
    }

    #[test]
    fn what_can_t_be_read_is_refused() {
        let mut epoch = Epoch::default();
        epoch.push(batch("{", true, false));
        let handle = epoch.to_handle();
        for len in 0..handle.len() {
            assert!(Epoch::batches_of(&staged(1, handle[..len].to_vec())).is_err());
        }
        assert!(Epoch::batches_of(&staged(-1, handle.clone())).is_err());
        assert!(Epoch::batches_of(&staged(i64::MAX / 2, handle)).is_err());
    }
}
