//! The first frame of a connection: who connects, of which job and generation; and the answer.

use bytes::Bytes;
use rheos_core::id::JobId;
use rheos_core::row::{Reader, RowError, Writer};

use super::error::NetworkError;
use super::frame::{Kind, frame};

/// A generation of a job, and the JobGraph that it runs. Only processes of the same one exchange rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobIncarnation {
    /// The job.
    pub job: JobId,
    /// Its generation.
    pub generation: u64,
    /// The JobGraph's fingerprint.
    pub graph: u64,
}

/// Who connects, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Of what.
    pub incarnation: JobIncarnation,
    /// The index of the TaskManager that connects, in the generation's placement.
    pub from: u32,
    /// Of the one that it wants.
    pub to: u32,
}

impl Hello {
    /// As a frame.
    pub fn to_frame(&self) -> Vec<u8> {
        let mut out = Writer::new();
        let JobIncarnation {
            job,
            generation,
            graph,
        } = self.incarnation;
        out.raw(&job.0.to_le_bytes());
        out.raw(&generation.to_le_bytes());
        out.raw(&graph.to_le_bytes());
        out.raw(&self.from.to_le_bytes());
        out.raw(&self.to.to_le_bytes());
        frame(Kind::Hello, 0, 0, out.as_slice())
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(payload: &Bytes) -> Result<Self, NetworkError> {
        let mut reader = Reader::new(payload);
        Self::read(&mut reader).map_err(|error| NetworkError::corrupt(error.to_string()))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, RowError> {
        fn array<const N: usize>(reader: &mut Reader<'_>) -> Result<[u8; N], RowError> {
            let bytes = reader.raw(N)?.first_chunk::<N>().copied();
            bytes.ok_or_else(|| RowError::corrupt("a hello that ends too early"))
        }
        let hello = Self {
            incarnation: JobIncarnation {
                job: JobId(u128::from_le_bytes(array(reader)?)),
                generation: u64::from_le_bytes(array(reader)?),
                graph: u64::from_le_bytes(array(reader)?),
            },
            from: u32::from_le_bytes(array(reader)?),
            to: u32::from_le_bytes(array(reader)?),
        };
        reader.finish()?;
        Ok(hello)
    }
}

/// What becomes of who connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is a peer.
    Welcome,
    /// It may be one, once this process has been told of its generation.
    Later,
    /// It is none, and why.
    Refused(String),
}

/// Judges who connects to the TaskManager of index `own`, which takes part in `current`, if in any.
pub fn judge(hello: &Hello, own: u32, current: Option<&JobIncarnation>) -> Judgement {
    let Some(current) = current else {
        return Judgement::Later;
    };
    let theirs = &hello.incarnation;
    if theirs.job != current.job {
        return Judgement::Refused(format!(
            "this TaskManager runs job {}, not {}",
            current.job, theirs.job
        ));
    }
    if theirs.generation > current.generation {
        return Judgement::Later;
    }
    if theirs.generation < current.generation {
        return Judgement::Refused(format!(
            "job {} is in generation {}, and {} is past",
            current.job, current.generation, theirs.generation
        ));
    }
    if theirs.graph != current.graph {
        return Judgement::Refused(format!(
            "its JobGraph has the fingerprint {:016x}, this one's has {:016x}: run the same binary \
             with the same arguments everywhere",
            theirs.graph, current.graph
        ));
    }
    if hello.to != own {
        return Judgement::Refused(format!(
            "it wants TaskManager {}, and this is {own}",
            hello.to
        ));
    }
    Judgement::Welcome
}
