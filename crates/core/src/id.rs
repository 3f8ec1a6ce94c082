//! Names of the things a job is made of.

use std::fmt;
use std::str::FromStr;

use crate::rng::{Rng, splitmix64};

/// One incarnation of a job's execution: the fence for everything it writes. Rises by one at each
/// (re)start of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// The number of a checkpoint; rises within a job and is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointId(pub u64);

/// How often a task has been started in this job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Attempt(pub u32);

/// The stable identity of an operator: the hash of its uid. State is found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub u64);

impl OperatorId {
    /// The id of the operator with this uid.
    pub fn of_uid(uid: &str) -> Self {
        Self(crate::key_group::hash_bytes(uid.as_bytes()))
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A job in this process or cluster, in Flink's form: 32 hexadecimal digits. Drawn when the job is
/// started; restarts keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u128);

impl JobId {
    /// An id that nobody else has, if `rng` is seeded with what nobody else is.
    pub fn draw(rng: &mut Rng) -> Self {
        Self(u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64()))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for JobId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        digits(text).map(Self)
    }
}

/// A vertex of a JobGraph: it is known by its head. In Flink's form, of which the first half is the
/// head's [`OperatorId`]; it stays the same as long as the head's uid does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexId(pub OperatorId);

impl fmt::Display for VertexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:016x}", self.0, splitmix64(self.0.0))
    }
}

impl FromStr for VertexId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let id = Self(OperatorId((digits(text)? >> 64) as u64));
        let same = id.to_string().eq_ignore_ascii_case(text);
        same.then_some(id).ok_or_else(|| NotAnId(text.to_owned()))
    }
}

/// One attempt of one subtask, in Flink's form: `JOB_VERTEX_SUBTASK_ATTEMPT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId {
    /// The job.
    pub job: JobId,
    /// The vertex.
    pub vertex: VertexId,
    /// Zero-based index of the subtask.
    pub subtask: u32,
    /// How often the job had been started again.
    pub attempt: Attempt,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            job,
            vertex,
            subtask,
            attempt: Attempt(attempt),
        } = self;
        write!(f, "{job}_{vertex}_{subtask}_{attempt}")
    }
}

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no id: ids are 32 hexadecimal digits")]
pub struct NotAnId(String);

fn digits(text: &str) -> Result<u128, NotAnId> {
    let plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = plain.then(|| u128::from_str_radix(text, 16).ok()).flatten();
    number.ok_or_else(|| NotAnId(text.to_owned()))
}

/// Where something happens: the operator's name and the subtask, as users know them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The operator's name.
    pub operator: String,
    /// Zero-based index of the parallel subtask.
    pub subtask: u32,
    /// How many subtasks the operator has.
    pub parallelism: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}/{})",
            self.operator,
            self.subtask + 1,
            self.parallelism
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let job = JobId::draw(&mut Rng::new(7));
        assert_eq!(job.to_string().len(), 32);
        assert_eq!(job.to_string().parse(), Ok(job));
        assert_eq!(JobId(0x1f).to_string(), format!("{:0>32}", "1f"));
        let vertex = VertexId(OperatorId::of_uid("count"));
        assert_eq!(vertex.to_string().len(), 32);
        assert_eq!(vertex.to_string().parse(), Ok(vertex));
        let attempt = AttemptId {
            job,
            vertex,
            subtask: 3,
            attempt: Attempt(1),
        };
        assert_eq!(attempt.to_string(), format!("{job}_{vertex}_3_1"));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let vertex = VertexId(OperatorId::of_uid("count")).to_string();
        let other = format!("{}{}", &vertex[..16], &vertex[..16]);
        for text in ["", "12", "+0000000000000000000000000000012", &other] {
            assert!(text.parse::<VertexId>().is_err(), "{text}");
        }
        assert!("zz000000000000000000000000000012".parse::<JobId>().is_err());
    }
}
