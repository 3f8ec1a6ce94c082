//! What can go wrong between two TaskManagers.

use std::net::SocketAddr;

use rheos_core::row::RowError;

/// See the [module](self).
#[derive(Debug, Clone, thiserror::Error)]
pub enum NetworkError {
    /// The connection is gone: the other process has ended or can't be reached. The job starts again.
    #[error("the connection to {peer} at {address} is lost: {reason}")]
    Lost {
        /// The TaskManager.
        peer: String,
        /// Where it was.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// It could not be made.
    #[error("no connection to {peer} at {address}: {reason}")]
    NotConnected {
        /// The TaskManager.
        peer: String,
        /// Where it should be.
        address: String,
        /// What the system or the peer said.
        reason: String,
    },
    /// The other side speaks another version: let all processes run one build.
    #[error(
        "the other side speaks version {theirs} of the data connection, this one {ours}; run the \
         same build everywhere"
    )]
    Version {
        /// Of the other side.
        theirs: u8,
        /// Of this one.
        ours: u8,
    },
    /// The other side belongs to something else.
    #[error("refused: {0}")]
    Refused(String),
    /// What came is no frame.
    #[error("what came over the connection can't be read: {0}")]
    Corrupt(String),
    /// A row is larger than a frame may be.
    #[error(
        "a row of {bytes} bytes can't go to another TaskManager: the greatest has {limit}; split it, \
         or keep what is large outside of rows"
    )]
    RowTooLarge {
        /// Its encoding.
        bytes: usize,
        /// The greatest that can be sent.
        limit: usize,
    },
    /// A row can't be encoded, or what came is no row of the type of its edge.
    #[error("a row of type {row}: {error}")]
    Row {
        /// The row's type.
        row: &'static str,
        /// What is wrong with it.
        error: RowError,
    },
    /// The system refused something.
    #[error("{what} {address}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// With which address.
        address: SocketAddr,
        /// What it said.
        error: String,
    },
}

impl NetworkError {
    /// What came can't be read.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}
