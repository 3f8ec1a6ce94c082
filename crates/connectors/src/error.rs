//! What can go wrong between a connector and the world, sorted by what the reader can do about it.

use std::path::PathBuf;

/// An error of a connector; ends the job as the cause of a source's or a sink's failure.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// A record can't be read: mend it, or choose what becomes of such records.
    #[error(
        "{source_name}, line {line} (byte {offset}): {message}; mend it, or read with bad records \
         skipped or sent to dead letters"
    )]
    BadRecord {
        /// The file.
        source_name: String,
        /// The line that the record begins on, from 1.
        line: u64,
        /// Bytes before the record, decompressed.
        offset: u64,
        /// What is wrong, with the path of the field.
        message: String,
    },
    /// A row can't be written: mend the job, or choose what becomes of such rows.
    #[error(
        "{sink}, row {row}: {message}; mend the job, or write with bad records skipped or sent to \
         dead letters"
    )]
    BadRow {
        /// Where it should have gone.
        sink: String,
        /// The how-manieth row of the subtask, from 1.
        row: u64,
        /// What is wrong, with the path of the field.
        message: String,
    },
    /// Dead letters are chosen and nobody reads them: read them, or choose otherwise.
    #[error(
        "bad records shall go to dead letters, but nobody reads those: give \
         `side_output(&dead_letters())` a sink, or have bad records skipped"
    )]
    DeadLettersUnread,
    /// A system outside will not take what is written: mend what it says is wrong with it, and start
    /// the job again. Rows from this one on may not be written.
    #[error("{sink}, rows from {row} on are not written: {message}")]
    NotWritten {
        /// Where they should have gone.
        sink: String,
        /// The how-manieth row of the subtask is the first, from 1.
        row: u64,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A question was not answered: it may be asked again.
    #[error("{target}: {message}")]
    Lookup {
        /// What was asked.
        target: String,
        /// What it said.
        message: String,
    },
    /// What speaks with a system outside has ended without a word: a mistake in it, which the log tells.
    #[error("what speaks with the system outside has ended; the log says where it panicked")]
    Lost,
    /// A setting can't be used: mend it.
    #[error("{0}")]
    Setting(String),
    /// A file can't be read, written or found: look at the file and its file system.
    #[error("{what} {}: {error}", path.display())]
    File {
        /// What was attempted.
        what: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl ConnectorError {
    /// A file that something failed with.
    pub fn file(what: impl Into<String>, path: impl Into<PathBuf>, error: std::io::Error) -> Self {
        Self::File {
            what: what.into(),
            path: path.into(),
            error,
        }
    }
}
