//! High availability: of the JobManagers of a job one leads, the others stand by.
//!
//! The lease picks the one, for liveness only: what counts is decided by the job's log, which fences
//! whoever has been overtaken (`rfcs/0003-checkpoints.md`). It is a series of numbered [`record`]s beside
//! the checkpoints, each created only if it is not there: who creates the next one holds it from then on.
//!
//! Life of a JobManager: it stands by ([`candidate`], [`standby`]) → it creates a record, because nobody held the
//! lease, or its holder has let go, is silent or dead → it leads, and renews ([`tenure`], [`keeper`]) → it lets go,
//! says that the job is over, or meets a record of another, and leads no more. Whoever has to find the
//! leader reads the newest record ([`seeker`]).
//!
//! Invariant: no time of one machine is compared with that of another. A lease has run out for whoever
//! has seen the same newest record for its whole duration, by its own clock, and could read the storage
//! all the while. What to do is decided in [`lease`], which is pure.

pub mod candidate;
pub mod keeper;
pub mod lease;
pub mod record;
mod records;
pub mod seeker;
pub mod settings;
pub mod standby;
pub mod standing;
pub mod tenure;

pub use candidate::{Campaign, Candidate};
pub use keeper::Keeper;
pub use record::{Hold, LeaseRecord};
pub use records::LeaseRecords;
pub use seeker::LeaderAt;
pub use settings::HaSettings;
pub use standby::Standby;
pub use standing::Standing;
pub use tenure::{LastWord, Tenure};

#[cfg(test)]
mod tests;
