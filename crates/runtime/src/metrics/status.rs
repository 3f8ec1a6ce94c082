//! What a job does at the moment, as a whole, and for how long it has.

/// What a job does. Set by the JobManager's side; a registered job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobStatus {
    /// Its tasks run.
    #[default]
    Running,
    /// A task has failed; the others are being ended.
    Failing,
    /// It waits to be started again.
    Restarting,
    /// It was cancelled; its tasks are being ended.
    Cancelling,
}

/// A status, and since when; in monotonic microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatusTimes {
    pub status: JobStatus,
    since: i64,
    down_since: Option<i64>,
}

impl StatusTimes {
    pub fn running_since(now: i64) -> Self {
        Self {
            status: JobStatus::Running,
            since: now,
            down_since: None,
        }
    }

    /// Time begins anew only where the status is another one.
    pub fn set(&mut self, status: JobStatus, now: i64) {
        if self.status != status {
            self.status = status;
            self.since = now;
        }
        self.down_since = match status {
            JobStatus::Failing | JobStatus::Restarting => self.down_since.or(Some(now)),
            JobStatus::Running | JobStatus::Cancelling => None,
        };
    }

    /// Milliseconds in a status; 0 while it is another.
    pub fn millis_in(&self, status: JobStatus, now: i64) -> i64 {
        if self.status == status {
            (now - self.since).div_euclid(1_000)
        } else {
            0
        }
    }

    /// Milliseconds since the job failed, while it does not run.
    pub fn millis_down(&self, now: i64) -> i64 {
        self.down_since
            .map_or(0, |since| (now - since).div_euclid(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_failure_to_the_next_run() {
        let mut times = StatusTimes::running_since(0);
        assert_eq!(times.millis_in(JobStatus::Running, 5_000_000), 5_000);
        times.set(JobStatus::Failing, 5_000_000);
        times.set(JobStatus::Failing, 5_500_000);
        assert_eq!(times.millis_in(JobStatus::Failing, 6_000_000), 1_000);
        times.set(JobStatus::Restarting, 6_000_000);
        assert_eq!(times.millis_in(JobStatus::Restarting, 9_000_000), 3_000);
        assert_eq!(times.millis_in(JobStatus::Running, 9_000_000), 0);
        assert_eq!(times.millis_down(9_000_000), 4_000);
        times.set(JobStatus::Running, 9_000_000);
        assert_eq!(times.millis_down(10_000_000), 0);
    }
}
