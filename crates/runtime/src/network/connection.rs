//! One connection, on the I/O runtime: what is queued is written, what comes is put into channels.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Bytes, BytesMut};
use rheos_core::clock::SharedClock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::NetworkError;
use super::frame::{self, Frame};
use super::outbound::{Found, Outbound};
use super::peer::{Lanes, Peer};
use super::security;

/// Bytes read at once.
const READ: usize = 128 << 10;

/// A payload of at most so many bytes is copied, so that it does not keep what was read with it.
const COPIED: usize = 8 << 10;

/// Slices given to the system at once.
const SLICES: usize = 16;

/// What has been read and not yet taken.
pub type ReadAhead = BytesMut;

/// Drives a connection until the generation ends, or it breaks: then its tasks are told.
pub async fn drive<S>(
    stream: S,
    ahead: ReadAhead,
    peer: &Peer,
    mut lanes: Lanes,
    clock: SharedClock,
) where
    S: AsyncRead + AsyncWrite + Send,
{
    let (read, write) = tokio::io::split(stream);
    let reading = read_frames(read, ahead, &mut lanes, &clock);
    let writing = write_chunks(write, &peer.outbound);
    let error = tokio::select! {
        error = reading => match error {
            NetworkError::Refused(reason) => peer.lost(reason),
            other => peer.lost(other.to_string()),
        },
        written = writing => match written {
            Ok(()) => return,
            Err(error) => peer.lost(error.to_string()),
        },
    };
    peer.break_off(error);
}

/// Reads one frame.
///
/// # Errors
/// If the connection ends, or what comes is no frame.
pub async fn read_frame<R: AsyncRead + Unpin>(
    read: &mut R,
    ahead: &mut ReadAhead,
) -> Result<Frame, NetworkError> {
    loop {
        if let Some(frame) = frame::take(ahead)? {
            return Ok(frame);
        }
        if ahead.capacity() - ahead.len() < READ / 2 {
            ahead.reserve(READ);
        }
        match read.read_buf(ahead).await {
            Ok(0) => {
                return Err(NetworkError::Refused(
                    "the other side has closed it".to_owned(),
                ));
            }
            Ok(_) => {}
            Err(error) => return Err(NetworkError::Refused(security::said(&error))),
        }
    }
}

/// Reads until it fails.
async fn read_frames<R: AsyncRead + Unpin>(
    mut read: R,
    mut ahead: ReadAhead,
    lanes: &mut Lanes,
    clock: &SharedClock,
) -> NetworkError {
    loop {
        let put = match read_frame(&mut read, &mut ahead).await {
            Ok(mut frame) => {
                if frame.payload.len() <= COPIED {
                    frame.payload = Bytes::copy_from_slice(&frame.payload);
                }
                lanes.put(frame, clock)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = put {
            return error;
        }
    }
}

/// Writes what is queued, until nothing will come.
async fn write_chunks<W: AsyncWrite + Unpin>(
    mut write: W,
    outbound: &Outbound,
) -> std::io::Result<()> {
    let mut chunks: VecDeque<Vec<u8>> = VecDeque::new();
    loop {
        match outbound.take(&mut chunks) {
            Found::Chunks => write_all(&mut write, &mut chunks, outbound).await?,
            Found::Nothing => outbound.wait().await,
            Found::End => return write.shutdown().await,
        }
    }
}

async fn write_all<W: AsyncWrite + Unpin>(
    write: &mut W,
    chunks: &mut VecDeque<Vec<u8>>,
    outbound: &Outbound,
) -> std::io::Result<()> {
    // Bytes of the first chunk that are written.
    let mut done = 0;
    while !chunks.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for (slice, chunk) in slices.iter_mut().zip(chunks.iter()) {
            let from = if used == 0 { done } else { 0 };
            *slice = IoSlice::new(chunk.get(from..).unwrap_or_default());
            used += 1;
        }
        let mut written = write
            .write_vectored(slices.get(..used).unwrap_or_default())
            .await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = chunks.front() {
            let left = first.len() - done;
            if written < left {
                done += written;
                break;
            }
            written -= left;
            done = 0;
            if let Some(chunk) = chunks.pop_front() {
                outbound.recycle(chunk);
            }
        }
    }
    Ok(())
}
