//! Every interleaving of the places that threads meet at: the signal, the mailbox, and the channel
//! with its credit. A wake-up that is lost shows as a deadlock.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p rheos-runtime --lib loom` runs them. Preemptions
//! are bounded where the space would otherwise not be searched in minutes; three of them are enough
//! for every lost wake-up that two threads can have with a flag and a queue.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use loom::thread;
use rheos_core::element::{Batch, Control, Element};

use crate::chain::inbox::Inbox;
use crate::exchange::channel::{ChannelReceiver, channel};
use crate::exchange::debloat::WindowLimits;
use crate::exchange::gate::{Feed, Gate, Polled};
use crate::exchange::lane::{LaneEnd, LaneId};
use crate::exchange::partitioner::Partitioning;
use crate::task::mailbox::{Mail, mailbox};
use crate::task::signal::Signal;

fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

fn signal() -> Arc<Signal> {
    Arc::new(Signal::new())
}

fn batch(row: i64) -> Batch<i64> {
    let mut batch = Batch::default();
    batch.push(row, row);
    batch
}

#[test]
fn loom_a_raise_is_never_lost() {
    loom::model(|| {
        let signal = signal();
        let raised = signal.clone();
        signal.attach();
        let other = thread::spawn(move || raised.raise());
        signal.wait(None);
        other.join().unwrap();
    });
}

#[test]
fn loom_a_raise_before_the_waiter_is_attached_is_not_lost() {
    loom::model(|| {
        let signal = signal();
        let raised = signal.clone();
        let other = thread::spawn(move || raised.raise());
        signal.attach();
        signal.wait(None);
        other.join().unwrap();
    });
}

#[test]
fn loom_all_mail_arrives_and_each_sender_keeps_its_order() {
    model(3, || {
        let signal = signal();
        signal.attach();
        let (sender, mailbox) = mailbox(signal.clone());
        let second = sender.clone();
        let first = thread::spawn(move || {
            sender.send(Mail::Stop { drain: true });
            sender.send(Mail::Cancel);
        });
        let other = thread::spawn(move || second.send(Mail::NoMoreSplits));
        let mut mails = Vec::new();
        while mails.len() < 3 {
            match mailbox.take() {
                Some(mail) => mails.push(format!("{mail:?}")),
                None => signal.wait(None),
            }
        }
        first.join().unwrap();
        other.join().unwrap();
        let of_first: Vec<_> = mails
            .iter()
            .filter(|mail| *mail != "NoMoreSplits")
            .collect();
        assert_eq!(of_first, ["Stop { drain: true }", "Cancel"]);
    });
}

/// Receives until there are so many rows; what is queued stays within the window and one batch.
fn receive(receiver: &ChannelReceiver<i64>, signal: &Signal, rows: usize) -> Vec<i64> {
    let mut received = Vec::new();
    while received.len() < rows {
        let (queued, window) = receiver.usage();
        assert!(
            queued <= window + 1,
            "{queued} bytes are queued in a window of {window}"
        );
        match receiver.poll() {
            Some((Element::Batch(batch), _)) => {
                received.extend(&batch.rows);
                receiver.recycle(batch);
            }
            Some((Element::Control(_), _)) => {}
            None => signal.wait(None),
        }
    }
    received
}

#[test]
fn loom_a_sender_without_credit_is_woken() {
    model(3, || {
        let (sending, receiving) = (signal(), signal());
        receiving.attach();
        let (sender, receiver) = channel::<i64>(sending.clone(), receiving.clone(), 1);
        let other = thread::spawn(move || {
            sending.attach();
            for row in 0..3 {
                while !sender.ready() {
                    sending.wait(None);
                }
                sender.send(batch(row), 1);
            }
            sender.send_control(Control::EndOfPartition);
        });
        assert_eq!(receive(&receiver, &receiving, 3), [0, 1, 2]);
        other.join().unwrap();
        assert!(matches!(
            receiver.poll(),
            Some((Element::Control(Control::EndOfPartition), 0))
        ));
        assert_eq!(receiver.usage(), (0, 1), "all credit is back");
    });
}

#[test]
fn loom_a_sender_is_woken_by_a_larger_window() {
    model(3, || {
        let (sending, receiving) = (signal(), signal());
        receiving.attach();
        let (sender, receiver) = channel::<i64>(sending.clone(), receiving.clone(), 1);
        let other = thread::spawn(move || {
            sending.attach();
            for row in 0..2 {
                while !sender.ready() {
                    sending.wait(None);
                }
                sender.send(batch(row), 1);
            }
        });
        // Nothing is taken until both are sent: only the grant can let the second through.
        receiver.grant(4);
        other.join().unwrap();
        assert_eq!(receive(&receiver, &receiving, 2), [0, 1]);
        assert_eq!(receiver.usage(), (0, 4));
    });
}

#[test]
fn loom_a_gate_merges_two_senders() {
    model(2, || {
        let receiving = signal();
        receiving.attach();
        let mut receivers = Vec::new();
        let mut threads = Vec::new();
        for first in [10, 20] {
            let sending = signal();
            let (sender, receiver) = channel::<i64>(sending.clone(), receiving.clone(), 1);
            receivers.push(LaneEnd {
                id: LaneId {
                    edge: 1,
                    sender: 0,
                    senders: 1,
                },
                partitioning: Partitioning::Rebalance,
                receiver,
            });
            threads.push(thread::spawn(move || {
                sending.attach();
                sender.send(batch(first), 1);
                sender.send_control(Control::Watermark(first));
                sender.send_control(Control::EndOfPartition);
            }));
        }
        let inbox = Rc::new(Inbox::default());
        let mut gate = Gate::new(0, receivers, inbox.clone(), WindowLimits::default(), 0);
        let rows = RefCell::new(Vec::new());
        let mut watermarks = Vec::new();
        loop {
            match gate.poll(0) {
                Polled::Rows => {
                    let mut cursor = inbox.rows();
                    cursor.allow(1);
                    rows.borrow_mut().extend(cursor.next().map(|(row, _)| row));
                }
                Polled::Control(Control::EndOfPartition) => break,
                Polled::Control(Control::Watermark(watermark)) => {
                    assert_eq!(
                        rows.borrow().len(),
                        2,
                        "a watermark is behind both senders' rows"
                    );
                    watermarks.push(watermark);
                }
                Polled::Control(_) => {}
                Polled::Nothing => receiving.wait(None),
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
        let mut rows = rows.into_inner();
        rows.sort_unstable();
        assert_eq!(rows, [10, 20]);
        assert_eq!(watermarks, [10]);
    });
}
