//! Control elements in a frame: a tag and its numbers, in the rows' encoding.

use rheos_core::barrier::{Alignment, Barrier, SnapshotKind};
use rheos_core::clock::SharedClock;
use rheos_core::element::{Control, LatencyMarker, StreamStatus};
use rheos_core::id::{CheckpointId, Generation, OperatorId};
use rheos_core::row::{Reader, RowError, Writer};

/// Writes one. A latency marker is sent by its time on the wall clock, since monotonic clocks of two
/// processes have nothing in common.
pub fn encode(control: Control, clock: &SharedClock) -> Vec<u8> {
    let mut out = Writer::new();
    match control {
        Control::Watermark(watermark) => {
            out.long(0);
            out.long(watermark);
        }
        Control::Status(status) => {
            out.long(1);
            out.bool(status == StreamStatus::Idle);
        }
        Control::Barrier(barrier) => {
            out.long(2);
            barrier_to(&barrier, &mut out);
        }
        Control::LatencyMarker(marker) => {
            out.long(3);
            let age = clock.monotonic_micros() - marker.emitted_at_micros;
            out.long(clock.wall_millis().saturating_mul(1000) - age);
            out.raw(&marker.source.0.to_le_bytes());
            out.long(i64::from(marker.subtask));
        }
        Control::EndOfData { drain } => {
            out.long(4);
            out.bool(drain);
        }
        Control::EndOfPartition => out.long(5),
    }
    out.into_vec()
}

/// Appends a barrier.
pub fn barrier_to(barrier: &Barrier, out: &mut Writer) {
    out.raw(&barrier.checkpoint.0.to_le_bytes());
    out.raw(&barrier.generation.0.to_le_bytes());
    out.long(barrier.triggered_at);
    out.bool(barrier.kind == SnapshotKind::Savepoint);
    match barrier.alignment {
        Alignment::Aligned => out.bool(false),
        Alignment::Unaligned { after_millis } => {
            out.bool(true);
            out.long(after_millis);
        }
    }
}

fn number(reader: &mut Reader<'_>) -> Result<u64, RowError> {
    let bytes = reader.raw(8)?.first_chunk::<8>().copied();
    Ok(u64::from_le_bytes(bytes.unwrap_or_default()))
}

/// Reads a barrier.
///
/// # Errors
/// If there is none.
pub fn barrier_of(reader: &mut Reader<'_>) -> Result<Barrier, RowError> {
    Ok(Barrier {
        checkpoint: CheckpointId(number(reader)?),
        generation: Generation(number(reader)?),
        triggered_at: reader.long()?,
        kind: match reader.bool()? {
            true => SnapshotKind::Savepoint,
            false => SnapshotKind::Checkpoint,
        },
        alignment: match reader.bool()? {
            true => Alignment::Unaligned {
                after_millis: reader.long()?,
            },
            false => Alignment::Aligned,
        },
    })
}

/// Reads one.
///
/// # Errors
/// If the bytes are none.
pub fn decode(bytes: &[u8], clock: &SharedClock) -> Result<Control, RowError> {
    let mut reader = Reader::new(bytes);
    let control = match reader.index(6)? {
        0 => Control::Watermark(reader.long()?),
        1 => Control::Status(match reader.bool()? {
            true => StreamStatus::Idle,
            false => StreamStatus::Active,
        }),
        2 => Control::Barrier(barrier_of(&mut reader)?),
        3 => {
            let emitted = reader.long()?;
            let age = clock
                .wall_millis()
                .saturating_mul(1000)
                .saturating_sub(emitted);
            let source = OperatorId(number(&mut reader)?);
            let subtask = reader.long()?;
            Control::LatencyMarker(LatencyMarker {
                emitted_at_micros: clock.monotonic_micros().saturating_sub(age),
                source,
                subtask: u32::try_from(subtask)
                    .map_err(|_| RowError::corrupt(format!("subtask {subtask}")))?,
            })
        }
        4 => Control::EndOfData {
            drain: reader.bool()?,
        },
        _ => Control::EndOfPartition,
    };
    reader.finish()?;
    Ok(control)
}
