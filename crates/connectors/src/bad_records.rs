//! What becomes of records that can't be read, and of rows that can't be written.
//!
//! Every source and sink with a format takes a [`BadRecords`]. Whatever is chosen, a bad record is
//! told with its file, line and field; skipped ones are counted in `numRecordsInErrors` or
//! `numRecordsOutErrors`; dead letters leave through a side output of the source or the sink, and a
//! job whose dead letters nobody reads does not start.

use std::sync::Arc;

use rheos_core::Row;
use rheos_core::clock::SharedClock;
use rheos_core::row::Str;
use rheos_runtime::chain::side_output::{OutputTag, SideOutput};
use rheos_runtime::deploy::side_outputs::SideOutputs;
use rheos_runtime::metrics::operator::OperatorMetrics;

use crate::error::ConnectorError;

/// What becomes of bad records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BadRecords {
    /// The first ends the job.
    #[default]
    Fail,
    /// They are counted, some of them are logged, and the job goes on.
    Skip,
    /// As skip, and each becomes a [`DeadLetter`] in the side output [`dead_letters`].
    DeadLetter,
}

impl std::str::FromStr for BadRecords {
    type Err = ConnectorError;

    fn from_str(text: &str) -> Result<Self, ConnectorError> {
        match text {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            "dead-letter" => Ok(Self::DeadLetter),
            other => Err(ConnectorError::Setting(format!(
                "bad records can be told to 'fail', 'skip' or 'dead-letter', not '{other}'"
            ))),
        }
    }
}

/// A record that could not be read, or a row that could not be written.
#[derive(Row, Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The file that was read; of a row, the operator and the folder that it should go to.
    pub source: Str,
    /// The line that the record begins on, from 1; of a row, its number in the subtask.
    pub line: u64,
    /// Bytes before the record, decompressed; of a row 0.
    pub offset: u64,
    /// The record, of one that is too long its first 64 KiB; of a row its binary form.
    pub bytes: Vec<u8>,
    /// What is wrong, with the path of the field.
    pub error: String,
}

/// The side output of sources and sinks that dead letters leave through.
///
/// ```
/// use rheos::prelude::*;
/// use rheos_connectors::{BadRecords, DeadLetter, FileSource, JsonLines, PrintSink, dead_letters};
///
/// let env = StreamEnv::default();
/// let source = FileSource::new(JsonLines, "numbers/").bad_records(BadRecords::DeadLetter);
/// let numbers: DataStream<i64> =
///     env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers");
/// let bad: DataStream<DeadLetter> = numbers.side_output(&dead_letters());
/// bad.sink_to(PrintSink::new().identifier("bad"));
/// ```
pub fn dead_letters() -> OutputTag<DeadLetter> {
    OutputTag::new("dead-letters")
}

/// Bytes of a record that a dead letter holds at most, where the record is too long.
pub const LONGEST_LETTER: usize = 64 * 1024;

/// Which way the bad ones go, and how they are counted.
#[derive(Debug, Clone, Copy)]
pub enum Direction {
    /// Records that are read.
    In,
    /// Rows that are written.
    Out,
}

/// Deals with bad records in one subtask; for connectors.
pub struct BadRecordHandler {
    policy: BadRecords,
    direction: Direction,
    letters: Option<SideOutput<DeadLetter>>,
    metrics: Arc<OperatorMetrics>,
    clock: SharedClock,
    count: u64,
}

impl BadRecordHandler {
    /// A handler with this policy. Must be made before the stage is: by the reader or writer when
    /// it is made.
    ///
    /// # Errors
    /// If dead letters are chosen and nobody reads them.
    pub fn new(
        policy: BadRecords,
        direction: Direction,
        side_outputs: &SideOutputs,
        metrics: Arc<OperatorMetrics>,
        clock: SharedClock,
    ) -> Result<Self, ConnectorError> {
        let tag = dead_letters();
        if policy == BadRecords::DeadLetter && !side_outputs.is_read(tag.name()) {
            return Err(ConnectorError::DeadLettersUnread);
        }
        // Asked for under every policy, so that one may be changed without the job being changed.
        let handle = side_outputs
            .handle(&tag)
            .map_err(|error| ConnectorError::Setting(error.to_string()))?;
        let letters = (policy == BadRecords::DeadLetter).then_some(handle);
        Ok(Self {
            policy,
            direction,
            letters,
            metrics,
            clock,
            count: 0,
        })
    }

    /// Deals with one: `line` of a file from 1, or of a row its number in the subtask. `bytes` is
    /// called if they are wanted.
    ///
    /// # Errors
    /// If it shall end the job.
    pub fn handle(
        &mut self,
        source: &str,
        line: u64,
        offset: u64,
        bytes: impl FnOnce() -> Vec<u8>,
        message: String,
    ) -> Result<(), ConnectorError> {
        let error = match self.direction {
            Direction::In => {
                let source_name = source.to_owned();
                ConnectorError::BadRecord {
                    source_name,
                    line,
                    offset,
                    message,
                }
            }
            Direction::Out => ConnectorError::BadRow {
                sink: source.to_owned(),
                row: line,
                message,
            },
        };
        if self.policy == BadRecords::Fail {
            return Err(error);
        }
        self.count += 1;
        match self.direction {
            Direction::In => self.metrics.add_records_in_errors(1),
            Direction::Out => self.metrics.add_records_out_errors(1),
        }
        if self.count.is_power_of_two() {
            // The 1st, 2nd, 4th …: a stream of bad records must not become a stream of log lines.
            tracing::warn!(so_far = self.count, "bad record: {error}");
        }
        let (ConnectorError::BadRecord { message, .. } | ConnectorError::BadRow { message, .. }) =
            error
        else {
            return Ok(());
        };
        if let Some(letters) = &self.letters {
            let letter = DeadLetter {
                source: Str::from(source),
                line,
                offset,
                bytes: bytes(),
                error: message,
            };
            letters.emit(letter, self.clock.wall_millis());
        }
        Ok(())
    }
}
