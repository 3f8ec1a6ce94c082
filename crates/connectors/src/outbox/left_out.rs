//! What a commit had to leave out of an epoch, where bad records are skipped; else what ends the job.

use std::sync::Arc;

use rheos_runtime::metrics::operator::OperatorMetrics;
use rheos_runtime::metrics::user::Counter;

use crate::bad_records::BadRecords;
use crate::error::ConnectorError;

/// What to do about a row that was refused when its epoch was to be applied.
pub(crate) fn refused(message: &str) -> String {
    format!(
        "{message}; the epoch stays in the checkpoint. Mend what refuses it, or start the job again with \
         bad records skipped"
    )
}

/// Of one committer.
pub(crate) struct LeftOut {
    skip: bool,
    count: u64,
    errors: Counter,
    metrics: Arc<OperatorMetrics>,
}

impl LeftOut {
    /// For a sink that deals with bad records in this way.
    ///
    /// # Errors
    /// If it would write dead letters, for which a commit is too late.
    pub fn new(
        bad_records: BadRecords,
        metrics: Arc<OperatorMetrics>,
    ) -> Result<Self, ConnectorError> {
        if bad_records == BadRecords::DeadLetter {
            let problem = "exactly once, what the system outside refuses is known when its checkpoint \
                is complete, and a dead letter would come too late for that: have bad records skipped, \
                or fail";
            return Err(ConnectorError::Setting(problem.to_owned()));
        }
        Ok(Self {
            skip: bad_records == BadRecords::Skip,
            count: 0,
            errors: metrics.group().counter("numRecordsSendErrors"),
            metrics,
        })
    }

    /// Whether rows that are refused are left out.
    pub fn skips(&self) -> bool {
        self.skip
    }

    /// Counts a row that was refused.
    ///
    /// # Errors
    /// What to do about it, where bad records are not skipped.
    pub fn refused(&mut self, target: &str, message: &str) -> Result<(), String> {
        if !self.skip {
            return Err(refused(message));
        }
        self.count += 1;
        self.metrics.add_records_out_errors(1);
        self.errors.inc_by(1);
        if self.count.is_power_of_two() {
            tracing::warn!(so_far = self.count, "bad record, {target}: {message}");
        }
        Ok(())
    }
}
