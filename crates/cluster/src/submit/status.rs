//! The states of a job's life, as Flink names them, and when it came into each.
//!
//! ```text
//! INITIALIZING → CREATED → RUNNING ─→ FINISHED
//!                            │ ↑
//!                   FAILING ←┘ └─ RESTARTING ← FAILING, or RUNNING that is rescaled
//!                      └→ FAILED, or SUSPENDED if another process runs the job now
//!           any of these ─→ CANCELLING → CANCELED
//! ```

use std::fmt;

use rheos_core::time::Millis;

/// What a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobStatus {
    /// It is read and checked.
    Initializing,
    /// It is sound, and its tasks are about to be deployed.
    Created,
    /// Its tasks run, or come up.
    Running,
    /// It has failed, and its tasks are being cancelled.
    Failing,
    /// It has failed for good.
    Failed,
    /// It was cancelled, and its tasks are ending.
    Cancelling,
    /// It was cancelled.
    Canceled,
    /// It has ended well: its sources came to their end, or it was stopped in good order.
    Finished,
    /// It has failed and will be started again.
    Restarting,
    /// It has ended here, because another process runs it now.
    Suspended,
    /// Its tasks are looked for, after its JobManager was lost.
    Reconciling,
}

impl JobStatus {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Initializing,
        Self::Created,
        Self::Running,
        Self::Failing,
        Self::Failed,
        Self::Cancelling,
        Self::Canceled,
        Self::Finished,
        Self::Restarting,
        Self::Suspended,
        Self::Reconciling,
    ];

    /// Flink's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
            Self::Reconciling => "RECONCILING",
        }
    }

    /// Whether nothing more of it happens in this process.
    pub fn has_ended(self) -> bool {
        use JobStatus as S;
        matches!(self, S::Failed | S::Canceled | S::Finished | S::Suspended)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a job is at, and when it last came into each state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    status: JobStatus,
    /// In the order of [`JobStatus::ALL`]; 0 is never.
    entered: [Millis; JobStatus::ALL.len()],
}

impl Timeline {
    /// A job that begins now.
    pub fn new(now: Millis) -> Self {
        let mut timeline = Self {
            status: JobStatus::Initializing,
            entered: [0; JobStatus::ALL.len()],
        };
        timeline.enter(JobStatus::Initializing, now);
        timeline
    }

    /// The job comes into a state. One that has ended stays as it is.
    pub fn enter(&mut self, status: JobStatus, now: Millis) {
        if self.status.has_ended() {
            return;
        }
        self.status = status;
        if let Some(entered) = self.entered.get_mut(status as usize) {
            *entered = now;
        }
    }

    /// What it is at.
    pub fn status(&self) -> JobStatus {
        self.status
    }

    /// When it last came into a state, in milliseconds of the wall clock; 0 if it never did.
    pub fn entered(&self, status: JobStatus) -> Millis {
        self.entered.get(status as usize).copied().unwrap_or(0)
    }

    /// When it began.
    pub fn started(&self) -> Millis {
        self.entered(JobStatus::Initializing)
    }

    /// When it ended, if it has.
    pub fn ended(&self) -> Option<Millis> {
        self.status.has_ended().then(|| self.entered(self.status))
    }

    /// When something last changed.
    pub fn changed(&self) -> Millis {
        self.entered(self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_last_time_and_an_end_is_the_end() {
        let mut timeline = Timeline::new(10);
        assert_eq!(timeline.started(), 10);
        for (status, at) in [
            (JobStatus::Created, 11),
            (JobStatus::Running, 12),
            (JobStatus::Failing, 20),
            (JobStatus::Restarting, 21),
            (JobStatus::Running, 30),
        ] {
            timeline.enter(status, at);
            assert_eq!(timeline.ended(), None);
        }
        assert_eq!(timeline.entered(JobStatus::Running), 30);
        assert_eq!(timeline.entered(JobStatus::Suspended), 0);
        timeline.enter(JobStatus::Finished, 40);
        timeline.enter(JobStatus::Running, 50);
        assert_eq!(timeline.status(), JobStatus::Finished);
        assert_eq!(timeline.ended(), Some(40));
        assert_eq!(timeline.changed(), 40);
    }

    #[test]
    fn the_order_of_all_is_that_of_the_numbers() {
        for (index, status) in JobStatus::ALL.iter().enumerate() {
            assert_eq!(*status as usize, index, "{status}");
        }
    }
}
