//! The exchange under random credit: writers and gates of random windows and batch sizes, rows and
//! control elements in any order, receivers that read when they like.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;
use rheos_core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos_core::element::{Batch, Control};
use rheos_core::id::{CheckpointId, Generation};
use rheos_core::row::Row;

use super::channel::{ChannelReceiver, ChannelSender, channel};
use super::debloat::WindowLimits;
use super::gate::{Feed, Gate, Polled};
use super::lane::{LaneEnd, LaneId};
use super::partitioner::Partitioning;
use super::writer::{BatchLimits, ChannelWriter, ExchangeWriter};
use crate::chain::inbox::Inbox;
use crate::task::signal::Signal;

/// Sender, and a number that rises with each of its rows.
pub(crate) type Row2 = (u32, u32);
/// What a row weighs on a channel: itself, its timestamp and its hash.
const ROW_BYTES: usize = size_of::<Row2>() + 8 + 8;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Write {
        sender: usize,
        rows: usize,
        overdraft: usize,
    },
    Watermark {
        sender: usize,
    },
    Barrier {
        sender: usize,
    },
    Flush {
        sender: usize,
        all: bool,
    },
    Poll {
        receiver: usize,
        times: usize,
    },
    Pass {
        micros: i64,
    },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..3usize, 0..40usize, 0..4usize)
            .prop_map(|(sender, rows, overdraft)| Op::Write { sender, rows, overdraft }),
        2 => (0..3usize).prop_map(|sender| Op::Watermark { sender }),
        1 => (0..3usize).prop_map(|sender| Op::Barrier { sender }),
        1 => (0..3usize, any::<bool>()).prop_map(|(sender, all)| Op::Flush { sender, all }),
        4 => (0..3usize, 1..8usize).prop_map(|(receiver, times)| Op::Poll { receiver, times }),
        1 => (0..20_000i64).prop_map(|micros| Op::Pass { micros }),
    ]
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Hash,
    Rebalance,
    Shuffle,
    Broadcast,
    Custom,
}

impl Way {
    fn partitioning(self) -> Partitioning<Row2> {
        match self {
            Self::Hash => Partitioning::Hash(Arc::new(|rows: &[Row2], hashes: &mut Vec<u64>| {
                hashes.extend(rows.iter().map(Row::key_hash));
            })),
            Self::Rebalance => Partitioning::Rebalance,
            Self::Shuffle => Partitioning::Shuffle,
            Self::Broadcast => Partitioning::Broadcast,
            Self::Custom => Partitioning::Custom(Arc::new(|row: &Row2, _| row.1 / 7)),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) senders: usize,
    pub(crate) receivers: usize,
    way: Way,
    batches: BatchLimits,
    windows: WindowLimits,
}

prop_compose! {
    pub(crate) fn shape()(
        senders in 1..4usize,
        receivers in 1..4usize,
        way in prop_oneof![
            Just(Way::Hash), Just(Way::Rebalance), Just(Way::Shuffle),
            Just(Way::Broadcast), Just(Way::Custom),
        ],
        rows in 1..64usize,
        min in 1..400usize,
        initial in 0..600usize,
        more in 0..2_000usize,
        target_micros in 1_000..200_000i64,
    ) -> Shape {
        let windows = WindowLimits {
            initial: min + initial,
            min,
            max: min + initial + more,
            target_micros,
        };
        let batches = BatchLimits { rows, bytes: 1 << 20, timeout_micros: 5_000 };
        Shape { senders, receivers, way, batches, windows }
    }
}

/// One receiving subtask, with what it has seen.
struct Receiver {
    gate: Gate<Row2>,
    inbox: Rc<Inbox<Row2>>,
    rows: Vec<Row2>,
    watermark: i64,
    checkpoint: u64,
    ended: bool,
}

/// One sending subtask, with what it has sent.
struct Sender {
    writer: ChannelWriter<Row2>,
    next: u32,
    /// Its first row behind each barrier.
    barriers: Vec<u32>,
}

struct World {
    shape: Shape,
    senders: Vec<Sender>,
    receivers: Vec<Receiver>,
    now: i64,
    /// The greatest number of bytes that one call staged beyond what there was room for.
    overdraft: usize,
    /// Whether senders write whatever the room: then what they write does not depend on when credit
    /// comes.
    eager: bool,
}

fn barrier(checkpoint: u64) -> Control {
    Control::Barrier(Barrier {
        checkpoint: CheckpointId(checkpoint),
        generation: Generation(1),
        triggered_at: 0,
        kind: SnapshotKind::Checkpoint,
        alignment: Alignment::Aligned,
    })
}

/// Makes the channels of a world, one after the other.
pub(crate) trait Joins {
    /// A channel with an initial window.
    fn channel(&mut self, window: usize) -> (ChannelSender<Row2>, ChannelReceiver<Row2>);

    /// Lets what is under way arrive, where that takes time.
    fn wait(&mut self) {}
}

/// Channels within a process.
struct Local(Arc<Signal>);

impl Joins for Local {
    fn channel(&mut self, window: usize) -> (ChannelSender<Row2>, ChannelReceiver<Row2>) {
        channel(self.0.clone(), self.0.clone(), window)
    }
}

impl World {
    fn local(shape: &Shape) -> Self {
        Self::new(shape, &mut Local(Arc::new(Signal::new())))
    }

    fn new(shape: &Shape, joins: &mut dyn Joins) -> Self {
        let mut ends: Vec<Vec<_>> = (0..shape.receivers).map(|_| Vec::new()).collect();
        let mut senders = Vec::new();
        for sender in 0..shape.senders {
            let mut lanes = Vec::new();
            for receivers in &mut ends {
                let (lane, end) = joins.channel(shape.windows.initial);
                lanes.push(lane);
                let id = LaneId {
                    edge: 1,
                    sender: sender as u32,
                    senders: shape.senders as u32,
                };
                receivers.push(LaneEnd {
                    id,
                    partitioning: shape.way.partitioning(),
                    receiver: end,
                });
            }
            let partitioner = shape.way.partitioning().partitioner(sender as u64);
            let writer = ChannelWriter::new(lanes, partitioner, shape.batches);
            senders.push(Sender {
                writer,
                next: 0,
                barriers: Vec::new(),
            });
        }
        let receivers = ends
            .into_iter()
            .map(|ends| {
                let inbox = Rc::new(Inbox::default());
                let gate = Gate::new(0, ends, inbox.clone(), shape.windows, 0);
                let (watermark, checkpoint) = (i64::MIN, 0);
                Receiver {
                    gate,
                    inbox,
                    rows: Vec::new(),
                    watermark,
                    checkpoint,
                    ended: false,
                }
            })
            .collect();
        Self {
            shape: shape.clone(),
            senders,
            receivers,
            now: 1,
            overdraft: 0,
            eager: false,
        }
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match *op {
            Op::Write {
                sender,
                rows,
                overdraft,
            } => self.write(sender, rows, overdraft),
            Op::Watermark { sender } => {
                // As a stage does it: only while its outputs take anything.
                if let Some(sender) = self.senders.get_mut(sender)
                    && sender.writer.room() > 0
                {
                    let watermark = i64::from(sender.next) - 1;
                    sender
                        .writer
                        .control(Control::Watermark(watermark), self.now);
                }
            }
            Op::Barrier { sender } => {
                // A barrier waits for no credit, but the next one waits for it.
                let complete = self
                    .receivers
                    .iter()
                    .map(|r| r.checkpoint)
                    .min()
                    .unwrap_or(0);
                if let Some(sender) = self.senders.get_mut(sender)
                    && sender.barriers.len() as u64 <= complete
                {
                    sender.barriers.push(sender.next);
                    sender
                        .writer
                        .control(barrier(sender.barriers.len() as u64), self.now);
                }
            }
            Op::Flush { sender, all } => {
                if let Some(sender) = self.senders.get_mut(sender) {
                    sender.writer.flush_staged(self.now, all);
                }
            }
            Op::Poll { receiver, times } => {
                for _ in 0..times {
                    self.poll(receiver)?;
                }
            }
            Op::Pass { micros } => self.now += micros,
        }
        self.check_in_flight()
    }

    fn write(&mut self, index: usize, rows: usize, overdraft: usize) {
        let Some(sender) = self.senders.get_mut(index) else {
            return;
        };
        let room = sender.writer.room();
        let room = if self.eager { usize::MAX } else { room };
        if room == 0 {
            return;
        }
        let mut batch = Batch::default();
        for _ in 0..rows.min(room) + overdraft {
            batch.push((index as u32, sender.next), i64::from(sender.next));
            sender.next += 1;
        }
        self.overdraft = self.overdraft.max(overdraft);
        sender.writer.write(&mut batch, self.now);
        assert!(batch.is_empty());
    }

    fn poll(&mut self, index: usize) -> Result<(), TestCaseError> {
        let senders = &self.senders;
        let Some(receiver) = self.receivers.get_mut(index) else {
            return Ok(());
        };
        match receiver.gate.poll(self.now) {
            Polled::Nothing => receiver.gate.idle(),
            Polled::Rows => {
                let mut cursor = receiver.inbox.rows();
                cursor.allow(usize::MAX);
                while let Some((row, timestamp)) = cursor.next() {
                    prop_assert_eq!(i64::from(row.1), timestamp);
                    prop_assert!(timestamp > receiver.watermark, "{row:?} is late");
                    receiver.rows.push(row);
                }
            }
            Polled::Control(Control::Watermark(watermark)) => {
                prop_assert!(watermark > receiver.watermark);
                receiver.watermark = watermark;
            }
            Polled::Control(Control::Barrier(barrier)) => {
                prop_assert_eq!(barrier.checkpoint.0, receiver.checkpoint + 1);
                for (row_sender, row) in &receiver.rows {
                    let cut = senders[*row_sender as usize].barriers[receiver.checkpoint as usize];
                    prop_assert!(
                        *row < cut,
                        "row {row} of sender {row_sender} passed a barrier"
                    );
                }
                receiver.checkpoint += 1;
                receiver.gate.release();
            }
            Polled::Control(Control::EndOfPartition) => receiver.ended = true,
            Polled::Control(_) => {}
        }
        // No row from behind a barrier comes before it.
        for (row_sender, row) in receiver.rows.iter().rev().take(64) {
            let cuts = &senders[*row_sender as usize].barriers;
            if let Some(cut) = cuts.get(receiver.checkpoint as usize) {
                prop_assert!(
                    row < cut,
                    "row {row} of sender {row_sender} came before its barrier"
                );
            }
        }
        Ok(())
    }

    /// Per channel: the window, one batch beyond it, and one that a control element pushed.
    fn check_in_flight(&self) -> Result<(), TestCaseError> {
        if self.eager {
            return Ok(());
        }
        let batch = (self.shape.batches.rows + 40 + self.overdraft) * ROW_BYTES;
        let most = (self.shape.windows.max + 3 * batch) * self.shape.senders;
        for receiver in &self.receivers {
            let (queued, _) = receiver.gate.usage();
            prop_assert!(
                queued <= most,
                "{queued} bytes are in flight, {most} may be"
            );
        }
        Ok(())
    }

    fn end(&mut self, wait: &mut dyn FnMut()) -> Result<(), TestCaseError> {
        let barriers = self
            .senders
            .iter()
            .map(|s| s.barriers.len())
            .max()
            .unwrap_or(0);
        for sender in &mut self.senders {
            while sender.barriers.len() < barriers {
                sender.barriers.push(sender.next);
                sender
                    .writer
                    .control(barrier(sender.barriers.len() as u64), self.now);
            }
            sender
                .writer
                .control(Control::EndOfData { drain: true }, self.now);
            sender.writer.control(Control::EndOfPartition, self.now);
        }
        for index in 0..self.receivers.len() {
            for _ in 0..100_000 {
                if self.receivers[index].ended {
                    break;
                }
                let at = |receiver: &Receiver| (receiver.rows.len(), receiver.checkpoint);
                let before = at(&self.receivers[index]);
                self.poll(index)?;
                // What it waits for may be on its way, also where a channel that is aligned holds rows.
                if at(&self.receivers[index]) == before {
                    wait();
                }
            }
            prop_assert!(self.receivers[index].ended, "receiver {index} never ended");
            prop_assert_eq!(self.receivers[index].checkpoint, barriers as u64);
            prop_assert_eq!(
                self.receivers[index].gate.usage().0,
                0,
                "all credit is back"
            );
        }
        Ok(())
    }

    /// Nothing is lost or doubled, and the rows of a channel keep their order.
    fn check_rows(&self) -> Result<(), TestCaseError> {
        let mut times: BTreeMap<Row2, usize> = BTreeMap::new();
        for receiver in &self.receivers {
            let mut last: BTreeMap<u32, u32> = BTreeMap::new();
            for (sender, row) in &receiver.rows {
                if let Some(before) = last.insert(*sender, *row) {
                    prop_assert!(before < *row, "rows of sender {sender} changed places");
                }
                *times.entry((*sender, *row)).or_default() += 1;
            }
        }
        let copies = match self.shape.way {
            Way::Broadcast => self.shape.receivers,
            _ => 1,
        };
        for (index, sender) in self.senders.iter().enumerate() {
            for row in 0..sender.next {
                let seen = times.get(&(index as u32, row)).copied().unwrap_or(0);
                prop_assert_eq!(seen, copies, "row {} of sender {}", row, index);
            }
        }
        prop_assert_eq!(
            times.len(),
            self.senders.iter().map(|s| s.next as usize).sum::<usize>()
        );
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_lost_and_little_is_in_flight(
        shape in shape(),
        ops in prop::collection::vec(op(), 0..300),
    ) {
        let mut world = World::local(&shape);
        for op in &ops {
            world.run(op)?;
        }
        world.end(&mut || {})?;
        world.check_rows()?;
    }
}

/// Runs operations over the channels that `joins` makes: nothing is lost or doubled, and order is kept.
/// The rows that each receiver has seen, sorted; `eager` senders write whatever the credit.
pub(crate) fn run_world(
    shape: &Shape,
    ops: &[Op],
    joins: &mut dyn Joins,
    eager: bool,
) -> Result<Vec<Vec<Row2>>, TestCaseError> {
    let mut world = World::new(shape, joins);
    world.eager = eager;
    for op in ops {
        world.run(op)?;
    }
    world.end(&mut || joins.wait())?;
    world.check_rows()?;
    let receivers = world.receivers.into_iter();
    Ok(receivers
        .map(|mut receiver| {
            receiver.rows.sort_unstable();
            receiver.rows
        })
        .collect())
}

/// As [`run_world`], within the process.
pub(crate) fn run_local(
    shape: &Shape,
    ops: &[Op],
    eager: bool,
) -> Result<Vec<Vec<Row2>>, TestCaseError> {
    run_world(shape, ops, &mut Local(Arc::new(Signal::new())), eager)
}

#[test]
fn a_watermark_a_row_does_not_get_round_the_credit() {
    let shape = Shape {
        senders: 1,
        receivers: 1,
        way: Way::Rebalance,
        batches: BatchLimits {
            rows: 8,
            bytes: 1 << 20,
            timeout_micros: 5_000,
        },
        windows: WindowLimits {
            initial: 256,
            min: 256,
            max: 256,
            target_micros: 1_000,
        },
    };
    let mut world = World::local(&shape);
    for _ in 0..10_000 {
        world
            .run(&Op::Write {
                sender: 0,
                rows: 1,
                overdraft: 0,
            })
            .unwrap();
        world.run(&Op::Watermark { sender: 0 }).unwrap();
    }
    let (queued, _) = world.receivers[0].gate.usage();
    assert!(queued <= 256 + 2 * ROW_BYTES, "{queued}");
    assert!(world.senders[0].next < 20, "{}", world.senders[0].next);
    world.end(&mut || {}).unwrap();
    world.check_rows().unwrap();
}
