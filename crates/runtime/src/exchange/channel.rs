//! One channel: a queue of elements from one sending subtask to one receiving subtask.
//!
//! Credit is in bytes ([`super::credit`]). What is queued is charged to the window that the receiver
//! grants; a sender whose available credit is used up stops before its next batch, so at most one
//! batch lies beyond the window. Control elements need no credit. Memory of emptied batches goes back
//! to the sender.
//!
//! A barrier goes in at the end like everything else; that it has is seen from the other end at once
//! ([`ChannelReceiver::announced`]), and an unaligned checkpoint takes what lies before it
//! ([`ChannelReceiver::overtake`]) without taking it out: the batches are then the checkpoint's too.
//!
//! Where the other subtask is in another process, the two ends have a connection between them: the
//! sending end writes frames ([`crate::network::remote_sender`]), and the receiving end's queue is
//! filled with them through [`Arrivals`]. They are decoded by the task that takes them.
//!
//! Invariants: elements come out in the order they went in; `available = window − queued`; a sender
//! that has announced that it waits is woken once half of the window is free again.

use std::collections::VecDeque;

use rheos_core::Row;
use rheos_core::barrier::Barrier;
use rheos_core::element::{Batch, Control, Element};
use rheos_core::id::CheckpointId;

use super::credit::Credit;
use super::in_flight::{Item, SharedBatch};
use crate::network::remote_receiver::CreditReturn;
use crate::network::remote_sender::RemoteSender;
use crate::network::rows::EncodedBatch;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::task::signal::Signal;

/// How many emptied batches a channel keeps for its sender.
const SPARES: usize = 4;

/// An element in the queue.
enum Queued<T> {
    Batch(Batch<T>),
    /// A batch that a checkpoint holds too.
    Shared(SharedBatch<T>),
    /// A batch as it came from another process.
    Encoded(EncodedBatch),
    Control(Control),
}

struct State<T> {
    queue: VecDeque<(Queued<T>, usize)>,
    spares: Vec<Batch<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    credit: Credit,
    filled: AtomicBool,
    /// The checkpoint of the last barrier that went in; 0 before the first.
    announced: AtomicU64,
    receiver: Arc<Signal>,
}

impl<T> Shared<T> {
    fn new(credit: Credit, receiver: Arc<Signal>) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                spares: Vec::new(),
            }),
            credit,
            filled: AtomicBool::new(false),
            announced: AtomicU64::new(0),
            receiver,
        }
    }

    /// Puts rows in; gets memory for the next ones.
    fn push(&self, rows: Queued<T>, bytes: usize) -> Option<Batch<T>> {
        self.credit.charge(bytes);
        let spare = {
            let mut state = lock(&self.state);
            let remote = matches!(rows, Queued::Encoded(_));
            state.queue.push_back((rows, bytes));
            self.filled.store(true, Ordering::SeqCst);
            match remote {
                true => None,
                false => state.spares.pop(),
            }
        };
        self.receiver.raise();
        spare
    }

    fn push_control(&self, control: Control) {
        {
            let mut state = lock(&self.state);
            state.queue.push_back((Queued::Control(control), 0));
            self.filled.store(true, Ordering::SeqCst);
            if let Control::Barrier(barrier) = control {
                self.announced.store(barrier.checkpoint.0, Ordering::SeqCst);
            }
        }
        self.receiver.raise();
    }
}

/// Where a connection puts what has come for a channel. Implemented by the channels of
/// [`arriving`]; called on the connection's thread, in the order of the frames.
pub trait Arrivals: Send + Sync {
    /// Rows, which weigh `bytes` of credit.
    fn rows(&self, batch: EncodedBatch, bytes: usize);
    /// A control element.
    fn control(&self, control: Control);
}

impl<T: Send> Arrivals for Shared<T> {
    fn rows(&self, batch: EncodedBatch, bytes: usize) {
        self.push(Queued::Encoded(batch), bytes.max(1));
    }

    fn control(&self, control: Control) {
        self.push_control(control);
    }
}

/// The sending end.
pub struct ChannelSender<T> {
    to: To<T>,
}

enum To<T> {
    /// The queue of a subtask of this process.
    Here(Arc<Shared<T>>),
    /// A subtask of another one.
    There(RemoteSender<T>),
}

/// The receiving end.
pub struct ChannelReceiver<T> {
    shared: Arc<Shared<T>>,
    /// Tells a sender in another process of its credit.
    remote: Option<CreditReturn>,
}

/// A channel between two threads with an initial window of `window` bytes.
pub fn channel<T>(
    sender: Arc<Signal>,
    receiver: Arc<Signal>,
    window: usize,
) -> (ChannelSender<T>, ChannelReceiver<T>) {
    let shared = Arc::new(Shared::new(Credit::new(sender, window), receiver));
    let to = To::Here(shared.clone());
    (
        ChannelSender { to },
        ChannelReceiver {
            shared,
            remote: None,
        },
    )
}

/// The receiving end of a channel from another process, and where its connection puts what comes.
pub fn arriving<T: Send + 'static>(
    receiver: Arc<Signal>,
    window: usize,
    remote: CreditReturn,
) -> (Arc<dyn Arrivals>, ChannelReceiver<T>) {
    // Nobody in this process waits for the credit: it is kept to know what is queued.
    let credit = Credit::new(receiver.clone(), window);
    let shared = Arc::new(Shared::new(credit, receiver));
    (
        shared.clone(),
        ChannelReceiver {
            shared,
            remote: Some(remote),
        },
    )
}

impl<T> ChannelSender<T> {
    /// The sending end of a channel to another process.
    pub fn remote(sender: RemoteSender<T>) -> Self {
        Self {
            to: To::There(sender),
        }
    }

    fn credit(&self) -> &Credit {
        match &self.to {
            To::Here(shared) => &shared.credit,
            To::There(remote) => remote.credit(),
        }
    }

    /// Bytes that may still be sent; not positive when the sender has to wait.
    pub fn available(&self) -> i64 {
        self.credit().available()
    }

    /// The window that the receiver grants, in bytes.
    pub fn window(&self) -> usize {
        self.credit().window()
    }

    /// Whether a batch may be sent. If not, the sender is woken when one may.
    pub fn ready(&self) -> bool {
        self.credit().ready()
    }

    /// Sends a control element.
    pub fn send_control(&self, control: Control) {
        match &self.to {
            To::Here(shared) => shared.push_control(control),
            To::There(remote) => remote.send_control(control),
        }
    }
}

impl<T: Row> ChannelSender<T> {
    /// Sends a batch that weighs `bytes`, and gets memory for the next one.
    pub fn send(&self, batch: Batch<T>, bytes: usize) -> Batch<T> {
        let bytes = bytes.max(1);
        match &self.to {
            To::Here(shared) => shared.push(Queued::Batch(batch), bytes).unwrap_or_default(),
            To::There(remote) => remote.send(batch, bytes),
        }
    }
}

impl<T: Row> ChannelReceiver<T> {
    /// Takes the oldest element and its weight.
    pub fn poll(&self) -> Option<(Element<T>, usize)> {
        if !self.shared.filled.load(Ordering::SeqCst) {
            return None;
        }
        let taken = {
            let mut state = lock(&self.shared.state);
            let taken = state.queue.pop_front();
            if state.queue.is_empty() {
                self.shared.filled.store(false, Ordering::SeqCst);
            }
            taken
        };
        if let Some((_, bytes)) = &taken
            && *bytes > 0
        {
            self.shared.credit.free(*bytes);
            if let Some(remote) = &self.remote {
                remote.free(*bytes, self.shared.credit.window());
            }
        }
        let (queued, bytes) = taken?;
        // Outside of the lock: it may have to be copied, or decoded.
        let element = match queued {
            Queued::Batch(batch) => Element::Batch(batch),
            Queued::Shared(batch) => Element::Batch(batch.take()),
            Queued::Encoded(encoded) => Element::Batch(self.decode(&encoded)?),
            Queued::Control(control) => Element::Control(control),
        };
        Some((element, bytes))
    }

    /// Decodes a batch. What can't be decoded is the failure of the task, which takes nothing more.
    fn decode(&self, encoded: &EncodedBatch) -> Option<Batch<T>> {
        let mut batch = lock(&self.shared.state).spares.pop().unwrap_or_default();
        match encoded.decode_into(&mut batch) {
            Ok(()) => Some(batch),
            Err(error) => {
                let mut state = lock(&self.shared.state);
                state.queue.clear();
                self.shared.filled.store(false, Ordering::SeqCst);
                drop(state);
                if let Some(remote) = &self.remote {
                    remote.fail(&error);
                }
                None
            }
        }
    }

    /// The checkpoint of the last barrier that the sender has put in; 0 before the first.
    pub fn announced(&self) -> u64 {
        self.shared.announced.load(Ordering::SeqCst)
    }

    /// The barrier of this checkpoint, if it is queued and may overtake what is queued before it:
    /// rows, but never the end of the data, which no later barrier of its channel would stand behind.
    pub fn barrier_behind(&self, checkpoint: CheckpointId) -> Option<Barrier> {
        let state = lock(&self.shared.state);
        for (queued, _) in &state.queue {
            match queued {
                Queued::Control(Control::Barrier(barrier)) if barrier.checkpoint == checkpoint => {
                    return Some(*barrier);
                }
                Queued::Control(Control::EndOfData { .. } | Control::EndOfPartition) => {
                    return None;
                }
                _ => {}
            }
        }
        None
    }

    /// Takes the barrier of this checkpoint out of the queue, with older ones, and adds what is queued
    /// before it to `items`. The rows stay queued, and are now shared with who has the items.
    pub fn overtake(&self, checkpoint: CheckpointId, items: &mut Vec<Item<T>>) {
        let mut state = lock(&self.shared.state);
        let of_this = |queued: &(Queued<T>, usize)| {
            matches!(&queued.0, Queued::Control(Control::Barrier(barrier))
                if barrier.checkpoint == checkpoint)
        };
        let Some(at) = state.queue.iter().position(of_this) else {
            return;
        };
        let behind = state.queue.split_off(at + 1);
        let before = std::mem::take(&mut state.queue);
        for (queued, bytes) in before {
            let batch = match queued {
                Queued::Control(Control::Barrier(_)) => continue,
                Queued::Control(control) => {
                    if let Control::Watermark(watermark) = control {
                        items.push(Item::Watermark(watermark));
                    }
                    state.queue.push_back((Queued::Control(control), bytes));
                    continue;
                }
                Queued::Encoded(encoded) => {
                    items.push(Item::Encoded(encoded.clone()));
                    state.queue.push_back((Queued::Encoded(encoded), bytes));
                    continue;
                }
                Queued::Batch(batch) => SharedBatch::new(batch),
                Queued::Shared(batch) => batch,
            };
            items.push(Item::Rows(batch.clone()));
            state.queue.push_back((Queued::Shared(batch), bytes));
        }
        state.queue.extend(behind);
        if state.queue.is_empty() {
            self.shared.filled.store(false, Ordering::SeqCst);
        }
    }

    /// Takes the oldest element if it is a barrier.
    pub fn poll_barrier(&self) -> Option<Barrier> {
        if !self.shared.filled.load(Ordering::SeqCst) {
            return None;
        }
        let mut state = lock(&self.shared.state);
        let Some((Queued::Control(Control::Barrier(barrier)), _)) = state.queue.front() else {
            return None;
        };
        let barrier = *barrier;
        state.queue.pop_front();
        if state.queue.is_empty() {
            self.shared.filled.store(false, Ordering::SeqCst);
        }
        Some(barrier)
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        !self.shared.filled.load(Ordering::SeqCst)
    }

    /// Bytes queued, of the window granted.
    pub fn usage(&self) -> (usize, usize) {
        self.shared.credit.usage()
    }

    /// Gives the memory of an emptied batch back.
    pub fn recycle(&self, mut batch: Batch<T>) {
        batch.clear();
        let mut state = lock(&self.shared.state);
        if state.spares.len() < SPARES {
            state.spares.push(batch);
        }
    }

    /// Grants another window. What is queued beyond a smaller one stays queued.
    pub fn grant(&self, window: usize) {
        if self.shared.credit.grant(window)
            && let Some(remote) = &self.remote
        {
            remote.grant(window);
        }
    }
}
