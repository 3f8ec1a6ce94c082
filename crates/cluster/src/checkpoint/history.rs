//! A job's checkpoints one by one, for whoever asks: the last ones with what they cost each task, the last
//! of each kind, and summaries over all that were completed. Written by the job's thread; clones share it.
//!
//! Life of an entry: begun → parts of tasks written → completed, later discarded; or failed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use rheos_core::time::Millis;
use rheos_runtime::checkpoint::snapshot::TaskCost;

use super::writer::{WrittenOperator, WrittenTask};

/// Over how many completed checkpoints quantiles are taken.
const SUMMARISED: usize = 1000;

/// What a checkpoint cost one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskEntry {
    /// When its part was written, by the wall clock.
    pub written_at: Millis,
    /// From the trigger until then, in milliseconds.
    pub millis: i64,
    /// Bytes written for it.
    pub written_bytes: u64,
    /// Bytes that it consists of: of files that were there already, too.
    pub state_bytes: u64,
    /// What it cost the task's thread, and how the barrier came.
    pub cost: TaskCost,
}

impl TaskEntry {
    /// How long was written beside the task's rows, in milliseconds: what is left of the time since the
    /// trigger when delay, alignment and the pause of the task are taken away.
    pub fn async_millis(&self) -> i64 {
        let cost = &self.cost;
        let before = cost.start_delay_micros + cost.alignment_micros + cost.sync_micros;
        (self.millis - before.div_euclid(1000)).max(0)
    }
}

/// What has become of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is under way.
    InProgress,
    /// It is complete.
    Completed {
        /// When, by the wall clock.
        at: Millis,
        /// From its trigger until then, in milliseconds.
        millis: i64,
        /// Where it is.
        place: String,
        /// Whether the job keeps it no longer.
        discarded: bool,
    },
    /// It has failed, expired, or been given up.
    Failed {
        /// When, by the wall clock.
        at: Millis,
        /// From its trigger until then, in milliseconds.
        millis: i64,
        /// Why.
        cause: String,
    },
}

/// A checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub checkpoint: u64,
    /// Whether it is a savepoint.
    pub savepoint: bool,
    /// When it was triggered, by the wall clock.
    pub triggered_at: Millis,
    /// How many tasks the job had,
    pub tasks: usize,
    /// and how many of each vertex.
    pub widths: Arc<[u32]>,
    /// What it cost those whose part is written, by their indexes in the job.
    pub parts: BTreeMap<usize, TaskEntry>,
    /// What has become of it.
    pub outcome: Outcome,
}

impl Entry {
    /// The parts of a vertex, by subtask; none of those that are not written.
    pub fn of_vertex(&self, vertex: usize) -> impl Iterator<Item = (u32, Option<&TaskEntry>)> {
        let before = self.widths.iter().take(vertex);
        let first: usize = before.map(|width| *width as usize).sum();
        let width = self.widths.get(vertex).copied().unwrap_or(0);
        (0..width)
            .zip(first..)
            .map(|(subtask, index)| (subtask, self.parts.get(&index)))
    }

    /// The vertex and the subtask of a task.
    pub fn place(&self, task: usize) -> Option<(usize, u32)> {
        let mut index = task;
        for (vertex, width) in self.widths.iter().enumerate() {
            match index.checked_sub(*width as usize) {
                Some(left) => index = left,
                None => return u32::try_from(index).ok().map(|subtask| (vertex, subtask)),
            }
        }
        None
    }

    /// The task that took longest, by its index in the job; of those that took equally long the first.
    pub fn slowest(&self) -> Option<(usize, &TaskEntry)> {
        let parts = self.parts.iter().rev();
        let slowest = parts.max_by_key(|(_, part)| part.millis)?;
        Some((*slowest.0, slowest.1))
    }

    fn sum(&self, of: impl Fn(&TaskEntry) -> u64) -> u64 {
        self.parts.values().map(of).sum()
    }

    /// Bytes written for it.
    pub fn written_bytes(&self) -> u64 {
        self.sum(|part| part.written_bytes)
    }

    /// Bytes that it consists of.
    pub fn state_bytes(&self) -> u64 {
        self.sum(|part| part.state_bytes)
    }

    /// Bytes of rows that tasks took in during alignment.
    pub fn processed_bytes(&self) -> u64 {
        self.sum(|part| part.cost.bytes_processed)
    }

    /// Bytes of elements in flight that are in it.
    pub fn persisted_bytes(&self) -> u64 {
        self.sum(|part| part.cost.bytes_persisted)
    }

    /// Whether the barrier overtook what was in flight, at some task.
    pub fn is_unaligned(&self) -> bool {
        self.parts.values().any(|part| part.cost.unaligned)
    }
}

/// What the job last went on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its number.
    pub checkpoint: u64,
    /// When, by the wall clock.
    pub at: Millis,
    /// Whether it was a savepoint.
    pub savepoint: bool,
    /// Where it is.
    pub place: String,
}

/// Numbers of completed checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    count: i64,
    sum: i64,
    min: i64,
    max: i64,
    last: VecDeque<i64>,
}

impl Series {
    fn add(&mut self, value: i64) {
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.last.push_back(value);
        if self.last.len() > SUMMARISED {
            self.last.pop_front();
        }
    }

    /// The least of all.
    pub fn min(&self) -> i64 {
        self.min
    }

    /// The greatest of all.
    pub fn max(&self) -> i64 {
        self.max
    }

    /// The mean of all.
    pub fn avg(&self) -> i64 {
        self.sum / self.count.max(1)
    }

    /// The last ones, for quantiles.
    pub fn last(&self) -> impl Iterator<Item = i64> {
        self.last.iter().copied()
    }
}

/// Over the checkpoints and savepoints that were completed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes written.
    pub written_bytes: Series,
    /// Bytes that they consist of.
    pub state_bytes: Series,
    /// From trigger to completion, in milliseconds.
    pub millis: Series,
    /// Bytes taken in during alignment.
    pub processed_bytes: Series,
    /// Bytes in flight.
    pub persisted_bytes: Series,
}

/// How many there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How often the job went on from one.
    pub restored: u64,
    /// Completed.
    pub completed: u64,
    /// Failed, expired, or given up.
    pub failed: u64,
    /// Under way.
    pub in_progress: u64,
}

/// All that is remembered, as of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// How many there were.
    pub totals: Totals,
    /// Over the completed ones.
    pub summary: Summary,
    /// The last ones, the newest last.
    pub entries: VecDeque<Entry>,
    /// The last completed checkpoint,
    pub completed: Option<Entry>,
    /// the last completed savepoint,
    pub savepoint: Option<Entry>,
    /// the last that failed,
    pub failed: Option<Entry>,
    /// and what the job last went on from.
    pub restored: Option<Restored>,
}

impl Remembered {
    /// The entry of this number, if it is remembered.
    pub fn entry(&self, checkpoint: u64) -> Option<&Entry> {
        let last = [&self.completed, &self.savepoint, &self.failed];
        let entries = self.entries.iter().rev();
        entries
            .chain(last.into_iter().flatten())
            .find(|entry| entry.checkpoint == checkpoint)
    }
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct History {
    size: usize,
    retained: usize,
    remembered: Arc<Mutex<Remembered>>,
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn state_bytes(operators: &[WrittenOperator]) -> u64 {
    let parts = operators.iter().flat_map(|operator| {
        let stores = operator.store.iter().flat_map(|store| &store.files);
        let stored = stores.map(|file| &file.part);
        operator.keyed.iter().chain([&operator.part]).chain(stored)
    });
    parts.map(|part| part.length).sum()
}

impl History {
    /// One that remembers the last `size`, of a job that keeps the last `retained` that are complete.
    pub fn new(size: usize, retained: usize) -> Self {
        Self {
            size,
            retained,
            remembered: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What is remembered.
    pub fn remembered(&self) -> Remembered {
        self.lock().clone()
    }

    /// A checkpoint has begun, of so many tasks of each vertex.
    pub fn begun(
        &self,
        checkpoint: u64,
        savepoint: bool,
        triggered_at: Millis,
        widths: &Arc<[u32]>,
    ) {
        let mut remembered = self.lock();
        remembered.totals.in_progress += 1;
        remembered.entries.push_back(Entry {
            checkpoint,
            savepoint,
            triggered_at,
            tasks: widths.iter().map(|width| *width as usize).sum(),
            widths: widths.clone(),
            parts: BTreeMap::new(),
            outcome: Outcome::InProgress,
        });
        // One that is under way stays.
        let over = remembered.entries.len().saturating_sub(self.size.max(1));
        for _ in 0..over {
            let ended = |entry: &Entry| entry.outcome != Outcome::InProgress;
            let Some(oldest) = remembered.entries.iter().position(ended) else {
                break;
            };
            remembered.entries.remove(oldest);
        }
    }

    /// A task's part is written, so long after the trigger.
    pub fn written(
        &self,
        checkpoint: u64,
        task: usize,
        part: &WrittenTask,
        (millis, written_at): (i64, Millis),
    ) {
        let mut remembered = self.lock();
        if let Some(entry) = under_way(&mut remembered, checkpoint) {
            let part = TaskEntry {
                written_at,
                millis,
                written_bytes: part.bytes,
                state_bytes: state_bytes(&part.operators),
                cost: part.cost,
            };
            entry.parts.insert(task, part);
        }
    }

    /// A checkpoint is complete.
    pub fn completed(&self, checkpoint: u64, place: String, (millis, at): (i64, Millis)) {
        let mut remembered = self.lock();
        let Some(entry) = under_way(&mut remembered, checkpoint) else {
            return;
        };
        entry.outcome = Outcome::Completed {
            at,
            millis,
            place,
            discarded: false,
        };
        let entry = entry.clone();
        let summary = &mut remembered.summary;
        summary.written_bytes.add(signed(entry.written_bytes()));
        summary.state_bytes.add(signed(entry.state_bytes()));
        summary.millis.add(millis);
        summary.processed_bytes.add(signed(entry.processed_bytes()));
        summary.persisted_bytes.add(signed(entry.persisted_bytes()));
        remembered.totals.completed += 1;
        remembered.totals.in_progress -= 1;
        if entry.savepoint {
            remembered.savepoint = Some(entry);
        } else {
            remembered.completed = Some(entry);
            discard_old(&mut remembered.entries, self.retained);
        }
    }

    /// A checkpoint has come to nothing.
    pub fn failed(&self, checkpoint: u64, cause: &str, at: Millis) {
        let mut remembered = self.lock();
        let Some(entry) = under_way(&mut remembered, checkpoint) else {
            return;
        };
        entry.outcome = Outcome::Failed {
            at,
            millis: (at - entry.triggered_at).max(0),
            cause: cause.to_owned(),
        };
        let entry = entry.clone();
        remembered.failed = Some(entry);
        remembered.totals.failed += 1;
        remembered.totals.in_progress -= 1;
    }

    /// All that were under way have come to nothing.
    pub fn all_failed(&self, cause: &str, at: Millis) {
        let entries = self.remembered().entries.into_iter();
        let under_way = entries.filter(|entry| entry.outcome == Outcome::InProgress);
        for checkpoint in under_way.map(|entry| entry.checkpoint) {
            self.failed(checkpoint, cause, at);
        }
    }

    /// The job has gone on from one.
    pub fn restored(&self, restored: Restored) {
        let mut remembered = self.lock();
        remembered.totals.restored += 1;
        remembered.restored = Some(restored);
    }
}

fn under_way(remembered: &mut Remembered, checkpoint: u64) -> Option<&mut Entry> {
    let mut entries = remembered.entries.iter_mut().rev();
    let this = |entry: &&mut Entry| entry.checkpoint == checkpoint;
    let entry = entries.find(this)?;
    (entry.outcome == Outcome::InProgress).then_some(entry)
}

/// Marks the checkpoints that are not among the last so many complete ones.
fn discard_old(entries: &mut VecDeque<Entry>, retained: usize) {
    let entries = entries.iter_mut().rev().filter(|entry| !entry.savepoint);
    let completed = entries.filter_map(|entry| match &mut entry.outcome {
        Outcome::Completed { discarded, .. } => Some(discarded),
        _ => None,
    });
    for discarded in completed.skip(retained) {
        *discarded = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: u64, delay: i64) -> WrittenTask {
        WrittenTask {
            operators: Vec::new(),
            cost: TaskCost {
                start_delay_micros: delay,
                sync_micros: 1_000,
                ..TaskCost::default()
            },
            bytes,
            written_micros: 0,
        }
    }

    #[test]
    fn the_last_are_remembered_with_their_parts_and_all_are_summed_up() {
        let history = History::new(3, 1);
        for number in 1..=5 {
            history.begun(number, number == 2, 1_000 * number as i64, &Arc::from([2]));
            let bytes = 100 * number;
            history.written(number, 0, &written(bytes, 3_000), (40, 7));
            history.written(number, 1, &written(bytes, 3_000), (50, 8));
            match number {
                4 => history.failed(number, "the disk is full", 4_250),
                _ => history.completed(number, format!("/chk-{number}"), (60 + number as i64, 9)),
            }
        }
        history.begun(6, false, 6_000, &Arc::from([2]));
        let seen = history.remembered();
        let numbers: Vec<u64> = seen.entries.iter().map(|entry| entry.checkpoint).collect();
        assert_eq!(numbers, [4, 5, 6]);
        let totals = (
            seen.totals.completed,
            seen.totals.failed,
            seen.totals.in_progress,
        );
        assert_eq!(totals, (4, 1, 1));
        let millis = &seen.summary.millis;
        assert_eq!((millis.min(), millis.max(), millis.avg()), (61, 65, 62));
        assert_eq!(
            seen.summary.written_bytes.last().collect::<Vec<_>>(),
            [200, 400, 600, 1000]
        );
        // The last of a kind stays, though newer ones have pushed it out.
        assert_eq!(seen.entry(2).map(|entry| entry.savepoint), Some(true));
        assert_eq!(seen.entry(1), None);
        let failed = seen.entry(4).unwrap();
        let Outcome::Failed { millis, cause, .. } = &failed.outcome else {
            panic!("{failed:?}");
        };
        assert_eq!((*millis, cause.as_str()), (250, "the disk is full"));
        let (slowest, part) = failed.slowest().unwrap();
        assert_eq!((slowest, part.async_millis()), (1, 46));
    }

    #[test]
    fn what_is_kept_no_longer_is_said_to_be_discarded() {
        let history = History::new(10, 2);
        for number in 1..=4 {
            history.begun(number, number == 2, 0, &Arc::from([]));
            history.completed(number, String::new(), (1, 1));
        }
        let seen = history.remembered();
        let discarded = seen.entries.iter().map(|entry| match entry.outcome {
            Outcome::Completed { discarded, .. } => discarded,
            _ => panic!("{entry:?}"),
        });
        // The second is a savepoint.
        assert_eq!(discarded.collect::<Vec<_>>(), [true, false, false, false]);
    }

    #[test]
    fn what_was_under_way_when_the_job_failed_has_failed() {
        let history = History::new(2, 1);
        for number in 1..=3 {
            history.begun(number, false, 0, &Arc::from([1]));
        }
        history.all_failed("the job failed", 5);
        let totals = history.remembered().totals;
        assert_eq!((totals.failed, totals.in_progress), (3, 0));
        // It says nothing a second time.
        history.completed(3, String::new(), (1, 1));
        assert_eq!(history.remembered().totals.completed, 0);
    }
}
