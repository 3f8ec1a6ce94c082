//! Barriers that overtake rows: what has been processed and what the checkpoint holds are together
//! what was sent before the barrier, at the same parallelism and at another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;
use rheos_core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos_core::element::{Batch, Control};
use rheos_core::id::{CheckpointId, Generation};
use rheos_core::row::Row;
use rheos_core::time::MIN_TIMESTAMP;
use rheos_runtime::chain::inbox::Inbox;
use rheos_runtime::checkpoint::restore::{OperatorRestore, RestoredOperator};
use rheos_runtime::checkpoint::snapshot::OperatorSnapshot;
use rheos_runtime::exchange::channel::{ChannelSender, channel};
use rheos_runtime::exchange::debloat::WindowLimits;
use rheos_runtime::exchange::gate::{Feed, Gate, Polled};
use rheos_runtime::exchange::lane::{LaneEnd, LaneId};
use rheos_runtime::exchange::partitioner::Partitioning;
use rheos_runtime::exchange::writer::{BatchLimits, ChannelWriter, ExchangeWriter};
use rheos_runtime::task::signal::Signal;

/// Sender, and a number that rises with each of its rows.
type Row2 = (u32, u32);

fn hashed() -> Partitioning<Row2> {
    Partitioning::Hash(Arc::new(|rows: &[Row2], hashes: &mut Vec<u64>| {
        hashes.extend(rows.iter().map(|row| (row.1 % 5).key_hash()));
    }))
}

fn barrier(checkpoint: u64) -> Barrier {
    Barrier {
        checkpoint: CheckpointId(checkpoint),
        generation: Generation(1),
        triggered_at: 0,
        kind: SnapshotKind::Checkpoint,
        alignment: Alignment::Unaligned { after_millis: 0 },
    }
}

struct Receiver {
    gate: Gate<Row2>,
    inbox: Rc<Inbox<Row2>>,
    rows: Vec<Row2>,
    watermark: i64,
}

impl Receiver {
    /// Takes up to `rows` rows of what the gate gives next.
    fn poll(&mut self, rows: usize) -> bool {
        if !self.inbox.has_rows() {
            match self.gate.poll(0) {
                Polled::Nothing => return false,
                Polled::Rows => {}
                Polled::Control(Control::Watermark(watermark)) => {
                    assert!(watermark >= self.watermark, "event time goes back");
                    self.watermark = watermark;
                    return true;
                }
                Polled::Control(_) => return true,
            }
        }
        let mut cursor = self.inbox.rows();
        cursor.allow(rows);
        while let Some((row, timestamp)) = cursor.next() {
            assert!(timestamp > self.watermark, "{row:?} is late");
            self.rows.push(row);
        }
        true
    }
}

struct Exchange {
    writers: Vec<ChannelWriter<Row2>>,
    receivers: Vec<Receiver>,
    next: Vec<u32>,
}

fn exchange(senders: u32, receivers: u32, partitioning: &Partitioning<Row2>) -> Exchange {
    let signal = Arc::new(Signal::new());
    let mut ends: Vec<Vec<LaneEnd<Row2>>> = (0..receivers).map(|_| Vec::new()).collect();
    let writers = (0..senders).map(|sender| {
        let id = LaneId {
            edge: 3,
            sender,
            senders,
        };
        let lanes: Vec<ChannelSender<Row2>> = ends
            .iter_mut()
            .map(|ends| {
                let (lane, receiver) = channel(signal.clone(), signal.clone(), 1 << 20);
                let partitioning = partitioning.clone();
                ends.push(LaneEnd {
                    id,
                    partitioning,
                    receiver,
                });
                lane
            })
            .collect();
        let limits = BatchLimits {
            rows: 4,
            ..BatchLimits::default()
        };
        ChannelWriter::new(lanes, partitioning.partitioner(u64::from(sender)), limits)
    });
    let writers = writers.collect();
    let receivers = ends.into_iter().map(|ends| {
        let inbox = Rc::new(Inbox::default());
        let gate = Gate::new(0, ends, inbox.clone(), WindowLimits::default(), 0);
        Receiver {
            gate,
            inbox,
            rows: Vec::new(),
            watermark: MIN_TIMESTAMP,
        }
    });
    Exchange {
        writers,
        receivers: receivers.collect(),
        next: vec![0; senders as usize],
    }
}

impl Exchange {
    fn write(&mut self, sender: usize, rows: u32) {
        let mut batch = Batch::default();
        for _ in 0..rows {
            let row = self.next[sender];
            batch.push((sender as u32, row), i64::from(row));
            self.next[sender] += 1;
        }
        self.writers[sender].write(&mut batch, 1);
    }

    fn watermark(&mut self, sender: usize) {
        let watermark = i64::from(self.next[sender]) - 1;
        self.writers[sender].control(Control::Watermark(watermark), 1);
    }

    fn barriers(&mut self, checkpoint: u64) {
        for writer in &mut self.writers {
            writer.control(Control::Barrier(barrier(checkpoint)), 1);
        }
    }
}

/// What keeps its order at a receiver.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// The rows of a sender.
    Sender,
    /// Those of a key: the receiver has parts of several channels of a sender.
    Key,
    /// Nothing, for the same reason, where rows have no key.
    Nothing,
}

/// Each row once, and in order.
fn check(exchange: &Exchange, before: &[Vec<Row2>], sent: &[u32], order: Order) {
    let mut times: BTreeMap<Row2, usize> = BTreeMap::new();
    for rows in before {
        rows.iter()
            .for_each(|row| *times.entry(*row).or_default() += 1);
    }
    for receiver in &exchange.receivers {
        let mut last: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for (sender, row) in &receiver.rows {
            *times.entry((*sender, *row)).or_default() += 1;
            let key = if order == Order::Key { row % 5 } else { 0 };
            let before = last.insert((*sender, key), *row);
            assert!(
                order == Order::Nothing || before.is_none_or(|before| before < *row),
                "rows of sender {sender} changed places"
            );
        }
    }
    let wanted: usize = sent.iter().map(|rows| *rows as usize).sum();
    assert_eq!(times.len(), wanted, "rows are lost");
    assert!(times.values().all(|times| *times == 1), "rows are doubled");
}

#[derive(Debug, Clone)]
enum Op {
    Write(usize, u32),
    Watermark(usize),
    Poll(usize, usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        3 => (0..3usize, 1..9u32).prop_map(|(sender, rows)| Op::Write(sender, rows)),
        1 => (0..3usize).prop_map(Op::Watermark),
        3 => (0..3usize, 1..6usize).prop_map(|(receiver, rows)| Op::Poll(receiver, rows)),
    ];
    prop::collection::vec(op, 0..60)
}

fn run(exchange: &mut Exchange, ops: &[Op]) {
    let (senders, receivers) = (exchange.writers.len(), exchange.receivers.len());
    for op in ops {
        match *op {
            Op::Write(sender, rows) => exchange.write(sender % senders, rows),
            Op::Watermark(sender) => exchange.watermark(sender % senders),
            Op::Poll(receiver, rows) => {
                exchange.receivers[receiver % receivers].poll(rows);
            }
        }
    }
}

/// Lets the barriers overtake everywhere, and gives what the receivers would keep.
fn overtake(exchange: &mut Exchange, checkpoint: u64) -> Vec<OperatorSnapshot> {
    exchange.barriers(checkpoint);
    let receivers = exchange.receivers.iter_mut();
    let kept = receivers.map(|receiver| {
        let found = receiver.gate.overtaking().unwrap();
        assert_eq!(found.checkpoint, CheckpointId(checkpoint));
        assert!(receiver.gate.inbox_may_be_overtaken());
        let in_flight = receiver.gate.overtake(&found, true).unwrap();
        assert_eq!(receiver.gate.overtaking(), None);
        OperatorSnapshot {
            lists: vec![in_flight.encode().unwrap()],
            ..OperatorSnapshot::default()
        }
    });
    kept.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_overtaken_is_put_back(
        (senders, receivers) in (1..4u32, 1..4u32),
        (new_senders, new_receivers) in (1..4u32, 1..4u32),
        keyed in any::<bool>(),
        same in any::<bool>(),
        before in ops(),
        between in ops(),
    ) {
        let partitioning = if keyed { hashed() } else { Partitioning::Rebalance };
        let (new_senders, new_receivers) = match same {
            true => (senders, receivers),
            false => (new_senders, new_receivers),
        };
        let mut old = exchange(senders, receivers, &partitioning);
        run(&mut old, &before);
        // A first checkpoint that nobody restores does not matter to the second.
        overtake(&mut old, 1);
        run(&mut old, &between);
        let sent = old.next.clone();
        let kept = overtake(&mut old, 2);
        let processed: Vec<Vec<Row2>> = old.receivers.iter().map(|r| r.rows.clone()).collect();
        let watermarks: Vec<i64> = old.receivers.iter().map(|r| r.watermark).collect();

        let operator = Arc::new(RestoredOperator {
            parts: kept.into_iter().map(|part| Some(Arc::new(part))).collect(),
            stores: Vec::new(),
            enumerator: None,
        });
        let mut new = exchange(new_senders, new_receivers, &partitioning);
        for (subtask, receiver) in (0u32..).zip(&mut new.receivers) {
            receiver.gate.restore(&OperatorRestore {
                ignore_unclaimed: false,
                checkpoint: CheckpointId(2),
                subtask,
                parallelism: new_receivers,
                operator: operator.clone(),
            }).unwrap();
            if same {
                receiver.watermark = watermarks[subtask as usize];
            }
            while receiver.poll(3) {}
            if keyed {
                for row in &receiver.rows {
                    let to = rheos_core::key_group::subtask_of((row.1 % 5).key_hash(), new_receivers);
                    prop_assert_eq!(to, subtask);
                }
            }
        }
        let order = match (same, keyed) {
            (true, _) => Order::Sender,
            (false, true) => Order::Key,
            (false, false) => Order::Nothing,
        };
        check(&new, &processed, &sent, order);

        // And the old one goes on as if nothing had been.
        for receiver in &mut old.receivers {
            while receiver.poll(3) {}
        }
        check(&old, &[], &sent, Order::Sender);
    }
}

#[test]
fn the_end_of_the_data_is_not_overtaken() {
    let mut exchange = exchange(1, 1, &hashed());
    exchange.write(0, 9);
    exchange.writers[0].control(Control::EndOfData { drain: true }, 1);
    exchange.barriers(1);
    assert_eq!(exchange.receivers[0].gate.overtaking(), None);
    // Once it has been taken the barrier may pass what is behind it.
    while exchange.receivers[0].gate.overtaking().is_none() {
        assert!(exchange.receivers[0].poll(9));
    }
    assert_eq!(exchange.receivers[0].rows.len(), 9);
}

#[test]
fn rows_of_a_broadcast_edge_are_not_overtaken() {
    let mut exchange = exchange(2, 1, &Partitioning::Broadcast);
    exchange.write(0, 5);
    exchange.barriers(1);
    assert_eq!(exchange.receivers[0].gate.overtaking(), None);
    while exchange.receivers[0].poll(1) {}
    // Aligned, as ever.
    assert_eq!(exchange.receivers[0].rows.len(), 5);
    assert_eq!(exchange.receivers[0].gate.overtaking(), None);
}

#[test]
fn rows_that_a_checkpoint_still_holds_are_copied_for_the_task() {
    let mut exchange = exchange(1, 1, &hashed());
    exchange.write(0, 4);
    exchange.write(0, 4);
    exchange.barriers(1);
    let found = exchange.receivers[0].gate.overtaking().unwrap();
    let in_flight = exchange.receivers[0].gate.overtake(&found, true).unwrap();
    while exchange.receivers[0].poll(8) {}
    assert_eq!(exchange.receivers[0].rows.len(), 8);
    let list = in_flight.encode().unwrap();
    let (_, elements) =
        rheos_runtime::exchange::in_flight::decode::<Row2>(&list.entries[0]).unwrap();
    assert_eq!(elements.len(), 2, "two batches of four");
}
