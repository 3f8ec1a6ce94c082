//! What can go wrong with checkpoints, by what the reader can do about it.

use rheos_core::row::RowError;

/// An error of checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The storage can't be used: mend it, or name another.
    #[error("checkpoint storage {location}: {what} {name}: {error}")]
    Storage {
        /// The storage.
        location: String,
        /// What was attempted.
        what: &'static str,
        /// The file.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The object store can't be used: do what the message says.
    #[error("s3://{bucket}/{key}: {what} it failed: {problem}{}", and(.remedy))]
    ObjectStore {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// What was attempted.
        what: &'static str,
        /// What the store said.
        problem: String,
        /// What there is to do about it.
        remedy: &'static str,
    },
    /// The store lets several writers create one object: use another store.
    #[error(
        "{location} can't hold checkpoints: {loose}; a process that is thought dead could complete \
         checkpoints there. Use a store that enforces conditional puts (If-None-Match), or a folder"
    )]
    NotExclusive {
        /// The store.
        location: String,
        /// What it did.
        loose: String,
    },
    /// A file is not what was written: choose another checkpoint.
    #[error("checkpoint {checkpoint}: {file}: {problem}{}", or_older(.older))]
    Damaged {
        /// The checkpoint, as its folder is named.
        checkpoint: String,
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
        /// The next older checkpoint, if there is one.
        older: Option<u64>,
    },
    /// There is no such checkpoint: choose another.
    #[error("{location} holds no checkpoint {wanted}; there {}", there(.known))]
    Unknown {
        /// The job's folder.
        location: String,
        /// What was asked for.
        wanted: String,
        /// Those there are.
        known: Vec<u64>,
    },
    /// The checkpoint holds state of operators that the job does not have: give the operators the
    /// uids that they had, or say that their state may go.
    #[error(
        "checkpoint {checkpoint} holds state of {operators}, which the job does not have; give the \
         operator the uid that it had, or set execution.state-recovery.ignore-unclaimed-state to \
         drop the state"
    )]
    Unclaimed {
        /// The checkpoint.
        checkpoint: u64,
        /// The operators, by uid.
        operators: String,
    },
    /// The checkpoint holds state that the job declares as another type: nothing has been touched.
    #[error("checkpoint {checkpoint}: {operator}: {error}")]
    Misfit {
        /// The checkpoint.
        checkpoint: u64,
        /// The operator.
        operator: String,
        /// What does not fit.
        error: Box<rheos_state::StateError>,
    },
    /// Another process runs the job now: this one has to end.
    #[error(
        "generation {newer} of the job has begun in another process; this one, generation {own}, \
         ends: what it would have written no longer counts"
    )]
    Superseded {
        /// This process's generation.
        own: u64,
        /// The newer one.
        newer: u64,
    },
    /// The setting can't be used.
    #[error("{0}")]
    Setting(String),
    /// A checkpoint did not complete.
    #[error(
        "checkpoint {checkpoint} was not complete after {seconds} s: {tasks} had not answered; raise execution.checkpointing.timeout if they only need longer"
    )]
    Expired {
        /// The checkpoint.
        checkpoint: u64,
        /// The time-out.
        seconds: u64,
        /// The tasks that had not.
        tasks: String,
    },
    /// The store of a task's state failed: mend what it says.
    #[error("checkpoint {checkpoint}: {task}: {error}")]
    Store {
        /// The checkpoint.
        checkpoint: u64,
        /// The task.
        task: String,
        /// What the store says.
        error: Box<rheos_state::StateError>,
    },
    /// A TaskManager can't write its part: see what it says.
    #[error("checkpoint {checkpoint}: {manager}: {message}")]
    Remote {
        /// The checkpoint.
        checkpoint: u64,
        /// The TaskManager.
        manager: String,
        /// What it says.
        message: String,
    },
    /// What a task remembers can't be written.
    #[error("checkpoint {checkpoint}: {task}: {error}")]
    Unwritable {
        /// The checkpoint.
        checkpoint: u64,
        /// The task.
        task: String,
        /// What the codec says.
        error: RowError,
    },
}

fn and(remedy: &str) -> String {
    match remedy {
        "" => String::new(),
        remedy => format!("; {remedy}"),
    }
}

fn or_older(older: &Option<u64>) -> String {
    match older {
        Some(older) => {
            format!("; the next older checkpoint is {older}: resume from it by its number")
        }
        None => "; there is no older checkpoint".to_owned(),
    }
}

fn there(known: &[u64]) -> String {
    if known.is_empty() {
        return "is none".to_owned();
    }
    let known: Vec<String> = known.iter().map(u64::to_string).collect();
    format!("are {}", known.join(", "))
}
