//! Frames: what a connection carries. A header of 16 bytes, little-endian, and a payload.
//!
//! ```text
//! version u8 │ kind u8 │ reserved u16 = 0 │ channel u32 │ sequence u32 │ length u32 │ payload
//! ```
//!
//! The sequence counts the frames of a kind of traffic on a channel from 0, and wraps. A frame holds
//! whole rows; it has at most [`FULL`] bytes unless a single row has more, and never more than
//! [`MAX_PAYLOAD`].

use bytes::{Buf, Bytes, BytesMut};

use super::error::NetworkError;

/// The version of everything that goes over a connection.
pub const VERSION: u8 = 1;

/// Bytes of a header.
pub const HEADER: usize = 16;

/// A frame of rows is sent when its payload has so many bytes: 32 KiB.
pub const FULL: usize = 32 << 10;

/// The greatest payload: 64 MiB. A row whose encoding is larger can't be sent to another process.
pub const MAX_PAYLOAD: usize = 64 << 20;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rows of a channel.
    Rows,
    /// A control element of a channel.
    Control,
    /// From a channel's receiver: what it has taken, and the window that it grants.
    Credit,
    /// The first frame of who connects.
    Hello,
    /// The answer: it is taken in.
    Welcome,
    /// The answer: it is not, and why.
    Refusal,
}

impl Kind {
    const ALL: [Kind; 6] = [
        Kind::Rows,
        Kind::Control,
        Kind::Credit,
        Kind::Hello,
        Kind::Welcome,
        Kind::Refusal,
    ];

    fn code(self) -> u8 {
        match self {
            Kind::Rows => 1,
            Kind::Control => 2,
            Kind::Credit => 3,
            Kind::Hello => 4,
            Kind::Welcome => 5,
            Kind::Refusal => 6,
        }
    }
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub kind: Kind,
    /// The channel; 0 where the frame is of none.
    pub channel: u32,
    /// Its number among those of this kind of traffic on the channel.
    pub sequence: u32,
    /// Bytes of the payload.
    pub len: usize,
}

impl Header {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        let [c0, c1, c2, c3] = self.channel.to_le_bytes();
        let [s0, s1, s2, s3] = self.sequence.to_le_bytes();
        let [l0, l1, l2, l3] = len.to_le_bytes();
        let kind = self.kind.code();
        [
            VERSION, kind, 0, 0, c0, c1, c2, c3, s0, s1, s2, s3, l0, l1, l2, l3,
        ]
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it is of another version, of no known kind, or announces more than [`MAX_PAYLOAD`].
    pub fn parse(bytes: &[u8; HEADER]) -> Result<Self, NetworkError> {
        let [
            version,
            code,
            r0,
            r1,
            c0,
            c1,
            c2,
            c3,
            s0,
            s1,
            s2,
            s3,
            l0,
            l1,
            l2,
            l3,
        ] = *bytes;
        if version != VERSION {
            return Err(other_version(version));
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.code() == code);
        let Some(kind) = kind.filter(|_| (r0, r1) == (0, 0)) else {
            return Err(NetworkError::corrupt(format!("no frame is of kind {code}")));
        };
        let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if len > MAX_PAYLOAD {
            return Err(NetworkError::corrupt(format!(
                "a frame of {len} bytes; the greatest has {MAX_PAYLOAD}"
            )));
        }
        Ok(Self {
            kind,
            channel: u32::from_le_bytes([c0, c1, c2, c3]),
            sequence: u32::from_le_bytes([s0, s1, s2, s3]),
            len,
        })
    }
}

/// What stands where our version should. Records of TLS begin with 20 to 23 (RFC 8446, 5.1).
fn other_version(theirs: u8) -> NetworkError {
    match theirs {
        20..=23 => NetworkError::Refused(
            "the other side speaks TLS, and this one does not: set security.ssl.internal.enabled in \
             every process"
                .to_owned(),
        ),
        _ => NetworkError::Version {
            theirs,
            ours: VERSION,
        },
    }
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub header: Header,
    /// What is in it.
    pub payload: Bytes,
}

/// Takes the next frame out of what has been read, if all of it is there.
///
/// # Errors
/// If what is there is no frame.
pub fn take(read: &mut BytesMut) -> Result<Option<Frame>, NetworkError> {
    let Some(first) = read.first_chunk::<HEADER>() else {
        // Who speaks another protocol is found out by its first byte.
        return match read.first() {
            Some(version) if *version != VERSION => Err(other_version(*version)),
            _ => Ok(None),
        };
    };
    let header = Header::parse(first)?;
    if read.len() < HEADER + header.len {
        // A jumbo frame needs room; what it announces has been bounded.
        read.reserve(HEADER + header.len - read.len());
        return Ok(None);
    }
    read.advance(HEADER);
    let payload = read.split_to(header.len).freeze();
    Ok(Some(Frame { header, payload }))
}

/// A whole frame as bytes.
pub fn frame(kind: Kind, channel: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        kind,
        channel,
        sequence,
        len: payload.len(),
    };
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
