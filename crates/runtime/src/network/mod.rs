//! The data plane between processes: how rows and control elements get from a subtask of one
//! TaskManager to a subtask of another.
//!
//! A pair of TaskManagers has one TCP connection for each generation of a job. What tasks write goes
//! as frames ([`frame`]) into the connection's queue ([`outbound`]); a task of the I/O runtime writes
//! that to the socket, and another reads the socket and puts what comes into the queues of the
//! receiving channels ([`connection`]). Tasks encode ([`remote_sender`]) and decode rows
//! ([`rows`]) on their own threads; they never wait for a socket.
//!
//! Credit is what it is within a process ([`crate::exchange::credit`]): the receiver grants a window in
//! bytes, the sender charges what it sends, and the receiver tells it what has been taken
//! ([`remote_receiver`]). A connection is read whether tasks take anything or not, since what comes has
//! been granted; so a slow channel never holds up another, and a barrier is on the other side as soon
//! as what was written before it is. There it may overtake what is queued (`rfcs/0006`): what was
//! staged at the sender and what was in the network lies before it in the receiver's queue by then, and
//! is part of the checkpoint.
//!
//! A connection that breaks is the failure of every task that has a channel on it, by name
//! ([`peer`]); never of the process. Who is no peer of this job, generation and version is refused
//! ([`hello`], [`endpoint`]), and who shows no certificate of the cluster where one is asked for
//! ([`security`]). Formats and reasons: `rfcs/0009-network.md`.

// Sockets are left out where loom replaces what threads meet at: tokio has none then.
#[cfg(not(loom))]
pub mod connection;
pub mod control;
#[cfg(not(loom))]
pub mod endpoint;
pub mod error;
pub mod frame;
pub mod hello;
pub mod job_network;
pub mod outbound;
pub mod peer;
pub mod remote_receiver;
pub mod remote_sender;
pub mod rows;
#[cfg(not(loom))]
pub mod security;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;

#[cfg(not(loom))]
pub use endpoint::DataEndpoint;
pub use error::NetworkError;
pub use hello::JobIncarnation;
pub use job_network::{JobNetwork, PeerAddress};
pub use rows::Compression;
#[cfg(not(loom))]
pub use security::{ClientSecurity, Security, SecurityError, ServerSecurity, Wire};

/// Reads bytes as a connection does, whatever they are: for the fuzzer, and the tests of garbage.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let clock = rheos_core::clock::SystemClock::shared();
    let mut read = bytes::BytesMut::from(bytes);
    while let Ok(Some(frame)) = frame::take(&mut read) {
        match frame.header.kind {
            frame::Kind::Rows => {
                if let Ok((batch, _)) = rows::EncodedBatch::parse(frame.payload) {
                    let mut rows = rheos_core::element::Batch::<(String, Vec<i64>)>::default();
                    let _ = batch.decode_into(&mut rows);
                    let _ = batch.decode_into(&mut rheos_core::element::Batch::<i64>::default());
                }
            }
            frame::Kind::Control => {
                let _ = control::decode(&frame.payload, &clock);
            }
            frame::Kind::Credit => {
                let _ = remote_receiver::parse(&frame.payload);
            }
            frame::Kind::Hello => {
                let _ = hello::Hello::parse(&frame.payload);
            }
            frame::Kind::Welcome | frame::Kind::Refusal => {}
        }
    }
}
