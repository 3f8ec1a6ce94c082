//! What can go wrong with state, by who can mend it: the job's author, or whoever chose the
//! snapshot that is restored.

use rheos_core::row::RowError;

/// An error of the state layer.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Mend the job: two states (or two timer services) of one operator have one name.
    #[error("state `{name}` is registered twice in one operator: give each state its own name")]
    DuplicateName {
        /// The name.
        name: String,
    },

    /// Mend the job: the state's TTL is not positive or does not fit.
    #[error("state `{name}`: a time to live is at least 1 ms, but it was given {millis} ms")]
    InvalidTtl {
        /// The state's name.
        name: String,
        /// The TTL that was given.
        millis: i64,
    },

    /// Mend the job or choose another snapshot: it has a state that the operator does not declare.
    #[error(
        "the snapshot holds state `{name}` ({kind}), which the operator does not declare with \
         that kind: declare it again, or drop it from the snapshot"
    )]
    UnknownState {
        /// The state's name in the snapshot.
        name: String,
        /// The state's kind in the snapshot.
        kind: String,
    },

    /// Choose another snapshot, or add a default or a migration: its bytes are no such value.
    #[error("state `{name}`: the snapshot's {part} can't be read as the declared type: {source}")]
    Decode {
        /// The state's name.
        name: String,
        /// Which part: key, map key or value.
        part: &'static str,
        /// What the codec said.
        source: RowError,
    },

    /// Choose another snapshot, or give the state another name: it was written as another type.
    #[error(
        "state `{name}`: the snapshot's {part} was written as {written}, and the job declares \
         {declared}: {reason}; give a new field a default, give the state's descriptor a `migrate`, \
         restore with the type that it was written as, or give the state another name and leave \
         what is there unclaimed"
    )]
    OtherSchema {
        /// The state's name.
        name: String,
        /// Which part: key, map key or value.
        part: &'static str,
        /// The schema in the snapshot, as Avro's JSON.
        written: String,
        /// The schema that the job declares.
        declared: String,
        /// Why the one can't be read as the other.
        reason: String,
    },

    /// Mend the state's `migrate` hook: it refused a value.
    #[error("state `{name}`: its migration refused a value of the snapshot: {reason}")]
    Migration {
        /// The state's name.
        name: String,
        /// What it said.
        reason: String,
    },

    /// Choose another snapshot: an entry lacks what its kind of state needs.
    #[error("state `{name}`: the snapshot's entry has no {part}")]
    Incomplete {
        /// The state's name.
        name: String,
        /// What is missing.
        part: &'static str,
    },

    /// Mend the disk, or choose another checkpoint: a store behind the state failed.
    #[error("state in {location}: {what} failed: {reason}")]
    Store {
        /// Where it lies.
        location: String,
        /// What was done.
        what: &'static str,
        /// What the store or the system said.
        reason: String,
    },

    /// Whoever receives the snapshot stopped it.
    #[error("the snapshot of state `{name}` was stopped: {reason}")]
    Stopped {
        /// The state's name.
        name: String,
        /// What the receiver said.
        reason: String,
    },
}
