//! The sending end of a channel to another process: encodes on the task's thread.

use std::marker::PhantomData;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::element::{Batch, Control};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::control;
use super::frame::{Kind, frame};
use super::outbound::Outbound;
use super::rows::{self, Compression};
use crate::exchange::credit::Credit;
use crate::task::mailbox::{Mail, MailSender};

/// See the [module](self).
pub struct RemoteSender<T> {
    channel: u32,
    credit: Arc<Credit>,
    outbound: Arc<Outbound>,
    compression: Compression,
    clock: SharedClock,
    /// The task's own, for a row that can't be sent.
    task: MailSender,
    /// The number of the next frame.
    sequence: AtomicU32,
    row: PhantomData<fn(T)>,
}

impl<T> RemoteSender<T> {
    /// A sender of this channel.
    pub fn new(
        channel: u32,
        credit: Arc<Credit>,
        (outbound, compression): (Arc<Outbound>, Compression),
        clock: SharedClock,
        task: MailSender,
    ) -> Self {
        Self {
            channel,
            credit,
            outbound,
            compression,
            clock,
            task,
            sequence: AtomicU32::new(0),
            row: PhantomData,
        }
    }

    /// Its credit, which the connection keeps.
    pub fn credit(&self) -> &Credit {
        &self.credit
    }

    /// Sends a control element.
    pub fn send_control(&self, control: Control) {
        let payload = control::encode(control, &self.clock);
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        self.outbound
            .push(frame(Kind::Control, self.channel, sequence, &payload));
    }
}

impl<T: Row> RemoteSender<T> {
    /// Sends a batch that weighs `bytes`, and gives its memory back.
    pub fn send(&self, mut batch: Batch<T>, bytes: usize) -> Batch<T> {
        let mut sequence = self.sequence.load(Ordering::Relaxed);
        let sent = rows::encode(
            &batch,
            bytes,
            (self.channel, &mut sequence),
            self.compression,
            &mut || self.outbound.memory(),
            &mut |frame, charge| {
                self.credit.charge(charge);
                self.outbound.push(frame);
            },
        );
        self.sequence.store(sequence, Ordering::Relaxed);
        if let Err(error) = sent {
            self.task.send(Mail::Fail(Box::new(error)));
        }
        batch.clear();
        batch
    }
}
