//! A job of a session: its life, and what is seen of it.
//!
//! Life: submitted → its JobManager is started, a process of its own → that asks whether it may begin, and for
//! slots → it runs → it has ended, and what it said last is kept. A JobManager that is lost is started
//! again after a pause, and goes on from the latest checkpoint.

use rheos_core::id::JobId;
use serde_json::{Value, json};

use super::child::Child;
use super::journal::{Ended, Submission};
use super::tether::Archive;
use crate::remote::supply::Needs;

/// The least pause before something is started again that was lost, in microseconds.
const LEAST_PAUSE: i64 = 100_000;
/// The longest.
const LONGEST_PAUSE: i64 = 10_000_000;
/// Who has lived so long, in microseconds, is not one that fails at once.
const SETTLED: i64 = 30_000_000;

/// The pauses before something is started again: twice as long each time, until it has lived for a while.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failed: u32,
}

impl Pauses {
    /// The pause after one that lived so long.
    pub fn after(&mut self, lived: i64) -> i64 {
        if lived >= SETTLED {
            self.failed = 0;
        }
        let pause = LEAST_PAUSE.saturating_mul(1 << self.failed.min(20));
        self.failed += 1;
        pause.min(LONGEST_PAUSE)
    }
}

/// The JobManager of a job, while its process lives.
pub(super) struct Alive {
    /// Which of all that were started: what another one says is not heard.
    pub number: u64,
    pub child: Child,
    /// What its REST wants to know.
    pub token: String,
    /// Where its REST is.
    pub rest: Option<String>,
    /// Where it takes TaskManagers.
    pub rpc: Option<String>,
    /// The slots that it needs, with the number of its question.
    pub needs: Option<(u64, Needs)>,
    /// What it was told of that last.
    pub told: Option<(u64, u32)>,
    /// The job's name and where its checkpoints are, once it may begin.
    pub history: Option<String>,
    /// Whether its REST knows the job.
    pub runs: bool,
    /// What is kept of the job, once that has ended.
    pub ended: Option<Ended>,
    /// Why it may not begin, if it may not.
    pub refused: Option<String>,
    pub cancelled: bool,
    pub since: i64,
}

pub(super) enum Phase {
    /// Its JobManager is to be started, at this time.
    Pending(i64),
    Alive(Box<Alive>),
    Ended(Box<Ended>),
}

pub(super) struct Job {
    pub name: String,
    pub submission: Submission,
    /// Whether it has run.
    pub ran: bool,
    pub phase: Phase,
    /// Before its JobManager is started again.
    pub pauses: Pauses,
    /// Before workers are.
    pub worker_pauses: Pauses,
    /// No worker is started before, in monotonic microseconds.
    pub no_worker_before: i64,
}

/// Where a job's own REST is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Its address.
    pub address: String,
    /// What it wants to know.
    pub token: String,
}

/// A job as people see it.
#[derive(Debug, Clone)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Its name: its program's until it has said its own.
    pub name: String,
    /// What was submitted.
    pub submission: Submission,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Whether it has run before, under a JobManager that is gone.
    pub ran: bool,
    /// Its own REST, once that knows it, and for a moment after its end.
    pub reached: Option<Reached>,
}

impl JobView {
    /// What is known without asking it.
    pub fn state(&self) -> &str {
        match &self.ended {
            Some(ended) => &ended.archive.state,
            None if self.reached.is_some() => "RUNNING",
            None if self.ran => "RESTARTING",
            None => "INITIALIZING",
        }
    }
}

impl Job {
    pub fn new(submission: Submission, ended: Option<Ended>, now: i64) -> Self {
        let name = ended.as_ref().and_then(|ended| {
            let name = ended.archive.overview.get("name");
            name.and_then(Value::as_str).map(str::to_owned)
        });
        Self {
            name: name.unwrap_or_else(|| submission.program.clone()),
            ran: submission.begun,
            submission,
            phase: match ended {
                Some(ended) => Phase::Ended(Box::new(ended)),
                None => Phase::Pending(now),
            },
            pauses: Pauses::default(),
            worker_pauses: Pauses::default(),
            no_worker_before: now,
        }
    }

    pub fn alive(&self) -> Option<&Alive> {
        match &self.phase {
            Phase::Alive(alive) => Some(alive),
            _ => None,
        }
    }

    pub fn alive_mut(&mut self) -> Option<&mut Alive> {
        match &mut self.phase {
            Phase::Alive(alive) => Some(alive),
            _ => None,
        }
    }

    pub fn view(&self, id: JobId) -> JobView {
        let reached = self.alive().filter(|alive| alive.runs);
        JobView {
            id,
            name: self.name.clone(),
            submission: self.submission.clone(),
            ran: self.ran,
            ended: match &self.phase {
                Phase::Ended(ended) => Some((**ended).clone()),
                Phase::Alive(alive) => alive.ended.clone(),
                Phase::Pending(_) => None,
            },
            reached: reached.and_then(|alive| {
                Some(Reached {
                    address: alive.rest.clone()?,
                    token: alive.token.clone(),
                })
            }),
        }
    }
}

/// What is kept of a job that could not say it itself.
pub(super) fn obituary(name: &str, state: &str, failure: Option<&str>, at: i64) -> Archive {
    let entries = failure.map(|text| {
        json!({
            "exceptionName": "rheos.JobManagerError",
            "stacktrace": text,
            "timestamp": at,
            "failureLabels": {},
            "taskName": null,
            "endpoint": null,
            "taskManagerId": null,
            "concurrentExceptions": [],
        })
    });
    let entries: Vec<Value> = entries.into_iter().collect();
    let exceptions = json!({ "exceptionHistory": { "entries": entries, "truncated": false } });
    Archive {
        state: state.to_owned(),
        overview: json!({ "name": name }),
        answers: [("/exceptions".to_owned(), exceptions)].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_at_once_is_started_ever_more_seldom() {
        let mut pauses = Pauses::default();
        let after: Vec<i64> = (0..3).map(|_| pauses.after(0)).collect();
        assert_eq!(after, [100_000, 200_000, 400_000]);
        for _ in 0..40 {
            pauses.after(0);
        }
        assert_eq!(pauses.after(0), LONGEST_PAUSE);
        assert_eq!(pauses.after(SETTLED), LEAST_PAUSE);
    }
}
