//! One local channel: a queue of elements from one sending subtask to one receiving subtask.
//!
//! Credit is in bytes. The receiver grants a *window*; what is queued is charged to it; a sender
//! whose available credit is used up stops before its next batch, so at most one batch lies beyond
//! the window. Control elements need no credit. Memory of emptied batches goes back to the sender.
//!
//! A barrier goes in at the end like everything else; that it has is seen from the other end at once
//! ([`ChannelReceiver::announced`]), and an unaligned checkpoint takes what lies before it
//! ([`ChannelReceiver::overtake`]) without taking it out: the batches are then the checkpoint's too.
//!
//! Invariants: elements come out in the order they went in; `available = window − queued`; a sender
//! that has announced that it waits is woken once half of the window is free again.

use std::collections::VecDeque;

use rheos_core::barrier::Barrier;
use rheos_core::element::{Batch, Control, Element};
use rheos_core::id::CheckpointId;

use super::in_flight::{Item, SharedBatch};
use crate::sync::{Arc, AtomicBool, AtomicI64, AtomicU64, Mutex, Ordering, lock};
use crate::task::signal::Signal;

/// How many emptied batches a channel keeps for its sender.
const SPARES: usize = 4;

/// An element in the queue.
enum Queued<T> {
    Batch(Batch<T>),
    /// A batch that a checkpoint holds too.
    Shared(SharedBatch<T>),
    Control(Control),
}

struct State<T> {
    queue: VecDeque<(Queued<T>, usize)>,
    spares: Vec<Batch<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    window: AtomicI64,
    available: AtomicI64,
    filled: AtomicBool,
    /// The checkpoint of the last barrier that went in; 0 before the first.
    announced: AtomicU64,
    sender_waits: AtomicBool,
    sender: Arc<Signal>,
    receiver: Arc<Signal>,
}

/// The sending end.
pub struct ChannelSender<T> {
    shared: Arc<Shared<T>>,
}

/// The receiving end.
pub struct ChannelReceiver<T> {
    shared: Arc<Shared<T>>,
}

/// A channel between two threads with an initial window of `window` bytes.
pub fn channel<T>(
    sender: Arc<Signal>,
    receiver: Arc<Signal>,
    window: usize,
) -> (ChannelSender<T>, ChannelReceiver<T>) {
    let window = i64::try_from(window).unwrap_or(i64::MAX);
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            queue: VecDeque::new(),
            spares: Vec::new(),
        }),
        window: AtomicI64::new(window),
        available: AtomicI64::new(window),
        filled: AtomicBool::new(false),
        announced: AtomicU64::new(0),
        sender_waits: AtomicBool::new(false),
        sender,
        receiver,
    });
    (
        ChannelSender {
            shared: shared.clone(),
        },
        ChannelReceiver { shared },
    )
}

impl<T> ChannelSender<T> {
    /// Bytes that may still be sent; not positive when the sender has to wait.
    pub fn available(&self) -> i64 {
        self.shared.available.load(Ordering::SeqCst)
    }

    /// The window that the receiver grants, in bytes.
    pub fn window(&self) -> usize {
        usize::try_from(self.shared.window.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// Whether a batch may be sent. If not, the sender is woken when one may.
    pub fn ready(&self) -> bool {
        if self.available() > 0 {
            return true;
        }
        // The receiver may have granted between the look and the announcement. The swap reads what
        // the receiver's last swap left, so the look after it sees the grant before that.
        self.shared.sender_waits.swap(true, Ordering::SeqCst);
        if self.available() > 0 {
            self.shared.sender_waits.store(false, Ordering::SeqCst);
            return true;
        }
        false
    }

    /// Sends a batch that weighs `bytes`, and gets memory for the next one.
    pub fn send(&self, batch: Batch<T>, bytes: usize) -> Batch<T> {
        let bytes = bytes.max(1);
        let charge = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.shared.available.fetch_sub(charge, Ordering::SeqCst);
        let spare = {
            let mut state = lock(&self.shared.state);
            state.queue.push_back((Queued::Batch(batch), bytes));
            self.shared.filled.store(true, Ordering::SeqCst);
            state.spares.pop()
        };
        self.shared.receiver.raise();
        spare.unwrap_or_default()
    }

    /// Sends a control element.
    pub fn send_control(&self, control: Control) {
        {
            let mut state = lock(&self.shared.state);
            state.queue.push_back((Queued::Control(control), 0));
            self.shared.filled.store(true, Ordering::SeqCst);
            if let Control::Barrier(barrier) = control {
                let announced = &self.shared.announced;
                announced.store(barrier.checkpoint.0, Ordering::SeqCst);
            }
        }
        self.shared.receiver.raise();
    }
}

impl<T: Clone> ChannelReceiver<T> {
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
            let freed = i64::try_from(*bytes).unwrap_or(i64::MAX);
            self.shared.available.fetch_add(freed, Ordering::SeqCst);
            self.wake_sender();
        }
        taken.map(|(queued, bytes)| match queued {
            Queued::Batch(batch) => (Element::Batch(batch), bytes),
            // Outside of the lock: it may have to be copied.
            Queued::Shared(batch) => (Element::Batch(batch.take()), bytes),
            Queued::Control(control) => (Element::Control(control), bytes),
        })
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
        let window = self.shared.window.load(Ordering::SeqCst);
        let queued = window - self.shared.available.load(Ordering::SeqCst);
        (
            usize::try_from(queued).unwrap_or(0),
            usize::try_from(window).unwrap_or(0),
        )
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
        let window = i64::try_from(window).unwrap_or(i64::MAX);
        // Only the receiver writes the window, so load and store need not be one step.
        let before = self.shared.window.load(Ordering::SeqCst);
        if window != before {
            self.shared.window.store(window, Ordering::SeqCst);
            self.shared
                .available
                .fetch_add(window - before, Ordering::SeqCst);
            self.wake_sender();
        }
    }

    fn wake_sender(&self) {
        let window = self.shared.window.load(Ordering::SeqCst);
        if self.shared.available.load(Ordering::SeqCst) * 2 >= window
            && self.shared.sender_waits.swap(false, Ordering::SeqCst)
        {
            self.shared.sender.raise();
        }
    }
}
