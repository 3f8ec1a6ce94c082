//! The rescales of a job: which are under way, and what came of the last ones. Names are Flink's.
//!
//! Life of one: begun → its checkpoint complete, and the tasks told to end → deployed anew → all tasks run,
//! and it is completed; or it has failed, or was not needed, and the job goes on as it was.

use std::collections::VecDeque;
use std::sync::Arc;

use rheos_core::job_graph::JobGraph;
use rheos_core::time::Millis;

use crate::schedule::{Bounds, Requirements};

/// How many are remembered.
pub const REMEMBERED: usize = 16;

/// Why a job is rescaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescaleCause {
    /// Somebody has asked for it.
    Asked,
    /// There are more slots.
    Slots,
}

impl RescaleCause {
    /// Flink's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "UPDATE_REQUIREMENT",
            Self::Slots => "NEW_RESOURCE_AVAILABLE",
        }
    }
}

/// How a rescale ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RescaleEnd {
    /// All tasks run.
    Completed,
    /// It came to nothing: why.
    Failed(String),
    /// Nothing had to be done: the job has that width.
    Unchanged,
    /// The job came to its end before: how.
    JobEnded(&'static str),
}

impl RescaleEnd {
    /// Flink's name of the state that it ended in.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::Failed(_) => "FAILED",
            Self::Unchanged | Self::JobEnded(_) => "IGNORED",
        }
    }

    /// Flink's name of the reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Completed => "SUCCEEDED",
            Self::Failed(_) => "EXCEPTION_OCCURRED",
            Self::Unchanged => "NO_RESOURCES_OR_PARALLELISMS_CHANGE",
            Self::JobEnded(how) => how,
        }
    }
}

/// A rescale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescale {
    /// Its name, 32 hexadecimal digits.
    pub id: String,
    /// Its number.
    pub number: u64,
    /// Why.
    pub cause: RescaleCause,
    /// What is asked for, by vertex.
    pub bounds: Vec<Bounds>,
    /// The subtasks of each vertex before,
    pub before: Vec<u32>,
    /// and after, once that is known.
    pub after: Option<Vec<u32>>,
    /// When it began, in milliseconds of the wall clock,
    pub begun_at: Millis,
    /// when its tasks were told to end,
    pub paused_at: Option<Millis>,
    /// and when it ended.
    pub ended_at: Option<Millis>,
    /// The checkpoint that it went on from.
    pub checkpoint: Option<u64>,
    /// From the tasks told to end to all tasks running, in milliseconds.
    pub pause_millis: Option<i64>,
    /// How it ended.
    pub end: Option<RescaleEnd>,
}

impl Rescale {
    /// One that begins now, of this name, for these requirements.
    pub fn new(
        id: String,
        cause: RescaleCause,
        requirements: &Requirements,
        graph: &JobGraph,
        now: Millis,
    ) -> Self {
        Self {
            id,
            number: 0,
            cause,
            bounds: requirements.bounds().to_vec(),
            before: graph.parallelism(),
            after: None,
            begun_at: now,
            paused_at: None,
            ended_at: None,
            checkpoint: None,
            pause_millis: None,
            end: None,
        }
    }
}

/// See the [module](self). Clones share what has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescales {
    /// The newest last.
    last: VecDeque<Arc<Rescale>>,
    begun: u64,
    completed: u64,
    failed: u64,
    ignored: u64,
}

impl Rescales {
    /// One begins: it gets its number.
    pub fn begin(&mut self, mut rescale: Rescale) {
        self.begun += 1;
        rescale.number = self.begun;
        self.last.push_back(Arc::new(rescale));
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
        }
    }

    /// Changes one that has not ended.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut Rescale)) {
        let open = |rescale: &&mut Arc<Rescale>| rescale.id == id && rescale.end.is_none();
        let Some(found) = self.last.iter_mut().find(open) else {
            return;
        };
        let rescale = Arc::make_mut(found);
        change(rescale);
        match &rescale.end {
            Some(RescaleEnd::Completed) => self.completed += 1,
            Some(RescaleEnd::Failed(_)) => self.failed += 1,
            Some(RescaleEnd::Unchanged | RescaleEnd::JobEnded(_)) => self.ignored += 1,
            None => {}
        }
    }

    /// One has ended.
    pub fn end(&mut self, id: &str, end: RescaleEnd, now: Millis) {
        self.change(id, |rescale| {
            rescale.end = Some(end);
            rescale.ended_at = Some(now);
        });
    }

    /// The one that is under way.
    pub fn under_way(&self) -> Option<&Arc<Rescale>> {
        self.last.iter().find(|rescale| rescale.end.is_none())
    }

    /// The last ones, the newest last.
    pub fn last(&self) -> impl DoubleEndedIterator<Item = &Arc<Rescale>> {
        self.last.iter()
    }

    /// How many were completed, failed, and came to nothing without a failure.
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.completed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rescale(id: &str) -> Rescale {
        Rescale {
            id: id.to_owned(),
            number: 0,
            cause: RescaleCause::Asked,
            bounds: Vec::new(),
            before: vec![2],
            after: None,
            begun_at: 10,
            paused_at: None,
            ended_at: None,
            checkpoint: None,
            pause_millis: None,
            end: None,
        }
    }

    #[test]
    fn what_has_ended_changes_no_more_and_is_counted_once() {
        let mut rescales = Rescales::default();
        rescales.begin(rescale("a"));
        assert_eq!(rescales.under_way().unwrap().number, 1);
        rescales.end("a", RescaleEnd::Completed, 12);
        rescales.end("a", RescaleEnd::Failed("late".to_owned()), 13);
        assert!(rescales.under_way().is_none());
        let last = rescales.last().next_back().unwrap();
        assert_eq!(
            (last.ended_at, last.end.as_ref()),
            (Some(12), Some(&RescaleEnd::Completed))
        );
        rescales.begin(rescale("b"));
        rescales.end("b", RescaleEnd::Failed("x".to_owned()), 14);
        rescales.begin(rescale("c"));
        rescales.end("c", RescaleEnd::Unchanged, 15);
        assert_eq!(rescales.counts(), (1, 1, 1));
    }

    #[test]
    fn the_last_are_remembered() {
        let mut rescales = Rescales::default();
        for number in 0..REMEMBERED + 3 {
            rescales.begin(rescale(&number.to_string()));
            rescales.end(&number.to_string(), RescaleEnd::Completed, 1);
        }
        assert_eq!(rescales.last().count(), REMEMBERED);
        assert_eq!(rescales.last().next().unwrap().number, 4);
        assert_eq!(rescales.counts().0, REMEMBERED as u64 + 3);
    }
}
