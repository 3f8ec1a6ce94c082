//! Another TaskManager of a generation: its connection's queue, and the channels on it.
//!
//! Life: made with the generation's tasks → its channels registered → attached to a connection, once →
//! ended in good order with the generation, or broken: then every task with a channel on it is mailed
//! what happened, and so is who registers later.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::clock::SharedClock;
use rheos_core::element::Control;

use super::control;
use super::error::NetworkError;
use super::frame::{Frame, Kind};
use super::outbound::Outbound;
use super::remote_receiver;
use super::rows::EncodedBatch;
use crate::exchange::channel::Arrivals;
use crate::exchange::credit::Credit;
use crate::task::mailbox::{Mail, MailSender};

/// A channel that comes in over a connection.
struct Arriving {
    to: Arc<dyn Arrivals>,
    sequence: u32,
    ended: bool,
}

/// A channel that goes out over it.
struct Leaving {
    credit: Arc<Credit>,
    sequence: u32,
}

/// The channels on a connection, by number.
#[derive(Default)]
pub struct Lanes {
    arriving: HashMap<u32, Arriving>,
    leaving: HashMap<u32, Leaving>,
}

fn in_order(frame: &Frame, expected: &mut u32) -> Result<(), NetworkError> {
    let got = frame.header.sequence;
    if got != *expected {
        return Err(NetworkError::corrupt(format!(
            "frame {got} of channel {} where {expected} should be",
            frame.header.channel
        )));
    }
    *expected = expected.wrapping_add(1);
    Ok(())
}

impl Lanes {
    /// Puts a frame where it belongs.
    ///
    /// # Errors
    /// If it belongs nowhere, is out of order, or can't be read.
    pub fn put(&mut self, frame: Frame, clock: &SharedClock) -> Result<(), NetworkError> {
        let channel = frame.header.channel;
        let unknown = || NetworkError::corrupt(format!("a frame of the unknown channel {channel}"));
        match frame.header.kind {
            Kind::Rows | Kind::Control => {
                let arriving = self.arriving.get_mut(&channel).ok_or_else(unknown)?;
                in_order(&frame, &mut arriving.sequence)?;
                if arriving.ended {
                    let what = format!("a frame behind the end of channel {channel}");
                    return Err(NetworkError::corrupt(what));
                }
                if frame.header.kind == Kind::Rows {
                    let (batch, charge) = EncodedBatch::parse(frame.payload)?;
                    arriving.to.rows(batch, charge);
                    return Ok(());
                }
                let element = control::decode(&frame.payload, clock)
                    .map_err(|error| NetworkError::corrupt(error.to_string()))?;
                arriving.ended = element == Control::EndOfPartition;
                arriving.to.control(element);
                Ok(())
            }
            Kind::Credit => {
                let leaving = self.leaving.get_mut(&channel).ok_or_else(unknown)?;
                in_order(&frame, &mut leaving.sequence)?;
                let (taken, window) = remote_receiver::parse(&frame.payload)?;
                leaving.credit.free(taken);
                leaving.credit.grant(window);
                Ok(())
            }
            other => Err(NetworkError::corrupt(format!(
                "a frame of kind {other:?} on a connection that is made"
            ))),
        }
    }
}

#[derive(Default)]
struct State {
    /// Until the connection takes them.
    lanes: Option<Lanes>,
    /// Those with a channel on the connection, by their index in the job.
    tasks: BTreeMap<usize, MailSender>,
    broken: Option<NetworkError>,
    ended: bool,
}

/// See the [module](self).
pub struct Peer {
    /// Its index in the placement.
    pub index: u32,
    /// What people call it.
    pub name: String,
    /// Where it takes connections.
    pub address: String,
    /// What waits to be written to it.
    pub outbound: Arc<Outbound>,
    state: Mutex<State>,
}

impl Peer {
    /// A peer without channels.
    pub fn new(index: u32, name: String, address: String) -> Self {
        Self {
            index,
            name,
            address,
            outbound: Arc::default(),
            state: Mutex::new(State {
                lanes: Some(Lanes::default()),
                ..State::default()
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Registers a channel that leaves, of the task of this index.
    pub fn leaves(&self, channel: u32, credit: Arc<Credit>, task: usize, mail: &MailSender) {
        let mut state = self.lock();
        state.tasks.insert(task, mail.clone());
        if let Some(lanes) = &mut state.lanes {
            lanes.leaving.insert(
                channel,
                Leaving {
                    credit,
                    sequence: 0,
                },
            );
        }
    }

    /// Registers a channel that arrives, at the task of this index.
    pub fn arrives(&self, channel: u32, to: Arc<dyn Arrivals>, task: usize, mail: &MailSender) {
        let mut state = self.lock();
        state.tasks.insert(task, mail.clone());
        if let Some(lanes) = &mut state.lanes {
            let arriving = Arriving {
                to,
                sequence: 0,
                ended: false,
            };
            lanes.arriving.insert(channel, arriving);
        }
    }

    /// Whether any task has a channel on it.
    pub fn is_used(&self) -> bool {
        !self.lock().tasks.is_empty()
    }

    /// The channels, for the connection; none if there is one already, or it is over.
    pub fn attach(&self) -> Option<Lanes> {
        let mut state = self.lock();
        match state.ended || state.broken.is_some() {
            true => None,
            false => state.lanes.take(),
        }
    }

    /// Whether a connection has been made.
    pub fn is_attached(&self) -> bool {
        self.lock().lanes.is_none()
    }

    /// The connection is gone, or will never be: all tasks on it fail, unless the generation has ended.
    pub fn break_off(&self, error: NetworkError) {
        let tasks: Vec<MailSender> = {
            let mut state = self.lock();
            if state.ended || state.broken.is_some() {
                return;
            }
            state.broken = Some(error.clone());
            state.tasks.values().cloned().collect()
        };
        tracing::warn!(peer = %self.name, "{error}");
        self.outbound.close();
        for task in tasks {
            task.send(Mail::Fail(Box::new(error.clone())));
        }
    }

    /// That the connection was lost, for this reason.
    pub fn lost(&self, reason: impl Into<String>) -> NetworkError {
        NetworkError::Lost {
            peer: self.name.clone(),
            address: self.address.clone(),
            reason: reason.into(),
        }
    }

    /// That none could be made, for this reason.
    pub fn not_connected(&self, reason: impl Into<String>) -> NetworkError {
        NetworkError::NotConnected {
            peer: self.name.clone(),
            address: self.address.clone(),
            reason: reason.into(),
        }
    }

    /// The generation has ended: what waits is written, and nobody is told of the end.
    pub fn end(&self) {
        self.lock().ended = true;
        self.outbound.end();
    }
}
